"""The curve of misses against false accepts as a run's folder holds it: thinned for drawing, with a band.

A corner of the curve that the eye would miss is never left out: points are taken evenly along its length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wakekit.events import fire, keywords, match_sorted
from wakekit.intervals import bootstrap, envelope, wilson
from wakekit.statistic import WORDS, rate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import FloatArray, StreamScores
    from wakekit.kinds import Detector
    from wakekit.sweep import Curve

_POINTS = 200
_LEVEL = 0.95


def saved_curve(
    curve: Curve, detector: Detector, streams: Sequence[StreamScores], keyword: str, *, tolerance: float, seed: int
) -> dict[str, Any] | None:
    """Return the curve as JSON data with a band of the miss rate by speaker; None where there is no rate to draw."""
    if not curve.events or not curve.hours > 0:
        return None
    thinned = _thinned(curve.corners())
    hit, clusters = _heard(detector, streams, keyword, thinned.thresholds, tolerance)
    low, high = _band(~hit, clusters, seed)
    return {
        "thresholds": thinned.thresholds.tolist(),
        "false_accepts": thinned.false_accepts.tolist(),
        "hits": thinned.hits.tolist(),
        "miss_low": low.tolist(),
        "miss_high": high.tolist(),
        "events": curve.events,
        "hours": curve.hours,
        "distinct": curve.distinct,
        "exact": curve.exact,
        "exact_down_to": curve.exact_down_to,
        "max_fa_per_hour": curve.max_fa_per_hour,
    }


def _thinned(curve: Curve) -> Curve:
    """Return at most 200 points of a curve, evenly along its length over the log of the false accepts."""
    if len(curve.thresholds) <= _POINTS:
        return curve
    across, up = np.log10(1 + curve.false_accepts), curve.hits / curve.events
    walked = np.cumsum(np.hypot(np.diff(across, prepend=across[0]), np.diff(up, prepend=up[0])))
    rows = np.searchsorted(walked, np.linspace(0, walked[-1], _POINTS))
    return curve.only(np.unique(np.minimum(rows, len(walked) - 1)))


def _heard(
    detector: Detector, streams: Sequence[StreamScores], keyword: str, thresholds: FloatArray, tolerance: float
) -> tuple[npt.NDArray[np.bool_], list[str]]:
    """Return which words are hit at each threshold [n, words], and the cluster of each word."""
    columns, clusters = [], []
    for scores in streams:
        words = keywords(scores, keyword, tolerance=tolerance)
        if not len(words.index):
            continue
        clusters += [scores.stream.cluster(scores.stream.events[index]) for index in words.index.tolist()]
        fired = [fire(detector, threshold, scores) for threshold in thresholds.tolist()]
        columns.append(
            np.array([match_sorted(scores.times(frames), words.starts, words.deadlines).hit for frames in fired])
        )
    return np.concatenate(columns, axis=1), clusters


def _band(missed: npt.NDArray[np.bool_], clusters: list[str], seed: int) -> tuple[FloatArray, FloatArray]:
    """Return the ends [n] of the interval of the share missed [n, words], clustered, as metrics have it."""
    names, members = np.unique(clusters, return_inverse=True)
    words = np.bincount(members)
    ends = []
    for row in missed:
        share = rate("misses", WORDS, np.bincount(members, weights=row), words).values
        simple = wilson(int(row.sum()), len(row), _LEVEL)
        clustered = bootstrap(share, range(len(names)), seed=seed, level=_LEVEL, within=(0.0, 1.0))
        found = envelope(simple, clustered)
        ends.append((found.low, found.high))
    low, high = np.array(ends).T
    return low, high
