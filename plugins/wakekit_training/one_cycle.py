"""The schedule `one-cycle`: one rise of the learning rate and one fall far below its start (Smith and Topin, 2018).

The rates are those of torch's OneCycleLR (arXiv:1708.07120), which fails where a phase ends on its first step and
bounces back up after the last one; here such a phase is left out, and the end is held.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
from torch.optim.lr_scheduler import LRScheduler

from wakekit import WakekitError, option

if TYPE_CHECKING:
    import torch


@attrs.frozen
class OneCycle:
    """Raise the rate from `1 / div_factor` of its peak, then lower it to `1 / (div_factor · final_div_factor)`.

    The peak is the rate that the optimizer has when the schedule is built, times `max_lr`.
    """

    max_lr: float = option(1.0, above=0, help="the highest rate, in units of the optimizer's")
    pct_start: float = option(0.3, at_least=0, at_most=1, help="share of the steps that raise the rate")
    div_factor: float = option(25.0, at_least=1, help="the highest rate over the first")
    final_div_factor: float = option(1e4, at_least=1, help="the first rate over the last")
    anneal: str = option("cos", choices=("cos", "linear"), help="the way from one rate to the next")
    momentum: tuple[float, float] | None = option(
        None,
        at_least=0,
        below=1,
        help="lowest and highest momentum (beta1 of Adam): down while the rate goes up; not changed if left out",
    )

    def __attrs_post_init__(self) -> None:
        """Refuse a range of momentum the wrong way round."""
        if self.momentum is not None and self.momentum[0] > self.momentum[1]:
            raise ValueError(f"momentum: expected the lower value first, got {list(self.momentum)}")

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler over `steps` steps; raises WakekitError where there is no momentum that could change."""
        if self.momentum is not None and not {"momentum", "betas"} & set(optimizer.defaults):
            raise WakekitError(
                f"schedule one-cycle: {type(optimizer).__name__} has no momentum to change; leave `momentum` out"
            )
        return _OneCycle(optimizer, steps, self)


class _OneCycle(LRScheduler):
    """The rates as a function of the step alone; everything it holds but the optimizer is numbers, lists and text."""

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int, options: OneCycle) -> None:
        self.steps = steps
        self.options = attrs.asdict(options)
        self.peaks = [float(group["lr"]) * options.max_lr for group in optimizer.param_groups]
        super().__init__(optimizer)

    def get_lr(self) -> list[float | torch.Tensor]:
        """Return the rate of each group at the current step, and set the momentum where it changes."""
        options = self.options
        if options["momentum"] is not None:
            low, high = options["momentum"]
            self._set_momentum(self._between(high, low, high))
        start, end = 1 / options["div_factor"], 1 / (options["div_factor"] * options["final_div_factor"])
        factor = self._between(start, 1.0, end)
        return [peak * factor for peak in self.peaks]

    def _between(self, first: float, middle: float, last: float) -> float:
        """Return the value at the current step of a way from `first` over `middle` to `last`."""
        step, final = self.last_epoch, self.steps - 1
        turn = self.options["pct_start"] * self.steps - 1
        if step <= turn and turn > 0:
            return self._annealed(first, middle, step / turn)
        # Where the peak falls on the first step or before, the fall has begun by then, as in torch's.
        if final <= turn:
            return middle
        return self._annealed(middle, last, min(1.0, (step - turn) / (final - turn)))

    def _annealed(self, start: float, end: float, share: float) -> float:
        if self.options["anneal"] == "linear":
            return start + (end - start) * share
        return end + (start - end) / 2 * (1 + math.cos(math.pi * share))

    def _set_momentum(self, value: float) -> None:
        for group in self.optimizer.param_groups:
            if "betas" in group:
                group["betas"] = (value, *group["betas"][1:])
            else:
                group["momentum"] = value
