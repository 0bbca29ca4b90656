"""A resolved recipe as tables again: the saved form, with every default filled in, and where each value was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import tomli_w

from wakekit.kinds import SLOTS

if TYPE_CHECKING:
    from wakekit.layers import KeyPath
    from wakekit.recipe import Recipe
    from wakekit.registry import Registry

CONDITIONS = "conditions"


def dump(recipe: Recipe) -> str:
    """Return the recipe as TOML with every default filled in and paths absolute."""
    return tomli_w.dumps(as_table(recipe))


def as_table(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as plain TOML data, top-level values first."""
    registry = recipe.registry
    table = _plain(recipe.settings, registry)
    tables = {key: value for key, value in table.items() if isinstance(value, dict)}
    scalars = {key: value for key, value in table.items() if key not in tables}
    for slot in SLOTS:
        if slot.many and recipe.many[slot.key]:
            tables[slot.key] = {name: _plain(value, registry) for name, value in recipe.each(slot.key).items()}
        elif not slot.many:
            tables[slot.key] = _plain(recipe[slot.key], registry)
    if recipe.conditions:
        tables[CONDITIONS] = {name: _plain(value, registry) for name, value in recipe.conditions.items()}
    return scalars | tables


def _plain(value: Any, registry: Registry) -> Any:  # noqa: ANN401
    if attrs.has(type(value)):
        entry = registry.entry_of(value)
        named = {} if entry is None else {"type": registry.name_of(entry)}
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value)) if field.init}
        return named | {name: _plain(item, registry) for name, item in fields.items() if item is not None}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [_plain(item, registry) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item, registry) for key, item in value.items()}
    return value


def origins_text(recipe: Recipe) -> str:
    """Return a line per value of the resolved recipe with where it was written, or `default`."""
    lines: list[tuple[str, str]] = []

    def visit(value: object, path: KeyPath) -> None:
        if isinstance(value, dict) and value:
            for key, item in value.items():
                visit(item, (*path, key))
            return
        layer = recipe.merged.origin(path)
        where = "default" if layer is None else layer.place(path, on_key=True)
        lines.append((f"{'.'.join(map(str, path))} = {json.dumps(value, ensure_ascii=False)}", where))

    visit(as_table(recipe), ())
    width = min(60, max(len(text) for text, _ in lines))
    return "".join(f"{text:<{width}}  # {where}\n" for text, where in lines)
