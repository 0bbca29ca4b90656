"""Where a key stands in a TOML text; used only to place error messages, so that reading recipes needs no second parser.

Lines and columns count from 1.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from tree_sitter import Node

Path = tuple[str | int, ...]


@attrs.frozen
class Place:
    """Where a key and its value begin, as (line, column)."""

    key: tuple[int, int]
    value: tuple[int, int]


def locate(text: str, path: Path, *, on_key: bool = False) -> tuple[int, int]:
    """Return the line and column of the value (or the key) at `path`, or of the nearest table around it."""
    places = _places(text)
    for length in range(len(path), 0, -1):
        place = places.get(path[:length])
        if place is not None:
            exact = length == len(path)
            return _in_characters(text, place.key if on_key or not exact else place.value)
    return (1, 1)


def _in_characters(text: str, place: tuple[int, int]) -> tuple[int, int]:
    """Turn a column counted in bytes into one counted in characters."""
    line, column = place
    before = text.encode().split(b"\n")[line - 1][: column - 1]
    return line, len(before.decode(errors="ignore")) + 1


def _places(text: str) -> dict[Path, Place]:
    import tree_sitter_toml  # noqa: PLC0415
    from tree_sitter import Language, Parser  # noqa: PLC0415

    root = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
    places: dict[Path, Place] = {}
    arrays: dict[Path, int] = {}
    for node in root.named_children:
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
    key, value = [child for child in node.named_children if child.type != "comment"][:2]
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
        for index, item in enumerate(children):
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
