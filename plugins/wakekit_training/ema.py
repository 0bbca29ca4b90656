"""The callback `ema`: an exponential moving average of the weights, which is what is validated and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from wakekit import Hooks, TrainingState, option
from wakekit_training.averages import move, put_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


@attrs.frozen
class Ema:
    """Average the weights over about 1 / (1 - decay) steps (Polyak and Juditsky, 1992), anew in every pass.

    With `warmup` the decay is (1 + step) / (10 + step) where that is smaller, so that the start is forgotten. From the
    share `late_from` of the pass's steps on it is `late_decay`, warm-up or not: a short average while weights move
    fast, a long one when the learning rate has fallen. Buffers of floating point, as BatchNorm's, are averaged too.
    """

    decay: float = option(0.999, at_least=0, below=1, help="weight of the past at every step")
    warmup: bool = option(default=True, help="start with a smaller decay")
    late_decay: float | None = option(None, above=0, below=1, help="higher decay for the end of the pass")
    late_from: float = option(0.8, at_least=0, at_most=1, help="share of the pass's steps before the higher decay")

    def __attrs_post_init__(self) -> None:
        """Refuse a late decay that is not the higher one."""
        if self.late_decay is not None and self.late_decay <= self.decay:
            raise ValueError(f"late_decay: expected a value above decay, {self.decay:g}, got {self.late_decay:g}")

    def decay_at(self, step: int, steps: int) -> float:
        """Return the decay at a step of a pass of so many steps, counted from 0."""
        if self.late_decay is not None and step >= self.late_from * steps:
            return self.late_decay
        return min(self.decay, (1 + step) / (10 + step)) if self.warmup else self.decay

    def build(self) -> Hooks:
        """Return the hooks of one training."""
        return _Averaging(self)


class _Averaging(Hooks):
    def __init__(self, options: Ema) -> None:
        self.options = options
        self.average: nn.Module

    def pass_started(self, state: TrainingState) -> None:
        """Start the average from the weights as they are and put it up for validation and saving."""
        self.average = put_up(state, "ema")

    def step_ended(self, state: TrainingState) -> None:
        """Move the average towards the live weights."""
        move(self.average, state.model, 1 - self.options.decay_at(state.pass_step, state.steps))

    def state_dict(self) -> Mapping[str, Any]:
        """Return the average."""
        return {"average": self.average.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the average back."""
        self.average.load_state_dict(state["average"])
