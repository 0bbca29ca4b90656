"""What a stream can show: colour, how many columns, which characters; everything that is printed asks here.

Colour is for terminals, unless `NO_COLOR` is set or `TERM` is `dumb`; `FORCE_COLOR` asks for it in a pipe too. Text
that goes into a pipe is not wrapped. Importing this costs nothing: listing needs it.
"""

from __future__ import annotations

import codecs
import os
import sys
from typing import TYPE_CHECKING, Any, Literal, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

_STYLES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "cyan": "36",
    "bold red": "1;31",
    "bold cyan": "1;36",
}
_USUAL_WIDTH = 80
# Wide enough for any sentence; rich has no word for it.
_UNBOUNDED = 10_000
_TABLE_WIDTH = 80
_PLAIN = {
    "→": "->",
    "–": "-",
    "—": "-",
    "−": "-",  # noqa: RUF001
    "…": "...",
    "×": "x",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "∞": "inf",
    "·": "-",
    "•": "-",
    "’": "'",  # noqa: RUF001
    "“": '"',
    "”": '"',
}


def colourful(stream: TextIO) -> bool:
    """Return whether what is written to the stream may have colour."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: TextIO) -> str:
    """Return the text in a style where the stream shows it, as it is elsewhere.

    `style` is one of bold, dim, red, green, yellow, cyan, bold red, bold cyan.
    """
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if text and colourful(stream) else text


def columns_of(stream: TextIO) -> int | None:
    """Return how many columns a terminal has, None where the stream is none and lines may be of any length.

    `COLUMNS` goes before what the terminal says of itself.
    """
    if not stream.isatty():
        return None
    wished = os.environ.get("COLUMNS", "")
    if wished.isdecimal() and int(wished):
        return int(wished)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH


def console(stream: TextIO | None = None) -> Console:
    """Return what prints tables and styled text to a stream (standard output), as wide as a terminal is."""
    from rich.console import Console  # noqa: PLC0415

    stream = stream or sys.stdout
    coloured = colourful(stream)
    # Asked for where it is dumb, a terminal is taken to know the first colours.
    colours: Literal["standard", "auto"] = "standard" if os.environ.get("TERM") == "dumb" else "auto"
    return Console(
        file=stream,
        width=columns_of(stream) or _UNBOUNDED,
        highlight=False,
        color_system=colours if coloured else None,
        force_terminal=True if coloured else stream.isatty(),
    )


def table_width(shown: Console) -> int | None:
    """Return how wide a table of long texts may be where lines are not bounded, None where they are anyway."""
    return _TABLE_WIDTH if shown.width == _UNBOUNDED else None


def write_any_text(*streams: TextIO) -> None:
    """Let streams whose encoding lacks a character write another in its place, as `->` for an arrow."""
    for stream in streams:
        encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
        # A name of a file that is no text fits no encoding.
        lacking = not encoding.startswith("utf") or getattr(stream, "errors", None) == "strict"
        if lacking and hasattr(stream, "reconfigure"):
            codecs.register_error("wakekit", _in_plain)
            stream.reconfigure(errors="wakekit")


def json_text(value: Any, stream: TextIO, *, indent: int = 2, default: Callable[[Any], Any] | None = None) -> str:  # noqa: ANN401
    """Return JSON for a stream: what its encoding lacks is escaped, since another character in its place is other data.

    What JSON does not know `default` turns into what it does.
    """
    import json  # noqa: PLC0415

    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=default)
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, allow_nan=False, default=default)
    return text


def toml_text(text: str, stream: TextIO) -> str:
    """Return TOML without comments for a stream: what its encoding lacks, which stands in quotes, is escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return "".join(one if one.isascii() or _known(one, encoding) else f"\\U{ord(one):08x}" for one in text)


def _known(one: str, encoding: str) -> bool:
    try:
        return bool(one.encode(encoding))
    except UnicodeEncodeError:
        # Half of a pair is no character that TOML could name.
        return "\ud800" <= one <= "\udfff"


def _in_plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end]
    return "".join(_PLAIN.get(one, "?") for one in lost), error.end
