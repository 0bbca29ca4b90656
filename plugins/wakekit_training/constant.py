"""The schedule `constant`: the optimizer's own learning rate throughout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

if TYPE_CHECKING:
    import torch


@attrs.frozen
class Constant:
    """Leave the learning rate alone."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return a scheduler whose factor is always 1."""
        del steps
        return LambdaLR(optimizer, lambda _step: 1.0)
