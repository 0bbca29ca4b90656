"""Where a key stands in a TOML text; used only to place error messages, so that reading recipes needs no second parser.

Lines and columns count from 1, columns in characters.
"""

from __future__ import annotations

import functools
import tomllib
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

Path = tuple[str | int, ...]
_KEPT = 64
_KEY_AND_VALUE = 2


@attrs.frozen
class Place:
    """Where a key and its value begin, as (line, column)."""

    key: tuple[int, int]
    value: tuple[int, int]


@attrs.frozen
class Repeated:
    """A key or table that is written a second time."""

    name: str
    here: tuple[int, int]
    first: tuple[int, int]


def locate(text: str, path: Path, *, on_key: bool = False) -> tuple[int, int]:
    """Return the line and column of the value (or the key) at `path`, or of the nearest table around it."""
    places = _places(text)
    for length in range(len(path), 0, -1):
        place = places.get(path[:length])
        if place is not None:
            # A component's name alone is short for a table with that type.
            exact = path[length:] in ((), ("type",))
            return _in_characters(text, place.key if on_key or not exact else place.value)
    return (1, 1)


def repeated(text: str, line: int) -> Repeated | None:
    """Return the key or table on a line that stands in the text before already, None where there is none."""
    seen: dict[Path, tuple[int, int]] = {}
    for node, path in _written(_root(text)):
        here, ends = _point(node), node.end_point.row + 1
        if path in seen and here[0] <= line <= ends:
            first = _in_characters(text, seen[path])
            return Repeated(".".join(map(str, path)), _in_characters(text, here), first)
        seen.setdefault(path, here)
    return None


def _written(root: Node) -> Iterator[tuple[Node, Path]]:
    """Yield every key and table of a text with its path, in order, also where it is written twice."""
    for number, node in enumerate(root.named_children):
        if node.type == "pair":
            yield from _written_pair(node, ())
        elif node.type in ("table", "table_array_element"):
            header, *pairs = [child for child in node.named_children if child.type != "comment"]
            prefix: Path = _keys(header)
            if node.type == "table_array_element":
                prefix = (*prefix, number)
            yield node, prefix
            for pair in pairs:
                if pair.type == "pair":
                    yield from _written_pair(pair, prefix)


def _written_pair(node: Node, prefix: Path) -> Iterator[tuple[Node, Path]]:
    parts = [child for child in node.named_children if child.type != "comment"]
    if len(parts) >= _KEY_AND_VALUE:
        path = (*prefix, *_keys(parts[0]))
        yield node, path
        if parts[1].type == "inline_table":
            for pair in parts[1].named_children:
                if pair.type == "pair":
                    yield from _written_pair(pair, path)


def _in_characters(text: str, place: tuple[int, int]) -> tuple[int, int]:
    """Turn a column counted in bytes into one counted in characters."""
    line, column = place
    lines = _lines(text)
    before = lines[line - 1][: column - 1] if line <= len(lines) else b""
    return line, len(before.decode(errors="ignore")) + 1


@functools.lru_cache(maxsize=_KEPT)
def _lines(text: str) -> list[bytes]:
    return text.encode(errors="replace").split(b"\n")


def _root(text: str) -> Node:
    import tree_sitter_toml  # noqa: PLC0415
    from tree_sitter import Language, Parser  # noqa: PLC0415

    return Parser(Language(tree_sitter_toml.language())).parse(text.encode(errors="replace")).root_node


@functools.lru_cache(maxsize=_KEPT)
def _places(text: str) -> dict[Path, Place]:
    places: dict[Path, Place] = {}
    arrays: dict[Path, int] = {}
    for node in _root(text).named_children:
        if node.type == "pair":
            _pair(node, (), places)
        elif node.type in ("table", "table_array_element"):
            _table(node, places, arrays)
    return places


def _table(node: Node, places: dict[Path, Place], arrays: dict[Path, int]) -> None:
    header, *pairs = [child for child in node.named_children if child.type != "comment"]
    prefix: Path = ()
    for name in _keys(header):
        prefix = (*prefix, name)
        if prefix in arrays and prefix != _keys(header):
            prefix = (*prefix, arrays[prefix])
    if node.type == "table_array_element":
        arrays[prefix] = arrays.get(prefix, -1) + 1
        prefix = (*prefix, arrays[prefix])
    for length in range(1, len(prefix) + 1):
        places.setdefault(prefix[:length], Place(_point(node), _point(node)))
    for pair in pairs:
        if pair.type == "pair":
            _pair(pair, prefix, places)


def _pair(node: Node, prefix: Path, places: dict[Path, Place]) -> None:
    parts = [child for child in node.named_children if child.type != "comment"]
    if len(parts) < _KEY_AND_VALUE:
        return
    key, value = parts[:2]
    path = (*prefix, *_keys(key))
    for length in range(len(prefix) + 1, len(path)):
        places.setdefault(path[:length], Place(_point(key), _point(key)))
    places[path] = Place(_point(key), _point(value))
    _inside(value, path, places)


def _inside(value: Node, path: Path, places: dict[Path, Place]) -> None:
    children = [child for child in value.named_children if child.type != "comment"]
    if value.type == "inline_table":
        for pair in children:
            _pair(pair, path, places)
    elif value.type == "array":
        for index, item in enumerate(child for child in children if child.type != "ERROR"):
            places[*path, index] = Place(_point(item), _point(item))
            _inside(item, (*path, index), places)


def _keys(node: Node) -> tuple[str, ...]:
    if node.type == "dotted_key":
        return tuple(name for child in node.named_children for name in _keys(child))
    text = (node.text or b"").decode()
    if node.type == "quoted_key":
        return tuple(tomllib.loads(f"{text} = 0"))
    return (text,)


def _point(node: Node) -> tuple[int, int]:
    return node.start_point.row + 1, node.start_point.column + 1
