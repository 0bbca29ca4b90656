"""The `[ablate]` table: which variants of a recipe are to be set against it, and what each changes in its tables.

Every variant differs from the recipe in one respect, or in what its own table says; it remembers where it was written,
so that what is wrong with it is reported there.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.converter import ProblemsError, shown, structure
from wakekit.errors import Problem, RecipeError
from wakekit.kinds import SLOTS
from wakekit.layers import KeyPath, merge_tables, short_forms
from wakekit.options import option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit.layers import Table

_PAIRS = ({"swap", "with"}, {"set", "to"})
_AXIS = "expected swap = '…' with = […], or set = '…' to = […], and nothing else"
_SINGLE = {slot.key: slot for slot in SLOTS if not slot.many}


@attrs.frozen
class Ablate:
    """`[ablate]`: what to compare the recipe with."""

    seeds: tuple[int, ...] = option((0, 1, 2), at_least=0, below=2**53, help="seeds of training, the same for all")
    leave_out: tuple[str, ...] = option((), help="tables to drop, or to replace by their kind's neutral component")
    axes: dict[str, Any] = option(attrs.Factory(dict), help="components to swap, or values to set, one after the other")
    variants: dict[str, Any] = option(attrs.Factory(dict), help="tables laid over the recipe, by name")

    def __attrs_post_init__(self) -> None:
        """Refuse seeds that are none, or the same twice."""
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: expected seeds that differ, got {list(self.seeds)}")


@attrs.frozen
class Axis:
    """`[ablate.axes.<id>]`: either `swap` a component `with` others, or `set` an option `to` values."""

    swap: str | None = option(None, help="key of the component's table, as in 'callbacks.ema'")
    with_: tuple[Any, ...] = option((), help="components: names or tables")
    set: str | None = option(None, help="key of an option, as in 'train.epochs'")
    to: tuple[Any, ...] = option((), help="values of that option")


@attrs.frozen
class Edit:
    """One change of a table: `value` at `path`, or nothing there where `drop`; `place` is where it was written."""

    path: tuple[str, ...]
    place: KeyPath
    value: Any = None
    drop: bool = False


@attrs.frozen
class Variant:
    """A recipe that differs; `place` is where it was written."""

    name: str
    place: KeyPath
    edits: tuple[Edit, ...]

    def applied(self, table: Table) -> Table:
        """Return the recipe's table with the changes; raises ProblemsError where there is nothing to drop."""
        changed = copy.deepcopy(table)
        for edit in self.edits:
            _apply(changed, edit)
        return changed

    def blamed(self, problem: Problem) -> Problem:
        """Return a problem of the changed recipe at the place of the change that caused it."""
        for edit in self.edits:
            if problem.path[: len(edit.path)] == edit.path:
                rest = problem.path[len(edit.path) :]
                return Problem((*edit.place, *rest), f"variant {self.name!r}: {problem.message}", on_key=problem.on_key)
        where = ".".join(map(str, problem.path))
        return Problem(self.place, f"variant {self.name!r}: {where + ': ' if where else ''}{problem.message}")


@contextmanager
def in_variant(name: str) -> Iterator[None]:
    """Name the variant in every line of a RecipeError."""
    try:
        yield
    except RecipeError as error:
        raise RecipeError([f"variant {name!r}: {line}" for line in error.lines]) from error


def read_variants(written: object) -> tuple[Ablate, list[Variant]]:
    """Return the table and its variants in the order written; raises ProblemsError with paths within the table."""
    table: Ablate = structure(Ablate, written, "ablate")
    problems: list[Problem] = []
    found = [_left_out(number, path) for number, path in enumerate(table.leave_out)]
    for name, axis in table.axes.items():
        try:
            found += _along(name, axis)
        except ProblemsError as error:
            problems += [problem.under("axes", name) for problem in error.problems]
    for name, tables in table.variants.items():
        try:
            found.append(_overlaid(name, tables))
        except ProblemsError as error:
            problems += [problem.under("variants", name) for problem in error.problems]
    names = [variant.name for variant in found]
    problems += [
        Problem(variant.place, f"two variants are named {variant.name!r}; leave one out")
        for number, variant in enumerate(found)
        if variant.name in names[:number]
    ]
    if not found and not problems:
        problems.append(Problem((), "expected variants in leave_out, axes or variants, got none"))
    if problems:
        raise ProblemsError(problems)
    return table, found


def _left_out(number: int, path: str) -> Variant:
    place: KeyPath = ("leave_out", number)
    slot = _SINGLE.get(path)
    if slot is not None and slot.neutral is not None:
        edit = Edit((path,), place, {"type": slot.neutral})
    else:
        edit = Edit(tuple(path.split(".")), place, drop=True)
    return Variant(f"without {path}", place, (edit,))


def _along(name: str, written: object) -> list[Variant]:
    """Return the variants of an axis."""
    keys = set(written) if isinstance(written, dict) else set()
    if isinstance(written, dict):
        written = {"with_" if key == "with" else key: value for key, value in written.items()}
    axis: Axis = structure(Axis, written, "an axis")
    key, values, entries = ("with", axis.with_, axis.swap) if axis.swap else ("to", axis.to, axis.set)
    if keys not in _PAIRS or not values or entries is None:
        raise ProblemsError([Problem((), _AXIS)])
    path, found = tuple(entries.split(".")), []
    for number, value in enumerate(values):
        component = {"type": value} if axis.swap and isinstance(value, str) else value
        place: KeyPath = ("axes", name, key, number)
        found.append(Variant(f"{name} = {_label(value)}", place, (Edit(path, place, component),)))
    return found


def _overlaid(name: str, tables: object) -> Variant:
    """Return a variant given as tables, with `unset` for keys to drop."""
    if not isinstance(tables, dict) or not tables:
        raise ProblemsError([Problem((), f"expected tables of a recipe, got {shown(tables)}")])
    place: KeyPath = ("variants", name)
    drops = tables.get("unset", [])
    if not isinstance(drops, list) or not all(isinstance(path, str) for path in drops):
        raise ProblemsError([Problem(("unset",), f"expected a list of keys, got {shown(drops)}")])
    dropped = [Edit(tuple(path.split(".")), (*place, "unset", at), drop=True) for at, path in enumerate(drops)]
    rest = {key: value for key, value in tables.items() if key != "unset"}
    laid = [Edit((key,), (*place, key), value) for key, value in short_forms(rest).items()]
    return Variant(name, place, (*dropped, *laid))


def _label(value: object) -> str:
    """Return a short name of a component or value."""
    if isinstance(value, dict):
        options = ", ".join(f"{key} = {_label(item)}" for key, item in value.items() if key != "type")
        return f"{value.get('type', '')} ({options})" if options else str(value.get("type", ""))
    return f"[{', '.join(map(_label, value))}]" if isinstance(value, list) else str(value)


def _apply(table: Table, edit: Edit) -> None:
    """Change a table in place: tables are laid over each other as those of bases are."""
    if not edit.drop:
        laid: Any = copy.deepcopy(edit.value)
        for key in reversed(edit.path):
            laid = {key: laid}
        merge_tables(table, laid)
        return
    inner: Any = table
    for key in edit.path[:-1]:
        inner = inner.get(key) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or edit.path[-1] not in inner:
        raise ProblemsError([Problem(edit.path, f"the recipe has no {'.'.join(edit.path)!r} to leave out")])
    del inner[edit.path[-1]]
