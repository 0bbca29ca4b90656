"""Write new files and folders, whole or not at all, and never over anything that is there."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class ScaffoldError(WakekitError):
    """Something that cannot be begun: a name that will not do, or a place that is taken."""

    exit_code = 2


def write_folder(target: Path, files: Mapping[str, str]) -> None:
    """Write a folder of text files by their paths in it; raises ScaffoldError where something is there already.

    An empty folder is no hindrance. Whatever stops the writing, also Ctrl-C, nothing is left of it.
    """
    _refuse_taken(target)
    with room(target.parent) as part:
        for name, text in files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        try:
            part.replace(target)
        except OSError:
            # Somebody else was quicker, or the system renames over no folder, not even an empty one.
            _refuse_taken(target)
            target.rmdir()
            part.replace(target)


def write_file(target: Path, text: str) -> None:
    """Write a text file; raises ScaffoldError where something is there already."""
    _refuse_taken(target, folder=False)
    with room(target.parent) as part:
        path = part / target.name
        path.write_text(text, encoding="utf-8")
        try:
            os.link(path, target)
        except FileExistsError:
            _refuse_taken(target, folder=False)
        except OSError:  # a file system without links
            with target.open("x", encoding="utf-8") as file:
                file.write(text)


def _refuse_taken(target: Path, *, folder: bool = True) -> None:
    empty = folder and target.is_dir() and not target.is_symlink() and not any(target.iterdir())
    if os.path.lexists(target) and not empty:
        what = "a file" if target.is_file() else "a folder that is not empty" if folder else "something"
        what = "a link" if target.is_symlink() else what
        raise ScaffoldError(f"{target}: there is {what} already, and nothing is overwritten; choose another name")


@contextmanager
def room(parent: Path) -> Iterator[Path]:
    """Give a folder to write in, on the same file system; what is left of it goes, with every folder made for it."""
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    try:
        parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        try:
            part.chmod(0o777 & ~_umask())
            yield part
        finally:
            shutil.rmtree(part, ignore_errors=True)
    finally:
        for folder in made:
            with suppress(OSError):  # it is not empty where all went well
                folder.rmdir()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
