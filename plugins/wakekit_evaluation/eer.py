"""The equal error rate of clips.

It is the error at the threshold that rejects as large a share of keyword clips as it accepts of others, which is rarely
a threshold to ship.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit.intervals import Interval, wilson
from wakekit_evaluation.ranking import rank_measure, rank_statistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.curves import Ranked
    from wakekit.data import Measure, Results
    from wakekit.run_folder import Run
    from wakekit.statistic import Statistic


@attrs.frozen
class Eer:
    """Measure the equal error rate, by linear interpolation of the ROC curve."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return one measure, its interval clustered by speaker, Wilson's for the smaller class beside it."""
        return [rank_measure(results, "eer", "share", lambda order, weights: order.eer(weights), _simple)]

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return the equal error rate of a run's clips, for comparing runs."""
        return [rank_statistic(run, "eer", lambda order, weights: order.eer(weights))]


def _simple(value: float, order: Ranked) -> Interval:
    # An equal error rate is a share of either class; the smaller one limits how well it is known.
    trials = min(order.positives, order.negatives)
    return wilson(value * trials, trials)
