"""The `cross-entropy` loss, for targets that are class shares: mixed and smoothed labels need nothing special.

The mean runs over rows, also with class weights: a batch of heavy rows weighs more than a batch of light ones. Class
weights shift the prior, so that scores need a calibrator that can shift them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from torch.nn import functional

from wakekit import WakekitError, option

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

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return (logits [B, C], targets [B, C] floats) → mean loss in float32."""
        return self._loss

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        weights = None if self.class_weights is None else self._weights(logits)
        return functional.cross_entropy(
            logits.float(), targets.float(), weight=weights, label_smoothing=self.label_smoothing
        )

    def _weights(self, logits: Tensor) -> Tensor:
        weights = self.class_weights or ()
        if len(weights) != logits.shape[1]:
            raise WakekitError(
                f"expected {logits.shape[1]} weights, one per class, got {len(weights)} @ loss.class_weights"
            )
        return logits.new_tensor(weights).float()
