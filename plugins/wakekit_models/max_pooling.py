"""The `max-pooling` loss: of every window, train the frame that decides what a stream is told (Sun et al., 2016).

That is the frame where the keyword's log-odds are highest: the best frame of a window with the keyword, which leaves
the model free to say when, and the hardest frame of any other window. The paper (arXiv:1705.02411) trains all frames of
other audio; here their maximum alone, as that is what a detector hears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from wakekit import option
from wakekit.pooling import best_frame
from wakekit_models.cross_entropy import CrossEntropy

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@attrs.frozen
class MaxPooling:
    """Train on the mean negative log-likelihood at each row's frame of the highest keyword log-odds.

    For models with a score per frame; of a model with a score per window it is cross-entropy.
    """

    per_frame: ClassVar[bool] = True

    label_smoothing: float = option(
        0.0, at_least=0, below=1, help="share of each target that goes to all classes alike"
    )
    class_weights: tuple[float, ...] | None = option(None, above=0, help="weight of each class; all alike if left out")

    @property
    def rebalances(self) -> tuple[str, ...]:
        """What of this loss makes some rows count more than others, in words."""
        return self._at_a_frame().rebalances

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return (logits [B, C, T] or [B, C], targets [B, C] floats) → mean loss in float32."""
        loss = self._at_a_frame().build()
        return lambda logits, targets: loss(best_frame(logits), targets)

    def _at_a_frame(self) -> CrossEntropy:
        return CrossEntropy(label_smoothing=self.label_smoothing, class_weights=self.class_weights)
