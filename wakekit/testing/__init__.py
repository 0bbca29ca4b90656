"""Prove a plugin: the conformance checks of every kind, and a rehearsal of recipes.

One line in a test, `check_plugin("acme-wake")`, or `pytest --wakekit acme-wake` on the command line; see
`wakekit.testing.declared` for examples, expected failures and skips.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakekit.testing.conformance import prepare
from wakekit.testing.declared import Declared, read_declared
from wakekit.testing.rehearsal import rehearse
from wakekit.testing.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_plugin", "rehearse"]


def check_plugin(
    *names: str,
    examples: Mapping[str, Mapping[str, Any]] | None = None,
    fails: Mapping[str, str] | None = None,
    skips: Mapping[str, str] | None = None,
) -> Tally:
    """Carry out every check on every component of the plugins, and print how many ran on each.

    Without further arguments, what the `pyproject.toml` of the current folder declares is taken. Raises AssertionError
    with all failures, WakekitError where a plugin is not there or what is declared makes no sense.
    """
    given = [dict(one) if one is not None else None for one in (examples, fails, skips)]
    declared = read_declared(Path("pyproject.toml"))
    if any(one is not None for one in given):
        declared = Declared(*(one or {} for one in given))  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        conformance = prepare(names, declared, Path(folder))
        outcomes = tuple(map(conformance.outcome, conformance.tasks))
    tally = Tally(tuple(dict.fromkeys(task.subject.label for task in conformance.tasks)), outcomes)
    print(tally.text())  # noqa: T201 - what a test prints, pytest shows where it fails
    if tally.failures:
        raise AssertionError("\n".join(tally.failures))
    return tally
