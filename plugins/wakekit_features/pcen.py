"""The `pcen` frontend: per-channel energy normalization (Wang, Getreuer, Hughes, Lyon and Saurous, 2017).

Each mel energy is divided by a running average of its own band's past, and a root takes the place of the logarithm:
a steady background and the level of the recording fall out, an onset stays.

The average ends `memory_seconds` back, so that a frame is the same wherever a stream is cut, and its weights add up to
1. Frames of digital silence are left out of it: the start of a stream is no onset.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn

from wakekit import option
from wakekit_features.log_mel import LogMel

if TYPE_CHECKING:
    from wakekit_features.mel import LogMelModule


@attrs.frozen
class Pcen:
    """Take mel energies of uncentred frames, each divided by the recent average of its band.

    The defaults are the paper's; a time constant of 0.4 s is its s = 0.025 at frames every 10 ms. With the usual 2 s of
    memory, what lies further back would have weighed under 1 %.
    """

    n_mels: int = option(40, at_least=1, help="number of mel bands")
    frame_seconds: float = option(0.03, above=0, unit="s", help="length of a frame")
    hop_seconds: float = option(0.01, above=0, unit="s", help="distance between frames")
    f_min: float = option(20.0, at_least=0, unit="Hz", help="lower edge of the lowest band")
    f_max: float | None = option(None, above=0, unit="Hz", help="upper edge of the highest band; half the sample rate")
    gain: float = option(0.98, at_least=0, at_most=1, help="how much of the average's level is divided out (alpha)")
    bias: float = option(2.0, above=0, help="added before the root (delta)")
    root: float = option(0.5, above=0, at_most=1, help="exponent that compresses (r)")
    time_constant_seconds: float = option(
        0.4, above=0, unit="s", help="time in which a weight of the average falls by e"
    )
    memory_seconds: float = option(2.0, above=0, unit="s", help="where the average ends, rounded to frames")
    eps: float = option(1e-6, above=0, help="added to the average, in energies of audio in [-1, 1)")

    @property
    def n_features(self) -> int:
        """Number of features per frame, F."""
        return self.n_mels

    @property
    def memory_frames(self) -> int:
        """Number of frames in the average, the present one included."""
        return max(1, round(self.memory_seconds / self.hop_seconds))

    @property
    def context_seconds(self) -> float:
        """Audio before a window that its first frame needs."""
        return (self.memory_frames - 1) * self.hop_seconds

    def build(self, sample_rate: int) -> PcenModule:
        """Return the module, audio [B, context + S] → [B, F, T].

        Raises WakekitError where a frame or hop is no whole number of samples, or a mel band would be empty.
        """
        mels = LogMel(
            n_mels=self.n_mels,
            frame_seconds=self.frame_seconds,
            hop_seconds=self.hop_seconds,
            f_min=self.f_min,
            f_max=self.f_max,
        )
        return PcenModule(mels.build(sample_rate), self)


class PcenModule(nn.Module):
    """PCEN: audio [B, context + S] to float32 [B, n_mels, T], T = 1 + (S - frame) // hop.

    With m = `memory_frames` and weights w(k) = (1 - s)^k over those of the m frames that are not digital silence,
    M(t) = Σ w(k) E(t - k) / Σ w(k) and PCEN(t) = (E(t) / (eps + M(t))^gain + bias)^root - bias^root, where
    1 - s = exp(-hop / time constant). The first m - 1 frames of the audio are context, which gives no features.
    """

    def __init__(self, mels: LogMelModule, options: Pcen) -> None:
        super().__init__()
        self.mels = mels
        self.options = options
        self.decay = math.exp(-options.hop_seconds / options.time_constant_seconds)

    def forward(self, audio: Tensor) -> Tensor:
        """Return the features, in float32 also under autocast."""
        with torch.autocast(audio.device.type, enabled=False):
            energies = self.mels.energies(audio.float())
            frames = self.options.memory_frames
            if energies.shape[1] < frames:
                return energies.new_zeros(len(audio), self.options.n_mels, 0)
            # A sum of weights rides along as one more band; with none at all, the average is 0.
            sounding = (energies > 0).any(dim=2, keepdim=True).to(energies.dtype)
            sums = decaying_sums(torch.cat([energies, sounding], dim=2), self.decay, frames)
            average = sums[:, :, :-1] / sums[:, :, -1:].clamp(min=torch.finfo(sums.dtype).tiny)
            return self._compressed(energies[:, frames - 1 :], average).transpose(1, 2)

    def _compressed(self, energies: Tensor, average: Tensor) -> Tensor:
        bias, root = self.options.bias, self.options.root
        levelled = energies / (average + self.options.eps).pow(self.options.gain)
        # bias^root ((x / bias + 1)^root - 1), without the cancellation where x is small.
        compressed: Tensor = torch.expm1(torch.log1p(levelled / bias) * root) * bias**root
        return compressed


def decaying_sums(values: Tensor, decay: float, frames: int) -> Tensor:
    """Return Σ decay^k values(t - k) over k < `frames`, for the T - frames + 1 last times t of `values` [B, T, F].

    Sums over 1, 2, 4, … frames are each made of two of the last, and those of the powers of two in `frames` are joined:
    a few steps for any number of frames, and a frame's value does not depend on where `values` begin.
    """
    block, size = values, 1
    total, length = values[:, :0], 0
    while size <= frames:
        if frames & size:
            total = block if length == 0 else total[:, size:] + decay**length * block[:, : total.shape[1] - size]
            length += size
        # The sum over the next power of two, where another is needed.
        if 2 * size <= frames:
            block = block[:, size:] + decay**size * block[:, : block.shape[1] - size]
        size *= 2
    return total
