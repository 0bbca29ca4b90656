"""What the metrics of clip scores share: a value, its interval clustered by speaker, and the counts behind it.

They read calibrated scores, those that a threshold is put on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wakekit.curves import Ranked, ranked
from wakekit.data import Measure
from wakekit.intervals import Interval, bootstrap, envelope

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit.data import ClipScores, FloatArray, Results

    Statistic = Callable[[Ranked, FloatArray | None], FloatArray]


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
    statistic: Statistic,
    simple: Callable[[float, Ranked], Interval] | None = None,
) -> Measure:
    """Measure a statistic of the clips' ranking.

    The interval is the cluster bootstrap's; where there is a `simple` one that takes clips as independent, it is the
    envelope of both, as the bootstrap collapses to a point where the classes separate perfectly.
    """
    clips, numbers = results.clips, counts(results.clips)
    if not numbers["positives"] or not numbers["negatives"]:
        missing = "keyword clips" if not numbers["positives"] else "clips without the keyword"
        return Measure(name=name, value=None, unit=unit, counts=numbers, note=f"there are no {missing}")
    order = ranked(np.asarray(clips.scores, np.float64), clips.labels)
    value = float(statistic(order, None)[0])
    clustered = bootstrap(lambda weights: statistic(order, weights), clips.clusters(), seed=results.seed)
    if clustered is not None and clustered.low == clustered.high:
        clustered = None
    plain = simple(value, order) if simple is not None else None
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
