"""How an error looks on a stream: as it is in a pipe; on a terminal its place bold, what is wrong and the caret red."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.errors import RecipeError
from wakekit.terminal import columns_of, paint

if TYPE_CHECKING:
    from typing import TextIO

    from wakekit.errors import Mistake, WakekitError

_UNBOUNDED = 1000


def complaint(error: WakekitError, stream: TextIO) -> str:
    """Return the text of an error for a stream, every mistake of a recipe with its place and line."""
    if isinstance(error, RecipeError):
        columns = columns_of(stream) or _UNBOUNDED
        return "\n".join(_painted(mistake, stream, columns) for mistake in error.mistakes)
    return paint(str(error), "red", stream)


def _painted(mistake: Mistake, stream: TextIO, columns: int) -> str:
    before = mistake.text.removesuffix(mistake.message)
    said = paint(before, "bold", stream) + paint(mistake.message, "red", stream)
    *lines, caret = mistake.excerpt_within(columns).split("\n")
    return "\n".join(filter(None, [said, *lines, paint(caret, "bold red", stream)]))
