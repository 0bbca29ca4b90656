"""Tables keyed by ids, as `[metrics.<id>]`: what is said of those that are written in another way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wakekit.converter import shown
from wakekit.errors import Problem
from wakekit.kinds import SLOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wakekit.merging import KeyPath

_SLOTS = {slot.key for slot in SLOTS}


def lists_tables(written: object) -> bool:
    """Return whether something is what headers in double brackets make: a list of tables."""
    return isinstance(written, list) and bool(written) and all(isinstance(item, dict) for item in written)


def not_keyed(written: object, path: KeyPath) -> Problem:
    """Return the problem of what stands in place of tables keyed by id, with how such are written."""
    return Problem(path, f"expected tables keyed by id, got {_unkeyed(written, path)}")


def without_id(written: object, path: KeyPath) -> Problem:
    """Return the problem of a table without an id, as `[metrics]` with a `type`."""
    named = written.get("type") if isinstance(written, dict) else written
    name = str(named) if isinstance(named, str) else "…"
    where = ".".join(map(str, (*path, _as_id(name) if name != "…" else "<id>")))
    message = f"expected tables keyed by id; write [{where}] with type = {name!r}"
    return Problem((*path, "type"), message, on_key=True, suggestion=f"[{where}]")


def blank_ids(ids: Iterable[str], path: KeyPath) -> Iterator[Problem]:
    """Yield the problems of ids that nobody could see, or tell from others."""
    for name in ids:
        if not name or name != name.strip():
            near = name.strip() or None
            message = f"expected an id without blanks around it, got {name!r}"
            message += f" (did you mean {near!r}?)" if near else ""
            yield Problem((*path, name), message, on_key=True, suggestion=near)


def _unkeyed(written: object, path: KeyPath) -> str:
    where = ".".join(map(str, path))
    if lists_tables(written):
        return f"a list of tables; write each as [{where}.<id>], in single brackets"
    names = written if isinstance(written, list) else [written]
    name = next((str(name) for name in names if isinstance(name, str)), None)
    how = f"; write {where}.{_as_id(name)} = {name!r}" if name is not None and path[-1] in _SLOTS else ""
    return f"{shown(written)}{how}"


def _as_id(name: str) -> str:
    return re.sub(r"[^\w-]", "_", name)
