"""What the metrics of clip scores share: a value, its interval clustered by speaker, and the counts behind it.

Those of the ranking read calibrated scores, which a threshold is put on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wakekit.curves import Ranked, ranked
from wakekit.data import Measure
from wakekit.intervals import Interval, bootstrap, envelope
from wakekit.statistic import CLIPS, Statistic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wakekit.data import ClipScores, FloatArray, IntArray, Results
    from wakekit.run_folder import Run

    OfRanking = Callable[[Ranked, FloatArray | None], FloatArray]
    Values = Callable[[FloatArray], FloatArray]


def counts(clips: ClipScores) -> dict[str, float]:
    """Return how many clips, keyword clips, other clips and clusters of clips there are."""
    positives = int((clips.labels == 1).sum())
    return {
        "clips": len(clips.labels),
        "positives": positives,
        "negatives": len(clips.labels) - positives,
        "clusters": len(set(clips.clusters())),
    }


def rank_measure(
    results: Results,
    name: str,
    unit: str,
    statistic: OfRanking,
    simple: Callable[[float, Ranked], Interval] | None = None,
    *,
    within: tuple[float, float] = (0.0, 1.0),
) -> Measure:
    """Measure a statistic of the clips' ranking; `within` is the range of its values.

    The interval is the cluster bootstrap's; where there is a `simple` one that takes clips as independent, it is the
    envelope of both, as the bootstrap collapses to a point where the classes separate perfectly.
    """
    missing = no_value(results.clips, name, unit)
    if missing is not None:
        return missing
    order = ranked(np.asarray(results.clips.scores, np.float64), results.clips.labels)
    return clip_measure(
        results,
        name,
        unit,
        lambda weights: statistic(order, weights),
        simple=None if simple is None else lambda value: simple(value, order),
        within=within,
    )


def no_value(clips: ClipScores, name: str, unit: str) -> Measure | None:
    """Return the measure that says which class is missing; None where both are there."""
    numbers = counts(clips)
    if numbers["positives"] and numbers["negatives"]:
        return None
    missing = "keyword clips" if not numbers["positives"] else "clips without the keyword"
    return Measure(name=name, value=None, unit=unit, counts=numbers, note=f"there are no {missing}")


def clip_measure(
    results: Results,
    name: str,
    unit: str,
    values: Values,
    *,
    simple: Callable[[float], Interval] | None = None,
    more: Mapping[str, float] | None = None,
    within: tuple[float, float] | None = None,
) -> Measure:
    """Measure a statistic of clips of both classes.

    `values` maps weights [r, n] to values [r], `more` are counts, `within` is the range of the values.
    """
    clips, numbers = results.clips, {**counts(results.clips), **(more or {})}
    value = float(values(np.ones((1, len(clips.labels))))[0])
    clustered = bootstrap(values, clips.clusters(), seed=results.seed, within=within)
    if clustered is not None and clustered.low == clustered.high:
        clustered = None
    plain = simple(value) if simple is not None else None
    interval = envelope(plain, clustered) if plain is not None else clustered
    if clustered is not None:
        numbers["resamples_dropped"] = clustered.dropped
    return Measure(
        name=name,
        value=value,
        unit=unit,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        method="" if interval is None else interval.method,
        simple=None if plain is None else (plain.low, plain.high),
        counts=numbers,
        note=_note(clustered, plain),
    )


def _note(clustered: Interval | None, plain: Interval | None) -> str:
    if clustered is not None:
        return ""
    reason = (
        "resampling speakers gives no interval, as there is one speaker only or every resample gives the same value"
    )
    return f"{reason}; this one takes the clips as independent" if plain is not None else reason


def rank_statistic(run: Run, name: str, statistic: OfRanking) -> Statistic:
    """Return a statistic of the ranking of a run's test clips, for comparing runs."""
    order = ranked(np.array([clip.score for clip in run.clips], np.float64), labels(run))
    return Statistic(measure=name, over=CLIPS, values=lambda weights: statistic(order, weights))


def labels(run: Run) -> IntArray:
    """Return int64 [n], 1 for each test clip of the keyword."""
    return np.array([clip.pool == "positive" for clip in run.clips], np.int64)
