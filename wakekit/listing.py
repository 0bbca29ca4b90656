"""Text for `wakekit components` and `wakekit plugins`; listing imports no component.

What is for a terminal has its width and colours; without a stream to ask, text is plain and not wrapped.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from wakekit.columns import columns
from wakekit.errors import WakekitError, counted, escaped
from wakekit.kinds import KINDS
from wakekit.terminal import paint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from wakekit.hookspecs import Component
    from wakekit.registry import Registry

_STATES = {"ok": "green", "disabled": "yellow", "failed": "red", "incompatible": "red"}


class UnknownKindError(WakekitError):
    """There is no such kind of component."""

    exit_code = 2


def list_components(registry: Registry, kind: str | None = None, stream: TextIO | None = None) -> str:
    """Return a line per component, grouped by kind."""
    kinds = KINDS if kind is None else (known_kind(kind),)
    blocks = []
    for name in kinds:
        entries = registry.entries(name)
        rows = [(f"  {registry.name_of(entry)}", entry.plugin.name, _summary(entry.component)) for entry in entries]
        lines = columns(rows, stream, styles=("bold cyan", "dim", "")) if rows else ["  (none installed)"]
        blocks.append("\n".join([_painted(name, "bold", stream), *lines]))
    return "\n\n".join([*blocks, *(_painted(note, "red", stream) for note in lost_plugins(registry))])


def _summary(component: Component) -> str:
    return " ".join(filter(None, (component.summary, _retired(component.deprecated))))


def _retired(deprecated: str, formerly: Sequence[str] = ()) -> str:
    """Return in brackets that something is deprecated, and the names it had; nothing where neither holds."""
    parts = [f"formerly {', '.join(formerly)}"] if formerly else []
    parts += [f"deprecated: {deprecated}"] if deprecated else []
    return f"({'; '.join(parts)})" if parts else ""


def _painted(text: str, style: str, stream: TextIO | None) -> str:
    return text if stream is None else paint(text, style, stream)


def lost_plugins(registry: Registry) -> list[str]:
    """Return a sentence for every plugin that could not be used."""
    lost = [plugin for plugin in registry.plugins if plugin.state in ("failed", "incompatible")]
    return [f"plugin {plugin.label()} is {plugin.state}: {plugin.reason}" for plugin in lost]


def known_kind(kind: str) -> str:
    """Return the kind; raises UnknownKindError, with what may have been meant, where there is none of that name."""
    if kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise UnknownKindError(f"unknown kind {kind!r}{hint}; kinds are {', '.join(KINDS)}")
    return kind


def describe(registry: Registry, kind: str, name: str, stream: TextIO | None = None) -> str:
    """Return what a component is and every option it has."""
    import attrs  # noqa: PLC0415

    from wakekit.option_types import value_types  # noqa: PLC0415

    entry = registry.find(known_kind(kind), name)
    found = registry.load(entry)
    types = value_types(found)
    fields = [field for field in attrs.fields(found) if field.init]
    head = f"{kind} {registry.name_of(entry)}, version {entry.component.version}, of plugin {entry.plugin.label()}"
    retired = _retired(entry.component.deprecated, entry.component.formerly)
    rows = [_option_row(field, types[field.name]) for field in fields]
    table = [("option", "type", "default", "allowed", "meaning"), *rows]
    styles = ("bold cyan", "", "", "dim", "")
    options = columns(table, stream, styles=styles, headed=True) if rows else ["no options"]
    return "\n".join([_painted(head, "bold", stream), *filter(None, (retired,)), "", _docstring(found), "", *options])


def _docstring(found: type) -> str:
    import inspect  # noqa: PLC0415

    text = inspect.getdoc(found) or "(not documented)"
    return "\n".join(map(escaped, text.split("\n")))


def _option_row(field: object, wanted: object) -> tuple[str, ...]:
    import attrs  # noqa: PLC0415

    from wakekit.options import option_info  # noqa: PLC0415

    if not isinstance(field, attrs.Attribute):
        raise TypeError(f"expected an attrs field, got {field!r}")
    info = option_info(field)
    allowed = info.bounds().removeprefix("a value ")
    if info.choices is not None:
        allowed = " | ".join(str(one) for one in info.choices if one is not None)
    unit = f" [{info.unit}]" if info.unit else ""
    told = " ".join(filter(None, (info.help, _retired(info.deprecated, info.formerly))))
    return tuple(map(escaped, (field.name, type_name(wanted) + unit, default_text(field), allowed, told)))


def type_name(wanted: object) -> str:
    """Return a type as a recipe's writer would say it."""
    import re  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415
    from typing import get_args  # noqa: PLC0415

    names = {bool: "bool", int: "int", float: "float", str: "text", Path: "path", type(None): "nothing"}
    if wanted in names:
        return names[wanted]
    text = wanted.__qualname__ if isinstance(wanted, type) and not get_args(wanted) else str(wanted)
    # Modules of types go; dots in the texts of a Literal stay.
    return re.sub(r"'[^']*'|(?:\w+\.)+(\w+)", lambda match: match[1] or match[0], text)


def default_text(field: object) -> str:
    """Return a field's default as a recipe would write it."""
    import attrs  # noqa: PLC0415

    default = getattr(field, "default", attrs.NOTHING)
    if default is attrs.NOTHING:
        return "(required)"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        if default.takes_self:
            return "(from other options)"
        default = default.factory()
    return "(unset)" if default is None else _written(default)


def _written(value: Any) -> str:  # noqa: ANN401
    from pathlib import PurePath  # noqa: PLC0415

    import attrs  # noqa: PLC0415

    if attrs.has(type(value)):
        value = {field.name: getattr(value, field.name) for field in attrs.fields(type(value)) if field.init}
    if isinstance(value, dict):
        parts = [f"{key} = {_written(item)}" for key, item in value.items() if item is not None]
        return f"{{ {', '.join(parts)} }}" if parts else "{}"
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, PurePath):
        return repr(str(value))
    return str(value) if isinstance(value, (int, float)) else repr(value)


def list_plugins(registry: Registry, stream: TextIO | None = None) -> str:
    """Return a line per plugin: name, distribution, version, state, components or reason."""
    rows = [
        (
            plugin.name,
            f"{plugin.distribution} {plugin.version}",
            plugin.state,
            plugin.reason or counted(len(plugin.components), "component"),
        )
        for plugin in registry.plugins
    ]
    styles = ("bold cyan", "", _STATES, "")
    return "\n".join(columns([("plugin", "distribution", "state", "what"), *rows], stream, styles=styles, headed=True))
