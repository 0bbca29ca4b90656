"""Reports: a finished run shown to a person."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from wakekit.run_folder import read_run
from wakekit.testing.checks import check, exercise
from wakekit.testing.judged import made_results, made_run

if TYPE_CHECKING:
    import torch

    from wakekit.run_folder import Run
    from wakekit.testing.subject import Subject


def _run(subject: Subject) -> Run:
    """Return a run in a fresh folder."""
    folder = subject.folder / "run"
    shutil.rmtree(folder, ignore_errors=True)
    return made_run(made_results(), folder)


def _files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@attrs.frozen(eq=False)
class _Written:
    """A report written once: what it returned, the run's files before and after, and what lies elsewhere."""

    found: object
    folder: Path
    before: dict[str, str]
    after: dict[str, str]
    strays: list[str]


@functools.lru_cache(maxsize=2)
def _once(subject: Subject) -> _Written:
    """Write a report, the working folder being an empty one, for the checks that only look at it."""
    home, here = subject.folder / "home", Path.cwd()
    shutil.rmtree(home, ignore_errors=True)
    working = home / "working"
    working.mkdir(parents=True)
    run = made_run(made_results(), home / "runs" / "run")
    before = _files(run.folder)
    value = subject.value
    os.chdir(working)
    try:
        found = value.write(run, run.folder)
    finally:
        os.chdir(here)
    strays = sorted(name for name in _files(home) if not name.startswith("runs/run/"))
    return _Written(found, run.folder, before, _files(run.folder), strays)


@exercise("report")
def written(subject: Subject, _device: torch.device) -> dict[str, str]:
    """Return the hash of every file in the run's folder, its report among them."""
    run = _run(subject)
    subject.value.write(run, run.folder)
    return _files(run.folder)


@check("report")
def names_its_file(subject: Subject) -> None:
    """It returns the file that it wrote into the folder, or None where it writes none, and writes nowhere else."""
    written = _once(subject)
    new = {name for name in written.after if name not in written.before}
    for stray in written.strays:
        name = stray.removeprefix("working/")
        where = (
            "the folder that the command was started in"
            if name != stray
            else f"{Path(stray).parent}/, which is not in the run's folder"
        )
        raise AssertionError(f"it writes {Path(name).name} into {where}")
    if written.found is None:
        assert not new, f"it returns None, and wrote {', '.join(sorted(new))}"
    else:
        assert isinstance(written.found, (str, Path)), f"expected a Path or None, got {written.found!r:.80}"
        path, folder = Path(written.found).resolve(), written.folder.resolve()
        assert path.is_relative_to(folder), f"{written.found} is not in the run's folder"
        there = path.relative_to(folder).as_posix() in written.after
        assert there, f"it returns {written.found}, which is no file"


@check("report")
def leaves_the_run_alone(subject: Subject) -> None:
    """It changes and removes nothing of the run, and leaves no file that is half written."""
    written = _once(subject)
    changed = [name for name, hashed in written.before.items() if written.after.get(name) != hashed]
    assert not changed, f"it changed {', '.join(changed)}"
    left = [name for name in written.after if name.endswith((".tmp", ".part"))]
    assert not left, f"it left {', '.join(left)}"


@check("report")
def writes_again(subject: Subject) -> None:
    """A report that is there already is written again, to the same."""
    run = _run(subject)
    subject.value.write(run, run.folder)
    first = _files(run.folder)
    subject.value.write(read_run(run.folder), run.folder)
    assert _files(run.folder) == first, "written again, it is another"


@check("report")
def little_to_show(subject: Subject) -> None:
    """A run without streams, or without clips, is shown as far as it goes."""
    for sizes in ({"streams": 0}, {"positives": 0, "negatives": 0}):
        folder = subject.folder / "little"
        shutil.rmtree(folder, ignore_errors=True)
        subject.value.write(made_run(made_results(**sizes), folder), folder)


@check("report", when=lambda subject: hasattr(subject.cls, "plots"))
def plots_are_files(subject: Subject) -> None:
    """Its figures are written in the form asked for, and named."""
    run = _run(subject)
    for form in ("svg", "png"):
        for path in subject.value.plots(run, subject.folder / "run", form):
            assert Path(path).is_file() and Path(path).suffix == f".{form}", f"expected a .{form} file, got {path}"
