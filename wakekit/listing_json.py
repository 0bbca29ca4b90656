"""What is installed as JSON data, for `wakekit components --json` and `wakekit plugins --json`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wakekit.kinds import KINDS
from wakekit.listing import known_kind

if TYPE_CHECKING:
    import attrs

    from wakekit.registry import Entry, Registry


def components_data(registry: Registry, kind: str | None = None) -> list[dict[str, Any]]:
    """Return every component, or those of a kind, as its plugin states it; none is imported."""
    kinds = KINDS if kind is None else (known_kind(kind),)
    return [_component(registry, entry) for name in kinds for entry in registry.entries(name)]


def component_data(registry: Registry, kind: str, name: str) -> dict[str, Any]:
    """Return one component with its docstring and every option it has."""
    import inspect  # noqa: PLC0415

    import attrs  # noqa: PLC0415

    from wakekit.option_types import value_types  # noqa: PLC0415

    entry = registry.find(known_kind(kind), name)
    found = registry.load(entry)
    types = value_types(found)
    options = [_option(field, types[field.name]) for field in attrs.fields(found) if field.init]
    return {**_component(registry, entry), "documentation": inspect.getdoc(found) or "", "options": options}


def plugins_data(registry: Registry) -> list[dict[str, Any]]:
    """Return every installed plugin with what became of it; `reason` is empty where it is ok."""
    return [
        {
            "name": plugin.name,
            "module": plugin.module,
            "distribution": plugin.distribution,
            "distribution_version": plugin.version,
            "state": plugin.state,
            "reason": plugin.reason,
            "components": [{"kind": one.kind, "name": one.name} for one in plugin.components],
        }
        for plugin in registry.plugins
    ]


def _component(registry: Registry, entry: Entry) -> dict[str, Any]:
    """Return a component; `type` is what a recipe writes, which names the plugin too where two offer the name."""
    component, plugin = entry.component, entry.plugin
    return {
        "kind": component.kind,
        "name": component.name,
        "type": registry.name_of(entry),
        "version": component.version,
        "summary": component.summary,
        "formerly": list(component.formerly),
        "deprecated": component.deprecated,
        "plugin": plugin.name,
        "distribution": plugin.distribution,
        "distribution_version": plugin.version,
        "target": component.target,
    }


def _option(field: attrs.Attribute[Any], wanted: object) -> dict[str, Any]:
    import attrs  # noqa: PLC0415

    from wakekit.listing import type_name  # noqa: PLC0415
    from wakekit.options import option_info  # noqa: PLC0415

    info = option_info(field)
    return {
        "name": field.name,
        "type": type_name(wanted),
        "required": field.default is attrs.NOTHING,
        "default": None if field.default is attrs.NOTHING else _plain(_made(field.default)),
        "unit": info.unit,
        "choices": _plain(info.choices),
        "above": _plain(info.above),
        "at_least": _plain(info.at_least),
        "below": _plain(info.below),
        "at_most": _plain(info.at_most),
        "help": info.help,
        "formerly": list(info.formerly),
        "deprecated": info.deprecated,
    }


def _made(default: Any) -> Any:  # noqa: ANN401
    """Return the value that stands where none is given."""
    factory = getattr(default, "factory", None)
    return factory() if factory is not None and not default.takes_self else None if factory is not None else default


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value as JSON has it; numbers that JSON lacks are written as TOML writes them."""
    import attrs  # noqa: PLC0415

    if attrs.has(type(value)):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value)) if field.init}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, frozenset, set)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
