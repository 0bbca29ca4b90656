"""The `clipping` augmentation: a microphone or converter that is driven too hard."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import torch

from wakekit import Batch, Sources, option
from wakekit_data.ranges import ranged

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class Clipping:
    """Cut every row off at a level drawn uniformly in dB below its own peak.

    `rescale` then brings the row back to the power it had, so that only the distortion is new; without it the row is
    quieter. No sample ends up above the old peak either way.
    """

    domain: ClassVar[str] = "waveform"
    below_peak_db: tuple[float, float] = ranged(
        (3.0, 20.0), above=0, unit="dB", help="how far below its peak it is cut"
    )
    rescale: bool = option(default=True, help="bring rows back to the power they had")
    probability: float = option(0.5, at_least=0, at_most=1, help="share of rows that are clipped")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:  # noqa: ARG002
        """Return the augmentation; it needs no sources."""
        return self._apply

    def _apply(self, batch: Batch) -> Batch:
        chosen = batch.draws.chance(self.probability)
        level = batch.audio.abs().amax(dim=1) * 10 ** (-batch.draws.uniform(*self.below_peak_db) / 20)
        cut = torch.minimum(torch.maximum(batch.audio, -level[:, None]), level[:, None])
        if self.rescale:
            factor = (batch.audio.square().sum(dim=1) / cut.square().sum(dim=1)).sqrt()
            cut *= torch.where(factor.isfinite(), factor, 1.0)[:, None]
        return attrs.evolve(batch, audio=torch.where(chosen[:, None], cut, batch.audio))
