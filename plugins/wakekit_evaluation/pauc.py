"""The area under the ROC curve at low false positive rates.

Only that part matters for a wake word, which hears other speech all day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit import option
from wakekit.curves import standardized
from wakekit_evaluation.ranking import rank_measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import Measure, Results


@attrs.frozen
class Pauc:
    """Measure the partial area under the ROC curve, raw and rescaled (McClish, 1989)."""

    max_fpr: float = option(0.1, above=0, at_most=1, help="largest false positive rate that counts")

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return the raw area (at most `max_fpr`) and the rescaled one (0.5 is chance), both clustered by speaker."""
        limit = self.max_fpr
        return [
            rank_measure(results, "pauc", "area", lambda order, weights: order.pauc(limit, weights)),
            rank_measure(
                results,
                "pauc-standardized",
                "area",
                lambda order, weights: standardized(order.pauc(limit, weights), limit),
            ),
        ]
