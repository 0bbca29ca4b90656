"""JSON Schema of values: what the type, bounds and choices of an option let a recipe write.

Draft 7, in the part of it that TOML's editors share. A value that is no text may stand as `"${vars.x}"` too: by if and
else, as an `anyOf` would hide from the reader what is wrong. Some editors heed conditions on values only beside `allOf`
or `anyOf`.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from wakekit.option_types import value_types
from wakekit.options import OptionInfo, option_info

Schema = dict[str, Any]
Nested = Callable[[type], Schema]

DIALECT = "http://json-schema.org/draft-07/schema#"
REFERENCE = r"\$\{(env:|vars\.)[^}]+\}"
# What stands in place of a text, and of any other value: an environment variable is always text.
SHARED: Schema = {
    "reference": {"type": "string", "pattern": REFERENCE},
    "variable": {"type": "string", "pattern": r"^\$\{vars\.[^}]+\}$"},
}
_BOUNDS = (
    ("exclusiveMinimum", "above"),
    ("exclusiveMaximum", "below"),
    ("minimum", "at_least"),
    ("maximum", "at_most"),
)
_TYPES = {bool: "boolean", int: "integer", float: "number"}


def options_schema(cls: type, nested: Nested) -> Schema:
    """Return a closed object with the options of an attrs class; none of them required.

    `nested` returns the schema of an option whose type is the Protocol of a kind. Former names are options too.
    """
    wanted = value_types(cls)
    properties: Schema = {}
    for field in [field for field in attrs.fields(cls) if field.init]:
        info = option_info(field)
        schema = value_schema(wanted[field.name], nested, info)
        properties[field.name] = _described(schema, field, info)
        for name in info.formerly:
            properties[name] = {**schema, "deprecated": True, "description": f"now called {field.name!r}; write that"}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def required_options(cls: type) -> list[Schema]:
    """Return a schema per option that a recipe must state, under its name or a former one."""
    fields = [field for field in attrs.fields(cls) if field.init and field.default is attrs.NOTHING]
    return [any_of([{"required": [name]} for name in (field.name, *option_info(field).formerly)]) for field in fields]


def any_of(schemas: list[Schema]) -> Schema:
    """Return what holds where one of the schemas does; a single one, or one again and again, stands for itself."""
    different: list[Schema] = []
    for schema in schemas:
        if schema not in different:
            different.append(schema)
    return different[0] if len(different) == 1 else {"anyOf": different}


def value_schema(wanted: Any, nested: Nested, info: OptionInfo | None = None) -> Schema:  # noqa: ANN401
    """Return the schema of a value of the type `wanted` within the bounds and choices of `info`."""
    info = info or OptionInfo()
    origin = typing.get_origin(wanted)
    container = origin or wanted
    if origin in (typing.Union, types.UnionType):
        arms = [arm for arm in typing.get_args(wanted) if arm is not type(None)]
        made = any_of([value_schema(arm, nested, info) for arm in arms])
    elif info.choices is not None or origin is typing.Literal:
        made = _choice([one for one in info.choices or typing.get_args(wanted) if one is not None])
    elif wanted in _TYPES:
        made = _or_variable({"type": _TYPES[wanted], **_bounded(wanted, info)})
    elif container in (tuple, list):
        made = _sequence(container, typing.get_args(wanted), nested, info)
    elif container is dict:
        held = (typing.get_args(wanted) or (str, Any))[1]
        made = {"type": "object", "additionalProperties": value_schema(held, nested, info)}
    else:
        made = _other(wanted, nested)
    return made


def _other(wanted: Any, nested: Nested) -> Schema:  # noqa: ANN401
    if wanted is str or wanted is Path:
        return {"type": "string"}
    if attrs.has(wanted):
        return options_schema(wanted, nested)
    return nested(wanted) if getattr(wanted, "_is_protocol", False) else {}


def _bounded(wanted: type, info: OptionInfo) -> Schema:
    if wanted is bool:
        return {}
    bounds = {key: getattr(info, name) for key, name in _BOUNDS}
    return {key: bound for key, bound in bounds.items() if bound is not None and math.isfinite(bound)}


def _choice(choices: list[Any]) -> Schema:
    """Return one of the values, or a reference."""
    written = [_written(one) for one in choices]
    other = "reference" if any(isinstance(one, str) for one in written) else "variable"
    return one_of(written, ref(other), sorted({_json_type(one) for one in written} | {"string"}))


def one_of(offered: list[Any], other: Schema, kinds: list[str]) -> Schema:
    """Return one of the values offered, or what is like `other`; `kinds` are the JSON types of both.

    Editors offer what stands in an `anyOf` and not what stands under conditions; this one refuses nothing more.
    """
    return {"anyOf": [{"enum": offered}, {"type": kinds}], "if": other, "else": {"enum": offered}}


def _or_variable(schema: Schema) -> Schema:
    """Return a value that is no text, or a variable."""
    return {"allOf": [{"type": [schema["type"], "string"]}], "if": ref("variable"), "else": schema}


def ref(name: str) -> Schema:
    """Return a reference to a definition."""
    return {"$ref": f"#/definitions/{name}"}


def _json_type(value: object) -> str:
    return {**_TYPES, list: "array", str: "string"}[type(value)]


def _sequence(container: Any, arms: tuple[Any, ...], nested: Nested, info: OptionInfo) -> Schema:  # noqa: ANN401
    if container is list or arms[-1:] == (Ellipsis,) or not arms:
        return array(value_schema(arms[0] if arms else Any, nested, info))
    items = [value_schema(arm, nested, info) for arm in arms]
    alike = all(item == items[0] for item in items)
    return array(items[0] if alike else items, minItems=len(arms), maxItems=len(arms))


def array(items: Schema | list[Schema], **more: Any) -> Schema:  # noqa: ANN401
    """Return a list of items, or a variable."""
    return _or_variable({"type": "array", "items": items, **more})


def _described(schema: Schema, field: attrs.Attribute[Any], info: OptionInfo) -> Schema:
    """Return the schema of an option with its help, unit, bounds and default in words, and its default as a value."""
    made = dict(schema)
    default = _default(field)
    bounds = info.bounds().removeprefix("a value ")
    told = [f"{info.help.rstrip('.')}{f' [{info.unit}]' if info.unit else ''}".strip(), bounds]
    if field.default is attrs.NOTHING:
        told.append("required")
    elif default is not None:
        told.append(f"default {_shown(default)}")
        made["default"] = default
    if info.deprecated:
        told.insert(0, f"deprecated: {info.deprecated}")
        made["deprecated"] = True
    text = "; ".join(part for part in told if part)
    return {**made, "description": text} if text else made


def _default(field: attrs.Attribute[Any]) -> Any:  # noqa: ANN401
    """Return the default as JSON, or None where there is none that JSON has."""
    made: Any = field.default
    if isinstance(made, attrs.Factory):  # type: ignore[arg-type]
        made = None if made.takes_self else made.factory()
    written = _written(made)
    try:
        json.dumps(written, allow_nan=False)
    except (TypeError, ValueError):
        return None
    return None if isinstance(written, dict) else written


def _written(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, (tuple, list)):
        return [_written(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _shown(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')
