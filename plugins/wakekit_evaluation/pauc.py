"""The area under the ROC curve at low false positive rates.

Only that part matters for a wake word, which hears other speech all day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit import option
from wakekit.curves import standardized
from wakekit_evaluation.ranking import rank_measure, rank_statistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.curves import Ranked
    from wakekit.data import FloatArray, Measure, Results
    from wakekit.run_folder import Run
    from wakekit.statistic import Statistic


@attrs.frozen
class Pauc:
    """Measure the partial area under the ROC curve, raw and rescaled (McClish, 1989)."""

    max_fpr: float = option(0.1, above=0, at_most=1, help="largest false positive rate that counts")

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return the raw area (at most `max_fpr`) and the rescaled one (0.5 is chance), both clustered by speaker."""
        lowest = float(standardized(np.zeros(1), self.max_fpr)[0])
        return [
            rank_measure(results, "pauc", "area", self._raw, within=(0.0, self.max_fpr)),
            rank_measure(results, "pauc-standardized", "area", self._rescaled, within=(lowest, 1.0)),
        ]

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return both areas of a run's clips, for comparing runs."""
        return [rank_statistic(run, "pauc", self._raw), rank_statistic(run, "pauc-standardized", self._rescaled)]

    def _raw(self, order: Ranked, weights: FloatArray | None) -> FloatArray:
        return order.pauc(self.max_fpr, weights)

    def _rescaled(self, order: Ranked, weights: FloatArray | None) -> FloatArray:
        return standardized(self._raw(order, weights), self.max_fpr)
