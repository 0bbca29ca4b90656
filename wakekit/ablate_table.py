"""Read `[ablate]`: the table itself, what it varies, and the list of variants that this makes.

Everything here is done before a variant is resolved, so that a grid that would explode is refused at once.
"""

from __future__ import annotations

import fnmatch
import itertools
import math
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from wakekit.converter import ProblemsError, shown, structure
from wakekit.errors import Problem, nearest
from wakekit.kinds import SLOTS
from wakekit.layers import keys_of, short_forms
from wakekit.merging import KeyPath
from wakekit.options import option
from wakekit.variants import FIXED, GRID, LEAVE_ONE_OUT, ONE_AT_A_TIME, Ablate, Edit, Variant, differ, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_T = TypeVar("_T")
_PAIRS = ({"swap", "with"}, {"set", "to"})
_AXIS = "expected swap = '…' with = […], or set = '…' to = […], and nothing else"
_MERGED = "; an axis of a recipe below has its keys still, so that another axis needs an id of its own"
_SINGLE = {slot.key: slot for slot in SLOTS if not slot.many}
_MANY = {slot.key for slot in SLOTS if slot.many}
# Larger grids are only counted, not listed to see what `exclude` leaves of them.
_LISTED = 100_000
_SEARCHED = 1000
_TOLD = 10**15


@attrs.frozen
class Axis:
    """`[ablate.axes.<id>]`: either `swap` a component `with` others, or `set` an option `to` values."""

    swap: str | None = option(None, help="key of the component's table, as in 'callbacks.ema'")
    with_: tuple[Any, ...] = option((), help="components: names or tables")
    set: str | None = option(None, help="key of an option, as in 'train.epochs'")
    to: tuple[Any, ...] = option((), help="values of that option")


@attrs.frozen
class Factor:
    """One thing that `[ablate]` varies: an axis, or a component to leave out; each level is the variant of it alone.

    `path` is the key of the recipe that it changes, `place` where that was written.
    """

    name: str
    path: tuple[str, ...]
    place: KeyPath
    levels: tuple[Variant, ...]
    left_out: bool = False


@attrs.frozen
class Asked:
    """The table `[ablate]`, with what it varies and the variants that it spells out."""

    table: Ablate
    factors: tuple[Factor, ...]
    spelled: tuple[Variant, ...]

    def told(self, optional: Sequence[str]) -> Asked:
        """Return the same, with all `optional` components left out where the table leaves it to its mode which."""
        if not self.by_mode:
            return self
        return attrs.evolve(self, factors=tuple(_left_out(path, ("mode",)) for path in optional))

    @property
    def by_mode(self) -> bool:
        """Whether what is left out is everything that the recipe can do without."""
        return self.table.mode == LEAVE_ONE_OUT and not self.table.leave_out


def read_ablate(written: object) -> tuple[Asked, list[Problem]]:
    """Return what can be read of the table, and all its mistakes, with paths within it."""
    problems: list[Problem] = []
    table = Ablate()
    try:
        table = structure(Ablate, _with_good_seeds(written, problems), "ablate")
    except ProblemsError as error:
        problems += error.problems
    leave_out = _readable_texts(written, "leave_out")
    factors = [_left_out(path, ("leave_out", number)) for number, path in leave_out.items()]
    factors += _each(written, "axes", _along, problems)
    spelled = _each(written, "variants", _overlaid, problems)
    if table.mode == LEAVE_ONE_OUT and table.axes:
        message = f"mode {LEAVE_ONE_OUT!r} tries no axes; leave them out, or use {ONE_AT_A_TIME!r} or {GRID!r}"
        problems.append(Problem(("axes",), message, on_key=True))
    levels = [level for factor in factors for level in factor.levels]
    problems += _clashes(factors) if table.mode == GRID else _namesakes([(one.name, one.place) for one in levels])
    return Asked(table, tuple(factors), tuple(spelled)), problems


def _readable_texts(written: object, key: str) -> dict[int, str]:
    """Return the texts of a list by their places, also where other parts of `[ablate]` are wrong."""
    texts = written.get(key) if isinstance(written, dict) else None
    return {at: str(text) for at, text in enumerate(texts if isinstance(texts, list) else ()) if isinstance(text, str)}


def list_variants(asked: Asked) -> list[Variant]:
    """Return the variants, in the order written, less those excluded.

    Raises ProblemsError where there are too many, none, two of a name, or a pattern excludes nothing. A grid's
    variants are all combinations of its factors' levels but the recipe's own.
    """
    table, factors = asked.table, asked.factors
    count = _count(table.mode, factors) + len(asked.spelled)
    if count > table.max_variants and (not table.exclude or count > max(_LISTED, table.max_variants)):
        raise ProblemsError([_too_many(table, count)])
    levels = [*(level for factor in factors for level in factor.levels), *asked.spelled]
    problems = _namesakes([(level.name, level.place) for level in levels])
    if not levels:
        problems.append(_nothing(asked))
    if problems:
        raise ProblemsError(problems)
    cells = [*_cells(table.mode, factors), *((one,) for one in asked.spelled)]
    problems = _namesakes([(_name(cell), cell[-1].place) for cell in cells])
    if problems:
        raise ProblemsError(problems)
    found = {_name(cell): cell for cell in cells}
    left = _not_excluded(list(found), table.exclude)
    if len(left) > table.max_variants:
        raise ProblemsError([_too_many(table, len(left))])
    return [_combined(found[name], grid=table.mode == GRID) for name in left]


def _with_good_seeds(written: object, problems: list[Problem]) -> object:
    """Return the table without seeds that are none or the same twice, which are reported at their place."""
    seeds = written.get("seeds") if isinstance(written, dict) else None
    if not isinstance(written, dict) or not isinstance(seeds, list) or differ(seeds):
        return written
    wrong = f"expected seeds that differ, got {shown(seeds)}" if seeds else "expected at least one seed, got none"
    problems.append(Problem(("seeds",), wrong))
    return {key: value for key, value in written.items() if key != "seeds"}


def _each(written: object, key: str, read: Callable[[str, object], _T], problems: list[Problem]) -> list[_T]:
    """Return what can be read of the tables keyed by id, also where other parts of `[ablate]` are wrong."""
    tables = written.get(key) if isinstance(written, dict) else None
    found = []
    for name, table in tables.items() if isinstance(tables, dict) else ():
        try:
            found.append(read(name, table))
        except ProblemsError as error:
            problems += [problem.under(key, name) for problem in error.problems]
    return found


def _left_out(path: str, place: KeyPath) -> Factor:
    keys = tuple(keys_of(path))
    slot = _SINGLE.get(keys[0]) if len(keys) == 1 else None
    neutral = slot is not None and slot.neutral is not None
    value = {"type": slot.neutral} if slot is not None and neutral else None
    edit = Edit(keys, place, value, drop=not neutral, swaps=neutral, key_place=place)
    one = Variant(f"without {path}", place, (edit,), path, left_out=True, levels={path: "without"})
    return Factor(path, keys, place, (one,), left_out=True)


def _along(name: str, written: object) -> Factor:
    """Return an axis with its levels."""
    if not isinstance(written, dict) or set(written) not in _PAIRS:
        _refuse_misspelt(written)
        mixed = isinstance(written, dict) and {"swap", "set"} <= set(written)
        raise ProblemsError([Problem((), _AXIS + (_MERGED if mixed else ""))])
    key, how = ("with", "swap") if "swap" in written else ("to", "set")
    try:
        table = {"with_" if key == "with" else key: value for key, value in written.items()}
        axis: Axis = structure(Axis, table, "an axis")
    except ProblemsError as error:
        raise ProblemsError([_renamed(problem) for problem in error.problems]) from error
    path = tuple(keys_of(axis.swap or axis.set or ""))
    place: KeyPath = ("axes", name)
    if not all(path):
        like = "a component, as in 'callbacks.ema'" if how == "swap" else "an option, as in 'train.epochs'"
        raise ProblemsError([Problem((how,), f"expected the key of {like}, got {shown('.'.join(path))}")])
    if how == "swap" and len(path) == 1 and path[0] in _MANY:
        message = f"{path[0]!r} holds components by id; name the one to swap, as in '{path[0]}.<id>'"
        raise ProblemsError([Problem((how,), message)])
    if not (axis.with_ or axis.to):
        raise ProblemsError([Problem((key,), "expected at least one, got none")])
    levels = []
    for number, value in enumerate(axis.with_ or axis.to):
        component = {"type": value} if axis.swap and isinstance(value, str) else value
        edit = Edit(path, (*place, key, number), component, swaps=how == "swap", key_place=(*place, how))
        named, label = f"{name} = {in_words(value)}", in_words(value)
        levels.append(Variant(named, edit.place, (edit,), named, levels={name: label}))
    return Factor(name, path, (*place, how), tuple(levels))


def _refuse_misspelt(written: object) -> None:
    """Raise ProblemsError for the keys of an axis that are like one that it lacks."""
    if not isinstance(written, dict):
        return
    known = {key for pair in _PAIRS for key in pair}
    problems = []
    for key in written:
        near = None if key in known else nearest(key, known - written.keys())
        if near is not None:
            message = f"unknown option {key!r} of an axis (did you mean {near!r}?)"
            problems.append(Problem((key,), message, on_key=True, suggestion=near))
    if problems:
        raise ProblemsError(problems)


def _renamed(problem: Problem) -> Problem:
    path = tuple("with" if key == "with_" else key for key in problem.path)
    return problem.moved(path)


def _overlaid(name: str, tables: object) -> Variant:
    """Return a variant given as tables, with `unset` for keys to drop."""
    if not name.strip():
        raise ProblemsError([Problem((), "expected a name for the variant, got none", on_key=True)])
    if not name.isprintable():
        raise ProblemsError([Problem((), "expected a name on one line, in characters that can be seen", on_key=True)])
    if not isinstance(tables, dict) or not tables:
        got = "an empty one" if tables == {} else shown(tables)
        raise ProblemsError([Problem((), f"expected tables of a recipe, got {got}")])
    fixed = [Problem((key,), why, on_key=True) for key, why in FIXED.items() if key in tables]
    if fixed:
        raise ProblemsError(fixed)
    place: KeyPath = ("variants", name)
    drops = tables.get("unset", [])
    if not isinstance(drops, list) or not all(isinstance(path, str) for path in drops):
        raise ProblemsError([Problem(("unset",), f"expected a list of keys, got {shown(drops)}")])
    dropped = [Edit(tuple(keys_of(path)), (*place, "unset", at), drop=True) for at, path in enumerate(drops)]
    rest = {key: value for key, value in tables.items() if key != "unset"}
    laid = [Edit((key,), (*place, key), value) for key, value in short_forms(rest).items()]
    return Variant(name, place, (*dropped, *laid), name)


def _clashes(factors: Sequence[Factor]) -> list[Problem]:
    """Return a problem per factor that cannot be combined with one before it."""
    problems = []
    paths: dict[tuple[str, ...], str] = {}
    names: set[str] = set()
    for factor in factors:
        what, other = ".".join(factor.path), paths.get(factor.path)
        if other is not None:
            message = f"{what!r} is changed by {other!r} already, and a grid combines changes of different keys"
            problems.append(Problem(factor.place, f"{message}; put all levels into one axis"))
        elif factor.name in names:
            problems.append(Problem(factor.place, f"leave_out has a {factor.name!r} too; name the axis otherwise"))
        paths.setdefault(factor.path, factor.name)
        names.add(factor.name)
    return problems


def _count(mode: str, factors: Sequence[Factor]) -> int:
    if mode == GRID:
        return math.prod(1 + len(factor.levels) for factor in factors) - 1
    return sum(len(factor.levels) for factor in factors)


def _cells(mode: str, factors: Sequence[Factor]) -> Iterator[tuple[Variant, ...]]:
    """Yield the levels that each variant combines."""
    if mode != GRID:
        yield from ((level,) for factor in factors for level in factor.levels)
        return
    for levels in itertools.product(*((None, *factor.levels) for factor in factors)):
        cell = tuple(level for level in levels if level is not None)
        if cell:
            yield cell


def _name(cell: Sequence[Variant]) -> str:
    return ", ".join(level.name for level in cell)


def _combined(cell: tuple[Variant, ...], *, grid: bool) -> Variant:
    """Return one variant with the changes of several: whole tables first, then options, and at last what is dropped."""
    if not grid:
        return attrs.evolve(cell[0], levels={})
    levels = {name: label for level in cell for name, label in level.levels.items()}
    if len(cell) == 1:
        return cell[0]
    edits = sorted((edit for level in cell for edit in level.edits), key=lambda edit: (edit.drop, len(edit.path)))
    left_out = all(level.left_out for level in cell)
    return Variant(_name(cell), cell[-1].place, tuple(edits), _name(cell), left_out=left_out, levels=levels)


def _namesakes(named: Sequence[tuple[str, KeyPath]]) -> list[Problem]:
    seen: set[str] = set()
    problems = []
    for name, place in named:
        if name in seen:
            problems.append(Problem(place, f"two variants are named {name!r}; leave one out"))
        seen.add(name)
    return problems


def fitting(pattern: str, names: Sequence[str]) -> list[str]:
    """Return the names of variants that a pattern fits: * and ? stand for what may differ, brackets for themselves."""
    literal = pattern.replace("[", "[[]")
    return [name for name in names if fnmatch.fnmatchcase(name, literal)]


def _not_excluded(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that no pattern fits; only * and ? are wildcards. Raises ProblemsError for a useless pattern."""
    left, problems = list(names), []
    for number, pattern in enumerate(patterns):
        out = set(fitting(pattern, names))
        left = [name for name in left if name not in out]
        if not out:
            near = get_close_matches(pattern, names[:_SEARCHED], n=1, cutoff=0.0)[0]
            problems.append(Problem(("exclude", number), f"{pattern!r} excludes no variant; the nearest is {near!r}"))
    if not left:
        problems.append(Problem(("exclude",), "excludes every variant; leave at least one"))
    if problems:
        raise ProblemsError(problems)
    return left


def _nothing(asked: Asked) -> Problem:
    if asked.by_mode:
        return Problem(("mode",), "the recipe has no component that it could do without; use another mode")
    return Problem((), "expected variants in leave_out, axes or variants, got none")


def _too_many(table: Ablate, count: int) -> Problem:
    many = str(count) if count <= _TOLD else f"more than {_TOLD}"
    fewer = f"drop levels or axes, exclude some, use mode {ONE_AT_A_TIME!r}" if table.mode == GRID else "drop some"
    return Problem(
        ("max_variants",),
        f"there would be {many} variants, and max_variants is {table.max_variants}: {fewer}, or raise it",
    )
