"""A resolved recipe as tables again: the saved form, with every default filled in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import tomli_w

from wakekit.kinds import SLOTS
from wakekit.merging import CONDITIONS

if TYPE_CHECKING:
    from wakekit.recipe import Recipe
    from wakekit.registry import Registry


def dump(recipe: Recipe) -> str:
    """Return the recipe as TOML with every default filled in and paths absolute."""
    return tomli_w.dumps(as_table(recipe))


def as_table(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as plain TOML data, top-level values first."""
    registry = recipe.registry
    table = as_data(recipe.settings, registry)
    tables = {key: value for key, value in table.items() if isinstance(value, dict)}
    scalars = {key: value for key, value in table.items() if key not in tables}
    for slot in SLOTS:
        if slot.many and recipe.many[slot.key]:
            tables[slot.key] = {name: as_data(value, registry) for name, value in recipe.each(slot.key).items()}
        elif not slot.many:
            tables[slot.key] = as_data(recipe[slot.key], registry)
    if recipe.conditions:
        tables[CONDITIONS] = {name: as_data(value, registry) for name, value in recipe.conditions.items()}
    return scalars | tables


def as_data(value: Any, registry: Registry) -> Any:  # noqa: ANN401
    """Return a value of a resolved recipe, a component for example, as plain TOML data."""
    if attrs.has(type(value)):
        entry = registry.entry_of(value)
        named = {} if entry is None else {"type": registry.name_of(entry)}
        fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value)) if field.init}
        return named | {name: as_data(item, registry) for name, item in fields.items() if item is not None}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (tuple, list)):
        return [as_data(item, registry) for item in value]
    if isinstance(value, dict):
        return {key: as_data(item, registry) for key, item in value.items()}
    return value
