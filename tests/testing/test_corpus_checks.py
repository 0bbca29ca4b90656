"""Each check of corpora catches the mistake that it is meant for, and an honest corpus passes them all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
import soundfile

from tests.testing.support import failures_on, own_checks
from wakekit import Clip, Manifest, option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wakekit.progress import Progress

RATE = 8000


@attrs.frozen
class Tones:
    """Clips that it makes, beside one of a folder and one of a list, but for what a fault makes of it."""

    path: Path = option(help="a folder with given.wav")
    listed: str = option(help="a file elsewhere")
    keyword: str = option("nova", help="the wake word")
    fault: str = option("", help="what is wrong with it")

    def load(self, folder: Path, progress: Progress) -> Manifest:
        """Return the manifest."""
        total = 1 if self.fault == "advances too far" else 4
        with progress.task("tones", total) as advance:
            clips = [self.made(folder, number) for number in range(4)]
            advance(4)
        clips += [self.clip(self.path / "given.wav", 4), self.clip(Path(self.listed), 5)]
        self.strays(folder)
        return Manifest(
            keyword="" if self.fault == "no keyword" else self.keyword, clips=tuple(clips), notes=self.notes()
        )

    def made(self, folder: Path, number: int) -> Clip:
        """Write and return a clip."""
        path = folder / f"tone-{number}.wav"
        soundfile.write(path, 0.1 * np.sin(np.arange(RATE) * (0.1 + number / 10)), RATE)
        return self.clip(path, number)

    def clip(self, path: Path, number: int) -> Clip:
        """Return the clip of a file."""
        positive = number % 2 == 0 and self.fault != "nobody says it"
        positive = positive or self.fault == "nothing else"
        return Clip(
            audio=path.with_suffix(".lost") if self.fault == "lost file" and number == 4 else path,
            duration=3.0 if self.fault == "too long" and number == 1 else 1.0,
            label="nova" if positive or self.fault == "all are the keyword" else "other",
            pool="spoken" if self.fault == "unknown pool" else "positive" if positive else "negative",
            word=(0.2, 4.0) if self.fault == "word beyond the clip" and positive else None,
            speaker=None if "speaker" in self.fault else f"s{number // 2}",
            split={"unknown split": "validation", "leaks": ("train", "dev", "test")[number % 3]}.get(self.fault, ""),
        )

    def notes(self) -> tuple[str, ...]:
        """Return the notes."""
        return ("No speaker is known.",) if self.fault == "no speaker but a note" else ()

    def strays(self, folder: Path) -> None:
        """Write where nothing should be written."""
        if self.fault == "writes beside":
            (folder.parent / "cache.txt").write_text("")
        if self.fault == "writes into the data":
            (self.path / "cache.txt").write_text("")

    def files(self) -> Iterable[Path]:
        """Return the file elsewhere."""
        if self.fault == "names no files":
            return []
        return [Path(f"{self.listed}.lost" if self.fault == "names lost files" else self.listed)]


FAULTS = {
    "unknown pool": "manifest-reads-back",
    "word beyond the clip": "manifest-reads-back",
    "no keyword": "keyword-is-spoken",
    "nobody says it": "keyword-is-spoken",
    "nothing else": "keyword-is-spoken",
    "all are the keyword": "keyword-is-spoken",
    "lost file": "audio-can-be-read",
    "too long": "audio-can-be-read",
    "names no files": "files-accounted-for",
    "names lost files": "files-are-there",
    "no speaker": "speakers-or-a-note",
    "unknown split": "splits-are-known-ones",
    "leaks": "splits-are-known-ones",
    "advances too far": "progress-adds-up",
    "writes beside": "writes-into-its-folder-only",
    "writes into the data": "writes-into-its-folder-only",
}


def options(folder: Path, fault: str = "") -> dict[str, Any]:
    """Return options, after making the files that they name."""
    for name in ("data/given.wav", "elsewhere/listed.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        soundfile.write(folder / name, 0.1 * np.sin(np.arange(RATE) * len(name) / 50), RATE)
    return {"path": str(folder / "data"), "listed": str(folder / "elsewhere" / "listed.wav"), "fault": fault}


@pytest.mark.parametrize(("fault", "check"), FAULTS.items())
def test_a_mistake_is_caught_by_the_check_meant_for_it(fault: str, check: str, tmp_path: Path) -> None:
    """The check fails on a component that makes the mistake."""
    assert check in failures_on("corpus", Tones, tmp_path, options=options(tmp_path, fault), only={check})


@pytest.mark.parametrize("fault", ["", "no speaker but a note"])
def test_an_honest_one_passes(fault: str, tmp_path: Path) -> None:
    """A stranger's corpus that keeps the contract fails nothing."""
    assert failures_on("corpus", Tones, tmp_path, options=options(tmp_path, fault)) == {}


@attrs.frozen
class Named(Tones):
    """A corpus with a table of files."""

    files_of: dict[str, Path] = option(attrs.Factory(dict), help="files by name")

    def load(self, folder: Path, progress: Progress) -> Manifest:
        """Return the manifest, the listed file coming from the table."""
        return attrs.evolve(self, listed=str(self.files_of["b"])).tones(folder, progress)

    def tones(self, folder: Path, progress: Progress) -> Manifest:
        """Return what the corpus without a table has."""
        return super().load(folder, progress)


def test_files_in_a_table_are_accounted_for(tmp_path: Path) -> None:
    """A path in a table of options is fingerprinted as any other, and no stray."""
    given = options(tmp_path, "names no files")
    tables = {**given, "files_of": {"a": str(given["path"]), "b": given["listed"]}}
    assert failures_on("corpus", Named, tmp_path, options=tables, only=["files-accounted-for"]) == {}


def test_options_that_are_missing_are_told(tmp_path: Path) -> None:
    """A corpus without options fails with the sentence that says where to give them."""
    found = failures_on("corpus", Tones, tmp_path, only={"keyword-is-spoken"})
    assert "missing option 'path'" in found["keyword-is-spoken"]
    assert "tool.wakekit.conformance.examples" in found["keyword-is-spoken"]


def test_every_check_is_proved() -> None:
    """There is a mistake for each check of the kind."""
    assert own_checks("corpus") == set(FAULTS.values())
