"""The schedule `cosine`: linear warm-up, then half a cosine down to the end (Loshchilov and Hutter, 2017)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from wakekit import option

if TYPE_CHECKING:
    import torch


@attrs.frozen
class Cosine:
    """Raise the rate linearly over `warmup` of all steps, then lower it along a cosine to `floor` of its peak."""

    warmup: float = option(0.1, at_least=0, below=1, help="share of the steps that warm up")
    floor: float = option(0.0, at_least=0, at_most=1, help="share of the peak rate at the last step")

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler over `steps` steps."""
        warm = round(self.warmup * steps)

        def factor(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            done = min(1.0, (step - warm) / max(1, steps - warm))
            return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * done))

        return LambdaLR(optimizer, factor)
