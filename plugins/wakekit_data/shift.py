"""The `shift` augmentation: every row a little earlier or later, with zeros where there is no audio.

What is moved out of the window is lost: keep the range within the room that the window leaves around the word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import torch
from torch import Tensor

from wakekit_data.ranges import ranged

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit import Batch, Sources


@attrs.frozen
class Shift:
    """Move every row by a time drawn uniformly; positive is later."""

    domain: ClassVar[str] = "waveform"
    seconds: tuple[float, float] = ranged(
        (-0.1, 0.1), at_least=-60, at_most=60, unit="s", help="range of the shift; positive is later"
    )

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:
        """Return the augmentation for the sample rate of the sources."""
        rate = sources.sample_rate
        return lambda batch: self._apply(batch, rate)

    def _apply(self, batch: Batch, rate: int) -> Batch:
        shift = (batch.draws.uniform(*self.seconds) * rate).round().long()
        room = (batch.audio.shape[1] - shift.abs()).clamp_(min=0)
        return attrs.evolve(batch, audio=_moved(batch.audio, shift), lengths=torch.minimum(batch.lengths, room))


def _moved(audio: Tensor, shift: Tensor) -> Tensor:
    samples = audio.shape[1]
    source = torch.arange(samples, device=audio.device) - shift[:, None]
    inside = (source >= 0) & (source < samples)
    return audio.gather(1, source.clamp_(0, samples - 1)) * inside
