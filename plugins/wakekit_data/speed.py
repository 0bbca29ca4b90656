"""The `speed` augmentation: faster or slower, as a tape played at another speed: the pitch moves with the tempo.

After Ko et al., Audio Augmentation for Speech Recognition (2015). A window keeps its end in place, so that a keyword
that ended in the last 0.2 s of it still ends there, give or take the factor.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

import attrs
from torch import Tensor, nn
from torchaudio.functional import resample

from wakekit import Batch, Draws, Recorded, Sources, option
from wakekit.audio import resampled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

_SHARPNESS = 16  # zero crossings of the interpolating sinc to each side: flat to 0.1 dB up to 93 % of the band
_PERCENT = 100


@attrs.frozen
class Speed:
    """Play each row at one of the factors, all equally likely; 1.1 is a tenth faster and shorter, and higher.

    Factors are whole percents, resampled band-limited. A row played faster begins with zeros, one played slower loses
    its beginning: leave room before the word. In a condition every recording has one factor from end to end, and its
    length, hours and words' times change with it.
    """

    domain: ClassVar[str] = "waveform"
    factors: tuple[float, ...] = option((0.9, 1.0, 1.1), at_least=0.5, at_most=2, help="speeds to choose from")

    def __attrs_post_init__(self) -> None:
        """Refuse an empty list, and factors between whole percents."""
        if not self.factors:
            raise ValueError("factors: expected at least one, got none")
        odd = [factor for factor in self.factors if not math.isclose(factor * _PERCENT, round(factor * _PERCENT))]
        if odd:
            raise ValueError(f"factors: expected whole percents such as 0.9 or 1.05, got {odd[0]!r}")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:  # noqa: ARG002
        """Return the augmentation; it needs no sources."""
        return self._apply

    def _apply(self, batch: Batch) -> Batch:
        drawn = batch.draws.integers(len(self.factors))
        audio, lengths = batch.audio.clone(), batch.lengths.clone()
        for number, factor in enumerate(self.factors):
            rows = (drawn == number).nonzero().squeeze(1).to(audio.device)
            if len(rows) and factor != 1:
                audio[rows] = played(batch.audio[rows], factor)
                lengths[rows] = (batch.lengths[rows] / factor).round().long().clamp_(max=audio.shape[1])
        return attrs.evolve(batch, audio=audio, lengths=lengths)

    def record(self, blocks: Iterator[npt.NDArray[np.float32]], sample_rate: int, draws: Draws) -> Recorded:  # noqa: ARG002
        """Return a recording at one drawn factor; the sampling rate has no part in it."""
        ratio = _ratio(self.factors[int(draws.integers(len(self.factors)))])
        if ratio == 1:
            return Recorded(blocks)
        return Recorded(resampled(blocks, ratio.numerator, ratio.denominator), float(1 / ratio))


def played(audio: Tensor, factor: float) -> Tensor:
    """Return audio [B, S] played `factor` times as fast, its last sample in place, with zeros where none is left."""
    ratio, samples = _ratio(factor), audio.shape[1]
    backwards = resample(audio.flip(1), ratio.numerator, ratio.denominator, lowpass_filter_width=_SHARPNESS)
    return nn.functional.pad(backwards[:, :samples], (0, max(0, samples - backwards.shape[1]))).flip(1)


def _ratio(factor: float) -> Fraction:
    return Fraction(round(factor * _PERCENT), _PERCENT)
