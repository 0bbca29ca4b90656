"""Which types the options of a component may have: those that TOML can write, and that are read back the same.

What a recipe cannot say would be lost when a run is saved, so that a class with such an option is refused as a whole,
when it is loaded.
"""

from __future__ import annotations

import enum
import types
import typing
from pathlib import Path
from typing import Any

import attrs

from wakekit.errors import PluginError
from wakekit.options import former_names, option_info

WRITABLE = "bool, int, float, str, Path, Literal, attrs classes, and tuple, list, dict[str, …] and unions of these"
_LEAVES = (bool, int, float, str, Path, Any, type(None))
_LITERALS = (bool, int, str, type(None))
_CHOICES = (bool, int, float, str, tuple, type(None))


def value_types(cls: type) -> dict[str, Any]:
    """Return the resolved type of every field of an attrs class; raises PluginError where a name cannot be found."""
    try:
        attrs.resolve_types(cls)
    except NameError as error:
        raise PluginError(
            f"{cls.__module__}.{cls.__qualname__}: {error}; import the types of its options at run time, "
            "not under TYPE_CHECKING"
        ) from error
    return {field.name: field.type for field in attrs.fields(cls) if field.init}


def refuse_unwritable(cls: type) -> None:
    """Raise PluginError where a component's class has an option that no recipe can hold, saying what to do."""
    taken = [name for name in (*value_types(cls), *former_names(cls)) if name == "type"]
    if taken:
        raise PluginError(
            "an option may not be called 'type', the key that names the component; call it something else"
        )
    _refuse_options(cls, "", set())


def _refuse_options(cls: type, path: str, seen: set[type]) -> None:
    if cls in seen:
        return
    seen.add(cls)
    wanted = value_types(cls)
    for field in [field for field in attrs.fields(cls) if field.init]:
        name = f"{path}{field.name}"
        if field.alias != field.name:
            raise PluginError(
                f"option {name!r} is called {field.alias!r} where its class is built; give it one name, "
                "without an underscore before it"
            )
        if wanted[field.name] is None:
            raise PluginError(f"option {name!r} has no type; write {field.name}: int = …, or what it is")
        _refuse_choices(name, option_info(field).choices)
        _refuse_type(wanted[field.name], name, seen)


def _refuse_choices(name: str, choices: object) -> None:
    whole = isinstance(choices, tuple) and all(type(one) in _CHOICES for one in choices)
    if choices is not None and not whole:
        raise PluginError(
            f"option {name!r}: expected a tuple of texts, numbers or tuples of them as its choices, got {choices!r:.80}"
        )


def _refuse_type(wanted: Any, name: str, seen: set[type]) -> None:  # noqa: ANN401
    origin, arms = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Literal:
        fits = all(type(arm) in _LITERALS for arm in arms)
    elif origin is dict:
        fits, arms = arms[0] is str, arms[1:]
    else:
        fits = origin in (tuple, list, typing.Union, types.UnionType) or _is_leaf(wanted)
    if not fits:
        raise PluginError(f"option {name!r} is of type {_named(wanted)}, which no recipe can write; {_instead(wanted)}")
    if isinstance(wanted, type) and attrs.has(wanted):
        _refuse_options(wanted, f"{name}.", seen)
    for arm in arms if origin is not typing.Literal else ():
        if arm is not Ellipsis:
            _refuse_type(arm, name, seen)


def _is_leaf(wanted: Any) -> bool:  # noqa: ANN401
    if wanted in _LEAVES or wanted in (tuple, list, dict):
        return True
    return isinstance(wanted, type) and (attrs.has(wanted) or bool(getattr(wanted, "_is_protocol", False)))


def _named(wanted: Any) -> str:  # noqa: ANN401
    return wanted.__qualname__ if isinstance(wanted, type) and not typing.get_args(wanted) else str(wanted)


def _instead(wanted: Any) -> str:  # noqa: ANN401
    if isinstance(wanted, type) and issubclass(wanted, enum.Enum):
        values = [one.value for one in wanted]
        if all(type(value) in _LITERALS for value in values):
            return f"make it Literal[{', '.join(map(repr, values))}]"
    return f"recipes hold {WRITABLE}"
