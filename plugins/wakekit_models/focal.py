"""The `focal` loss: cross-entropy in which a class already predicted well counts less (Lin et al., 2017).

Targets q are class shares, and each class's term is modulated by its own probability p, which gives a row the loss
sum over c of alpha[c] · q[c] · (1 - p[c])^gamma · -log p[c]. With gamma = 0 it is cross-entropy. Focusing and class
weights both favour rare classes: use one or the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from wakekit import WakekitError, option

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class Focal:
    """Train on the mean focal loss (arXiv:1708.02002)."""

    gamma: float = option(2.0, at_least=0, help="how strongly easy rows are played down; 0 is cross-entropy")
    alpha: tuple[float, ...] | None = option(None, above=0, help="weight of each class; all alike if left out")
    label_smoothing: float = option(
        0.0, at_least=0, below=1, help="share of each target that goes to all classes alike"
    )

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return (logits [B, C], targets [B, C] floats) → mean loss in float32."""
        return self._loss

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        log_probabilities = logits.float().log_softmax(dim=1)
        shares = targets.float() * (1 - self.label_smoothing) + self.label_smoothing / logits.shape[1]
        if self.alpha is not None:
            shares = shares * self._weights(logits)
        return -(shares * _missing(log_probabilities).pow(self.gamma) * log_probabilities).sum(dim=1).mean()

    def _weights(self, logits: Tensor) -> Tensor:
        weights = self.alpha or ()
        if len(weights) != logits.shape[1]:
            raise WakekitError(f"expected {logits.shape[1]} weights, one per class, got {len(weights)} @ loss.alpha")
        return logits.new_tensor(weights).float()


def _missing(log_probabilities: Tensor) -> Tensor:
    # 1 - p without cancellation; the floor keeps the slope of x^gamma finite at x = 0 where gamma is below 1.
    return -torch.expm1(log_probabilities).clamp(max=-torch.finfo(torch.float32).tiny)
