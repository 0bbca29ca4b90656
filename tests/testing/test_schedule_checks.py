"""The checks of schedules: each finds what it is meant for, and torch's own pass all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, LRScheduler, OneCycleLR

from tests.testing.support import failures_on, unproved
from wakekit import option

if TYPE_CHECKING:
    from pathlib import Path


@attrs.frozen
class Annealing:
    """Torch's cosine, down to a rate of its own."""

    floor: float = option(1e-6, at_least=0, at_most=1e-3, help="lowest rate")

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        return CosineAnnealingLR(optimizer, steps, eta_min=self.floor)


@attrs.frozen
class Falling:
    """Torch's exponential."""

    gamma: float = option(0.99, above=0, at_most=1, help="factor of a step")

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        del steps
        return ExponentialLR(optimizer, self.gamma)


@attrs.frozen
class NoSchedule(Falling):
    """Builds something else."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> Any:
        """Return a number."""
        del optimizer
        return steps


@attrs.frozen
class Below(Falling):
    """Falls below zero."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        return LambdaLR(optimizer, lambda step: 1 - 2 * step / steps)


@attrs.frozen
class Dividing(Falling):
    """Fails where there is one step."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        return LambdaLR(optimizer, lambda step: max(0.0, 1 - step / (steps - 1)))


@attrs.frozen
class Own(Falling):
    """Has a peak of its own."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        return OneCycleLR(optimizer, 0.1, total_steps=max(2, steps), pct_start=0.5)


@attrs.frozen
class Chatty(Falling):
    """Warns."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        warnings.warn("few steps", stacklevel=1)
        return super().build(optimizer, steps)


_COUNT: list[int] = []


@attrs.frozen
class Counting(Falling):
    """Goes by how often any of its kind was asked."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        del steps
        return LambdaLR(optimizer, lambda _: _COUNT.append(1) or 1 / len(_COUNT))  # type: ignore[func-returns-value]


class _Forgetting(ExponentialLR):
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        del state_dict

    def get_lr(self) -> list[float | torch.Tensor]:
        return [rate * self.gamma**self.last_epoch for rate in self.base_lrs]


@attrs.frozen
class Forgetting(Falling):
    """Begins anew after a kill."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        del steps
        return _Forgetting(optimizer, self.gamma)


class _Shrinking(ExponentialLR):
    @torch.no_grad()
    def step(self, epoch: int | None = None) -> None:
        super().step(epoch)
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                weight.mul_(0.99)


@attrs.frozen
class Shrinking(Falling):
    """Moves weights."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
        """Return the scheduler."""
        del steps
        return _Shrinking(optimizer, self.gamma)


@pytest.mark.parametrize("cls", [Annealing, Falling])
def test_a_strangers_schedule_passes(cls: type, tmp_path: Path) -> None:
    """No check complains of torch's own, also where one ends at a rate that is not a share of the first."""
    assert failures_on("schedule", cls, tmp_path) == {}


BROKEN = [
    (NoSchedule, "is-a-schedule", "expected an LRScheduler"),
    (Below, "rates-finite", "has the rates"),
    (Dividing, "rates-finite", "ZeroDivisionError"),
    (Own, "goes-by-the-optimizer", "where the optimizer's is twice as high"),
    (Chatty, "steps-without-a-word", "it warns: few steps"),
    (Counting, "by-steps-alone", "beside another schedule"),
    (Forgetting, "goes-on-from-its-state", "from its state after step"),
    (Shrinking, "weights-untouched", "the weights"),
]


@pytest.mark.parametrize(("cls", "check", "words"), BROKEN)
@pytest.mark.filterwarnings("default:few steps")
def test_a_broken_schedule_is_caught(cls: type, check: str, words: str, tmp_path: Path) -> None:
    """The check that is meant for the mistake tells of it."""
    assert words in failures_on("schedule", cls, tmp_path, only={check}).get(check, "nothing")


def test_every_check_is_proved() -> None:
    """There is no check of schedules that no broken one above is caught by."""
    assert unproved("schedule", {check for _, check, _ in BROKEN}) == set()
