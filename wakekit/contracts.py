"""What a component of each kind must be, in Markdown, from the code that holds it: Protocols and conformance checks."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from wakekit.columns import columns
from wakekit.kinds import SLOTS
from wakekit.testing.checks import Check, checks_of
from wakekit.testing.minimum import MINIMUM

if TYPE_CHECKING:
    from typing import TextIO

    from wakekit.kinds import Slot


def contract(kind: str) -> str:
    """Return one kind's contract: its place in a recipe, its Protocol as it stands in `wakekit.kinds`, its checks."""
    slot = next(slot for slot in SLOTS if slot.kind == kind)
    source = inspect.getsource(slot.contract).rstrip()
    own = [check for check in checks_of(kind) if check.kinds]
    said = f"{MINIMUM[kind]} checks must have run on it, those of every kind among them."
    return "\n".join([_place(slot), "", "```python", source, "```", "", said, "", *_table(own)])


def contracts() -> str:
    """Return the contracts of all kinds, after a table of them and what is checked of every component."""
    generic = [check for check in checks_of(SLOTS[0].kind) if not check.kinds]
    rows = [f"| `{slot.kind}` | `{_key(slot)}` | {_left_out(slot)} | {_purpose(slot)} |" for slot in SLOTS]
    head = ["| kind | in a recipe | left out | what it does |", "|---|---|---|---|"]
    parts = [*head, *rows, "", "### Every kind", "", *_table(generic)]
    for slot in SLOTS:
        parts += ["", f"### {slot.kind}", "", contract(slot.kind)]
    return "\n".join(parts) + "\n"


def summary(stream: TextIO | None = None) -> str:
    """Return a line per kind, for a stream: its key in a recipe, what leaving it out means, and what it does."""
    rows = [(slot.kind, _key(slot), _left_out(slot).strip("`"), _purpose(slot)) for slot in SLOTS]
    return "\n".join(columns([("kind", "in a recipe", "left out", "what it does"), *rows], stream, headed=True))


def _purpose(slot: Slot) -> str:
    return (slot.contract.__doc__ or "").partition("\n")[0]


def _key(slot: Slot) -> str:
    return f"[{slot.key}.<id>]" if slot.many else f"[{slot.key}]"


def _left_out(slot: Slot) -> str:
    return f"`{slot.neutral}`" if slot.neutral else "none" if slot.many else "an error"


def _place(slot: Slot) -> str:
    """Say where a kind stands in a recipe."""
    if slot.many:
        return f"`{_key(slot)}` in a recipe, as many as wanted, each under an id; they apply in the order written."
    if slot.neutral:
        return f"`{_key(slot)}` in a recipe; left out, `{slot.neutral}` takes its place."
    return f"`{_key(slot)}` in a recipe, which must have it."


def _table(checks: list[Check]) -> list[str]:
    """Return a table of checks, marking those that concern only who makes the promise."""
    rows = ["| check | what it holds |", "|---|---|"]
    for check in checks:
        name = f"`{check.name}`" + ("" if check.when is None else " *")
        rows.append(f"| {name} | {check.help} |")
    if any(check.when is not None for check in checks):
        rows += ["", "\\* where the component promises it."]
    return rows
