"""Mel energies of uncentred frames: the arithmetic that `log-mel` and `mfcc` share.

A frame sees the samples from t hops on and no others, and the transform is exactly as long as the frame, so that a
frame is the same wherever a clip, or a chunk of a stream, begins.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from wakekit import WakekitError

_WHOLE = 1e-6


def whole_samples(seconds: float, sample_rate: int, *, name: str) -> int:
    """Return `seconds` in samples; raises WakekitError where that is not a whole number of at least one."""
    exact = seconds * sample_rate
    samples = round(exact)
    if samples < 1 or abs(exact - samples) > _WHOLE:
        raise WakekitError(
            f"expected a whole number of samples, got {exact:g} ({name} = {seconds:g} s at {sample_rate} Hz) "
            f"@ frontend.{name}; choose a multiple of 1/{sample_rate} s"
        )
    return samples


def mel_filters(n_mels: int, *, samples: int, sample_rate: int, f_min: float, f_max: float) -> Tensor:
    """Return triangular filters float32 [samples // 2 + 1, n_mels], each with its peak at 1, evenly spaced in mel.

    mel = 2595 · log10(1 + Hz / 700) (O'Shaughnessy, 1987). Raises WakekitError where the band or its filters are empty.
    """
    if not f_min < f_max <= sample_rate / 2:
        raise WakekitError(
            f"expected f_min < f_max <= {sample_rate / 2:g} Hz, half the sample rate, "
            f"got f_min = {f_min:g} and f_max = {f_max:g} @ frontend; narrow the band"
        )
    with warnings.catch_warnings():
        # An empty filter is an error here, below, rather than a warning.
        warnings.simplefilter("ignore", UserWarning)
        filters: Tensor = melscale_fbanks(samples // 2 + 1, f_min, f_max, n_mels, sample_rate)
    _check_filters(filters)
    return filters


def _check_filters(filters: Tensor) -> None:
    empty = int((filters.amax(dim=0) == 0).sum())
    if empty:
        raise WakekitError(
            f"expected every mel band to hold a frequency of the transform, got {empty} empty of {filters.shape[1]} "
            "@ frontend.n_mels; lower n_mels, raise f_min or lengthen frame_seconds"
        )


class LogMelModule(nn.Module):
    """Log mel energies: audio [B, S] to float32 [B, n_mels, T], T = 1 + (S - frame) // hop.

    Frames are weighted with a periodic Hann window of `frame` samples. Audio shorter than a frame has T = 0.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, filters: Tensor, *, frame: int, hop: int, log_offset: float) -> None:
        super().__init__()
        self.frame = frame
        self.hop = hop
        self.log_offset = log_offset
        self.register_buffer("window", torch.hann_window(frame), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Return log(energy + log_offset), in float32 also under autocast."""
        with torch.autocast(audio.device.type, enabled=False):
            return self.energies(audio.float()).add_(self.log_offset).log_().transpose(1, 2)

    def energies(self, audio: Tensor) -> Tensor:
        """Return the mel energies [B, T, n_mels] of float32 audio [B, S]."""
        if audio.shape[-1] < self.frame:
            return audio.new_zeros(audio.shape[0], 0, self.filters.shape[1])
        spectrum = torch.fft.rfft(audio.unfold(-1, self.frame, self.hop) * self.window)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.matmul(power, self.filters)
