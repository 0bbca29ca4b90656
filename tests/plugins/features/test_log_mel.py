"""The `log-mel` frontend agrees with torchaudio, and a frame is the same wherever its audio begins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import WakekitError
from wakekit_features.log_mel import LogMel

RATE = 16000


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return audio uniform in [-1, 1)."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize(
    ("rate", "frame_seconds", "hop_seconds", "n_mels"), [(16000, 0.03, 0.01, 40), (8000, 0.025, 0.02, 23)]
)
def test_agrees_with_torchaudio(rate: int, frame_seconds: float, hop_seconds: float, n_mels: int) -> None:
    """Features equal the logarithm of torchaudio's uncentred MelSpectrogram."""
    frontend = LogMel(n_mels=n_mels, frame_seconds=frame_seconds, hop_seconds=hop_seconds, f_min=50, f_max=3800)
    frame, hop = round(frame_seconds * rate), round(hop_seconds * rate)
    reference = torchaudio.transforms.MelSpectrogram(
        rate, n_fft=frame, hop_length=hop, center=False, n_mels=n_mels, f_min=50.0, f_max=3800.0
    )
    audio = noise(3, rate)
    features = frontend.build(rate)(audio)
    assert frontend.n_features == features.shape[1] == n_mels
    torch.testing.assert_close(features, (reference(audio) + 1e-6).log(), rtol=0, atol=5e-5)


@settings(deadline=None, max_examples=40)
@given(samples=st.integers(0, 3000))
def test_counts_frames(samples: int) -> None:
    """T is 1 + (S - frame) // hop, and 0 where the audio is shorter than a frame."""
    features = LogMel().build(RATE)(torch.zeros(2, samples))
    assert features.shape == (2, 40, max(0, 1 + (samples - 480) // 160))


@settings(deadline=None, max_examples=25)
@given(first=st.integers(0, 60), frames=st.integers(1, 40))
def test_frames_do_not_depend_on_where_a_chunk_begins(first: int, frames: int) -> None:
    """A chunk that begins at a multiple of the hop gives the frames of the whole."""
    module, audio = LogMel().build(RATE), noise(1, RATE)
    whole = module(audio)
    chunk = module(audio[:, first * 160 : first * 160 + 480 + (frames - 1) * 160])
    torch.testing.assert_close(chunk, whole[:, :, first : first + chunk.shape[2]], rtol=0, atol=1e-5)


def test_a_frame_sees_only_its_own_samples() -> None:
    """Changing audio changes the frames that hold it and no others."""
    module, audio = LogMel().build(RATE), noise(1, 4800)
    changed = audio.clone()
    changed[:, 1600] += 1
    differs = (module(audio) != module(changed)).any(dim=1).squeeze(0)
    assert differs.nonzero().squeeze(1).tolist() == [8, 9]


def test_silence_is_finite() -> None:
    """Digital silence gives the logarithm of the offset everywhere."""
    features = LogMel(log_offset=1e-4).build(RATE)(torch.zeros(1, 1600))
    torch.testing.assert_close(features, torch.full_like(features, -9.210340))


def test_stays_in_float32_under_autocast() -> None:
    """Autocast changes neither the type nor the values."""
    module, audio = LogMel().build(RATE), noise(2, 4800)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = module(audio)
    assert features.dtype is torch.float32
    assert torch.equal(features, module(audio))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hop_seconds": 0.0101234}, "frontend.hop_seconds"),
        ({"frame_seconds": 0.0000001}, "frontend.frame_seconds"),
        ({"f_max": 9000.0}, "f_max = 9000"),
        ({"f_min": 4000.0, "f_max": 3000.0}, "f_min = 4000"),
        ({"n_mels": 200}, "frontend.n_mels"),
    ],
)
def test_options_that_do_not_fit_are_errors(options: dict[str, float], words: str) -> None:
    """What the sample rate cannot give is said, with the option that asks for it."""
    with pytest.raises(WakekitError, match=words):
        LogMel(**options).build(RATE)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """The device does not matter."""
    module, audio = LogMel().build(RATE), noise(4, RATE)
    torch.testing.assert_close(module.cuda()(audio.cuda()).cpu(), module.cpu()(audio), rtol=0, atol=1e-4)


def test_agrees_with_the_formula_written_out() -> None:
    """One frame's features equal Hann window, DFT power, triangular filters even in mel, and logarithm, by hand."""
    audio = np.random.default_rng(3).standard_normal(160)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(160) / 160)
    spectrum = np.exp(-2j * np.pi * np.outer(np.arange(81), np.arange(160)) / 160) @ (audio * window)
    mels = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 3000 / 700), 8 + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    wanted = []
    for low, peak, high in zip(corners, corners[1:], corners[2:], strict=False):
        weights = [max(0, min((f - low) / (peak - low), (high - f) / (high - peak))) for f in np.arange(81) * 50]
        wanted.append(math.log(float(np.abs(spectrum) ** 2 @ weights) + 1e-6))
    frontend = LogMel(n_mels=8, frame_seconds=0.02, hop_seconds=0.01, f_min=100.0, f_max=3000.0).build(8000)
    found = frontend(torch.from_numpy(audio).float().unsqueeze(0))[0, :, 0]
    np.testing.assert_allclose(found, wanted, atol=2e-4)
