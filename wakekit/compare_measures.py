"""The measures of several runs side by side, with the differences that their metrics can compute again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit.building import build_component
from wakekit.compare_difference import Difference, difference
from wakekit.converter import ProblemsError
from wakekit.data import Measure
from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from wakekit.paired import Paired
    from wakekit.registry import Registry
    from wakekit.run_folder import Judged, Run
    from wakekit.statistic import Statistic

_CLOSE = 1e-6
_NO_MEANS = "its metric gives no means to compare it item by item"
_FAILED = "its metric cannot compare runs"


@attrs.frozen(kw_only=True)
class Row:
    """One measure in every run, None where a run has none, and its difference in each run to the first.

    `options` are those of the metric; the first of `differences` is always None.
    """

    measure: str
    options: Mapping[str, Any]
    values: tuple[Measure | None, ...]
    differences: tuple[Difference | None, ...]


class MeasureTable:
    """Gathers measures into rows and asks their metrics for differences."""

    def __init__(self, registry: Registry, recipes: Sequence[Mapping[str, Any]], letters: Sequence[str]) -> None:
        self._registry = registry
        self._recipes = recipes
        self._letters = letters
        self._statistics: dict[tuple[str, int, int], Mapping[str, Statistic] | str] = {}

    def rows(self, judged: Sequence[Judged | None], pairs: Sequence[Paired] | None) -> tuple[Row, ...]:
        """Return a row per measure and options of its metric, in the order of the runs."""
        columns = [self._measures(run, one) for run, one in enumerate(judged)]
        keys = dict.fromkeys(key for column in columns for key in column)
        return tuple(self._row(key, [column.get(key) for column in columns], pairs) for key in keys)

    def _measures(self, run: int, judged: Judged | None) -> dict[tuple[str, str], Measure]:
        if judged is None:
            return {}
        return {
            (measure.name, self._table(run, name)): _finite(measure)
            for name, measures in judged.metrics.items()
            for measure in measures
        }

    def _table(self, run: int, name: str) -> str:
        """Return a metric's table in the recipe as text, the same for the same options."""
        metrics = self._recipes[run].get("metrics")
        table = metrics.get(name) if isinstance(metrics, Mapping) else None
        found = table if isinstance(table, Mapping) else {"type": table if isinstance(table, str) else name}
        return json.dumps(found, sort_keys=True, default=str)

    def _row(self, key: tuple[str, str], values: list[Measure | None], pairs: Sequence[Paired] | None) -> Row:
        name, table = key
        differences: list[Difference | None] = [None] * len(values)
        if pairs is not None:
            for run, paired in enumerate(pairs, 1):
                differences[run] = self._difference(name, table, run, values, paired)
        options = {option: value for option, value in json.loads(table).items() if option != "type"}
        return Row(measure=name, options=options, values=tuple(values), differences=tuple(differences))

    def _difference(
        self, name: str, table: str, run: int, values: Sequence[Measure | None], paired: Paired
    ) -> Difference:
        for side in (0, run):
            measure = values[side]
            if measure is None:
                return _none(f"{self._letters[side]} was not measured so")
            if measure.value is None:
                return _none(f"{self._letters[side]} has no value")
        first, other = (self._of(table, run, side, paired) for side in (0, 1))
        if isinstance(first, str) or isinstance(other, str):
            return _none(first if isinstance(first, str) else str(other))
        if name not in first or name not in other:
            return _none(_NO_MEANS)
        try:
            return self._checked(first[name], other[name], run, values, paired)
        except Exception as error:  # noqa: BLE001 - a stranger's statistic must not take the other rows away
            return _none(f"{_FAILED} ({type(error).__name__}: {error})")

    def _checked(
        self, first: Statistic, other: Statistic, run: int, values: Sequence[Measure | None], paired: Paired
    ) -> Difference:
        """Return the difference; none where a statistic does not give the number that the run recorded."""
        for statistic in (first, other):
            _check_items(statistic, len(paired.clusters[statistic.over]))
        if first.over != other.over:
            return _none(f"{_FAILED}: it is over {first.over} in one and over {other.over} in the other")
        matched = paired.matched[first.over]
        if not matched.reason and matched.paired == matched.first == matched.other:
            for side, statistic in ((0, first), (run, other)):
                again = float(statistic.values(np.ones((1, len(paired.clusters[first.over]))))[0])
                recorded = values[side].value  # type: ignore[union-attr]
                if not abs(again - recorded) <= _CLOSE * (1 + abs(recorded)):  # type: ignore[operator,arg-type]
                    return _none(
                        f"computed again from {self._letters[side]}'s folder it is {again:.6g}, not {recorded:.6g}"
                    )
        return difference(first, other, paired)

    def _of(self, table: str, run: int, side: int, paired: Paired) -> Mapping[str, Statistic] | str:
        """Return a metric's statistics of one side of a pair, or why there are none."""
        key = (table, run, side)
        if key not in self._statistics:
            self._statistics[key] = self._made(table, paired.other if side else paired.first)
        return self._statistics[key]

    def _made(self, table: str, run: Run) -> Mapping[str, Statistic] | str:
        try:
            metric = build_component(self._registry, "metric", json.loads(table)).value
        except ProblemsError as error:
            return f"its metric cannot be built here: {'; '.join(problem.message for problem in error.problems)}"
        except WakekitError as error:
            return f"its metric cannot be built here: {error}"
        if not hasattr(metric, "statistics"):
            return _NO_MEANS
        try:
            return {statistic.measure: statistic for statistic in metric.statistics(run)}
        except Exception as error:  # noqa: BLE001 - a stranger's metric must not take the other rows away
            return f"{_FAILED} ({type(error).__name__}: {error})"


def _check_items(statistic: Statistic, items: int) -> None:
    for name in ("outcomes", "counts", "exposures"):
        column = getattr(statistic, name)
        if column is not None and np.shape(column) != (items,):
            raise ValueError(f"expected {name} of {items} {statistic.over}, got {np.shape(column)}")


def _none(note: str) -> Difference:
    return Difference(value=None, note=note)


def _finite(measure: Measure) -> Measure:
    """Return a measure with None for what is not finite."""
    low, value, high = (
        None if number is None or not math.isfinite(number) else number
        for number in (measure.low, measure.value, measure.high)
    )
    counts = {name: number for name, number in measure.counts.items() if number is not None and math.isfinite(number)}
    return attrs.evolve(
        measure, value=value, low=low, high=high, simple=None if value is None else measure.simple, counts=counts
    )
