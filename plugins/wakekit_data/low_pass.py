"""The `low-pass` augmentation: the narrow band of a telephone, a cheap microphone or a thick wall."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import attrs
import torch
from torch import Tensor

from wakekit import Batch, Sources, WakekitError, option
from wakekit_data.ranges import ranged
from wakekit_data.reverb import convolve

if TYPE_CHECKING:
    from collections.abc import Callable

_REACH_SECONDS = 0.02


@attrs.frozen
class LowPass:
    """Remove what lies above a cutoff drawn for every row, and below `high_pass_hz`; 300 to 3400 Hz is a telephone.

    The filter is a windowed sinc (Hamming) over 20 ms to both sides: it delays nothing, is 6 dB down at the cutoff and
    over 50 dB down from 90 Hz beyond it.
    """

    domain: ClassVar[str] = "waveform"
    cutoff_hz: tuple[float, float] = ranged((2000.0, 4000.0), above=0, unit="Hz", help="range of the upper cutoff")
    high_pass_hz: float = option(0.0, at_least=0, unit="Hz", help="lower cutoff; 0 keeps everything below")
    probability: float = option(0.5, at_least=0, at_most=1, help="share of rows that are filtered")

    def __attrs_post_init__(self) -> None:
        """Refuse a lower cutoff above the upper one."""
        if self.high_pass_hz >= self.cutoff_hz[0]:
            raise ValueError(f"high_pass_hz: expected less than cutoff_hz, got {self.high_pass_hz:g}")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:
        """Return the augmentation; raises WakekitError for a cutoff that the sample rate cannot hold."""
        rate = sources.sample_rate
        if self.cutoff_hz[1] >= rate / 2:
            raise WakekitError(
                f"expected cutoff_hz below {rate / 2:g}, half the sample rate, got {self.cutoff_hz[1]:g} "
                "@ augmentation low-pass"
            )
        return lambda batch: self._apply(batch, rate)

    def _apply(self, batch: Batch, rate: int) -> Batch:
        chosen = batch.draws.chance(self.probability)
        cutoff = batch.draws.uniform(*self.cutoff_hz)
        reach = math.ceil(_REACH_SECONDS * rate)
        response = sinc_filter(cutoff / rate, reach)
        if self.high_pass_hz:
            response -= sinc_filter(cutoff.new_full((1,), self.high_pass_hz / rate), reach)
        filtered = convolve(batch.audio, response, before=reach)
        return attrs.evolve(batch, audio=torch.where(chosen[:, None], filtered, batch.audio))


def sinc_filter(cutoff: Tensor, reach: int) -> Tensor:
    """Return low-pass responses [B, 2 · reach + 1] for cutoffs [B] in cycles per sample, their gain 1 at 0 Hz."""
    place = torch.arange(-reach, reach + 1, device=cutoff.device)
    window = torch.hamming_window(2 * reach + 1, periodic=False, device=cutoff.device)
    response = torch.sinc(2 * cutoff[:, None] * place) * window
    return response / response.sum(dim=1, keepdim=True)
