"""The `spec-augment` augmentation: stretches of time and bands of frequency blanked in the features.

After Park et al., SpecAugment (2019), without the warping of time, which gained them least. Features come normalized,
so that 0 is the mean of the train split: a mask says "nothing special here" rather than silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import torch
from torch import Tensor

from wakekit import Batch, Draws, Sources, WakekitError, option

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class SpecAugment:
    """Mask every row's features at places of its own; masks of a row may overlap.

    The width of a mask is uniform from 0 to the longest, its place uniform among those where it fits. Without a
    normalizer 0 may be a loud value: then fill with the row's mean.
    """

    domain: ClassVar[str] = "features"
    time_masks: int = option(2, at_least=0, at_most=20, help="masks over time")
    time_frames: int = option(10, at_least=0, help="longest mask over time, in frames")
    time_share: float = option(
        0.2, at_least=0, at_most=1, help="a mask over time covers at most this share of the frames"
    )
    frequency_masks: int = option(2, at_least=0, at_most=20, help="masks over frequency")
    frequency_bands: int = option(6, at_least=0, help="widest mask over frequency, in bands")
    fill: str = option("zero", choices=("zero", "mean"), help="what a mask holds: 0, or the mean of the row's features")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:  # noqa: ARG002
        """Return the augmentation; it needs no sources."""
        return self._apply

    def _apply(self, batch: Batch) -> Batch:
        features = batch.features
        if features is None:
            raise WakekitError("spec-augment masks features: expected a batch that the frontend has seen")
        bands, frames = features.shape[1:]
        longest = min(self.time_frames, int(self.time_share * frames))
        hidden = masked(batch.draws, self.frequency_masks, min(self.frequency_bands, bands), bands)[:, :, None]
        hidden = hidden | masked(batch.draws, self.time_masks, longest, frames)[:, None, :]
        if self.fill == "mean":
            return attrs.evolve(batch, features=torch.where(hidden, features.mean(dim=(1, 2), keepdim=True), features))
        return attrs.evolve(batch, features=features.masked_fill(hidden, 0))


def masked(draws: Draws, masks: int, widest: int, size: int) -> Tensor:
    """Return bool [B, size], true inside `masks` masks of 0 to `widest` places, drawn for every row."""
    width = (draws.uniform(columns=masks) * (widest + 1)).floor().clamp_(max=widest)
    room = size - width
    start = torch.minimum((draws.uniform(columns=masks) * (room + 1)).floor(), room)
    place = torch.arange(size, device=width.device)
    inside = (place >= start[:, :, None]) & (place < (start + width)[:, :, None])
    return inside.any(dim=1)
