"""The stage store: folders named by fingerprint, each written whole or not at all, each made by one process at a time.

A stage works in a temporary folder that is renamed when it is done. The lock of a fingerprint belongs to the operating
system, so that a killed process leaves none behind.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from wakekit.progress import Progress

_SEAL = "artifact.json"


@attrs.frozen
class Artifact:
    """What a stage left: its folder, and whether it was there already."""

    stage: str
    fingerprint: str
    folder: Path
    reused: bool


class Store:
    """A folder of artifacts, `root/<stage>/<fingerprint>/`."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self.root = root
        self._progress = progress

    def folder(self, stage: str, fingerprint: str) -> Path:
        """Return where the artifact is, or will be."""
        return self.root / stage / fingerprint[:32]

    def holds(self, stage: str, fingerprint: str) -> bool:
        """Say whether the artifact is there, whole."""
        return _whole(self.folder(stage, fingerprint))

    def get(
        self, stage: str, fingerprint: str, make: Callable[[Path], None], *, resumes: bool = False, kin: str = ""
    ) -> Artifact:
        """Return the artifact, made by `make(folder)` unless it is in the store.

        Where another process is making the same one, wait for it and use its result. Where `resumes`, what a `make`
        that did not come to its end left in the folder is there for the next to go on from. `kin` is kept with the
        artifact: the fingerprint that it shares with those of other seeds.
        """
        folder = self.folder(stage, fingerprint)
        folder.parent.mkdir(parents=True, exist_ok=True)
        if _whole(folder):
            return Artifact(stage, fingerprint, folder, reused=True)
        with self._held(folder, stage):
            if _whole(folder):
                return Artifact(stage, fingerprint, folder, reused=True)
            facts = {"stage": stage, "fingerprint": fingerprint, "kin": kin}
            self._make(folder, facts, make, resumes=resumes)
        return Artifact(stage, fingerprint, folder, reused=False)

    def _make(self, folder: Path, facts: dict[str, str], make: Callable[[Path], None], *, resumes: bool) -> None:
        working = folder.with_name(f".{folder.name}.part")
        # How long an attempt took that did not come to its end is not known.
        begun, resumed = time.monotonic(), resumes and working.exists()
        for leftover in (folder,) if resumes else (working, folder):
            shutil.rmtree(leftover, ignore_errors=True)
        working.mkdir(exist_ok=resumes)
        # What a killed `replacing` left; only this process works here.
        for leftover in [path for path in working.rglob(".*") if path.is_file()]:
            leftover.unlink()
        try:
            make(working)
            sizes = {
                path.relative_to(working).as_posix(): path.stat().st_size
                for path in sorted(working.rglob("*"))
                if path.is_file()
            }
            seal = {**facts, "seconds": None if resumed else time.monotonic() - begun, "files": sizes}
            write_text(working / _SEAL, json.dumps(seal, indent=2))
            working.rename(folder)
        finally:
            if not resumes:
                shutil.rmtree(working, ignore_errors=True)

    @contextmanager
    def _held(self, folder: Path, stage: str) -> Iterator[None]:
        lock = FileLock(folder.with_name(f".{folder.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self._progress.note(f"{stage}: another wakekit is doing the same work; waiting for its result")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


@attrs.frozen
class Seal:
    """What an artifact says of itself; `seconds` is None where its making was interrupted, `bytes` are of its files."""

    stage: str
    fingerprint: str
    kin: str
    seconds: float | None
    bytes: int


def seals(root: Path) -> Iterator[Seal]:
    """Yield what the artifacts of a store say of themselves, those that are broken left out."""
    for path in sorted(root.glob(f"*/*/{_SEAL}")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            size = sum(found["files"].values())
            yield Seal(found["stage"], found["fingerprint"], found["kin"], found["seconds"], size)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            continue


def sealed_seconds(folder: Path) -> float | None:
    """Return how long an artifact took to make, where that is known."""
    found = json.loads((folder / _SEAL).read_text(encoding="utf-8")).get("seconds")
    return None if found is None else float(found)


def _whole(folder: Path) -> bool:
    """Say whether an artifact is complete: sealed, and every file as long as when it was sealed."""
    try:
        files = json.loads((folder / _SEAL).read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")


def copy_file(source: Path, target: Path) -> None:
    """Copy a file whole or not at all."""
    with replacing(target) as part:
        shutil.copyfile(source, part)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file of its own to write, and put it in the place of `path` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
