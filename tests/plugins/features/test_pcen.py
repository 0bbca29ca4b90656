"""The `pcen` frontend equals its definition in float64, SciPy's recursion, and itself wherever a stream is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import WakekitError
from wakekit_features.pcen import Pcen, decaying_sums

RATE = 8000
FRAME, HOP = 160, 80
SMALL = {"n_mels": 6, "frame_seconds": 0.02, "hop_seconds": 0.01, "f_min": 100.0, "f_max": 3000.0}


def noise(samples: int, *, seed: int = 0, rows: int = 1) -> torch.Tensor:
    """Return audio in [-1, 1) whose level wanders over 40 dB."""
    generator = np.random.default_rng(seed)
    level = 10 ** (-1 + np.sin(np.arange(samples) / 1500 + seed))
    return torch.from_numpy(generator.uniform(-0.1, 0.1, (rows, samples)) * level).float()


def energies(audio: np.ndarray) -> np.ndarray:
    """Return the mel energies [T, 6] of audio [S]: Hann window, DFT power and triangles even in mel, by hand."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    basis = np.exp(-2j * np.pi * np.outer(np.arange(FRAME // 2 + 1), np.arange(FRAME)) / FRAME)
    mels = np.linspace(2595 * np.log10(1 + 100 / 700), 2595 * np.log10(1 + 3000 / 700), 6 + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    bins = np.arange(FRAME // 2 + 1) * RATE / FRAME
    triangles = [
        np.maximum(0, np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak)))
        for low, peak, high in zip(corners, corners[1:], corners[2:], strict=False)
    ]
    starts = range(0, len(audio) - FRAME + 1, HOP)
    powers = np.array([np.abs(basis @ (audio[at : at + FRAME] * window)) ** 2 for at in starts])
    return powers @ np.array(triangles).T


@settings(deadline=None, max_examples=15)
@given(
    memory=st.integers(1, 12),
    frames=st.integers(1, 12),
    gain=st.floats(0, 1),
    bias=st.floats(0.01, 10),
    root=st.floats(0.05, 1),
    time_constant=st.floats(0.01, 1),
    gap=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_in_float64(
    *,
    memory: int,
    frames: int,
    gain: float,
    bias: float,
    root: float,
    time_constant: float,
    gap: tuple[int, int],
    seed: int,
) -> None:
    """Every feature is the formula's, with the average written out as a sum over frames that are not silent."""
    frontend = Pcen(
        **SMALL, gain=gain, bias=bias, root=root, time_constant_seconds=time_constant, memory_seconds=memory / 100
    )
    assert (frontend.memory_frames, frontend.n_features) == (memory, 6)
    audio = noise((memory + frames - 2) * HOP + FRAME, seed=seed)
    audio[:, gap[0] * HOP : (gap[0] + gap[1]) * HOP] = 0
    found = frontend.build(RATE)(audio)
    assert found.shape == (1, 6, frames)
    energy, decay = energies(audio[0].double().numpy()), math.exp(-0.01 / time_constant)
    for frame in range(frames):
        now = frame + memory - 1
        past = [(decay**k, energy[now - k]) for k in range(memory) if energy[now - k].max() > 0]
        average = sum(w * e for w, e in past) / sum(w for w, _ in past) if past else np.zeros(6)
        expected = (energy[now] / (1e-6 + average) ** gain + bias) ** root - bias**root
        np.testing.assert_allclose(found[0, :, frame], expected, rtol=2e-4, atol=2e-5)


def test_long_memory_is_the_papers_recursion() -> None:
    """Where the cut-off tail is nothing, the average is M(t) = (1 - s) M(t - 1) + s E(t), by SciPy's filter."""
    frontend = Pcen(**SMALL, time_constant_seconds=0.1, memory_seconds=2.0)
    audio, s = noise(4 * RATE, seed=3), 1 - math.exp(-0.1)
    energy = energies(audio[0].double().numpy())
    average = scipy.signal.lfilter([s], [1, s - 1], energy, axis=0)
    expected = (energy / (1e-6 + average) ** 0.98 + 2) ** 0.5 - 2**0.5
    np.testing.assert_allclose(frontend.build(RATE)(audio)[0].T, expected[199:], rtol=1e-3, atol=1e-4)


def test_the_usual_time_constant_is_the_papers() -> None:
    """0.4 s at frames every 10 ms is s = 0.025, and under 1 % of the weight lies beyond the memory."""
    decay = Pcen().build(16000).decay
    assert 1 - decay == pytest.approx(0.025, rel=0.02)
    assert decay ** Pcen().memory_frames < 0.01


@settings(deadline=None, max_examples=20)
@given(first=st.integers(0, 80), frames=st.integers(1, 40), memory=st.integers(1, 20), silent=st.integers(0, 60))
def test_frames_do_not_depend_on_where_a_chunk_begins(first: int, frames: int, memory: int, silent: int) -> None:
    """T30: a chunk with `context_seconds` of audio before it gives the frames of the whole."""
    frontend, audio = Pcen(**SMALL, memory_seconds=memory / 100), noise(160 * HOP)
    audio[:, : silent * HOP] = 0
    module = frontend.build(RATE)
    context = round(frontend.context_seconds * RATE)
    assert context == (memory - 1) * HOP
    whole = module(audio)
    chunk = module(audio[:, first * HOP : first * HOP + context + FRAME + (frames - 1) * HOP])
    assert chunk.shape[2] == frames
    torch.testing.assert_close(chunk, whole[:, :, first : first + frames], rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(samples=st.integers(0, 4000))
def test_counts_frames(samples: int) -> None:
    """T is 1 + (S - frame) // hop without the context, and 0 where the audio is too short."""
    frontend = Pcen(**SMALL, memory_seconds=0.1)
    features = frontend.build(RATE)(torch.zeros(2, samples))
    assert features.shape == (2, 6, max(0, 1 + (samples - 9 * HOP - FRAME) // HOP))


def test_the_level_of_a_recording_falls_out() -> None:
    """A recording 20 dB louder has nearly the same features, where log-mel moves by 4.6."""
    module, audio = Pcen(**SMALL, gain=1.0, eps=1e-12).build(RATE), noise(4 * RATE)
    torch.testing.assert_close(module(audio * 10), module(audio), rtol=1e-3, atol=1e-4)


def test_the_start_of_a_stream_is_no_onset() -> None:
    """T18: after digital silence, steady noise has the level it has later; a filter begun at 0 would leap."""
    frontend = Pcen(**SMALL)
    context = round(frontend.context_seconds * RATE)
    generator = torch.Generator().manual_seed(0)
    steady = torch.rand(1, 6 * RATE, generator=generator) * 0.2 - 0.1
    features = frontend.build(RATE)(torch.cat([torch.zeros(1, context), steady], dim=1)).mean(dim=(0, 1))
    assert features[:20].mean() == pytest.approx(float(features[-200:].mean()), rel=0.25)
    assert features.max() < 2 * features.mean()


def test_silence_is_finite() -> None:
    """Digital silence gives 0 everywhere, and so do silence with a click and full scale finite features."""
    module = Pcen(**SMALL).build(RATE)
    silence = torch.zeros(1, 3 * RATE)
    assert torch.equal(module(silence), torch.zeros(1, 6, 100))
    silence[:, RATE] = 1
    assert module(silence).isfinite().all()
    assert module(torch.ones(1, 3 * RATE)).isfinite().all()


def test_stays_in_float32_under_autocast() -> None:
    """Autocast changes neither the type nor the values."""
    module, audio = Pcen(**SMALL).build(RATE), noise(3 * RATE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = module(audio)
    assert features.dtype is torch.float32
    assert torch.equal(features, module(audio))


def test_options_that_do_not_fit_are_errors() -> None:
    """A hop that is no whole number of samples is refused, as in `log-mel`."""
    with pytest.raises(WakekitError, match=r"frontend\.hop_seconds"):
        Pcen(hop_seconds=0.0101234).build(RATE)


@settings(deadline=None, max_examples=40)
@given(frames=st.integers(1, 40), extra=st.integers(0, 20), decay=st.floats(0, 1))
def test_decaying_sums_equal_sums(frames: int, extra: int, decay: float) -> None:
    """Sums by doubling equal the sums written out."""
    values = torch.rand(2, frames + extra, 3, generator=torch.Generator().manual_seed(1)).double()
    weights = decay ** torch.arange(frames).double()
    expected = torch.einsum("btfk,k->btf", values.unfold(1, frames, 1).flip(-1), weights)
    torch.testing.assert_close(decaying_sums(values, decay, frames), expected)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """The device does not matter."""
    module, audio = Pcen(**SMALL).build(RATE), noise(4 * RATE, rows=3)
    torch.testing.assert_close(module.cuda()(audio.cuda()).cpu(), module.cpu()(audio), rtol=1e-3, atol=1e-4)
