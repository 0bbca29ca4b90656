"""The area under the ROC curve of clips.

It is the chance that a keyword clip scores higher than another clip, and says nothing about any threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit.intervals import newcombe
from wakekit_evaluation.ranking import rank_measure, rank_statistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import Measure, Results
    from wakekit.run_folder import Run
    from wakekit.statistic import Statistic


@attrs.frozen
class RocAuc:
    """Measure the area under the ROC curve; 0.5 is chance, 1 perfect."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return one measure, its interval clustered by speaker, Newcombe's beside it."""
        return [
            rank_measure(
                results,
                "roc-auc",
                "area",
                lambda order, weights: order.auc(weights),
                lambda value, order: newcombe(value, order.positives, order.negatives),
            )
        ]

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return the area of a run's clips, for comparing runs."""
        return [rank_statistic(run, "roc-auc", lambda order, weights: order.auc(weights))]
