"""Averaged weights that are validated and saved in place of the live ones; what `ema` and `checkpoint-averaging` share.

Floating-point buffers (BatchNorm's running statistics) are averaged like the weights, as they belong to them; counters
are copied.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from wakekit import WakekitError

if TYPE_CHECKING:
    from wakekit import TrainingState


def put_up(state: TrainingState, name: str) -> nn.Module:
    """Put a frozen copy of the model up for validation and saving, and return it.

    `name` is the callback's own; raises WakekitError where another callback has put up something before.
    """
    if state.evaluated is not state.model:
        raise WakekitError(
            f"callback {name}: another callback already decides which weights are validated and saved; "
            "keep one of them in the recipe, as in ema or checkpoint-averaging"
        )
    average = copy.deepcopy(state.model).requires_grad_(requires_grad=False)
    average.zero_grad(set_to_none=True)
    state.evaluated = average
    return average


@torch.no_grad()
def move(average: nn.Module, live: nn.Module, weight: float) -> None:
    """Move an average towards the live weights by a share of the way, in one operation for all of them.

    At weight 1 it is a copy, to the bit.
    """
    kept, now = list[Tensor](average.parameters()), list[Tensor](live.parameters())
    kept_counts, counts = list[Tensor](), list[Tensor]()
    for old, new in zip(average.buffers(), live.buffers(), strict=True):
        into, value = (kept, now) if old.is_floating_point() else (kept_counts, counts)
        into.append(old)
        value.append(new)
    torch._foreach_lerp_(kept, now, weight)
    if counts:
        torch._foreach_copy_(kept_counts, counts)
