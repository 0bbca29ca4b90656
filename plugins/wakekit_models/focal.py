"""The `focal` loss: cross-entropy in which a class already predicted well counts less (Lin et al., 2017).

Targets are class shares q. With p = softmax(logits) and smoothed shares q' = (1 - s) · q + s / C, each class's term is
modulated by its own probability, and a row's loss is

    sum over classes c of  alpha[c] · q'[c] · (1 - p[c])^gamma · -log p[c];

the loss of a batch is the mean over its rows. A row of one class y has alpha[y] · (1 - p[y])^gamma · -log p[y],
equation 5 of the paper. With gamma = 0 it is cross-entropy. Focusing and class weights both favour rare classes: use
one or the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from wakekit import option
from wakekit_models.class_weights import unequal, weight_tensor

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class Focal:
    """Train on the mean of alpha · (1 - p)^gamma · -log p, p the probability of a row's class (arXiv:1708.02002)."""

    gamma: float = option(2.0, at_least=0, help="how strongly easy rows are played down; 0 is cross-entropy")
    alpha: tuple[float, ...] | None = option(None, above=0, help="weight of each class; all alike if left out")
    label_smoothing: float = option(
        0.0, at_least=0, below=1, help="share of each target that goes to all classes alike"
    )

    @property
    def class_weights(self) -> tuple[float, ...] | None:
        """The weight of each class, which here is called alpha; None where all are alike."""
        return self.alpha

    @property
    def rebalances(self) -> tuple[str, ...]:
        """What of this loss makes some rows count more than others, in words."""
        focusing = ("focal loss",) if self.gamma > 0 else ()
        return (*focusing, "class weights (alpha)") if unequal(self.alpha) else focusing

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return (logits [B, C], targets [B, C] floats) → mean loss in float32."""
        return self._loss

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        log_probabilities = logits.float().log_softmax(dim=1)
        shares = targets.float() * (1 - self.label_smoothing) + self.label_smoothing / logits.shape[1]
        weights = weight_tensor(self.alpha, logits, "alpha")
        if weights is not None:
            shares = shares * weights
        return -(shares * _missing(log_probabilities).pow(self.gamma) * log_probabilities).sum(dim=1).mean()


def _missing(log_probabilities: Tensor) -> Tensor:
    # 1 - p without cancellation; the floor keeps the slope of x^gamma finite at x = 0 where gamma is below 1.
    return -torch.expm1(log_probabilities).clamp(max=-torch.finfo(torch.float32).tiny)
