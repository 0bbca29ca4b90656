"""Prove a plugin: the conformance checks of every kind, and a rehearsal of recipes.

One line in a test, `check_plugin("acme-wake")`, or `pytest --wakekit acme-wake` on the command line; see
`wakekit.testing.declared` for examples, expected failures and skips.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakekit.run_folder import Run
    from wakekit.testing.tally import Tally

__all__ = ["check_plugin", "rehearse"]


def check_plugin(
    *names: str,
    examples: Mapping[str, Mapping[str, Any]] | None = None,
    fails: Mapping[str, str] | None = None,
    skips: Mapping[str, str] | None = None,
) -> Tally:
    """Carry out every check on every component of the plugins, and print how many ran on each.

    Without further arguments, what the `pyproject.toml` declares that lies nearest above the calling file is taken.
    Raises AssertionError with all failures, and WakekitError where a plugin is not there or what is declared makes no
    sense.
    """
    from wakekit.testing.conformance import prepare  # noqa: PLC0415
    from wakekit.testing.declared import Declared, read_declared  # noqa: PLC0415
    from wakekit.testing.tally import Tally  # noqa: PLC0415

    if examples is None and fails is None and skips is None:
        caller = sys._getframe(1).f_code.co_filename  # noqa: SLF001
        declared = read_declared(_project(Path(caller)))
    else:
        told = {name: dict(options) for name, options in (examples or {}).items()}
        declared = Declared(examples=told, fails=dict(fails or {}), skips=dict(skips or {}))
    with tempfile.TemporaryDirectory() as folder:
        conformance = prepare(names, declared, Path(folder))
        outcomes = tuple(map(conformance.outcome, conformance.tasks))
    tally = Tally(tuple(dict.fromkeys(task.subject.label for task in conformance.tasks)), outcomes)
    print(tally.text())  # noqa: T201 - what a test prints, pytest shows where it fails
    if tally.failures:
        raise AssertionError("\n".join(tally.failures))
    return tally


def _project(file: Path) -> Path:
    """Return the `pyproject.toml` nearest above a file, or where one could be."""
    found = [folder / "pyproject.toml" for folder in file.resolve().parents]
    return next((path for path in found if path.is_file()), found[0])


def rehearse(recipe: str | Path, folder: Path, *, changes: Sequence[str] = (), own_corpus: bool = False) -> Run:
    """Run a recipe with its own components on chirps of 24 speakers, for one epoch; return the finished run.

    `folder` takes the corpus and the run. `changes` are as after `--set` and come last. With `own_corpus` the recipe's
    corpus is kept, which should then be small. What it measures says nothing: it shows that the recipe runs to its end.
    """
    from wakekit.testing.rehearsal import carry_out  # noqa: PLC0415

    return carry_out(recipe, folder, changes=changes, own_corpus=own_corpus)
