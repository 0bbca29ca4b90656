"""What `[ablate]` says, and the variants of a recipe that it asks for, each with what it changes in the tables.

A variant remembers where each of its changes was written, so that what is wrong with it is reported there.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.converter import ProblemsError
from wakekit.errors import Problem
from wakekit.kinds import SLOTS
from wakekit.merging import KeyPath, merge_tables
from wakekit.options import option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.merging import Meaning, Table

# What a variant cannot change, and why.
FIXED = {
    "ablate": "the terms of an ablation are the same for all its variants",
    "vars": "[vars] is put into the recipe before its variants; set the option that holds it",
    "extends": "a variant is tables laid over the recipe; write those of the base here, or another recipe",
}
MODES = ONE_AT_A_TIME, LEAVE_ONE_OUT, GRID = ("one-at-a-time", "leave-one-out", "grid")
_MANY = {slot.key for slot in SLOTS if slot.many}
_CONTRACTS = {slot.key: slot.contract for slot in SLOTS}


@attrs.frozen
class Margin:
    """`[ablate.margin]`: differences that count as none, each in its measure's own unit."""

    miss_rate: float = option(0.02, above=0, below=1, help="of the share of words missed at the target")
    eer: float = option(0.01, above=0, below=1, help="of the equal error rate")
    pauc: float = option(0.02, above=0, below=1, help="of the partial area under the ROC curve")
    brier: float = option(0.005, above=0, below=1, help="of the Brier score")


@attrs.frozen
class Ablate:
    """`[ablate]`: what to compare the recipe with, and how to judge."""

    question: str = option("", help="what the ablation asks, for its report")
    mode: str = option(
        MODES[0],
        choices=MODES,
        help="what the axes and what is left out are tried in: one change at a time, or every combination",
    )
    judge: str = option(
        "dev",
        choices=("dev", "test"),
        help="split that is judged: dev with cross-fitted thresholds, or test, read once",
    )
    measure: str = option(
        "", choices=("", "miss-rate", "eer", "pauc", "brier"), help="what decides; miss-rate, for calibrators brier"
    )
    margin: Margin = attrs.field(factory=Margin)
    level: float = option(0.95, at_least=0.5, below=1, help="level of the intervals, and of all verdicts together")
    exclude: tuple[str, ...] = option((), help="names of variants to leave out; * and ? stand for what may differ")
    max_variants: int = option(50, at_least=1, help="more variants than this are refused")
    seeds: tuple[int, ...] = option((0, 1, 2), at_least=0, below=2**53, help="seeds of training, the same for all")
    leave_out: tuple[str, ...] = option((), help="tables to drop, or to replace by their kind's neutral component")
    axes: dict[str, Any] = option(attrs.Factory(dict), help="components to swap, or values to set, one after the other")
    variants: dict[str, Any] = option(attrs.Factory(dict), help="tables laid over the recipe, by name")

    def __attrs_post_init__(self) -> None:
        """Refuse seeds that are none, or the same twice."""
        if not differ(self.seeds):
            raise ValueError(f"seeds: expected seeds that differ, got {list(self.seeds)}")


def differ(seeds: Sequence[object]) -> bool:
    """Return whether there are seeds, and none of them twice."""
    return bool(seeds) and all(seed not in seeds[:number] for number, seed in enumerate(seeds))


@attrs.frozen
class Edit:
    """One change of a table: `value` at `path`, or nothing there where `drop`; `place` is where it was written.

    `swaps` says that the value is a component in place of another, `key_place` where the path was written.
    """

    path: tuple[str, ...]
    place: KeyPath
    value: Any = None
    drop: bool = False
    swaps: bool = False
    key_place: KeyPath | None = None

    def blamed(self, problem: Problem) -> Problem | None:
        """Return a problem of the changed recipe at the place of this change, or None where it did not cause it."""
        path, here = problem.path, self.path
        above = bool(path) and here[: len(path)] == path
        if self.key_place is not None and (above if problem.on_key else above and len(path) < len(here)):
            return Problem(self.key_place, f"{'.'.join(here)}: {problem.message}")
        if path[: len(here)] == here:
            return problem.moved((*self.place, *path[len(here) :]))
        return None


@attrs.frozen
class Variant:
    """A recipe that differs; `place` is where it was written.

    `subject` is what a verdict on it is about, `left_out` says that it is the recipe without that subject. `changes`
    are its differences from the recipe, in words. In a grid `levels` maps every axis, and every component that is left
    out, to what it is here.
    """

    name: str
    place: KeyPath
    edits: tuple[Edit, ...]
    subject: str = ""
    left_out: bool = False
    levels: Mapping[str, str] = attrs.field(factory=dict)
    changes: tuple[str, ...] = ()

    def applied(self, table: Table, **meaning: Meaning) -> Table:
        """Return the recipe's table with the changes; raises ProblemsError where there is nothing to drop.

        `meaning` is as in `merge_tables`.
        """
        changed: Table = _copied(table)
        for edit in self.edits:
            _apply(changed, edit, **meaning)
        return changed

    def caused(self, problem: Problem) -> Problem | None:
        """Return a problem of the changed recipe at the place of the change that caused it, None where none did."""
        closest = sorted(self.edits, key=lambda edit: -len(edit.path))
        return next((found for edit in closest if (found := edit.blamed(problem)) is not None), None)

    def blamed(self, problem: Problem) -> Problem:
        """Return a problem of the changed recipe at the place of the change that caused it, or of the variant."""
        found = self.caused(problem)
        if found is None:
            where = ".".join(map(str, problem.path))
            found = problem.moved(self.place, f"{where + ': ' if where else ''}{problem.message}")
        return found.moved(found.path, f"variant {self.name!r}: {found.message}")


def in_words(value: object) -> str:
    """Return a short text for a component's table or a value, as in `balanced (ratio = [1, 2, 1])`."""
    if isinstance(value, Mapping):
        options = ", ".join(f"{key} = {in_words(item)}" for key, item in value.items() if key != "type")
        return f"{value.get('type', '')} ({options})".lstrip() if options else str(value.get("type", "{}"))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(in_words, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def kind_options(key: str) -> tuple[str, ...]:
    """Return the options that every component of a slot has, by its kind's contract, as every sampler a batch size."""
    written: dict[str, object] = getattr(_CONTRACTS.get(key), "__annotations__", {})
    return tuple(name for name, what in written.items() if "ClassVar" not in str(what))


def _nothing_there(table: Table, path: str, what: str) -> str:
    keys = [*table, *(f"{key}.{inner}" for key, held in table.items() if isinstance(held, dict) for inner in held)]
    near = get_close_matches(path, keys, n=1)
    return f"the recipe has no {path!r} to {what}" + (f" (did you mean {near[0]!r}?)" if near else "")


def _copied(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _apply(table: Table, edit: Edit, **meaning: Meaning) -> None:
    """Change a table in place: tables are laid over each other as those of bases are."""
    *outer, last = edit.path
    inner: Any = table
    for key in outer:
        inner = inner.get(key) if isinstance(inner, dict) else None
    old = inner.get(last) if isinstance(inner, dict) else None
    if edit.drop:
        if not isinstance(inner, dict) or last not in inner:
            raise ProblemsError(
                [Problem(edit.path, _nothing_there(table, ".".join(edit.path), "leave out"), missing=True)]
            )
        del inner[last]
        return
    if edit.key_place is not None and not edit.swaps and inner is None and outer[0] in _MANY and last != "type":
        raise ProblemsError(
            [Problem(tuple(outer), _nothing_there(table, ".".join(outer), "set"), on_key=True, missing=True)]
        )
    laid: Any = edit.value
    if edit.swaps and isinstance(laid, dict) and isinstance(old, dict):
        # Another sampler is to be another way to draw batches, not another size of them.
        laid = {name: old[name] for name in kind_options(".".join(edit.path)) if name in old} | laid
    for key in reversed(edit.path):
        laid = {key: laid}
    merge_tables(table, laid, **meaning)
