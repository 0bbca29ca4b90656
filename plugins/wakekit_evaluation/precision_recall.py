"""Precision, recall and F1 of clips at the frozen threshold, and the average precision over all thresholds.

All but recall depend on how common the keyword is among the test clips, which is seldom how common it is in use:
compare them on the same clips only, and read false accepts per hour of streams.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
from numba import njit

from wakekit_evaluation.at_threshold import of_results, of_run, quotient, share_of_clips, unreachable
from wakekit_evaluation.ranking import clip_measure, no_value, rank_measure, rank_statistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.curves import Ranked
    from wakekit.data import FloatArray, IntArray, Measure, Results
    from wakekit.run_folder import Run
    from wakekit.statistic import Statistic
    from wakekit_evaluation.at_threshold import Decided

_THRESHOLDED = ("precision", "recall", "f1")


@attrs.frozen
class PrecisionRecall:
    """Measure precision, recall and F1 at the frozen threshold, and average precision.

    Average precision adds up precision times the step in recall, threshold by threshold, tied scores at once; it does
    not interpolate, which would flatter it. Chance gives the share of keyword clips.
    """

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return `precision`, `recall`, `f1` and `average-precision`, clustered by speaker.

        The interval of precision takes the clips accepted as given. All are None without clips of both classes, and
        precision where no clip is accepted.
        """
        missing = [no_value(results.clips, name, "share") for name in _THRESHOLDED]
        decided = [found for found in missing if found is not None] or _decided(results, of_results(results))
        return [*decided, rank_measure(results, "average-precision", "area", average_precision)]

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return all four of a run's clips, for comparing runs."""
        found = of_run(run)
        return [
            quotient("precision", found.cells()["tp"], found.accepted),
            quotient("recall", found.cells()["tp"], found.keyword),
            _f1(found),
            rank_statistic(run, "average-precision", average_precision),
        ]


def average_precision(order: Ranked, weights: FloatArray | None = None) -> FloatArray:
    """Return the average precision [r] of a ranking under weights [r, n]; nan in a row without both classes."""
    each = np.ones((1, len(order.order))) if weights is None else weights
    values: FloatArray = _average_precision(each, order.order, order.positive, order.last_of_tie)
    return values


def _decided(results: Results, found: Decided) -> list[Measure]:
    hits = found.cells()["tp"]
    none = "no clip reaches the threshold"
    f1 = clip_measure(results, "f1", "share", _f1(found).values, within=(0.0, 1.0))
    return [
        share_of_clips(results, "precision", hits, found.accepted, counted="of_keyword", none=none),
        share_of_clips(results, "recall", hits, found.keyword, counted="accepted", none=none),
        attrs.evolve(f1, note="; ".join(part for part in (unreachable(results), f1.note) if part)),
    ]


def _f1(found: Decided) -> Statistic:
    # The harmonic mean of precision and recall, also where nothing is accepted.
    return quotient("f1", 2.0 * found.cells()["tp"], found.accepted.astype(float) + found.keyword)


@njit(cache=True)
def _average_precision(
    weights: FloatArray,
    order: IntArray,
    positive: npt.NDArray[np.bool_],
    last_of_tie: npt.NDArray[np.bool_],
) -> FloatArray:
    values = np.full(len(weights), np.nan)
    for row in range(len(weights)):
        hits, others, before, total = 0.0, 0.0, 0.0, 0.0
        for place in range(len(order)):
            if positive[place]:
                hits += weights[row, order[place]]
            else:
                others += weights[row, order[place]]
            if last_of_tie[place] and hits > before:
                total += (hits - before) * hits / (hits + others)
                before = hits
        if hits > 0 and others > 0:
            values[row] = total / hits
    return values
