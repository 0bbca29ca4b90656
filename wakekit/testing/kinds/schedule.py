"""Schedules: the learning rates of all steps of a pass, from those that the optimizer has when it begins."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same
from wakekit.tree import load_tree, save_tree

if TYPE_CHECKING:
    from wakekit.testing.subject import Subject

_RATES = (0.1, 0.01)
_COUNTS = (1, 2, 3, 10, 101)
_STOPS = (1, 4, 9)
_LONG = 10


def _optimizer(scale: float = 1.0, device: torch.device | None = None) -> torch.optim.Optimizer:
    """Return an optimizer of two groups with a momentum."""
    weights = [nn.Parameter(torch.ones(2, device=device)) for _ in _RATES]
    groups: list[dict[str, Any]] = [
        {"params": [weight], "lr": scale * rate} for weight, rate in zip(weights, _RATES, strict=True)
    ]
    return torch.optim.SGD(groups, lr=scale * _RATES[0], momentum=0.9)


def _step(optimizer: torch.optim.Optimizer, schedule: LRScheduler) -> None:
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = torch.zeros_like(weight)
    optimizer.step()
    schedule.step()


def _rates(optimizer: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in optimizer.param_groups]


def _course(subject: Subject, steps: int, scale: float = 1.0, device: torch.device | None = None) -> list[list[float]]:
    """Return the rates of each step, and those that are left after the last."""
    optimizer = _optimizer(scale, device)
    schedule = subject.value.build(optimizer, steps)
    found = [_rates(optimizer)]
    for _ in range(steps):
        _step(optimizer, schedule)
        found.append(_rates(optimizer))
    return found


@exercise("schedule")
def courses(subject: Subject, device: torch.device) -> dict[str, list[list[float]]]:
    """Return the rates of trainings of several lengths."""
    return {str(steps): _course(subject, steps, device=device) for steps in _COUNTS}


@check("schedule")
def is_a_schedule(subject: Subject) -> None:
    """`build` returns a torch.optim.lr_scheduler.LRScheduler that can tell the last rates."""
    optimizer = _optimizer()
    schedule = subject.value.build(optimizer, _LONG)
    assert isinstance(schedule, LRScheduler), f"expected an LRScheduler, got {type(schedule)}"
    _step(optimizer, schedule)
    told, rates = [float(rate) for rate in schedule.get_last_lr()], _rates(optimizer)
    assert told == rates, f"get_last_lr() says {told}, and the optimizer's rates are {rates}"


@check("schedule")
def rates_finite(subject: Subject) -> None:
    """In a training of any length, of one step too, rates are finite, never below 0, and not 0 throughout."""
    for steps in _COUNTS:
        found = _course(subject, steps)
        for step, rates in enumerate(found):
            good = all(math.isfinite(rate) and rate >= 0 for rate in rates)
            assert good, f"of {steps} steps, step {step} has the rates {rates}"
        highest = max(max(rates) for rates in found[:-1])
        assert highest > 0, f"in a training of {steps} steps all rates are 0"


@check("schedule")
def steps_without_a_word(subject: Subject) -> None:
    """As many steps as were announced raise no error and no warning."""
    for steps in _COUNTS:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            _course(subject, steps)
        assert not told, f"in {steps} steps it warns: {told[0].message}"


@check("schedule")
def goes_by_the_optimizer(subject: Subject) -> None:
    """Its rates go by those that the optimizer has when it is built: where these are higher its highest is."""
    usual, doubled = (max(rates[0] for rates in _course(subject, _LONG, scale)[:-1]) for scale in (1.0, 2.0))
    assert doubled > usual, f"the highest rate is {usual:g}, and not above that where the optimizer's is twice as high"
    of_groups = [max(rates[group] for rates in _course(subject, _LONG)[:-1]) for group in range(len(_RATES))]
    assert of_groups[0] > of_groups[1], f"groups of the rates {_RATES} get rates up to {of_groups}"


@check("schedule")
def by_steps_alone(subject: Subject) -> None:
    """Rates depend on the step and on how many there are, not on another schedule that was built or stepped before."""
    value, optimizer = subject.value, _optimizer()
    other = value.build(_optimizer(3.0), 7)
    schedule = value.build(optimizer, _LONG)
    found = [_rates(optimizer)]
    for step in range(_LONG):
        if step % 2:
            _step(other.optimizer, other)
        _step(optimizer, schedule)
        found.append(_rates(optimizer))
    assert_same(found, _course(subject, _LONG), where="beside another schedule, the rates")


@check("schedule")
def goes_on_from_its_state(subject: Subject) -> None:
    """A fresh build that is given the state, from a file, goes on with the same rates, to the bit."""
    whole = _course(subject, _LONG)
    for stop in _STOPS:
        optimizer = _optimizer()
        schedule = subject.value.build(optimizer, _LONG)
        for _ in range(stop):
            _step(optimizer, schedule)
        path = subject.folder / "schedule"
        save_tree(path, {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()})
        kept, again = load_tree(path), _optimizer()
        restored = subject.value.build(again, _LONG)
        again.load_state_dict(kept["optimizer"])
        restored.load_state_dict(kept["schedule"])
        found = [_rates(again)]
        for _ in range(stop, _LONG):
            _step(again, restored)
            found.append(_rates(again))
        assert_same(found, whole[stop:], where=f"from its state after step {stop}, the rates")


@check("schedule")
def weights_untouched(subject: Subject) -> None:
    """It sets learning rates, and moves no weight."""
    optimizer = _optimizer()
    schedule = subject.value.build(optimizer, _LONG)
    for _ in range(_LONG):
        _step(optimizer, schedule)
    found = [weight.detach() for group in optimizer.param_groups for weight in group["params"]]
    assert_same(found, [torch.ones(2)] * len(found), where="without gradients, the weights")
