"""What the normalizers share: the layout of features, and moments that do not cancel.

Moments are gathered in float64 and batches are merged pairwise, because E[x²] - E[x]² loses every digit where the mean
is large. They run over rows and time, never over features, and padding frames are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from wakekit import WakekitError

if TYPE_CHECKING:
    from wakekit import FeatureBatch


def check_layout(features: Tensor, n_features: int, *, name: str) -> None:
    """Raise WakekitError where `features` are not [batch, n_features, time]; `name` is the normalizer's."""
    if features.dim() != 3 or features.shape[1] != n_features:  # noqa: PLR2004
        raise WakekitError(
            f"expected features [batch, {n_features}, time], got {list(features.shape)} @ normalizer {name}; "
            "build it with the frontend's n_features"
        )


def real_frames(batch: FeatureBatch) -> Tensor:
    """Return bool [B, T], false where a frame is padding."""
    frames = torch.arange(batch.features.shape[2], device=batch.features.device)
    return frames < batch.frames.to(frames.device)[:, None]


@attrs.frozen(eq=False)
class Moments:
    """How many frames were seen, their mean and their summed squared deviation from it, float64 [F]."""

    count: int
    mean: Tensor
    spread: Tensor

    @classmethod
    def empty(cls, like: Tensor) -> Moments:
        """Return the moments of no frames, on the device of `like` [F]."""
        zeros = torch.zeros_like(like, dtype=torch.float64)
        return cls(0, zeros, zeros)

    @classmethod
    def of(cls, batch: FeatureBatch) -> Moments:
        """Return the moments of a batch's real frames."""
        kept = batch.features.double().transpose(1, 2)[real_frames(batch)]
        count = len(kept)
        mean = kept.sum(dim=0) / max(count, 1)
        return cls(count, mean, (kept - mean).square().sum(dim=0))

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both together (Chan, Golub and LeVeque, 1979)."""
        count = self.count + other.count
        share = other.count / max(count, 1)
        delta = other.mean.to(self.mean.device) - self.mean
        spread = self.spread + other.spread.to(self.mean.device) + delta.square() * (self.count * share)
        return Moments(count, self.mean + delta * share, spread)
