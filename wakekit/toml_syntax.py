"""Read TOML to the end: all that is wrong with a text, and what can be understood of the rest.

tomllib decides what is wrong. It stops at the first fault, so the statement at fault is taken out and the rest is read
again, until nothing is wrong; of the ways to cut a fault out, the one is taken that lets tomllib read the furthest.
"""

from __future__ import annotations

import codecs
import re
import tomllib
from itertools import islice
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.positions import repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 20
_MARK = b"\xef\xbb\xbf"
_OPENING = "[{'\""
_TRIED = 60
_DEEPEST = 100
_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*\[{1,2}\s*[\w\"'][^,=#]*\]{0,2}\s*(#.*)?$")
_KEY = re.compile(r"\s*[\w\"'][\w\"'. -]*=\s*")
_WORD = re.compile(r"[A-Za-z_][\w.:-]*")
_BARE_POINT = re.compile(
    r"(?P<sign>[+-]?)(?:(?P<whole>0|[1-9]\d*)\.|(?=\.\d)\.(?P<part>\d+))(?P<power>[eE][+-]?\d+)?(?![\w.])"
)
_DIGITS = re.compile(r"[+-]?\d+$")
_LONG_NUMBER = re.compile(r"\d{4000}")
_WORDS = {"True": "true", "False": "false"}


@attrs.frozen
class Fault:
    """What is wrong at a line and column, which count from 1; `suggestion` is what to write there instead."""

    line: int
    column: int
    message: str
    suggestion: str | None = None


@attrs.frozen
class Parsed:
    """A TOML file: what was understood of it, its faults, and its text.

    `understood` has the lines of `text`, those at fault empty.
    """

    table: dict[str, Any]
    faults: tuple[Fault, ...]
    text: str
    understood: str


def parse(data: bytes) -> Parsed:
    """Read a TOML file with all its faults."""
    if _two_bytes_a_letter(data):
        return Parsed({}, (Fault(1, 1, "expected a TOML file in UTF-8, got UTF-16; save the file as UTF-8"),), "", "")
    plain = data.removeprefix(_MARK)
    text = plain.decode(errors="replace").replace("\r\n", "\n")
    faults = list(islice(_not_utf8(plain), _MOST))
    if len(faults) == _MOST:
        return Parsed({}, tuple(faults), text, "")
    rest = text
    for fault in faults:
        rest = _without(rest, _grown(rest, fault.line - 1, fault.line))
    if plain != data:
        faults.append(Fault(1, 1, "expected TOML without a byte order mark; save the file as plain UTF-8"))
    for _ in range(_MOST):
        found = _read(rest)
        if not isinstance(found, Fault):
            return Parsed(found, tuple(faults), text, rest)
        start, end = _cut(rest, found)
        faults.append(_explained(rest, found, start, end))
        rest = _without(rest, (start, end))
    return Parsed({}, tuple(faults), text, "")


def _two_bytes_a_letter(data: bytes) -> bool:
    """Return whether a file is UTF-16, by its mark or by the zeros beside its plain letters."""
    zeros = data.count(0)
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or len(data) / 3 < zeros <= len(data) / 2


def _not_utf8(data: bytes) -> Iterator[Fault]:
    """Yield the first byte of every line that is no UTF-8."""
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            column = len(line[: error.start].decode()) + 1
            yield Fault(number, column, f"expected a TOML file in UTF-8, got byte {line[error.start]:#x}")


def _read(text: str) -> dict[str, Any] | Fault:
    """Return the table, or the first fault."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = _PLACE.search(message)
        lines = text.split("\n")
        line, column = (int(found[1]), int(found[2])) if found and found[1] else (len(lines), len(lines[-1]) + 1)
        return Fault(line, column, _PLACE.sub("", message))
    except ValueError as error:
        # Python itself refuses to read numbers of thousands of digits.
        found = _LONG_NUMBER.search(text)
        before = text[: found.start()] if found else ""
        return Fault(before.count("\n") + 1, len(before) - before.rfind("\n"), str(error).partition(";")[0])
    except RecursionError:
        return _deepest(text)
    return _deepest(text) if too_deep(table) else table


def too_deep(value: Any) -> bool:  # noqa: ANN401
    """Return whether tables or lists lie within each other deeper than anything that is meant."""
    level = [value]
    for _ in range(_DEEPEST):
        held = [item for item in level if isinstance(item, (dict, list))]
        if not held:
            return False
        level = [inner for item in held for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def _deepest(text: str) -> Fault:
    """Return the fault of the line that goes the deepest: by its brackets, or by the dots of its key."""
    depths = [max(line.count("["), line.count("{"), line.partition("=")[0].count(".")) for line in text.split("\n")]
    deep = max(range(len(depths)), key=depths.__getitem__)
    return Fault(deep + 1, 1, "nested too deeply")


def _cut(text: str, fault: Fault) -> tuple[int, int]:
    """Return the lines to take out, from the first to before the second, counted from 0."""
    lines = text.split("\n")
    starts = [row for row, line in enumerate(lines) if _KEY.match(line) or _HEADER.match(line)]
    row = min(fault.line, len(lines)) - 1
    ends = [*starts, len(lines)]
    after = min((end for end in ends if end > row), default=len(lines))
    before = [start for start in starts if start <= row]
    ways = [(row, row + 1)]
    if before:
        ways += [(before[-1], after)]
    if before[1:] and not _HEADER.match(lines[before[-2]]) and any(mark in lines[before[-2]] for mark in _OPENING):
        ways += [(before[-2], before[-1])]
    if row >= len(lines) - 1 or not lines[row].strip():
        opened = [start for start in before if any(mark in lines[start] for mark in _OPENING)]
        ways += [(start, start + 1) for start in opened[-_TRIED:]]
    grown = [_grown(text, *way) for way in ways]
    return max(grown, key=lambda way: (_reached(_without(text, way)), way[0] - way[1]))


def _reached(text: str) -> int:
    found = _read(text)
    return found.line if isinstance(found, Fault) else text.count("\n") + 2


def _grown(text: str, start: int, end: int) -> tuple[int, int]:
    """Return lines that are taken out together: with a table's header goes what stands under it."""
    lines = text.split("\n")
    if any(lines[row].lstrip().startswith("[") and _HEADER.match(lines[row]) for row in range(start, end)):
        end = next((row for row in range(end, len(lines)) if _HEADER.match(lines[row])), len(lines))
    return start, end


def _without(text: str, way: tuple[int, int]) -> str:
    lines = text.split("\n")
    return "\n".join("" if way[0] <= row < way[1] else line for row, line in enumerate(lines))


def number_meant(text: str) -> str | None:
    """Return what TOML wants for a number with nothing before or after its point, None for any other text."""
    found = _BARE_POINT.fullmatch(text)
    return f"{found['sign']}{found['whole'] or 0}.{found['part'] or 0}{found['power'] or ''}" if found else None


def _explained(text: str, fault: Fault, start: int, end: int) -> Fault:
    """Return a fault in words that help, where it began rather than where it was noticed."""
    lines = text.split("\n")
    if fault.message.startswith(("Cannot ", "Duplicate ")):
        twice = repeated(text, fault.line)
        if twice is not None:
            first, here = twice.first, twice.here
            message = (
                f"not valid TOML: {twice.name!r} is written twice; it is at line {first[0]}, column {first[1]} already"
            )
            return Fault(*here, message)
    if not start <= fault.line - 1 < end or (fault.line == len(lines) and end - start < len(lines)):
        opened = _KEY.match(lines[start])
        column = opened.end() + 1 if opened else len(lines[start]) - len(lines[start].lstrip()) + 1
        if start != fault.line - 1:
            return Fault(start + 1, column, "not valid TOML: what begins here is never closed")
    written = lines[fault.line - 1][fault.column - 1 :] if fault.line <= len(lines) else ""
    word = _WORD.match(written)
    if fault.message.startswith("Invalid initial character") and (not written.strip() or written.startswith("}")):
        what = "has no comma before its end" if written.strip() else "stands on one line; use a table with a header"
        return Fault(fault.line, fault.column, f"not valid TOML: a table in braces {what}")
    # What stands before a point is read as a whole number.
    before = _DIGITS.search(lines[fault.line - 1][: fault.column - 1]) if written.startswith(".") else None
    number = _BARE_POINT.match(f"{before[0] if before else ''}{written}")
    if number:
        better, column = number_meant(number[0]), fault.column - len(before[0] if before else "")
        return Fault(fault.line, column, f"not valid TOML: Invalid value (did you mean {better}?)", better)
    if fault.message == "Invalid value" and word:
        better = _WORDS.get(word[0], f'"{word[0]}"')
        return Fault(fault.line, fault.column, f"not valid TOML: Invalid value (did you mean {better}?)", better)
    return Fault(fault.line, fault.column, f"not valid TOML: {fault.message}")
