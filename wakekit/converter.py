"""Turn recipe tables into attrs values, strictly, with every mistake at once and the path of each.

cattrs coerces by default ("false" becomes True, 1.9 becomes 1): here every leaf has a hook that takes its exact type,
with the one exception that a whole number may stand for a float. What is right but will not be for ever, as a former
name, is no mistake: who asks for warnings with `warned` is told.
"""

from __future__ import annotations

import functools
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from cattrs import Converter

from wakekit.errors import PluginError, Problem, WakekitError, nearest
from wakekit.layers import Text
from wakekit.option_types import value_types
from wakekit.options import former_names, option_info

if TYPE_CHECKING:
    from collections.abc import Sequence

BuildNested = Callable[[type, object], object]
_WARNINGS: ContextVar[list[Problem] | None] = ContextVar("_WARNINGS", default=None)
_NEVER = re.compile(r"(?!)")
_BARE = {
    "true or false": re.compile(r"true|false", re.IGNORECASE),
    "a whole number": re.compile(r"[+-]?\d+"),
    "a number": re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?"),
}
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path", dict: "a table"}


class ProblemsError(Exception):
    """What is wrong with a value, path by path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


@contextmanager
def warned() -> Iterator[list[Problem]]:
    """Collect what `warn` is told within, with paths as those of problems are."""
    found: list[Problem] = []
    token = _WARNINGS.set(found)
    try:
        yield found
    finally:
        _WARNINGS.reset(token)


def warn(problem: Problem) -> None:
    """Tell whoever collects warnings of something at a path of the value that is being structured."""
    found = _WARNINGS.get()
    if found is not None:
        found.append(problem)


@contextmanager
def _under(place: str | int) -> Iterator[None]:
    """Put what is warned of within under a key or position."""
    with warned() as found:
        yield
    for problem in found:
        warn(problem.under(place))


def structure(cls: type, table: object, owner: str, nested: BuildNested | None = None) -> Any:  # noqa: ANN401
    """Return an instance of the attrs class `cls` from a table; `owner` names it in messages.

    `nested` builds fields whose type is a kind's Protocol. Raises ProblemsError with every mistake found.
    """
    return _table(table, cls, owner, _converter(nested))


def structure_option(cls: type, name: str, value: object) -> object:
    """Return a value for one option of an attrs class; raises ProblemsError where it is of another type or bounds."""
    try:
        made: object = _converter(None).structure(value, value_types(cls)[name])
    except Exception as error:
        raise ProblemsError(problems_of(error)) from error
    complaint = option_info(attrs.fields_dict(cls)[name]).complaint(made)
    if complaint:
        raise ProblemsError([Problem((), complaint)])
    return made


@functools.cache
def _converter(nested: BuildNested | None) -> Converter:
    converter = Converter(detailed_validation=True)
    for kind in (bool, int, str):
        converter.register_structure_hook(kind, functools.partial(_exact, wanted=kind))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook(Path, _path)
    converter.register_structure_hook_func(_is_literal, _literal)
    converter.register_structure_hook_func(_is_union, functools.partial(_union, converter=converter))
    converter.register_structure_hook_func(_is_a(tuple, list), functools.partial(_sequence, converter=converter))
    converter.register_structure_hook_func(_is_a(dict), functools.partial(_mapping, converter=converter))
    converter.register_structure_hook_func(attrs.has, lambda value, cls: _table(value, cls, _own_name(cls), converter))
    converter.register_structure_hook_func(
        lambda wanted: bool(getattr(wanted, "_is_protocol", False)), functools.partial(_component, nested=nested)
    )
    return converter


def _own_name(cls: type) -> str:
    """Return what a table of a recipe is called, by its class: as its documentation does, `[audio]`."""
    named = re.match(r"`(\[[\w.]+\])`", cls.__doc__ or "")
    return named[1] if named else cls.__name__.lower()


def _component(value: object, kind: type, *, nested: BuildNested | None) -> object:
    if attrs.has(type(value)):
        return value
    if nested is None:
        raise ValueError(_mismatch("a component", value))
    return nested(kind, value)


def _is_a(*containers: type) -> Callable[[Any], bool]:
    return lambda wanted: typing.get_origin(wanted) in containers or wanted in containers


def _mapping(value: object, wanted: Any, *, converter: Converter) -> object:  # noqa: ANN401
    if not isinstance(value, Mapping):
        raise ValueError(_mismatch("a table", value))
    arm = (typing.get_args(wanted) or (str, Any))[1]
    return dict(zip(value, _all(value.items(), (arm,) * len(value), converter), strict=True))


def _sequence(value: object, wanted: Any, *, converter: Converter) -> object:  # noqa: ANN401
    # cattrs would take text for a list of characters.
    arms = typing.get_args(wanted)
    container = typing.get_origin(wanted) or wanted
    any_length = container is list or arms[-1:] == (Ellipsis,) or not arms
    if not isinstance(value, (list, tuple)):
        raise ValueError(_mismatch("a list" if any_length else f"a list of {len(arms)}", value))
    if any_length:
        arms = (arms[0] if arms else Any,) * len(value)
    if len(value) != len(arms):
        raise ValueError(_mismatch(f"a list of {len(arms)}", value))
    return container(_all(enumerate(value), arms, converter))


def _all(items: Iterable[tuple[Any, object]], arms: Sequence[Any], converter: Converter) -> list[object]:
    """Structure every item by its arm, and raise all their problems together."""
    made: list[object] = []
    problems: list[Problem] = []
    for (place, item), arm in zip(items, arms, strict=True):
        try:
            with _under(place):
                made.append(converter.structure(item, arm))
        except Exception as error:  # noqa: BLE001
            problems += [problem.under(place) for problem in problems_of(error)]
    if problems:
        raise ProblemsError(problems)
    return made


def _table(value: object, cls: type, owner: str, converter: Converter) -> Any:  # noqa: ANN401
    fields = {field.name: field for field in attrs.fields(cls) if field.init}
    if type(value) is cls:
        value = {name: getattr(value, name) for name in fields}
    if not isinstance(value, Mapping):
        raise ProblemsError([Problem((), _mismatch("a table", value))])
    wanted = value_types(cls)
    names, problems = _keys_of(value, cls, owner)
    given: dict[str, Any] = {}
    for name, field in fields.items():
        if name in names:
            key = names[name]
            try:
                with _under(key):
                    given[name] = None if value[key] is None else converter.structure(value[key], wanted[name])
            except Exception as error:  # noqa: BLE001
                problems += [problem.under(key) for problem in problems_of(error)]
                continue
            complaint = option_info(field).complaint(given[name])
            if complaint:
                problems.append(_complained(key, complaint, given[name], option_info(field).choices))
        elif field.default is attrs.NOTHING:
            problems.append(Problem((), f"missing option {name!r} of {owner}", on_key=True, missing=True))
        elif not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            _refuse_default(cls, name, option_info(field).complaint(field.default))
    if problems:
        raise ProblemsError(problems)
    made = _built(cls, given, names)
    defaults = {name: getattr(made, name) for name in fields if name not in given}
    return _built(cls, given | _defaults(cls, defaults, converter), names) if defaults else made


def _built(cls: type, given: Mapping[str, Any], names: Mapping[str, str]) -> Any:  # noqa: ANN401
    try:
        return cls(**given)
    except (ValueError, TypeError, WakekitError) as error:
        raise ProblemsError([_refusal(str(error), names)]) from error


def _defaults(cls: type, values: Mapping[str, Any], converter: Converter) -> dict[str, Any]:
    """Return defaults as a recipe would give them: one of 1 for a float means, and is fingerprinted as, 1.0."""
    wanted = value_types(cls)
    made = {}
    for name, value in values.items():
        try:
            with warned():
                made[name] = None if value is None else converter.structure(value, wanted[name])
        except Exception as error:  # noqa: BLE001
            first = problems_of(error)[0]
            place = "".join(f"{part}: " for part in first.path)
            _refuse_default(cls, name, f"{place}{first.message}")
    return made


def _refuse_default(cls: type, name: str, complaint: str | None) -> None:
    if complaint:
        owner = f"{cls.__module__}.{cls.__qualname__}"
        raise PluginError(f"{owner}: the default of option {name!r} is none that a recipe could state: {complaint}")


def _complained(key: str, complaint: str, value: object, choices: Sequence[object] | None) -> Problem:
    near = get_close_matches(str(value), [one for one in choices or () if isinstance(one, str) and one], n=1)
    if not near or not isinstance(value, str):
        return Problem((key,), complaint)
    return Problem((key,), f"{complaint} (did you mean {near[0]!r}?)", suggestion=near[0])


def _refusal(message: str, names: Mapping[str, str]) -> Problem:
    """Return what a class said against its options, at the one that it names first where that was written."""
    option, colon, rest = message.partition(": ")
    return Problem((names[option],), rest) if colon and option in names else Problem((), message)


def _keys_of(table: Mapping[str, object], cls: type, owner: str) -> tuple[dict[str, str], list[Problem]]:
    """Return the keys of a table by the options they stand for, and what is wrong with them."""
    former = former_names(cls)
    fields = {field.name: field for field in attrs.fields(cls) if field.init}
    names = {key: key for key in table if key in fields}
    problems: list[Problem] = []
    for key in table:
        name = former.get(key, key)
        if name not in fields:
            problems.append(_unknown(key, owner, list(fields)))
        elif names.setdefault(name, key) != key:
            message = f"{key!r} of {owner} is now called {name!r}, and {names[name]!r} is there too; drop one of them"
            problems.append(Problem((key,), message, on_key=True))
        else:
            _warn_of(key, fields[name], owner)
    return names, problems


def _warn_of(key: str, field: attrs.Attribute[Any], owner: str) -> None:
    if key != field.name:
        message = f"{key!r} of {owner} is now called {field.name!r}; write that"
        warn(Problem((key,), message, on_key=True, suggestion=field.name))
    deprecated = option_info(field).deprecated
    if deprecated:
        warn(Problem((key,), f"{field.name!r} of {owner} is deprecated: {deprecated}", on_key=True))


def _unknown(key: str, owner: str, names: list[str]) -> Problem:
    near = nearest(key, names)
    there = f"options are {', '.join(names)}" if names else "it has no options"
    hint = f"did you mean {near!r}?" if near else there
    message = f"unknown option {key!r} of {owner} ({hint})"
    return Problem((key,), message, on_key=True, suggestion=near)


def problems_of(error: Exception) -> list[Problem]:
    """Return the problems that an exception of structuring stands for."""
    if isinstance(error, ProblemsError):
        return list(error.problems)
    if isinstance(error, PluginError):
        raise error
    return [Problem((), str(error))]


def _mismatch(wanted: str, value: object) -> str:
    return f"expected {wanted}, got {shown(value)}{_rewritten(wanted, value)}"


def _rewritten(wanted: str, value: object) -> str:
    """Return how a value of another type is meant to be written, where that can be guessed."""
    if wanted == _NAMES[str] and isinstance(value, (bool, int, float)):
        return f"; write it in quotes: '{shown(value)}'"
    if isinstance(value, str) and _BARE.get(wanted, _NEVER).fullmatch(value):
        return f"; write it without quotes: {value.lower()}"
    if wanted == _NAMES[int] and isinstance(value, float) and value.is_integer():
        return f"; write it as {value:.0f}"
    if wanted == "a list" and isinstance(value, (str, int, float)):
        return f"; write it as [{shown(value)}]"
    return ""


def shown(value: object) -> str:
    """Return a value as a recipe would write it, shortened."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a table"
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004


def _exact(value: object, _: object = None, *, wanted: type) -> object:
    if type(value) is wanted or (wanted is str and isinstance(value, str)):
        return str(value) if wanted is str else value
    raise ValueError(_mismatch(_NAMES[wanted], value))


def _number(value: object, _: object = None) -> float:
    if not isinstance(value, float) and type(value) is not int:
        raise ValueError(_mismatch("a number", value))
    number = float(typing.cast("float", value))
    if not math.isfinite(number):
        raise ValueError(_mismatch("a finite number", value))
    return number


def _path(value: object, _: object = None) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise ValueError(_mismatch("a path", value))
    folder = value.folder if isinstance(value, Text) else Path.cwd()
    return (folder / Path(value).expanduser()).resolve()


def _is_literal(wanted: Any) -> bool:  # noqa: ANN401
    origin: Any = typing.get_origin(wanted)
    return origin is typing.Literal


def _literal(value: object, wanted: Any) -> object:  # noqa: ANN401
    for arm in typing.get_args(wanted):
        if value == arm and isinstance(value, type(arm)) and not isinstance(value, bool) ^ isinstance(arm, bool):
            return arm
    raise ValueError(_mismatch(_named(wanted), value))


def _named(wanted: Any) -> str:  # noqa: ANN401
    """Return a type as the writer of a recipe would call it."""
    origin, arms = typing.get_origin(wanted), typing.get_args(wanted)
    if _is_literal(wanted):
        named = [shown(arm) for arm in arms if arm is not None]
        return f"{'one of ' * (len(named) > 1)}{', '.join(named)}"
    if origin is tuple and Ellipsis not in arms:
        return f"a list of {len(arms)}"
    if tuple in (origin, wanted) or list in (origin, wanted):
        return "a list"
    return _NAMES.get(origin or wanted, "a table")


def _is_union(wanted: Any) -> bool:  # noqa: ANN401
    return typing.get_origin(wanted) in (typing.Union, types.UnionType)


def _union(value: object, wanted: Any, *, converter: Converter) -> object:  # noqa: ANN401
    arms = [arm for arm in typing.get_args(wanted) if arm is not type(None)]
    failures: list[list[Problem]] = []
    for arm in arms:
        try:
            with warned() as found:
                made: object = converter.structure(value, arm)
        except Exception as error:  # noqa: BLE001
            failures.append(problems_of(error))
        else:
            for problem in found:
                warn(problem)
            return made
    if len(arms) == 1:
        raise ProblemsError(failures[0])
    if not any(problem.path for problems in failures for problem in problems):
        raise ValueError(_mismatch(" or ".join(dict.fromkeys(map(_named, arms))), value))
    # The arm that got furthest into the value is the one that was meant.
    raise ProblemsError(max(failures, key=lambda problems: max(len(problem.path) for problem in problems)))
