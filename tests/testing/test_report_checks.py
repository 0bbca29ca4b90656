"""The checks of reports catch what they are there for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.testing.support import failures_on

if TYPE_CHECKING:
    from wakekit.run_folder import Run


@attrs.frozen
class Good:
    """A line of text."""

    def write(self, run: Run, folder: Path) -> Path | None:
        """Write it."""
        path = folder / "report.txt"
        path.write_text(f"{len(run.clips)} clips\n")
        return path


@attrs.frozen
class Secret:
    """Does not say what it wrote."""

    def write(self, _run: Run, folder: Path) -> Path | None:
        """Write it."""
        (folder / "report.txt").write_text("here\n")
        return None


@attrs.frozen
class Elsewhere:
    """Writes beside the folder."""

    def write(self, _run: Run, folder: Path) -> Path | None:
        """Write it."""
        path = folder.parent / "report.txt"
        path.write_text("here\n")
        return path


@attrs.frozen
class Littering(Good):
    """Writes another file where the command was started."""

    def write(self, run: Run, folder: Path) -> Path | None:
        """Write both."""
        Path("notes.txt").write_text("here\n")
        return super().write(run, folder)


@attrs.frozen
class Beside(Good):
    """Writes another file beside the run's folder."""

    def write(self, run: Run, folder: Path) -> Path | None:
        """Write both."""
        (folder.parent / "notes.txt").write_text("here\n")
        return super().write(run, folder)


@attrs.frozen
class Absent:
    """Names a file that is not there."""

    def write(self, _run: Run, folder: Path) -> Path | None:
        """Write nothing."""
        return folder / "report.txt"


@attrs.frozen
class Tidy:
    """Removes what it does not need."""

    def write(self, _run: Run, folder: Path) -> Path | None:
        """Remove a file."""
        (folder / "clips.jsonl").unlink()
        return None


@attrs.frozen
class Once:
    """Cannot be written twice."""

    def write(self, _run: Run, folder: Path) -> Path | None:
        """Write it."""
        path = folder / "report.txt"
        with path.open("a") as file:
            file.write("again\n")
        return path


@attrs.frozen
class Needy:
    """Cannot do without streams."""

    def write(self, run: Run, _folder: Path) -> Path | None:
        """Read the first stream."""
        assert run.test.streams[0]


@attrs.frozen
class Signed:
    """Holds the time, as it were."""

    def write(self, _run: Run, folder: Path) -> Path | None:
        """Write it."""
        path = folder / "report.txt"
        path.write_text(os.urandom(8).hex())
        return path


@attrs.frozen
class Wrong:
    """Gives figures in another form."""

    def write(self, _run: Run, _folder: Path) -> Path | None:
        """Write nothing."""
        return None

    def plots(self, _run: Run, folder: Path, _form: str) -> list[Path]:
        """Write a text."""
        path = folder / "figure.txt"
        path.write_text("a figure")
        return [path]


def test_a_good_one_passes(tmp_path: Path) -> None:
    """No false alarm."""
    assert failures_on("report", Good, tmp_path) == {}


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (Secret, "names-its-file", "it returns None, and wrote report.txt"),
        (Elsewhere, "names-its-file", "not in the run's folder"),
        (Littering, "names-its-file", "it writes notes.txt into the folder that the command was started in"),
        (Beside, "names-its-file", "it writes notes.txt into runs/, which is not in the run's folder"),
        (Absent, "names-its-file", "which is no file"),
        (Tidy, "leaves-the-run-alone", "it changed clips.jsonl"),
        (Once, "writes-again", "it is another"),
        (Needy, "little-to-show", "IndexError"),
        (Signed, "deterministic", "report.txt"),
        (Wrong, "plots-are-files", "expected a .svg file"),
    ],
)
def test_a_broken_one_is_caught(tmp_path: Path, cls: type, check: str, words: str) -> None:
    """Each mistake fails the check that is meant for it."""
    found = failures_on("report", cls, tmp_path, only=[check])
    assert words in found.get(check, "passed"), found
