"""How long work tells a person where it stands; the command line decides how that looks."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Advance(Protocol):
    """Call it with how much of the total is newly done, and optionally a short text such as the current loss."""

    def __call__(self, amount: int = 1, text: str = "") -> None:
        """Report progress."""


class Progress(Protocol):
    """Where a stage or component reports what it does."""

    def task(self, label: str, total: int) -> AbstractContextManager[Advance]:
        """Show a task of `total` units while the context is open."""
        ...

    def note(self, text: str) -> None:
        """Tell the user one sentence."""


class Silence:
    """A progress that shows nothing, for tests and for use as a library."""

    def task(self, label: str, total: int) -> AbstractContextManager[Advance]:  # noqa: ARG002
        """Return an advance that does nothing."""
        return nullcontext(_ignore)

    def note(self, text: str) -> None:
        """Drop the sentence."""


def _ignore(amount: int = 1, text: str = "") -> None:
    """Take a report and do nothing."""
