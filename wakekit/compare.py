"""Finished runs side by side: what differs between them, and by how much, on the items that they share.

`compare` returns a `Comparison`, whose fields are the keys of `wakekit compare --format json`. The first run is the
one that all differences are to.
"""

from __future__ import annotations

import filecmp
import json
import tomllib
from collections.abc import Mapping
from itertools import count, product
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.compare_measures import MeasureTable, Row
from wakekit.compare_warnings import warnings_about
from wakekit.errors import WakekitError
from wakekit.kinds import SLOTS
from wakekit.paired import Matched, Paired, pair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wakekit.registry import Registry
    from wakekit.run_folder import Run

_SURROUNDINGS = ("python", "platform", "processor", "device", "threads", "commit")


@attrs.frozen(kw_only=True)
class Side:
    """One of the runs: the letter it is called by, its folder and what it listens for, and where its threshold lies."""

    letter: str
    name: str
    folder: str
    fingerprint: str
    keyword: str
    threshold: float
    target_fa_per_hour: float


@attrs.frozen(kw_only=True)
class Change:
    """A key that differs: its value in each run, None where a run has none."""

    key: str
    values: tuple[Any, ...]


@attrs.frozen(kw_only=True)
class Shared:
    """What a run shares with the first: its corpus and splits, its weights, its answers, its test items by sort.

    None where the folders do not say.
    """

    letter: str
    corpus_and_splits: bool | None
    weights: bool | None
    answers: bool
    items: Mapping[str, Matched]


@attrs.frozen(kw_only=True)
class Comparison:
    """What `compare` found; `recipe` and `environment` hold only what differs.

    `conditions` are the rows of each shifted copy of the test split, without differences, as folders keep no items
    of them.
    """

    runs: tuple[Side, ...]
    recipe: tuple[Change, ...]
    environment: tuple[Change, ...]
    shared: tuple[Shared, ...]
    metrics: tuple[Row, ...]
    conditions: Mapping[str, tuple[Row, ...]]
    warnings: tuple[str, ...]


def compare(runs: Sequence[Run], registry: Registry) -> Comparison:
    """Compare runs with the first of them; raises WakekitError for fewer than two, or a recipe that is no TOML."""
    if len(runs) < 2:  # noqa: PLR2004
        raise WakekitError(f"expected the folders of two runs or more, got {len(runs)}")
    letters = [letter for letter, _ in zip(_letters(), runs, strict=False)]
    recipes = [_recipe(run) for run in runs]
    pairs = [pair(runs[0], run) for run in runs[1:]]
    table = MeasureTable(registry, recipes, letters)
    conditions = dict.fromkeys(name for run in runs for name in run.conditions)
    return Comparison(
        runs=tuple(_side(letter, run) for letter, run in zip(letters, runs, strict=True)),
        recipe=_changes([_flat(recipe) for recipe in recipes]) + _orders(recipes),
        environment=_changes([_surroundings(run.environment) for run in runs]),
        shared=tuple(
            _shared(letter, found, run, runs[0])
            for letter, found, run in zip(letters[1:], pairs, runs[1:], strict=True)
        ),
        metrics=table.rows([run.test for run in runs], pairs),
        conditions={name: table.rows([run.conditions.get(name) for run in runs], None) for name in conditions},
        warnings=tuple(warnings_about(runs, recipes, letters, [found.identical for found in pairs])),
    )


def _letters() -> Iterator[str]:
    """Yield A to Z, then AA and so on."""
    for length in count(1):
        yield from ("".join(letters) for letters in product(ascii_uppercase, repeat=length))


def _recipe(run: Run) -> dict[str, Any]:
    try:
        return tomllib.loads(run.recipe)
    except tomllib.TOMLDecodeError as error:
        raise WakekitError(f"{run.folder / 'recipe.toml'} is damaged ({error}); run the recipe again") from error


def _side(letter: str, run: Run) -> Side:
    point = run.operating_point
    return Side(
        letter=letter,
        name=run.name,
        folder=run.folder.as_posix(),
        fingerprint=run.fingerprint,
        keyword=run.keyword,
        threshold=point.threshold,
        target_fa_per_hour=point.target_fa_per_hour,
    )


def _flat(value: object, path: str = "") -> dict[str, Any]:
    """Return the values of nested tables by dotted key."""
    if isinstance(value, Mapping) and (value or not path):
        parts = [_flat(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()]
        return {key: item for part in parts for key, item in part.items()}
    return {path: value}


def _orders(recipes: Sequence[Mapping[str, Any]]) -> tuple[Change, ...]:
    """Return the tables that hold the same keys in another order, which counts."""
    found = []
    for slot in SLOTS:
        tables = [recipe.get(slot.key) for recipe in recipes]
        orders = [tuple(table) for table in tables if slot.many and isinstance(table, Mapping)]
        if len(orders) == len(tables) and len({frozenset(order) for order in orders}) == 1 < len(set(orders)):
            found.append(Change(key=f"{slot.key} (order)", values=tuple(list(order) for order in orders)))
    return tuple(found)


def _surroundings(environment: Mapping[str, Any]) -> dict[str, Any]:
    packages = environment.get("packages") or {}
    return {key: environment.get(key) for key in _SURROUNDINGS} | {
        f"packages.{name}": version for name, version in sorted(packages.items())
    }


def _changes(tables: Sequence[Mapping[str, Any]]) -> tuple[Change, ...]:
    keys = dict.fromkeys(key for table in tables for key in table)
    rows = [Change(key=key, values=tuple(table.get(key) for table in tables)) for key in keys]
    return tuple(row for row in rows if any(_differ(row.values[0], value) for value in row.values[1:]))


def _differ(one: object, other: object) -> bool:
    # As text, so that 1 and 1.0 differ, and nan is what it is.
    return json.dumps(one, default=str) != json.dumps(other, default=str)


def _shared(letter: str, found: Paired, run: Run, first: Run) -> Shared:
    weights = _same_stage(run, first, "train")
    files = [folder / "model.safetensors" for folder in (run.folder, first.folder)]
    if all(path.is_file() for path in files):
        weights = filecmp.cmp(files[0], files[1], shallow=False)
    return Shared(
        letter=letter,
        corpus_and_splits=_same_stage(run, first, "prepare"),
        weights=weights,
        answers=found.identical,
        items=found.matched,
    )


def _same_stage(run: Run, first: Run, stage: str) -> bool | None:
    prints = [(each.environment.get("stages") or {}).get(stage) for each in (run, first)]
    return None if None in prints else prints[0] == prints[1]
