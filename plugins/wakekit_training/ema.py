"""The callback `ema`: an exponential moving average of the weights, which is what is validated and saved.

Floating-point buffers (BatchNorm's running statistics) are averaged like the weights, as they belong to them; counters
are copied.
"""

from __future__ import annotations

import copy

import attrs
import torch
from torch import Tensor, nn

from wakekit import Hooks, TrainingState, option


@attrs.frozen
class Ema:
    """Average the weights over about 1 / (1 - decay) steps (Polyak and Juditsky, 1992).

    Early in training the decay is (1 + step) / (10 + step) where that is smaller, so that the start is forgotten.
    """

    decay: float = option(0.999, at_least=0, below=1, help="weight of the past at every step")
    warmup: bool = option(default=True, help="start with a smaller decay")

    def build(self) -> Hooks:
        """Return the hooks of one training."""
        return _Averaging(self)


class _Averaging(Hooks):
    def __init__(self, options: Ema) -> None:
        self.options = options

    def fit_started(self, state: TrainingState) -> None:
        """Start the average from the initial weights and put it up for validation and saving."""
        self.average = copy.deepcopy(state.model).requires_grad_(requires_grad=False)
        state.evaluated = self.average

    @torch.no_grad()
    def step_ended(self, state: TrainingState) -> None:
        """Move the average towards the live weights, in one fused operation."""
        decay = self.options.decay
        if self.options.warmup:
            decay = min(decay, (1 + state.step) / (10 + state.step))
        live, average = _floats(state.model), _floats(self.average)
        torch._foreach_lerp_(average, live, 1 - decay)
        for kept, now in zip(self.average.buffers(), state.model.buffers(), strict=True):
            if not kept.is_floating_point():
                kept.copy_(now)


def _floats(model: nn.Module) -> list[Tensor]:
    """Return what is averaged: parameters and floating-point buffers."""
    return [*model.parameters(), *(buffer for buffer in model.buffers() if buffer.is_floating_point())]
