"""The `mfcc` frontend agrees with torchaudio and SciPy."""

from __future__ import annotations

import pytest
import scipy.fft
import torch
import torchaudio

from wakekit import WakekitError
from wakekit_features.log_mel import LogMel
from wakekit_features.mfcc import Mfcc

RATE = 16000
AUDIO = torch.rand(2, 8000, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_agrees_with_torchaudio() -> None:
    """Coefficients equal torchaudio's MFCC of natural logarithms on uncentred frames."""
    mels = {"n_fft": 480, "hop_length": 160, "center": False, "n_mels": 40, "f_min": 20.0}
    reference = torchaudio.transforms.MFCC(RATE, n_mfcc=20, log_mels=True, melkwargs=mels)
    features = Mfcc(n_mfcc=20).build(RATE)(AUDIO)
    assert Mfcc(n_mfcc=20).n_features == features.shape[1] == 20
    torch.testing.assert_close(features, reference(AUDIO), rtol=0, atol=1e-4)


def test_is_the_cosine_transform_of_log_mel() -> None:
    """Every option of the mel bands reaches them, and the transform is SciPy's orthonormal DCT-II."""
    options = {"n_mels": 30, "frame_seconds": 0.02, "hop_seconds": 0.02, "f_min": 60.0, "f_max": 7000.0}
    mels = LogMel(**options, log_offset=1e-3).build(RATE)(AUDIO)
    expected = scipy.fft.dct(mels.double().numpy(), axis=1, norm="ortho")[:, :13]
    features = Mfcc(**options, log_offset=1e-3).build(RATE)(AUDIO)
    torch.testing.assert_close(features.double(), torch.from_numpy(expected), rtol=0, atol=1e-4)


def test_streams_and_silence() -> None:
    """A chunk gives the frames of the whole; silence is finite; short audio has no frames."""
    module = Mfcc().build(RATE)
    torch.testing.assert_close(module(AUDIO[:, 1600:]), module(AUDIO)[:, :, 10:], rtol=0, atol=1e-5)
    assert module(torch.zeros(1, 1600)).isfinite().all()
    assert module(torch.zeros(1, 100)).shape == (1, 13, 0)


def test_stays_in_float32_under_autocast() -> None:
    """Autocast changes neither the type nor the values."""
    module = Mfcc().build(RATE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = module(AUDIO)
    assert torch.equal(features, module(AUDIO))


def test_more_coefficients_than_bands_is_an_error() -> None:
    """There are no more coefficients than mel bands."""
    with pytest.raises(WakekitError, match="n_mfcc <= n_mels"):
        Mfcc(n_mfcc=41).build(RATE)
