"""What two runs differ by in one measure, with an interval, on the items that they share.

Both runs are resampled with the same weights, so that what they share cancels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit.compare_intervals import rate_difference, rate_ratio, tango
from wakekit.intervals import bootstrap, envelope

if TYPE_CHECKING:
    import numpy.typing as npt

    from wakekit.data import FloatArray
    from wakekit.intervals import Interval
    from wakekit.paired import Paired
    from wakekit.statistic import Statistic

_FEW = 10


@attrs.frozen(kw_only=True)
class Difference:
    """What a measure differs by: the other run's value minus the first's, on the `items` that both were judged on.

    `low` and `high` bound it at `level`, None where nothing can be said, and then `note` says why. `first_only` and
    `other_only` count the items that are true for one run alone (McNemar's), for measures that are shares. `ratio` is
    the ratio of two rates with its interval, None for what is infinite.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    level: float = 0.95
    method: str = ""
    over: str = ""
    items: int = 0
    clusters: int = 0
    first_only: int | None = None
    other_only: int | None = None
    ratio: tuple[float | None, float | None, float | None] | None = None
    ratio_method: str = ""
    note: str = ""


def difference(first: Statistic, other: Statistic, paired: Paired, *, seed: int = 0) -> Difference:
    """Return what two runs differ by in one measure; both statistics are of the runs in `paired`."""
    over, matched = first.over, paired.matched[first.over]
    clusters = paired.clusters[over]
    if matched.reason:
        return Difference(value=None, over=over, note=matched.reason)
    ones = np.ones((1, len(clusters)))
    value = float(other.values(ones)[0] - first.values(ones)[0]) if clusters else math.nan
    if not math.isfinite(value):
        return Difference(value=None, over=over, items=len(clusters), note="one of the runs has no value")
    resampled = bootstrap(lambda weights: _minus(other.values(weights), first.values(weights)), clusters, seed=seed)
    found = Difference(value=value, over=over, items=len(clusters), clusters=len(set(clusters)))
    if paired.identical and not value:
        return attrs.evolve(found, low=0.0, high=0.0, method="the runs gave the same answers")
    found = attrs.evolve(found, **_counts(first, other))
    if resampled is not None and resampled.low == resampled.high:
        resampled = None
    simple = _simple(first, other)
    few = found.clusters < _FEW or resampled is None
    if simple is not None and (few or first.outcomes is not None):
        interval: Interval | None = envelope(simple, resampled)
    else:
        interval = resampled
    if interval is not None:
        found = attrs.evolve(found, low=interval.low, high=interval.high, method=interval.method)
    left_out = max(matched.first, matched.other) - matched.paired
    return attrs.evolve(found, note=_note(found, resampled, interval, left_out))


def _minus(other: FloatArray, first: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore"):
        found: FloatArray = np.subtract(other, first)
    found[~np.isfinite(found)] = np.nan
    return found


def _simple(first: Statistic, other: Statistic) -> Interval | None:
    """Return the interval that takes the items as independent, for shares and rates."""
    if first.outcomes is not None and other.outcomes is not None:
        return tango(*_alone(first.outcomes, other.outcomes), len(first.outcomes))
    totals = _totals(first, other)
    return None if totals is None else rate_difference(*totals)


def _alone(first: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> tuple[int, int]:
    return int((first & ~other).sum()), int((other & ~first).sum())


def _counts(first: Statistic, other: Statistic) -> dict[str, Any]:
    """Return McNemar's counts or the ratio of rates, where the statistics have them."""
    if first.outcomes is not None and other.outcomes is not None:
        return dict(zip(("first_only", "other_only"), _alone(first.outcomes, other.outcomes), strict=True))
    totals = _totals(first, other)
    bound = None if totals is None else rate_ratio(*totals)
    if totals is None or bound is None:
        return {}
    ratio = (totals[2] / totals[3]) / (totals[0] / totals[1]) if totals[0] else None
    high = bound.high if math.isfinite(bound.high) else None
    return {"ratio": (ratio, bound.low, high), "ratio_method": bound.method}


def _totals(first: Statistic, other: Statistic) -> tuple[int, float, int, float] | None:
    """Return the events and exposure of each run, for measures that are rates."""
    if first.counts is None or first.exposures is None or other.counts is None or other.exposures is None:
        return None
    return int(first.counts.sum()), float(first.exposures.sum()), int(other.counts.sum()), float(other.exposures.sum())


def _note(found: Difference, resampled: Interval | None, interval: Interval | None, left_out: int) -> str:
    parts = [f"left out, as only one run could hear them: {left_out} {found.over}"] if left_out else []
    if resampled is None:
        few = f"there is one cluster of {found.over} only" if found.clusters == 1 else "every resample gives the same"
        end = "this interval takes the items as independent" if interval is not None else "so there is no interval"
        parts.append(f"{few}; {end}")
    elif found.clusters < _FEW:
        parts.append(f"only {found.clusters} clusters to resample, which bound it loosely")
    if found.ratio is not None:
        parts.append("the ratio takes the two counts as independent, which on the same audio is cautious")
    return "; ".join(parts)
