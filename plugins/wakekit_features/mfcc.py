"""The `mfcc` frontend: mel-frequency cepstral coefficients (Davis and Mermelstein, 1980).

Coefficient 0, the overall level, is kept; there is no liftering, which a normalizer would undo.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn
from torchaudio.functional import create_dct

from wakekit import WakekitError, option
from wakekit_features.log_mel import LogMel

if TYPE_CHECKING:
    from wakekit_features.mel import LogMelModule


@attrs.frozen
class Mfcc:
    """Take the first coefficients of the orthonormal cosine transform of log mel energies."""

    n_mfcc: int = option(13, at_least=1, help="number of coefficients")
    n_mels: int = option(40, at_least=1, help="number of mel bands")
    frame_seconds: float = option(0.03, above=0, unit="s", help="length of a frame")
    hop_seconds: float = option(0.01, above=0, unit="s", help="distance between frames")
    f_min: float = option(20.0, at_least=0, unit="Hz", help="lower edge of the lowest band")
    f_max: float | None = option(None, above=0, unit="Hz", help="upper edge of the highest band; half the sample rate")
    log_offset: float = option(1e-6, above=0, help="added to an energy before its logarithm")

    @property
    def n_features(self) -> int:
        """Number of features per frame, F."""
        return self.n_mfcc

    def build(self, sample_rate: int) -> MfccModule:
        """Return the module, audio [B, S] → [B, F, T]; raises WakekitError where options do not fit together."""
        if self.n_mfcc > self.n_mels:
            raise WakekitError(
                f"expected n_mfcc <= n_mels, got {self.n_mfcc} > {self.n_mels} @ frontend.n_mfcc; raise n_mels"
            )
        mels = LogMel(
            n_mels=self.n_mels,
            frame_seconds=self.frame_seconds,
            hop_seconds=self.hop_seconds,
            f_min=self.f_min,
            f_max=self.f_max,
            log_offset=self.log_offset,
        )
        return MfccModule(mels.build(sample_rate), create_dct(self.n_mfcc, self.n_mels, norm="ortho").T.contiguous())


class MfccModule(nn.Module):
    """Cepstral coefficients: audio [B, S] to float32 [B, n_mfcc, T]."""

    cosines: Tensor

    def __init__(self, log_mel: LogMelModule, rows: Tensor) -> None:
        super().__init__()
        self.log_mel = log_mel
        self.register_buffer("cosines", rows, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Return the coefficients, in float32 also under autocast."""
        with torch.autocast(audio.device.type, enabled=False):
            features: Tensor = self.cosines @ self.log_mel(audio)
            return features
