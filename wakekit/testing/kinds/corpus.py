"""Corpora: where the audio comes from, told as a manifest of clips, streams and impulse responses.

A corpus is loaded with the options of its example, which should be small.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.audio import BadAudioError, open_recording
from wakekit.data import SPLITS, Manifest
from wakekit.errors import WakekitError
from wakekit.leakage import check_leakage
from wakekit.manifest import read_manifest, write_manifest
from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same
from wakekit.testing.sounds import RATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import torch

    from wakekit.progress import Advance
    from wakekit.testing.subject import Subject

_MOST_READ = 60
_MOST_WATCHED = 20_000
_SHOWN = 3


@attrs.frozen
class _Task:
    """A task that a corpus told of, and by how much it advanced."""

    label: str
    total: int
    done: list[int] = attrs.field(factory=list)


@attrs.frozen
class _Told:
    """A progress that remembers what it was told."""

    tasks: list[_Task] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        """Remember a task."""
        told = _Task(label, total)
        self.tasks.append(told)

        def advance(amount: int = 1, text: str = "") -> None:  # noqa: ARG001
            told.done.append(amount)

        yield advance

    def note(self, text: str) -> None:
        """Remember a sentence."""
        self.notes.append(text)


@attrs.frozen(eq=False)
class _Loaded:
    """A corpus loaded once: its manifest, the folder that it was given, what it told, and which files it touched."""

    manifest: Manifest
    folder: Path
    progress: _Told
    touched: tuple[str, ...]


_LOADED: weakref.WeakKeyDictionary[Subject, _Loaded] = weakref.WeakKeyDictionary()


def _load(subject: Subject) -> _Loaded:
    """Load the corpus into a fresh folder beside an empty one, which should stay so."""
    outer = Path(tempfile.mkdtemp(dir=subject.folder)).resolve()
    (outer / "beside").mkdir()
    folder = outer / "made"
    folder.mkdir()
    corpus, progress = subject.value, _Told()
    watched = [outer, *_paths(corpus)]
    before = _seen(watched, folder)
    manifest = corpus.load(folder, progress)
    after = _seen(watched, folder)
    touched = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    loaded = _Loaded(manifest, folder, progress, tuple(touched))
    _LOADED.setdefault(subject, loaded)
    return loaded


def _once(subject: Subject) -> _Loaded:
    """Return the corpus as it was loaded first, the same for all checks that only read it."""
    loaded = _LOADED.get(subject) or _load(subject)
    assert isinstance(loaded.manifest, Manifest), f"expected a wakekit.Manifest, got {loaded.manifest!r:.80}"
    return loaded


def _paths(corpus: Any) -> list[Path]:  # noqa: ANN401
    """Return the corpus's options that are paths, those in tables, tuples and components too."""
    return [Path(os.path.abspath(path)) for path in _paths_in(corpus)]  # noqa: PTH100


def _paths_in(value: Any) -> Iterator[Path]:  # noqa: ANN401
    if isinstance(value, Path):
        yield value
    elif attrs.has(type(value)):
        yield from _paths_in([getattr(value, field.name) for field in attrs.fields(type(value)) if field.init])
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _paths_in(item)


def _seen(roots: Iterable[Path], but: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of the files below some folders, as far as they can be counted, without those of one."""
    found: dict[str, tuple[int, int]] = {}
    for root in roots:
        for place, folders, names in os.walk(root):
            folders[:] = [name for name in folders if Path(place, name) != but]
            for name in names:
                if len(found) >= _MOST_WATCHED:
                    return found
                path = Path(place, name)
                if path.exists():
                    status = path.stat()
                    found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found


@exercise("corpus")
def manifest(subject: Subject, device: torch.device) -> Mapping[str, Any]:  # noqa: ARG001
    """Return what the manifest says, and the hash of each file that the corpus made."""
    loaded = _load(subject)
    told = [_row(row, loaded.folder) for row in loaded.manifest.rows()]
    made = {name: _hash(loaded.folder / name) for name in sorted({row["audio"] for row in told if row["made"]})}
    return {"keyword": loaded.manifest.keyword, "rows": told, "notes": list(loaded.manifest.notes), "made": made}


def _row(row: Any, folder: Path) -> dict[str, Any]:  # noqa: ANN401
    audio = Path(os.path.abspath(row.audio))  # noqa: PTH100
    made = audio.is_relative_to(folder)
    values = {name: _without(value, folder) for name, value in attrs.asdict(row).items()}
    return {**values, "audio": (audio.relative_to(folder) if made else audio).as_posix(), "made": made}


def _without(value: Any, folder: Path) -> Any:  # noqa: ANN401
    return value.replace(str(folder), "") if isinstance(value, str) else value


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@check("corpus")
def manifest_reads_back(subject: Subject) -> None:
    """The manifest keeps the rules of its format: what is written and read again is the same."""
    loaded = _once(subject)
    path = subject.folder / "written.jsonl"
    write_manifest(path, loaded.manifest)
    read = _read(path)
    for name in ("clips", "streams", "impulse_responses"):
        given = [attrs.evolve(row, audio=Path(os.path.abspath(row.audio))) for row in getattr(loaded.manifest, name)]  # noqa: PTH100
        assert_same(list(getattr(read, name)), given, where=f"written and read, {name}")
    assert_same((read.keyword, read.notes), (loaded.manifest.keyword, tuple(loaded.manifest.notes)))


def _read(path: Path) -> Manifest:
    try:
        return read_manifest(path)
    except WakekitError as error:
        first, *others = str(error).splitlines()
        more = f" (and {len(others)} more)" if others else ""
    raise AssertionError(f"written to a file, line {first.removeprefix(f'{path}:')}{more}")


@check("corpus")
def keyword_is_spoken(subject: Subject) -> None:
    """The corpus has a keyword, clips of it, and others to tell it from."""
    keyword, found = subject.value.keyword, _once(subject).manifest
    good = isinstance(keyword, str) and bool(keyword.strip())
    assert good, f"expected a keyword as an option, got {keyword!r}"
    assert found.keyword.strip(), "expected the manifest to have a keyword, got an empty text"
    positive = sum(clip.pool == "positive" for clip in found.clips)
    assert positive, f"expected clips of the pool positive, got none among {len(found.clips)}"
    assert positive < len(found.clips), f"expected clips of other pools too, got {positive} positive and no others"
    odd = [clip for clip in found.clips if clip.label == found.keyword and clip.pool != "positive"]
    told = f"{odd[0].audio} is of the pool {odd[0].pool}" if odd else ""
    assert not odd, f"{len(odd)} clips are labelled {found.keyword!r} and not positive, first {told}"


@check("corpus")
def audio_can_be_read(subject: Subject) -> None:
    """Every row's file is there, and as long as the row says."""
    rows = _once(subject).manifest.rows()
    lost = [row.audio for row in rows if not row.audio.is_file()]
    assert not lost, f"{len(lost)} of {len(rows)} rows name files that are not there, first {lost[0]}"
    step = max(1, -(-len(rows) // _MOST_READ))
    for row in rows[::step]:
        try:
            with open_recording(row, RATE) as recording:
                next(recording.blocks(), None)
        except BadAudioError as error:
            raise AssertionError(f"{row.audio} {error}") from error


@check("corpus")
def files_accounted_for(subject: Subject) -> None:
    """Audio is made in the folder given, is below an option of type Path or named by files(), and so fingerprinted."""
    loaded, corpus = _once(subject), subject.value
    known = [loaded.folder, *_paths(corpus), *(corpus.files() if callable(getattr(corpus, "files", None)) else ())]
    strays = sorted({row.audio for row in loaded.manifest.rows() if not _below(row.audio, known)})
    assert not strays, f"{len(strays)} audio files are of no option and not named by files(), first {strays[0]}"


def _below(path: Path, roots: Iterable[Path]) -> bool:
    """Return whether a path is one of some or lies below it, be it through a link."""
    forms = (os.path.abspath, os.path.realpath)
    return any(Path(form(path)).is_relative_to(form(root)) for root in roots for form in forms)


@check("corpus", when=lambda subject: callable(getattr(subject.cls, "files", None)))
def files_are_there(subject: Subject) -> None:
    """`files()` names paths of files that exist, the same ones each time."""
    corpus = subject.value
    found = list(corpus.files())
    odd = [path for path in found if not isinstance(path, Path) or not path.exists()]
    assert not odd, f"expected paths that exist, got {odd[0]!r}"
    assert list(corpus.files()) == found, "asked again, files() names others"


@check("corpus")
def speakers_or_a_note(subject: Subject) -> None:
    """Clips of speech name their speakers, or a note says that these are not known: voices must not cross splits."""
    found = _once(subject).manifest
    lost = [clip for clip in found.clips if clip.pool != "background" and not clip.speaker]
    told = any("speaker" in note.lower() for note in found.notes)
    assert not lost or told, f"{len(lost)} clips of speech have no speaker, and no note says so; first {lost[0].audio}"


@check("corpus")
def splits_are_known_ones(subject: Subject) -> None:
    """Where the corpus states splits they are train, dev and test, and where it states all of them nothing leaks."""
    found = _once(subject).manifest
    splits = {row.split for row in found.rows()}
    odd = sorted(splits - {"", *SPLITS})
    assert not odd, f"expected splits to be empty or one of {', '.join(SPLITS)}, got {odd[0]!r}"
    if "" not in splits:
        check_leakage(found)


@check("corpus")
def progress_adds_up(subject: Subject) -> None:
    """Tasks have a label and a total of at least 0, and never advance beyond it."""
    for task in _once(subject).progress.tasks:
        assert task.label.strip(), "expected a label for each task, got an empty one"
        good = task.total >= sum(task.done) >= 0 and min(task.done, default=0) >= 0
        assert good, f"task {task.label!r}: expected at most {task.total} in steps of at least 0, got {sum(task.done)}"


@check("corpus")
def writes_into_its_folder_only(subject: Subject) -> None:
    """What the corpus writes, it writes into the folder given: not beside it, nor where the audio comes from."""
    touched = _once(subject).touched
    assert not touched, f"loading wrote or removed {', '.join(touched[:_SHOWN])}"
