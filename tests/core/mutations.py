"""Recipes with a mistake each, made from right ones with a seed: what somebody could mistype, and worse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

_HEADER = re.compile(r"\[+(?P<name>[^\[\]]+)\]+")
_PAIR = re.compile(r"(?P<key>[\w.-]+)(?P<equals> = )(?P<value>.*?)(?P<comment> +#.*)?")
_VALUES = ('"text"', "1.5", "true", "[1]", "{ a = 1 }", "2020-01-01", '""', "[]", "3", '"3"', '["a"]')
_NUMBERS = ("-1", "0", "-0.5", "1e9", "nan", "inf", "-1e9", "1000000000000000000000", "2")


@attrs.frozen
class Mutated:
    """A recipe's text with one change.

    `lines` are those, counted from 1, at which a mistake may rightly be shown; none where any line may be. `key` is the
    dotted key that was changed, as it was, and `new` what it is now.
    """

    text: bytes
    kind: str
    what: str
    lines: frozenset[int] = frozenset()
    key: str = ""
    new: str = ""


@attrs.frozen
class Statement:
    """A line of a recipe that holds one key: `table` is the header's name and `header` its line."""

    line: int
    header: int
    table: str
    key: str
    value: str

    @property
    def path(self) -> str:
        """The dotted key."""
        return f"{self.table}.{self.key}".lstrip(".")


def statements(text: str) -> list[Statement]:
    """Return the keys of a recipe that stand on a line of their own."""
    found, table, header = [], "", 1
    for number, line in enumerate(text.split("\n"), 1):
        head, pair = _HEADER.fullmatch(line.partition("#")[0].strip()), _PAIR.fullmatch(line)
        if head:
            table, header = head["name"], number
        elif pair:
            found.append(Statement(number, header, table, pair["key"], pair["value"]))
    return found


def mutated(text: str, draw: random.Random) -> Mutated:
    """Return the recipe with one change of a kind drawn."""
    return draw.choice(MUTATIONS)(text, draw)


def _replaced(text: str, line: int, new: str | None) -> bytes:
    lines = text.split("\n")
    lines[line - 1 : line] = [] if new is None else [new]
    return "\n".join(lines).encode()


def _typo(word: str, draw: random.Random) -> str:
    """Return a word with a letter dropped, doubled, swapped with the next, or changed."""
    while True:
        at = draw.randrange(len(word))
        way = draw.randrange(4)
        made = [
            word[:at] + word[at + 1 :],
            word[:at] + word[at] * 2 + word[at + 1 :],
            word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            word[:at] + draw.choice("abcdefghijklmnopqrstuvwxyz_") + word[at + 1 :],
        ][way]
        if made not in ("", word) and re.fullmatch(r"[\w-]+(\.[\w-]+)*", made):
            return made


def drop_key(text: str, draw: random.Random) -> Mutated:
    """Leave a key out: a mistake is its table's."""
    one = draw.choice(statements(text))
    table = [other.line for other in statements(text) if other.header == one.header and other.line != one.line]
    inside = [line - (line > one.line) for line in table]
    lines = {one.header, *inside} if one.table else {1, *inside}
    return Mutated(_replaced(text, one.line, None), "drop key", one.path, frozenset(lines), one.path)


def rename_key(text: str, draw: random.Random) -> Mutated:
    """Mistype a key."""
    one = draw.choice(statements(text))
    new = _typo(one.key, draw)
    changed = _replaced(text, one.line, f"{new} = {one.value}")
    path = f"{one.table}.{new}".lstrip(".")
    return Mutated(changed, "rename key", f"{one.path} -> {new}", frozenset({one.line, one.header}), one.path, path)


def retype(text: str, draw: random.Random) -> Mutated:
    """Give a key a value of another type."""
    one = draw.choice(statements(text))
    new = draw.choice([value for value in _VALUES if value != one.value])
    changed = _replaced(text, one.line, f"{one.key} = {new}")
    return Mutated(changed, "retype", f"{one.path} = {new}", frozenset({one.line, one.header}), one.path)


def out_of_range(text: str, draw: random.Random) -> Mutated:
    """Give a number a value that it may not take."""
    one = draw.choice([one for one in statements(text) if re.match(r"-?\d", one.value)] or statements(text))
    new = draw.choice([value for value in _NUMBERS if value != one.value])
    changed = _replaced(text, one.line, f"{one.key} = {new}")
    return Mutated(changed, "out of range", f"{one.path} = {new}", frozenset({one.line, one.header}), one.path)


def _headers(text: str) -> list[tuple[int, str]]:
    lines = enumerate(text.split("\n"), 1)
    return [
        (number, found["name"])
        for number, line in lines
        if (found := _HEADER.fullmatch(line.partition("#")[0].strip()))
    ]


def rename_table(text: str, draw: random.Random) -> Mutated:
    """Mistype the header of a table."""
    heads = _headers(text)
    if not heads:
        return rename_key(text, draw)
    line, name = draw.choice(heads)
    part = draw.randrange(len(name.split(".")))
    parts = name.split(".")
    parts[part] = _typo(parts[part], draw)
    new = ".".join(parts)
    return Mutated(_replaced(text, line, f"[{new}]"), "rename table", f"{name} -> {new}", frozenset({line}), name, new)


def move_table(text: str, draw: random.Random) -> Mutated:
    """Put a table into another, or lift it out of one."""
    heads = _headers(text)
    if not heads:
        return rename_key(text, draw)
    line, name = draw.choice(heads)
    other = draw.choice([*(other for _, other in heads), "train", "ablate", "metrics"])
    new = name.rpartition(".")[0] if "." in name and draw.random() < 0.5 else f"{other}.{name.rpartition('.')[2]}"
    return Mutated(_replaced(text, line, f"[{new}]"), "move table", f"{name} -> {new}")


def drop_header(text: str, draw: random.Random) -> Mutated:
    """Leave out the header of a table, so that its keys fall to the one above."""
    heads = _headers(text)
    if not heads:
        return rename_key(text, draw)
    line, name = draw.choice(heads)
    return Mutated(_replaced(text, line, None), "drop header", name)


def double_line(text: str, draw: random.Random) -> Mutated:
    """Write a line twice."""
    lines = text.split("\n")
    number = draw.choice([number for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")])
    changed = _replaced(text, number, f"{lines[number - 1]}\n{lines[number - 1]}")
    return Mutated(changed, "double line", f"{number}: {lines[number - 1]}", frozenset({number, number + 1}))


def flip_byte(text: str, draw: random.Random) -> Mutated:
    """Change a bit of a byte, or the byte."""
    data = bytearray(text.encode())
    at = draw.randrange(len(data))
    data[at] = data[at] ^ (1 << draw.randrange(8)) if draw.random() < 0.7 else draw.randrange(256)
    return Mutated(
        bytes(data), "flip byte", f"{at}: {text.encode()[max(0, at - 10) : at + 10]!r} {bytes(data[at : at + 1])!r}"
    )


MUTATIONS: Sequence[Callable[[str, random.Random], Mutated]] = (
    drop_key,
    rename_key,
    rename_key,
    retype,
    out_of_range,
    rename_table,
    move_table,
    drop_header,
    double_line,
    flip_byte,
)
