"""Lay one table of a recipe over another, remembering who wrote what.

Tables merge key by key; a table whose `type` changes replaces the one below it whole; arrays replace. Two names of one
component are no change, and two names of one option are one key, where it is known which are: who merges says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from wakekit.kinds import SLOTS, Slot

KeyPath = tuple[str | int, ...]
Table = dict[str, Any]
CONDITIONS = "conditions"
_SLOTS = {slot.key: slot for slot in SLOTS}
_Origin = TypeVar("_Origin")


def _itself(_kind: str, name: str) -> str:
    return name


@attrs.frozen
class Options:
    """What is known of a component's options: its present name, and their former names, each with the present one."""

    component: str
    former: Mapping[str, str] = attrs.field(factory=dict)


def _unknown(_kind: str, name: str) -> Options:
    return Options(name)


@attrs.frozen
class Meaning:
    """What is known of components by kind and name; as it is here, each name stands for another one.

    Two names for which `component` answers the same are one component's.
    """

    component: Callable[[str, str], object] = _itself
    options: Callable[[str, str], Options] = _unknown


AS_WRITTEN = Meaning()


@attrs.frozen
class Renamed:
    """An option that one layer wrote at `path` under its former name, and another above it under its `present` one."""

    path: KeyPath
    present: str
    component: str
    source: Any


def merge_tables(below: Table, above: Mapping[str, Any], meaning: Meaning = AS_WRITTEN) -> None:
    """Lay one table over another in place, as a recipe over its base."""
    merge(below, above, origins={}, source=lambda _path: None, meaning=meaning)


def merge(
    below: Table,
    above: Mapping[str, Any],
    *,
    origins: dict[KeyPath, _Origin],
    source: Callable[[KeyPath], _Origin],
    meaning: Meaning = AS_WRITTEN,
    path: KeyPath = (),
) -> list[Renamed]:
    """Lay `above` over `below` in place, both tables at `path`; `source` says who wrote a path of `above`.

    `origins` has for every path in `below` who wrote it, and is kept so. Returns what `below` wrote under former names
    and `above` in other words.
    """
    renamed: list[Renamed] = []
    for key, value in above.items():
        here = (*path, key)
        old = below.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not _replaces(value, old, here, meaning):
            origins.setdefault(here, source(here))
            renamed += _drop_renamed(old, value, origins, here, meaning)
            renamed += merge(old, value, origins=origins, source=source, meaning=meaning, path=here)
            continue
        if isinstance(old, dict):
            forget(origins, here)
        below[key] = {} if isinstance(value, dict) else value
        origins[here] = source(here)
        if isinstance(value, dict):
            merge(below[key], value, origins=origins, source=source, meaning=meaning, path=here)
    return renamed


def _drop_renamed(
    below: Table, above: Table, origins: dict[KeyPath, _Origin], path: KeyPath, meaning: Meaning
) -> list[Renamed]:
    """Drop the options of a component that the table above it writes under another of their names."""
    slot, new = _slot_at(path), above.keys() - below.keys()
    name = above.get("type", below.get("type", slot.neutral if slot is not None and slot.implied else None))
    if slot is None or not new or not below.keys() - above.keys() or not isinstance(name, str):
        return []
    known = meaning.options(slot.kind, str(name))
    former = known.former
    written = {former.get(key, key) for key in new}
    found = []
    for key in [key for key in below if key not in above and former.get(key, key) in written]:
        del below[key]
        source = origins.get((*path, key))
        forget(origins, (*path, key))
        if key in former:
            found.append(Renamed((*path, key), former[key], known.component, source))
    return found


def forget(origins: dict[KeyPath, _Origin], path: KeyPath) -> None:
    """Drop who wrote a path and all that is under it."""
    for known in [known for known in origins if known[: len(path)] == path]:
        del origins[known]


def _replaces(value: Table, old: Table, path: KeyPath, meaning: Meaning) -> bool:
    """Return whether a table is another component than the one below it."""
    if "type" not in value:
        return False
    slot = _slot_at(path)
    present, former = value["type"], old.get("type", slot.neutral if slot is not None and slot.implied else None)
    if slot is None or present == former or not isinstance(present, str) or not isinstance(former, str):
        return bool(present != former)
    return meaning.component(slot.kind, str(present)) != meaning.component(slot.kind, str(former))


def _slot_at(path: KeyPath) -> Slot | None:
    """Return the slot that a component at a path fills, None where none does or it is an option of another one."""
    inner = path[2:] if path[:1] == (CONDITIONS,) else path
    slot = _SLOTS.get(str(inner[0])) if inner else None
    return slot if slot is not None and len(inner) == 1 + slot.many else None
