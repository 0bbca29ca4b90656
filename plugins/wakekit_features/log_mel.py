"""The `log-mel` frontend: natural logarithms of mel band energies, the usual features of keyword spotting.

The offset inside the logarithm keeps digital silence finite, and sets how quiet a band may be and still be told apart.
"""

from __future__ import annotations

import attrs

from wakekit import option
from wakekit_features.mel import LogMelModule, mel_filters, whole_samples


@attrs.frozen
class LogMel:
    """Take log mel energies of uncentred frames."""

    n_mels: int = option(40, at_least=1, help="number of mel bands")
    frame_seconds: float = option(0.03, above=0, unit="s", help="length of a frame")
    hop_seconds: float = option(0.01, above=0, unit="s", help="distance between frames")
    f_min: float = option(20.0, at_least=0, unit="Hz", help="lower edge of the lowest band")
    f_max: float | None = option(None, above=0, unit="Hz", help="upper edge of the highest band; half the sample rate")
    log_offset: float = option(1e-6, above=0, help="added to an energy before its logarithm")

    @property
    def n_features(self) -> int:
        """Number of features per frame, F."""
        return self.n_mels

    def build(self, sample_rate: int) -> LogMelModule:
        """Return the module, audio [B, S] → [B, F, T].

        Raises WakekitError where a frame or hop is no whole number of samples, or a mel band would be empty.
        """
        frame = whole_samples(self.frame_seconds, sample_rate, name="frame_seconds")
        filters = mel_filters(
            self.n_mels,
            samples=frame,
            sample_rate=sample_rate,
            f_min=self.f_min,
            f_max=sample_rate / 2 if self.f_max is None else self.f_max,
        )
        hop = whole_samples(self.hop_seconds, sample_rate, name="hop_seconds")
        return LogMelModule(filters, frame=frame, hop=hop, log_offset=self.log_offset)
