"""Where each value of a resolved recipe was written: a file's line, the command line, or nowhere: it is a default."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.merging import CONDITIONS
from wakekit.options import option_info
from wakekit.recipe_table import as_table
from wakekit.terminal import columns_of, paint
from wakekit.widths import fitted, padded, width_of

if TYPE_CHECKING:
    from typing import TextIO

    from wakekit.layers import Layer
    from wakekit.merging import KeyPath
    from wakekit.recipe import Recipe

DEFAULT = "default"
_WIDEST = 60
_GAP = "  "
_BELOW = "    "


def held_at(recipe: Recipe, path: KeyPath) -> Any:  # noqa: ANN401
    """Return what was resolved from the table at a path, None where there is none."""
    key, *inner = path
    if key in recipe.single:
        held: Any = recipe[str(key)]
    elif key in recipe.many:
        held = recipe.each(str(key))
    else:
        held = recipe.conditions if key == CONDITIONS else getattr(recipe.settings, str(key), None)
    for name in inner:
        held = held.get(name) if isinstance(held, dict) else getattr(held, str(name), None)
    return held


def place_of(recipe: Recipe, path: KeyPath) -> str:
    """Return `file:line:column` of a resolved value, the option as it was typed, or `default`.

    A reference to a variable is named beside its place.
    """
    for written in (path, *((*path[:-1], name) for name in _former_names(recipe, path))):
        layer = recipe.merged.origin(written)
        if layer is not None:
            return layer.place(written, on_key=True) + _reference(recipe, written, layer)
    return DEFAULT


def _former_names(recipe: Recipe, path: KeyPath) -> tuple[str, ...]:
    """Return the names that an option had before, under which a recipe may still write it."""
    owner = type(held_at(recipe, path[:-1])) if len(path) > 1 else type(recipe.settings)
    fields = attrs.fields_dict(owner) if attrs.has(owner) else {}
    field = fields.get(str(path[-1]))
    return () if field is None else option_info(field).formerly


def _reference(recipe: Recipe, path: KeyPath, layer: Layer) -> str:
    raw: Any = recipe.merged.table
    for key in path:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return f", {raw}" if layer.text is not None and isinstance(raw, str) and "${" in raw else ""


def origins_text(recipe: Recipe, stream: TextIO | None = None) -> str:
    """Return a line per value of the resolved recipe with where it was written, or `default`; for a stream."""
    rows: list[tuple[str, str]] = []

    def visit(value: object, path: KeyPath) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                visit(item, (*path, key))
            return
        rows.append((f"{'.'.join(map(str, path))} = {json.dumps(value, ensure_ascii=False)}", place_of(recipe, path)))

    visit(as_table(recipe), ())
    column = min(_WIDEST, max(width_of(text) for text, _ in rows))
    return "".join(line + "\n" for text, where in rows for line in _lines(text, where, column, stream))


def _lines(text: str, where: str, column: int, stream: TextIO | None) -> list[str]:
    width = None if stream is None else columns_of(stream)
    note = f"# {where}"
    room = column if width is None else min(column, width - width_of(note) - len(_GAP))
    if width is None or width_of(text) <= room:
        return _shown([padded(text, room) + _GAP, note], where, stream, joint="")
    text = "\n".join(f"{_BELOW * bool(number)}{line}" for number, line in enumerate(fitted(text, width - len(_BELOW))))
    return _shown([text, _BELOW + note], where, stream, joint="\n")


def _shown(parts: list[str], where: str, stream: TextIO | None, *, joint: str) -> list[str]:
    """Return a value and its place, painted: what is a default stands back."""
    if stream is None:
        return [joint.join(parts)]
    text, note = parts
    if where == DEFAULT:
        return [joint.join(paint(part, "dim", stream) for part in parts)]
    return [joint.join((text, paint(note, "cyan", stream)))]
