"""What a person sees while work goes on: progress bars on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from wakekit.terminal import console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit.progress import Advance, Progress

_STEPS = 4


def make_progress(*, quiet: bool) -> Progress:
    """Return the progress that suits where standard error goes."""
    if quiet:
        from wakekit.progress import Silence  # noqa: PLC0415

        return Silence()
    moving = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return Bars() if moving else Lines(sys.stderr)


class Lines:
    """A line at the start and at every quarter of a task, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def note(self, text: str) -> None:
        """Print one sentence."""
        print(text, file=self._stream, flush=True)

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        """Print how far the task is."""
        done, told, started = 0, 0, time.monotonic()

        def advance(amount: int = 1, text: str = "") -> None:
            nonlocal done, told
            done += amount
            quarter = _STEPS * done // max(total, 1)
            if told < quarter < _STEPS:
                told = quarter
                self.note(f"{label}: {done} of {total}{', ' + text if text else ''}")

        yield advance
        self.note(f"{label}: done, {total} in {time.monotonic() - started:.1f} s")


class Bars:
    """Progress bars on standard error."""

    def __init__(self) -> None:
        self._console = console(sys.stderr)

    def note(self, text: str) -> None:
        """Print one sentence."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[Advance]:
        """Show a bar with the time left."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415

        columns = (
            TextColumn("{task.description:<22}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[text]}", markup=False),
        )
        with Bar(*columns, console=self._console) as bar:
            shown = bar.add_task(label, total=total, text="")

            def advance(amount: int = 1, text: str = "") -> None:
                bar.update(shown, advance=amount, text=text)

            yield advance
            bar.update(shown, completed=total)
