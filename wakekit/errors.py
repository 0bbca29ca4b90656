"""The errors a user can cause, each with the exit code that the command line returns for it.

A message is one sentence that says what is wrong, where, and what to do; the command line prints it without a
traceback.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class WakekitError(Exception):
    """A run that cannot go on: bad audio, no data, a target that makes no sense."""

    exit_code = 1


class PluginError(WakekitError):
    """A plugin that is broken, missing or ambiguous."""

    exit_code = 3


@contextmanager
def blaming(component: str) -> Iterator[None]:
    """Turn what a component raises into a PluginError that names it and the line the error came from.

    What says already what is wrong for a user passes: WakekitError and OSError.
    """
    try:
        yield
    except (WakekitError, OSError):
        raise
    except Exception as error:
        code, line = None, 0
        trace = error.__traceback__
        while trace is not None:
            code, line, trace = trace.tb_frame.f_code, trace.tb_lineno, trace.tb_next
        where = f" @ {code.co_filename}:{line}" if code else ""
        raise PluginError(f"{component} failed: {type(error).__name__}: {error}{where}") from error


class Problem:
    """One mistake in a recipe: the path of the key it concerns and what is wrong with it.

    `path` holds table keys and array positions, as in `("metrics", "eer", "type")`. `on_key` says whether the key
    itself is wrong (unknown, missing) rather than its value.
    """

    __slots__ = ("message", "on_key", "path")

    def __init__(self, path: Sequence[str | int], message: str, *, on_key: bool = False) -> None:
        self.path = tuple(path)
        self.message = message
        self.on_key = on_key

    def under(self, *prefix: str | int) -> Problem:
        """Return the same problem seen from an outer table."""
        return Problem((*prefix, *self.path), self.message, on_key=self.on_key)

    def __repr__(self) -> str:
        return f"Problem({self.path!r}, {self.message!r})"


class RecipeError(WakekitError):
    """A recipe that cannot be run, with every mistake found in it.

    `lines` are ready to print, each with its place.
    """

    exit_code = 2

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)
