"""Check one class of a test with the kit, as if a plugin offered it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wakekit.hookspecs import Component
from wakekit.plugins import Plugin
from wakekit.registry import Registry, installed
from wakekit.testing.checks import checks_of
from wakekit.testing.conformance import FAILED, Conformance, Outcome, Task
from wakekit.testing.declared import Declared

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

# They ask other processes, which cannot import a test.
ELSEWHERE = frozenset({"listing-is-light", "fingerprint-stable", "same-in-every-process"})


def tasks_on(kind: str, cls: type, folder: Path, *, options: Mapping[str, Any] | None = None) -> list[Task]:
    """Return the tasks for a class that stands at the top of its module, called `kind:tried`."""
    spec = Component(kind, "tried", f"{cls.__module__}:{cls.__qualname__}", summary="one to try the kit on")
    plugin = Plugin("kit-tried", cls.__module__, "kit-tried", "1.0", "ok", components=(spec,))
    registry = Registry([*installed().plugins, plugin])
    declared = Declared(examples={f"{kind}:tried": dict(options or {})})
    conformance = Conformance((plugin,), registry, declared, folder)
    return [task for task in conformance.tasks if task.check.name not in ELSEWHERE]


def outcomes_on(
    kind: str,
    cls: type,
    folder: Path,
    *,
    options: Mapping[str, Any] | None = None,
    only: Collection[str] | None = None,
) -> dict[str, Outcome]:
    """Carry out the checks, or `only` those named, and return what came of each by its name."""
    tasks = tasks_on(kind, cls, folder, options=options)
    some = [task for task in tasks if only is None or task.check.name in only]
    carried = Conformance((), Registry([]), Declared(), folder)
    return {task.check.name: carried.outcome(task) for task in some}


def unproved(kind: str, names: Collection[str]) -> set[str]:
    """Return the checks that a kind has of its own and that are not among the names."""
    return own_checks(kind) - set(names)


def failures_on(
    kind: str,
    cls: type,
    folder: Path,
    *,
    options: Mapping[str, Any] | None = None,
    only: Collection[str] | None = None,
) -> dict[str, str]:
    """Return the reasons of the checks that a class fails, by check name; empty where it keeps its contract."""
    found = outcomes_on(kind, cls, folder, options=options, only=only)
    return {name: outcome.reason for name, outcome in found.items() if outcome.state == FAILED}


def own_checks(kind: str) -> set[str]:
    """Return the names of the checks that are of this kind alone, and can be tried on a class of a test."""
    return {one.name for one in checks_of(kind) if one.kinds} - ELSEWHERE
