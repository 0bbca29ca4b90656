"""The `noise` augmentation: background recordings of the split, added at a drawn signal-to-noise ratio.

The ratio compares the row's power over its real samples with the noise's power over the whole window, padding included:
noise does not stop where a recording does. The sum is not clipped, so that the ratio is exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import torch
from torch import Tensor

from wakekit import Batch, Sources, WakekitError, option
from wakekit_data.ranges import ranged

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit.batch import AudioTable

_SILENCE = 1e-10
_SILENT_ROW = 1e-4
_INT16 = 1.0 / 32768.0
_PLACES = 1 << 30


@attrs.frozen
class Noise:
    """Add background at an SNR drawn uniformly in dB.

    A row without sound (no real samples, or below -100 dB of full scale) gets the noise that a row at -40 dB would get.
    Every background recording is equally likely; one shorter than the window is repeated.
    """

    domain: ClassVar[str] = "waveform"
    snr_db: tuple[float, float] = ranged(
        (5.0, 20.0), at_least=-100, at_most=100, unit="dB", help="range of the signal-to-noise ratio"
    )
    probability: float = option(0.8, at_least=0, at_most=1, help="share of rows that get noise")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:
        """Return the augmentation; raises WakekitError where the split has no background."""
        background = sources.background
        usable = background.lengths.nonzero().squeeze(1)
        if not len(usable):
            raise WakekitError(
                "expected background recordings in the split, got none @ augmentation noise; "
                "give the corpus background audio or leave this augmentation out"
            )
        return lambda batch: self._apply(batch, background, usable)

    def _apply(self, batch: Batch, background: AudioTable, usable: Tensor) -> Batch:
        draws = batch.draws
        chosen = draws.chance(self.probability)
        snr = draws.uniform(*self.snr_db)
        rows = usable[draws.integers(len(usable))]
        place = draws.integers(_PLACES).double() / _PLACES
        noise = looped(background, rows, place, batch.audio.shape[1]).to(batch.audio.device)
        factor = (_power(batch) / (noise.square().mean(dim=1) * 10 ** (snr / 10))).sqrt()
        factor = torch.where(chosen & factor.isfinite(), factor, 0.0)
        return attrs.evolve(batch, audio=torch.addcmul(batch.audio, noise, factor[:, None]))


def looped(table: AudioTable, rows: Tensor, fraction: Tensor, samples: int) -> Tensor:
    """Return float32 [B, samples] of the given rows, from a place that `fraction` [B] in [0, 1) chooses.

    A row as long as the window is cut without wrapping; a shorter one starts anywhere and is repeated. `rows` and
    `fraction` are on the CPU.
    """
    length = table.lengths[rows]
    room = torch.where(length >= samples, length - samples + 1, length)
    first = torch.minimum((fraction * room).long(), room - 1)
    if bool((length >= samples).all()):
        return table.crop(rows, first, samples)
    device = table.audio.device
    start, length, first = (value.to(device, non_blocking=True) for value in (table.starts[rows], length, first))
    position = (first[:, None] + torch.arange(samples, device=device)) % length[:, None]
    return table.audio[start[:, None] + position].to(torch.float32).mul_(_INT16)


def _power(batch: Batch) -> Tensor:
    power = batch.audio.square().sum(dim=1) / batch.lengths.clamp(min=1)
    return torch.where(power > _SILENCE, power, _SILENT_ROW)
