"""What the losses share: weights of classes, as options state them and as tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit import WakekitError

if TYPE_CHECKING:
    from torch import Tensor


def weight_tensor(weights: tuple[float, ...] | None, logits: Tensor, option: str) -> Tensor | None:
    """Return float32 [C] on the device of logits [B, C], or None where there are no weights.

    Raises WakekitError where there is not one weight for each class; `option` names where they were stated.
    """
    if weights is None:
        return None
    if len(weights) != logits.shape[1]:
        raise WakekitError(f"expected {logits.shape[1]} weights, one per class, got {len(weights)} @ loss.{option}")
    return logits.new_tensor(weights).float()


def unequal(weights: tuple[float, ...] | None) -> bool:
    """Return whether the weights make some classes count more than others."""
    return weights is not None and len(set(weights)) > 1
