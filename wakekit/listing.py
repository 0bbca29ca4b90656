"""Text for `wakekit components` and `wakekit plugins`; listing imports no component."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from wakekit.errors import WakekitError
from wakekit.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.registry import Registry


class UnknownKindError(WakekitError):
    """There is no such kind of component."""

    exit_code = 2


def list_components(registry: Registry, kind: str | None = None) -> str:
    """Return a line per component, grouped by kind."""
    kinds = KINDS if kind is None else (_known(kind),)
    blocks = []
    for name in kinds:
        entries = registry.entries(name)
        rows = [(f"  {registry.name_of(entry)}", entry.plugin.name, entry.component.summary) for entry in entries]
        blocks.append("\n".join([name, *columns(rows)]) if rows else f"{name}\n  (none installed)")
    lost = [plugin for plugin in registry.plugins if plugin.state in ("failed", "incompatible")]
    notes = [f"plugin {plugin.label()} is {plugin.state}: {plugin.reason}" for plugin in lost]
    return "\n\n".join([*blocks, *notes])


def _known(kind: str) -> str:
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UnknownKindError(f"unknown kind {kind!r}{hint}; kinds are {', '.join(KINDS)}")
    return kind


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def describe(registry: Registry, kind: str, name: str) -> str:
    """Return what a component is and every option it has."""
    import attrs  # noqa: PLC0415

    from wakekit.converter import value_types  # noqa: PLC0415

    entry = registry.find(_known(kind), name)
    found = registry.load(entry)
    types = value_types(found)
    fields = [field for field in attrs.fields(found) if field.init]
    head = f"{kind} {registry.name_of(entry)}, version {entry.component.version}, of plugin {entry.plugin.label()}"
    rows = [_option_row(field, types[field.name]) for field in fields]
    options = columns([("option", "type", "default", "allowed", "meaning"), *rows]) if rows else ["no options"]
    return "\n".join([head, "", _docstring(found), "", *options])


def _docstring(found: type) -> str:
    import inspect  # noqa: PLC0415

    return inspect.getdoc(found) or "(not documented)"


def _option_row(field: object, wanted: object) -> tuple[str, ...]:
    import attrs  # noqa: PLC0415

    from wakekit.options import option_info  # noqa: PLC0415

    if not isinstance(field, attrs.Attribute):
        raise TypeError(f"expected an attrs field, got {field!r}")
    info = option_info(field)
    allowed = info.bounds().removeprefix("a value ")
    if info.choices is not None:
        allowed = " | ".join(map(str, info.choices))
    unit = f" [{info.unit}]" if info.unit else ""
    return (field.name, type_name(wanted) + unit, default_text(field), allowed, info.help)


def type_name(wanted: object) -> str:
    """Return a type as a recipe's writer would say it."""
    from pathlib import Path  # noqa: PLC0415

    names = {bool: "bool", int: "int", float: "float", str: "text", Path: "path", type(None): "nothing"}
    if wanted in names:
        return names[wanted]
    return str(wanted).replace("typing.", "").replace("wakekit.kinds.", "")


def default_text(field: object) -> str:
    """Return a field's default as a recipe would write it."""
    import attrs  # noqa: PLC0415

    default = getattr(field, "default", attrs.NOTHING)
    if default is attrs.NOTHING:
        return "(required)"
    if default is None:
        return "(unset)"
    if isinstance(default, bool):
        return "true" if default else "false"
    return str(list(default)) if isinstance(default, tuple) else repr(default)


def list_plugins(registry: Registry) -> str:
    """Return a line per plugin: name, distribution, version, state, components or reason."""
    rows = [
        (
            plugin.name,
            f"{plugin.distribution} {plugin.version}",
            plugin.state,
            plugin.reason or f"{len(plugin.components)} components",
        )
        for plugin in registry.plugins
    ]
    return "\n".join(columns([("plugin", "distribution", "state", "what"), *rows]))
