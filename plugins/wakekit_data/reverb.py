"""The `reverb` augmentation: the sound of a room, from measured impulse responses or from decaying noise.

The direct sound keeps its place and the row keeps its power, so that neither the label's timing nor the level moves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import attrs
import scipy.fft
import torch
from torch import Tensor

from wakekit import Batch, Draws, Sources, WakekitError, option
from wakekit_data.ranges import ranged

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit.batch import AudioTable

_INT16 = 1.0 / 32768.0
_DECAY = 3 * math.log(10)


@attrs.frozen
class Reverb:
    """Convolve rows with impulse responses.

    `auto` takes the measured ones of the split where there are any, and synthetic ones otherwise.
    """

    domain: ClassVar[str] = "waveform"
    probability: float = option(0.5, at_least=0, at_most=1, help="share of rows that are put in a room")
    kind: str = option("auto", choices=("auto", "measured", "synthetic"), help="where impulse responses come from")
    rt60_seconds: tuple[float, float] = ranged((0.1, 0.6), above=0, unit="s", help="synthetic: time to decay by 60 dB")
    direct_db: tuple[float, float] = ranged(
        (0.0, 12.0), at_least=-100, at_most=100, unit="dB", help="synthetic: direct sound over reverberation"
    )

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:
        """Return the augmentation; raises WakekitError where measured responses are asked for and there are none."""
        table = sources.impulse_responses
        rows = table.lengths.nonzero().squeeze(1)
        if self.kind == "measured" and not len(rows):
            raise WakekitError(
                "expected impulse responses in the split, got none @ augmentation reverb; "
                'give the corpus some or set kind = "synthetic"'
            )
        if self.kind == "synthetic" or not len(rows):
            return lambda batch: self._synthetic(batch, sources.sample_rate)
        peaks = direct_sound(table)
        return lambda batch: self._measured(batch, table, rows, peaks)

    def _measured(self, batch: Batch, table: AudioTable, usable: Tensor, peaks: Tensor) -> Batch:
        chosen = batch.draws.chance(self.probability)
        rows = usable[batch.draws.integers(len(usable))]
        samples = batch.audio.shape[1]
        after = min(int(table.lengths.max()), samples)
        before = min(int(peaks.max()), samples)
        responses = aligned(table, rows, peaks[rows], after=after, before=before).to(batch.audio.device)
        return _mixed(batch, chosen, convolve(batch.audio, responses, before=before))

    def _synthetic(self, batch: Batch, sample_rate: int) -> Batch:
        chosen = batch.draws.chance(self.probability)
        return _mixed(batch, chosen, convolve(batch.audio, self._decaying(batch.draws, sample_rate), before=0))

    def _decaying(self, draws: Draws, sample_rate: int) -> Tensor:
        """Draw responses [B, L]: a direct sound of 1, then noise that falls by 60 dB in the drawn time."""
        rt60 = draws.uniform(*self.rt60_seconds)[:, None]
        direct = 10 ** (draws.uniform(*self.direct_db) / 20)[:, None]
        tail = draws.normal(columns=max(2, math.ceil(self.rt60_seconds[1] * sample_rate)))
        seconds = torch.arange(tail.shape[1], device=tail.device) / sample_rate
        tail = tail * torch.exp(-_DECAY * seconds / rt60)
        tail[:, 0] = 0
        tail /= tail.norm(dim=1, keepdim=True) * direct
        tail[:, 0] = 1
        return tail


def direct_sound(table: AudioTable) -> Tensor:
    """Return where each row of the table is loudest, int64 [R] on the CPU: the direct sound of an impulse response."""
    spans = zip(table.starts.tolist(), table.lengths.tolist(), strict=True)
    # int16 has no absolute value for its lowest number.
    rows = [table.audio[start : start + length].cpu().to(torch.int32).abs() for start, length in spans]
    return torch.tensor([int(row.argmax()) if len(row) else 0 for row in rows])


def aligned(table: AudioTable, rows: Tensor, peaks: Tensor, *, after: int, before: int) -> Tensor:
    """Return responses [B, before + after] with the direct sound at sample `before`, zero outside the recording."""
    return table.crop(rows, peaks - before, before + after)


def convolve(audio: Tensor, responses: Tensor, *, before: int) -> Tensor:
    """Return the convolution [B, S] of audio [B, S] with responses [B, L], with sample `before` at time zero."""
    samples = audio.shape[1]
    size = scipy.fft.next_fast_len(samples + responses.shape[1] - 1, real=True)
    spectrum = torch.fft.rfft(audio, size) * torch.fft.rfft(responses, size)
    wet: Tensor = torch.fft.irfft(spectrum, size)[:, before : before + samples]
    return wet


def _mixed(batch: Batch, chosen: Tensor, wet: Tensor) -> Batch:
    level = (batch.audio.square().sum(dim=1) / wet.square().sum(dim=1)).sqrt()
    level = torch.where(level.isfinite(), level, 1.0)
    return attrs.evolve(batch, audio=torch.where(chosen[:, None], wet * level[:, None], batch.audio))
