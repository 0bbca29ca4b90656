"""The `utterance-cmvn` normalizer: zero mean and unit variance per feature within each window.

It learns nothing from the train split, and takes a constant channel or level out of every window. Frames of digital
silence are left out, since padding has no channel; there is no inverse, because a window's statistics go with it.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
from torch import Tensor, nn

from wakekit import option
from wakekit_features.moments import check_layout
from wakekit_features.silence import Silence


@attrs.frozen
class UtteranceCmvn:
    """Normalize every window by its own mean and standard deviation."""

    scope: ClassVar[str] = "window"
    variance: bool = option(default=True, help="divide by the standard deviation; false subtracts the mean alone")
    eps: float = option(0.01, above=0, help="smallest standard deviation to divide by")

    def build(self, n_features: int) -> UtteranceCmvnModule:
        """Return the module; there is nothing to fit."""
        return UtteranceCmvnModule(n_features, variance=self.variance, eps=self.eps)


class UtteranceCmvnModule(nn.Module):
    """Features [B, F, T] → (features - mean) / std over the T frames of each row (ddof 0), float64 inside.

    Frames of digital silence come out as 0, the mean, so that padding does not show more the less there is beside it.
    """

    def __init__(self, n_features: int, *, variance: bool, eps: float) -> None:
        super().__init__()
        self.n_features = n_features
        self.variance = variance
        self.eps = eps
        self.silence = Silence(n_features)

    def hear_silence(self, features: Tensor) -> None:
        """Remember the features [F] that the frontend gives for digital silence."""
        self.silence.hear(features)

    def forward(self, features: Tensor) -> Tensor:
        """Return normalized features, also under autocast; raises WakekitError where F is another."""
        check_layout(features, self.n_features, name="utterance-cmvn")
        # In float64, which autocast leaves alone.
        silent = self.silence(features)[:, None]
        count = (~silent).sum(dim=2, keepdim=True).clamp(min=1)
        mean = features.double().masked_fill(silent, 0).sum(dim=2, keepdim=True) / count
        centred = (features.double() - mean).masked_fill(silent, 0)
        if self.variance:
            std = (centred.square().sum(dim=2, keepdim=True) / count).sqrt()
            centred = centred / std.clamp(min=self.eps)
        normalized: Tensor = centred.to(features.dtype)
        return normalized
