"""The checks of the conformance kit: how one is declared, and what it is given.

A check is a function of a `Subject`, named by its function and explained by its docstring; it raises where the
component does not keep its contract. One that cannot be carried out raises `SkipError` with a reason, which counts as a
failure unless the plugin declares it, a missing CUDA device apart.

    @check("calibrator", when=lambda subject: getattr(subject.cls, "monotone", False))
    def monotone(subject: Subject) -> None:
        '''Higher scores never get lower probabilities.'''

Each kind also has one exercise: its verb on made-up material, with everything that comes of it. Checks that hold for
every kind (same answer twice, no global random state, CUDA like the CPU) are made of it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from wakekit.testing.subject import Subject

if TYPE_CHECKING:
    import torch


Run = Callable[["Subject"], None]
Exercise = Callable[["Subject", "torch.device"], Any]
_F = TypeVar("_F", bound=Callable[..., Any])


class SkipError(Exception):
    """A check that cannot be carried out here, with the reason."""


class NoDeviceError(SkipError):
    """A check that needs a CUDA device: the one skip that needs no declaration."""


@attrs.frozen
class Check:
    """One thing that a component must keep to.

    `kinds` is empty where it concerns all of them; `when` says whether it concerns a component of the kind, None where
    it concerns every one.
    """

    name: str
    kinds: tuple[str, ...]
    run: Run
    when: Callable[[Subject], bool] | None = None

    @property
    def help(self) -> str:
        """What the check holds, in a sentence."""
        return (self.run.__doc__ or "").partition("\n")[0]

    def concerns(self, subject: Subject) -> bool:
        """Return whether the component makes the promise that this checks."""
        return self.when is None or self.when(subject)


_CHECKS: list[Check] = []
_EXERCISES: dict[str, Exercise] = {}


def check(*kinds: str, when: Callable[[Subject], bool] | None = None) -> Callable[[Run], Run]:
    """Declare a check of the given kinds, of all where none is given; its name is the function's, with dashes."""

    def declare(run: Run) -> Run:
        # A module that is imported anew declares its checks anew, and none of them twice.
        place = (run.__module__, run.__qualname__)
        _CHECKS[:] = [one for one in _CHECKS if (one.run.__module__, one.run.__qualname__) != place]
        _CHECKS.append(Check(run.__name__.replace("_", "-"), kinds, run, when))
        return run

    return declare


def exercise(kind: str) -> Callable[[_F], _F]:
    """Declare the exercise of a kind: (subject, device) → everything that its verb gives for made-up material.

    What is returned holds tensors, arrays, numbers, texts, attrs values, and lists, tuples and dicts of these. The
    exercise seeds what the verb is to draw from, and gives the same material every time.
    """

    def declare(run: _F) -> _F:
        _EXERCISES[kind] = run
        return run

    return declare


def checks_of(kind: str) -> tuple[Check, ...]:
    """Return the checks that concern a kind, those of every kind first."""
    _load(kind)
    return tuple(one for one in _CHECKS if not one.kinds or kind in one.kinds)


def exercise_of(kind: str) -> Exercise:
    """Return the exercise of a kind."""
    _load(kind)
    return _EXERCISES[kind]


def _load(kind: str) -> None:
    import_module("wakekit.testing.generic")
    import_module(f"wakekit.testing.kinds.{kind}")
