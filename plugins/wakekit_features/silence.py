"""Frames of digital silence: padding, and what comes before a stream, neither of which says anything about a room.

They are known by their features, which a normalizer's module is told once, before it is fitted.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wakekit import WakekitError

# Far above rounding on any device, far below what the last bit of 16-bit audio changes in a logarithm.
_ABSOLUTE, _RELATIVE = 1e-4, 1e-5


class Silence(nn.Module):
    """Tells frames of digital silence from others, by the buffer `features` [F]; before `hear` no frame is one."""

    features: Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        # Unlike NaN, infinity equals itself when weights are compared; and no finite feature is close to it.
        self.register_buffer("features", torch.full((n_features,), torch.inf))

    def hear(self, features: Tensor) -> None:
        """Remember the features [F] of digital silence; raises WakekitError where they do not fit."""
        if features.shape != self.features.shape or not bool(torch.isfinite(features).all()):
            raise WakekitError(
                f"expected {len(self.features)} finite features of digital silence, got {list(features.shape)} "
                "@ normalizer; build it with the frontend's n_features"
            )
        self.features.copy_(features)

    def forward(self, features: Tensor) -> Tensor:
        """Return bool [B, T], true where a frame of `features` [B, F, T] is digital silence."""
        return torch.isclose(features.float(), self.features[:, None], rtol=_RELATIVE, atol=_ABSOLUTE).all(dim=1)
