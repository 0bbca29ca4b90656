"""The Brier score of clips: the mean squared error of probabilities (Brier, 1950).

Unlike a calibration error it has no bins and no bias, and it cannot be had by never being sure of anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from scipy.optimize import isotonic_regression

from wakekit.statistic import CLIPS, mean
from wakekit_evaluation.probabilities import BEFORE_AND_AFTER, of_results, of_run
from wakekit_evaluation.ranking import clip_measure, labels, no_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import FloatArray, IntArray, Measure, Results
    from wakekit.run_folder import Run
    from wakekit.statistic import Statistic

_UNIT = "squared error"


@attrs.frozen
class Brier:
    """Measure the Brier score after and before calibration; 0 is perfect, the share of keyword clips p gives p(1 - p).

    `counts` split it into miscalibration - discrimination + uncertainty, which add up to it exactly: what the best
    monotone recalibration of these very clips would save, what that then gains over always saying p, and p(1 - p)
    (Dimitriadis, Gneiting and Jordan, 2021). As the recalibration is fitted to the clips, both of the first two are
    too large on few clips.
    """

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return `brier` and, on raw log-odds through the logistic function, `brier-raw`, clustered by speaker."""
        return [self._measure(results, "brier" + suffix, raw=raw) for suffix, raw in BEFORE_AND_AFTER]

    def _measure(self, results: Results, name: str, *, raw: bool) -> Measure:
        missing = no_value(results.clips, name, _UNIT)
        if missing is not None:
            return missing
        truth, scores = results.clips.labels, of_results(results, raw=raw)
        values = mean(name, CLIPS, (scores - truth) ** 2).values
        return clip_measure(results, name, _UNIT, values, more=_parts(scores, truth), within=(0.0, 1.0))

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return both scores of a run's clips, for comparing runs."""
        truth = labels(run)
        return [mean("brier" + suffix, CLIPS, (of_run(run, raw=raw) - truth) ** 2) for suffix, raw in BEFORE_AND_AFTER]


def _parts(scores: FloatArray, truth: IntArray) -> dict[str, float]:
    """Return the parts of a Brier score; tied scores stay tied in the recalibration."""
    distinct, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(group, weights=truth, minlength=len(distinct)) / sizes
    recalibrated = isotonic_regression(shares, weights=sizes).x[group]
    uncertainty = float(truth.mean() * (1 - truth.mean()))
    best = float(np.mean((recalibrated - truth) ** 2))
    return {
        "miscalibration": float(np.mean((scores - truth) ** 2)) - best,
        "discrimination": uncertainty - best,
        "uncertainty": uncertainty,
    }
