"""Say where a key belongs that stands in the wrong table, and what a file is for that is no whole recipe."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import attrs

from wakekit.errors import Problem, WakekitError
from wakekit.kinds import SLOTS
from wakekit.layers import recipe_name
from wakekit.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from wakekit.kinds import Slot
    from wakekit.layers import Merged
    from wakekit.merging import KeyPath
    from wakekit.registry import Registry

_UNKNOWN = re.compile(r"unknown (?:option|key) '[^']+'[^(]* \((?:options are |a recipe has |it has no options)")
_GUESSED = re.compile(r"unknown (?:option|key) '([^']+)'[^(]* \(did you mean [^()]*\?\)$")
_MOST = 3
# A guess as like as this is what was meant.
_SURE = 0.8
_TOP = "the recipe itself, above its tables"


def with_bases(problems: Sequence[Problem], table: Mapping[str, object]) -> list[Problem]:
    """Return problems, where `extends` stands in a table in place of all that may be missing for want of the bases."""
    found = [path for path in _ending_in("extends", table, ()) if path[:2] != ("ablate", "variants")]
    if not found:
        return list(problems)
    message = f"unknown key 'extends' ('extends' belongs in {_TOP})"
    told = [Problem(path, message, on_key=True, suggestion="extends") for path in found]
    return [*told, *(problem for problem in problems if not problem.missing and problem.path not in found)]


def _ending_in(name: str, table: Mapping[str, object], path: KeyPath) -> Iterator[KeyPath]:
    """Yield the paths of the lists and texts that have a name in the tables within a table."""
    for key, held in table.items():
        if isinstance(held, dict):
            yield from _ending_in(name, held, (*path, key))
        elif path and key == name and isinstance(held, (list, str)):
            yield (*path, key)


def of_a_part(problems: Sequence[Problem], merged: Merged) -> list[Problem]:
    """Return problems, all that is missing in one where a file is a part that others extend rather than a recipe."""
    lost = [f"[{slot.key}]" for slot in SLOTS if slot.neutral is None and not slot.many]
    written = {f"[{key}]" for key, value in merged.table.items() if isinstance(value, dict)}
    others = [problem for problem in problems if not problem.missing or set(problem.path[:1]) & merged.table.keys()]
    if not written or written & set(lost) or len(others) == len(problems):
        return list(problems)
    both = f'extends = ["wakekit:quickstart", "{recipe_name(merged.top.label)}"]'
    message = (
        f"this is a part for other recipes to extend, not a whole one: it has none of {', '.join(lost)}; name it "
        f"beside a whole one, as in {both}"
    )
    return [Problem((), message, missing=True), *others]


def with_homes(problems: Iterable[Problem], table: Mapping[str, object], registry: Registry) -> list[Problem]:
    """Return problems, those of a key unknown in its table with the tables that have an option of that name."""
    found, homes = [], None
    for problem in problems:
        guess = _GUESSED.search(problem.message) if problem.on_key and problem.suggestion is not None else None
        if guess is not None and SequenceMatcher(None, guess[1], problem.suggestion or "").ratio() < _SURE:
            homes = _homes(table, registry) if homes is None else homes
            found.append(_also_at_home(problem, homes.get(guess[1], [])))
            continue
        told = _UNKNOWN.search(problem.message) if problem.on_key and problem.suggestion is None else None
        if told is None or not isinstance(problem.path[-1], str):
            found.append(problem)
            continue
        words = problem.message[: told.end()].rpartition(" (")[0]
        siblings = _siblings(problem, registry)
        if siblings:
            listed = " and ".join(siblings[:_MOST])
            found.append(problem.moved(problem.path, f"{words} ({listed} has it; write the type that you mean)"))
            continue
        homes = _homes(table, registry) if homes is None else homes
        tables = homes.get(problem.path[-1], [])
        if not tables:
            found.append(problem)
            continue
        where = ", ".join(f"[{name}]" if name else _TOP for name in tables[:_MOST])
        moved = problem.moved(problem.path, f"{words} ({problem.path[-1]!r} belongs in {where})")
        moved.suggestion = ".".join(filter(None, (tables[0], problem.path[-1]))) if len(tables) == 1 else None
        found.append(moved)
    return found


def _also_at_home(problem: Problem, tables: Sequence[str]) -> Problem:
    """Return a problem with a far guess of what was meant, told where else its key belongs."""
    key = problem.path[-1]
    where = ", ".join(f"[{name}]" for name in filter(None, tables[:_MOST]))
    words = f"{problem.message.removesuffix(')')} {key!r} belongs in {where})"
    return problem.moved(problem.path, words) if where else problem


def _siblings(problem: Problem, registry: Registry) -> list[str]:
    """Return the components of the same kind that have an option which the one chosen has not."""
    slot = next((slot for slot in SLOTS if slot.key == problem.path[0]), None)
    if slot is None or len(problem.path) != 2 + slot.many:
        return []
    found = []
    for entry in registry.entries(slot.kind):
        try:
            fields = attrs.fields(registry.load(entry))
        except WakekitError:
            continue
        if problem.path[-1] in [field.name for field in fields if field.init]:
            found.append(registry.name_of(entry))
    return found


def _homes(table: Mapping[str, object], registry: Registry) -> dict[str, list[str]]:
    """Return for every option's name the tables that have it; "" is the recipe itself."""
    found: dict[str, list[str]] = {}
    for name, cls in (*_settings(), *_chosen(table, registry)):
        for field in attrs.fields(cls):
            if field.init:
                found.setdefault(field.name, []).append(name)
    return found


def _settings() -> Iterator[tuple[str, type]]:
    yield "", Settings
    attrs.resolve_types(Settings)
    for field in attrs.fields(Settings):
        if isinstance(field.type, type) and attrs.has(field.type):
            yield field.name, field.type


def _chosen(table: Mapping[str, object], registry: Registry) -> Iterator[tuple[str, type]]:
    """Yield the tables of the recipe's components with their classes, those that can be found."""
    for slot in SLOTS:
        written = table.get(slot.key)
        if not slot.many:
            yield from _one(slot, slot.key, written, registry)
        elif isinstance(written, dict):
            for name, one in written.items():
                yield from _one(slot, f"{slot.key}.{name}", one, registry)


def _one(slot: Slot, name: str, written: object, registry: Registry) -> Iterator[tuple[str, type]]:
    named = written.get("type", slot.neutral) if isinstance(written, dict) else slot.neutral if slot.implied else None
    if not isinstance(named, str):
        return
    try:
        yield name, registry.load(registry.find(slot.kind, str(named)))
    except WakekitError:
        return
