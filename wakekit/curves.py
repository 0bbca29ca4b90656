"""What the ranking of scores says: the area under the ROC curve, its low-FPR part and the equal error rate.

Scores are sorted once, then every statistic is computed for many weightings of the clips at a time, tied scores as one
step of the curve, so that a bootstrap costs little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
from numba import njit

from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from wakekit.data import FloatArray, IntArray


@attrs.frozen(eq=False)
class Ranked:
    """Scores and labels [n] ready for statistics under weights [r, n]; make one with `ranked`.

    A statistic is nan in a row of weights that leaves one of the classes without weight.
    """

    order: npt.NDArray[np.int64]
    """Positions of the clips from the highest score down."""
    positive: npt.NDArray[np.bool_]
    """Whether a clip, in that order, is of the keyword."""
    last_of_tie: npt.NDArray[np.bool_]
    """Whether the next clip in that order scores lower."""

    @property
    def positives(self) -> int:
        """Number of clips of the keyword."""
        return int(self.positive.sum())

    @property
    def negatives(self) -> int:
        """Number of other clips."""
        return len(self.positive) - self.positives

    def auc(self, weights: FloatArray | None = None) -> FloatArray:
        """Return the area under the ROC curve [r]; a tie counts half."""
        return self._statistics(weights, 1.0)[0]

    def eer(self, weights: FloatArray | None = None) -> FloatArray:
        """Return the equal error rate [r]: where the ROC curve, its points joined by lines, has fpr = 1 - tpr."""
        return self._statistics(weights, 1.0)[1]

    def pauc(self, max_fpr: float, weights: FloatArray | None = None) -> FloatArray:
        """Return the area under the ROC curve [r] up to a false positive rate; `max_fpr` is its largest value."""
        return self._statistics(weights, max_fpr)[0]

    def _statistics(self, weights: FloatArray | None, max_fpr: float) -> tuple[FloatArray, FloatArray]:
        each = np.ones((1, len(self.order))) if weights is None else weights
        values: FloatArray = _area_and_eer(each, self.order, self.positive, self.last_of_tie, max_fpr)
        return values[0], values[1]


def ranked(scores: FloatArray, labels: IntArray) -> Ranked:
    """Sort scores [n] with labels [n] (1 for the keyword); raises WakekitError where a score is nan."""
    if np.isnan(scores).any():
        raise WakekitError("expected a score for every clip, got nan")
    order = np.argsort(-scores, kind="stable")
    high_first = scores[order]
    last_of_tie = np.append(high_first[1:] != high_first[:-1], [True] * (len(scores) > 0))
    return Ranked(order, labels[order] == 1, last_of_tie)


def standardized(pauc: FloatArray, max_fpr: float) -> FloatArray:
    """Rescale a partial area so that chance is 0.5 and perfection 1 (McClish, 1989)."""
    chance = max_fpr * max_fpr / 2
    return 0.5 * (1 + (pauc - chance) / (max_fpr - chance))


@njit(cache=True)
def _area_and_eer(
    weights: FloatArray,
    order: IntArray,
    positive: npt.NDArray[np.bool_],
    last_of_tie: npt.NDArray[np.bool_],
    max_fpr: float,
) -> FloatArray:
    values = np.full((2, len(weights)), np.nan)
    for row in range(len(weights)):
        totals = np.zeros(2)
        for place in range(len(order)):
            totals[int(positive[place])] += weights[row, order[place]]
        if totals[0] == 0 or totals[1] == 0:
            continue
        above = np.zeros(2)
        fpr, tpr, area, eer = 0.0, 0.0, 0.0, -1.0
        for place in range(len(order)):
            above[int(positive[place])] += weights[row, order[place]]
            if not last_of_tie[place]:
                continue
            next_fpr, next_tpr = above[0] / totals[0], above[1] / totals[1]
            if fpr < max_fpr and next_fpr > fpr:
                share = min(1.0, (max_fpr - fpr) / (next_fpr - fpr))
                area += share * (next_fpr - fpr) * (tpr + share * (next_tpr - tpr) / 2)
            before, after = 1 - tpr - fpr, 1 - next_tpr - next_fpr
            if eer < 0 and after <= 0:
                eer = fpr + (next_fpr - fpr) * before / (before - after)
            fpr, tpr = next_fpr, next_tpr
        values[0, row], values[1, row] = area, eer
    return values
