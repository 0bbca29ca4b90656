"""Lay one table of a recipe over another, remembering who wrote what.

Tables merge key by key; a table whose `type` changes replaces the one below it whole; arrays replace. Two names of one
component are no change, where it is known which are: who merges says what each name stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from wakekit.kinds import SLOTS, Slot

KeyPath = tuple[str | int, ...]
Table = dict[str, Any]
# What the name of a component of a kind stands for; two names with the same answer are one component's.
Meaning = Callable[[str, str], object]
CONDITIONS = "conditions"
_SLOTS = {slot.key: slot for slot in SLOTS}
_Origin = TypeVar("_Origin")


def as_written(_kind: str, name: str) -> str:
    """Return a name: where nothing is known of components, each stands for another one."""
    return name


def merge_tables(below: Table, above: Mapping[str, Any], meaning: Meaning = as_written) -> None:
    """Lay one table over another in place, as a recipe over its base."""
    merge(below, above, origins={}, source=lambda _path: None, meaning=meaning)


def merge(
    below: Table,
    above: Mapping[str, Any],
    *,
    origins: dict[KeyPath, _Origin],
    source: Callable[[KeyPath], _Origin],
    meaning: Meaning = as_written,
    path: KeyPath = (),
) -> None:
    """Lay `above` over `below` in place, both tables at `path`; `source` says who wrote a path of `above`.

    `origins` has for every path in `below` who wrote it, and is kept so.
    """
    for key, value in above.items():
        here = (*path, key)
        old = below.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not _replaces(value, old, here, meaning):
            origins.setdefault(here, source(here))
            merge(old, value, origins=origins, source=source, meaning=meaning, path=here)
            continue
        if isinstance(old, dict):
            forget(origins, here)
        below[key] = {} if isinstance(value, dict) else value
        origins[here] = source(here)
        if isinstance(value, dict):
            merge(below[key], value, origins=origins, source=source, meaning=meaning, path=here)


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
    return meaning(slot.kind, str(present)) != meaning(slot.kind, str(former))


def _slot_at(path: KeyPath) -> Slot | None:
    """Return the slot that a component at a path fills, None where none does or it is an option of another one."""
    inner = path[2:] if path[:1] == (CONDITIONS,) else path
    slot = _SLOTS.get(str(inner[0])) if inner else None
    return slot if slot is not None and len(inner) == 1 + slot.many else None
