"""The `cross-entropy` loss, for targets that are class shares: mixed and smoothed labels need nothing special.

The mean runs over rows, also with class weights: a batch of heavy rows weighs more than a batch of light ones. Class
weights shift the prior, so that scores need a calibrator that can shift them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from torch.nn import functional

from wakekit import option
from wakekit_models.class_weights import unequal, weight_tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@attrs.frozen
class CrossEntropy:
    """Train on the mean negative log-likelihood."""

    label_smoothing: float = option(
        0.0, at_least=0, below=1, help="share of each target that goes to all classes alike"
    )
    class_weights: tuple[float, ...] | None = option(None, above=0, help="weight of each class; all alike if left out")

    @property
    def rebalances(self) -> tuple[str, ...]:
        """What of this loss makes some rows count more than others, in words."""
        return ("class weights",) if unequal(self.class_weights) else ()

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return (logits [B, C], targets [B, C] floats) → mean loss in float32."""
        return self._loss

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        weights = weight_tensor(self.class_weights, logits, "class_weights")
        return functional.cross_entropy(
            logits.float(), targets.float(), weight=weights, label_smoothing=self.label_smoothing
        )
