"""Build a component from the table that a recipe describes it with."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.converter import ProblemsError, shown, structure, structure_option, warn
from wakekit.errors import PluginError, Problem, WakekitError, an, blaming, nearest
from wakekit.ids import lists_tables
from wakekit.kinds import SLOTS
from wakekit.option_types import value_types
from wakekit.registry import Entry, Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_KIND_OF = {slot.contract: slot.kind for slot in SLOTS}


@attrs.frozen(eq=False)
class Chosen:
    """A component that a recipe chose: where it comes from and its parameters."""

    entry: Entry
    value: Any


def build_component(registry: Registry, kind: str, written: object) -> Chosen:
    """Return the component that a table (or a string, short for one) describes.

    Raises ProblemsError for the recipe's mistakes, PluginError for a plugin's.
    """
    table = {"type": written} if isinstance(written, str) else written
    if not isinstance(table, dict):
        got = "a list of tables; write its header in single brackets" if lists_tables(written) else shown(written)
        raise ProblemsError([Problem((), f"expected a table or the name of {an(kind)}, got {got}")])
    name = table.get("type")
    if not isinstance(name, str):
        near = nearest("type", table) if name is None else None
        if near is not None:
            message = f"unknown option {near!r} (did you mean 'type'?); {_offer(registry, kind)}"
            raise ProblemsError([Problem((near,), message, on_key=True, suggestion="type")])
        message = "missing type" if name is None else f"expected the name of {an(kind)}, got {shown(name)}"
        path = ("type",) if name is not None else ()
        raise ProblemsError([Problem(path, f"{message}; {_offer(registry, kind)}", missing=name is None)])
    try:
        entry = registry.find(kind, str(name))
    except PluginError:
        raise
    except WakekitError as error:
        raise ProblemsError([Problem(("type",), str(error), suggestion=getattr(error, "suggestion", None))]) from error
    for message, suggestion in registry.remarks(str(name), entry):
        warn(Problem(("type",), message, suggestion=suggestion))
    options = {key: value for key, value in table.items() if key != "type"}
    owner = str(name) if name.rpartition(":")[2] == entry.component.name else registry.name_of(entry)
    cls = registry.load(entry)
    value: Any = None
    wrong: list[Problem] = []
    label = f"{kind} {owner!r} of plugin {entry.plugin.label()}"
    with blaming(label), _naming(label):
        try:
            value = structure(cls, options, owner, nested=nested_builder(registry))
        except ProblemsError as error:
            wrong = [_perhaps_type(problem, options, owner) for problem in error.problems]
    wrong += _lost_files(cls, options)
    keyword = options.get("keyword") if value is None else getattr(value, "keyword", None)
    if kind == "corpus" and isinstance(keyword, str) and not keyword.strip():
        wrong.append(Problem(("keyword",), "expected a keyword, got none"))
    if wrong:
        raise ProblemsError(wrong)
    return Chosen(entry, value)


@contextmanager
def _naming(component: str) -> Iterator[None]:
    try:
        yield
    except PluginError as error:
        raise PluginError(f"{component}: {error}") from error


def _perhaps_type(problem: Problem, options: Mapping[str, object], owner: str) -> Problem:
    """Return a problem of a key that is like none of the component's options, told where it may be meant for `type`."""
    key = str(problem.path[0]) if len(problem.path) == 1 and problem.on_key and problem.suggestion is None else ""
    if not isinstance(options.get(key), str) or nearest(key, ["type"]) is None:
        return problem
    message = f"unknown option {key!r} of {owner} (did you mean 'type'?)"
    return Problem((key,), message, on_key=True, suggestion="type")


def _offer(registry: Registry, kind: str) -> str:
    return f"there are: {', '.join(entry.component.name for entry in registry.entries(kind)) or 'none'}"


@functools.cache
def nested_builder(registry: Registry) -> Callable[[type, object], object]:
    """Return what builds components that are options of other components, from their kind's Protocol."""

    def build(contract: type, written: object) -> object:
        return build_component(registry, _KIND_OF[contract], written).value

    return build


def _lost_files(cls: type, options: Mapping[str, object]) -> list[Problem]:
    """Return a problem per path that names nothing: components only read what they are given."""
    problems = []
    for name in value_types(cls):
        try:
            paths = _paths(structure_option(cls, name, options[name])) if name in options else []
        except ProblemsError:
            continue
        problems += [Problem((name,), f"no such file or folder: {path}") for path in paths if not path.exists()]
    return problems


def _paths(value: object) -> list[Path]:
    if isinstance(value, (tuple, list)):
        return [path for item in value for path in _paths(item)]
    return [value] if isinstance(value, Path) else []
