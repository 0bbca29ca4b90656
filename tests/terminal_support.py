"""Programs on a pseudo-terminal of a given width, for tests of what a person sees."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import threading
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TYPE_CHECKING

from wakekit.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_END = b"\0"
_STYLE = re.compile(r"\x1b\[[0-9;]*m")
# What a shell or a person's settings would add.
_ASIDE = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "TTY_COMPATIBLE", "PYTHONIOENCODING")


def bare(text: str) -> str:
    """Return a text without its colours."""
    return _STYLE.sub("", text)


def surroundings(**more: str) -> dict[str, str]:
    """Return an environment in which only the terminal, and `more`, say what a terminal can do."""
    return {**{key: value for key, value in os.environ.items() if key not in _ASIDE}, "TERM": "xterm-256color", **more}


@contextmanager
def terminal(columns: int) -> Iterator[tuple[int, int]]:
    """Open a pseudo-terminal; give its two ends, the program's second."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    try:
        yield ours, theirs
    finally:
        for end in (ours, theirs):
            os.close(end)


def on_terminal(*arguments: object, columns: int) -> str:
    """Type `wakekit …` on a terminal, in this process; return all that it shows, with newlines as in a file."""
    with terminal(columns) as (ours, theirs):
        screen = _Screen(ours)
        with (
            os.fdopen(os.dup(theirs), "w", encoding="utf-8") as stream,
            redirect_stdout(stream),
            redirect_stderr(stream),
            suppress(SystemExit),
        ):
            main([str(argument) for argument in arguments])
        os.write(theirs, _END)
        return screen.shown().replace("\r\n", "\n")


class _Screen:
    """Reads what is written to a terminal while it is written, as a terminal holds little of it back."""

    def __init__(self, ours: int) -> None:
        self._parts: list[bytes] = []
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def _read(self, ours: int) -> None:
        while not self._parts or not self._parts[-1].endswith(_END):
            self._parts.append(os.read(ours, 65536))

    def shown(self) -> str:
        self._reader.join(60)
        return b"".join(self._parts).removesuffix(_END).decode()


class Shell:
    """An interactive shell on a terminal: keys go in, and what it shows comes out."""

    def __init__(self, command: list[str], *, cwd: Path, env: Mapping[str, str], ours: int, theirs: int) -> None:
        self._ours = ours
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=surroundings(**env),
            start_new_session=True,
        )  # fmt: skip

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def until(self, wanted: str, *, seconds: float = 30) -> str:
        """Return what is shown up to and with a text; raises TimeoutError where it does not come."""
        shown, end = "", time.monotonic() + seconds
        while wanted not in shown:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._ours], [], [], left)[0]:
                raise TimeoutError(f"no {wanted!r} in {shown!r}")
            shown += bare(os.read(self._ours, 65536).decode(errors="replace"))
        return shown

    def end(self) -> None:
        """End the shell."""
        self.process.kill()
        self.process.wait()
