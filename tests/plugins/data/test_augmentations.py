"""The waveform augmentations do what they say to every row, and draw only from the generator they are handed."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import fftconvolve

from wakekit import Batch, Draws, Sources, WakekitError
from wakekit.batch import AudioTable
from wakekit_data.clipping import Clipping
from wakekit_data.gain import Gain
from wakekit_data.low_pass import LowPass
from wakekit_data.noise import Noise, looped
from wakekit_data.reverb import Reverb
from wakekit_data.shift import Shift
from wakekit_data.speed import Speed

RATE = 8000
CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    """Return a generator at its start."""
    return torch.Generator().manual_seed(seed)


def table(*rows: torch.Tensor) -> AudioTable:
    """Return a table of float rows in [-1, 1), rounded to int16."""
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
    audio = torch.cat([*rows, torch.zeros(0)]).mul(32768).round().clamp(-32768, 32767).to(torch.int16)
    return AudioTable(audio, lengths.cumsum(0) - lengths, lengths, RATE)


def hiss(samples: int, seed: int) -> torch.Tensor:
    """Return white noise."""
    return torch.randn(samples, generator=generator(seed)) * 0.1


def response(samples: int, peak: int, seed: int) -> torch.Tensor:
    """Return decaying noise with its loudest sample at `peak`."""
    decay = torch.exp(-torch.arange(samples) / (samples / 5))
    row = (torch.randn(samples, generator=generator(seed)) * 0.1 * decay).clamp(-0.4, 0.4)
    row[peak] = 0.9
    return row


BACKGROUND = table(hiss(20000, 1), hiss(300, 2), hiss(0, 3), hiss(2400, 4) * 0.01)
RESPONSES = table(response(900, 12, 5), response(3000, 0, 6), response(400, 40, 7))
SOURCES = Sources(BACKGROUND, RESPONSES, RATE)
NOTHING = Sources(table(), table(), RATE)
AUGMENTATIONS = [
    Noise(),
    Reverb(probability=0.7),
    Reverb(kind="synthetic", rt60_seconds=(0.05, 0.1)),
    Gain(),
    Shift(),
    Speed(factors=(0.9, 1.0, 1.05)),
    Clipping(),
    LowPass(cutoff_hz=(1000, 3000), high_pass_hz=300),
]
each = pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda one: type(one).__name__.lower())


def make_batch(rows: int = 12, samples: int = 2400, *, seed: int = 0, device: torch.device = CPU) -> Batch:
    """Return rows of noise of several levels and lengths, with padding on either side."""
    lengths = torch.randint(samples // 3, samples + 1, (rows,), generator=generator(seed))
    level = torch.rand(rows, 1, generator=generator(seed + 1)) * 0.3 + 0.01
    audio = torch.randn(rows, samples, generator=generator(seed + 2)) * level
    audio *= torch.arange(samples) < lengths[:, None]
    audio[::2] = audio[::2].flip(1)
    targets = torch.nn.functional.one_hot(torch.arange(rows) % 2, 2).float()
    return Batch(audio.to(device), lengths.to(device), targets.to(device), Draws(generator(seed + 3), rows, device))


def redrawn(batch: Batch, seed: int = 3) -> Batch:
    """Return the batch with its generator back at the start."""
    return attrs.evolve(batch, draws=attrs.evolve(batch.draws, generator=generator(seed)))


class OneRow:
    """The draws of a whole batch, of which one row is handed out."""

    def __init__(self, draws: Draws, row: int) -> None:
        self.draws = draws
        self.row = row

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: getattr(self.draws, name)(*args, **kwargs)[self.row : self.row + 1]


@each
def test_repeats_from_its_generator_and_touches_no_other(augmentation: Any) -> None:
    """Equal generators give equal audio, other seeds other audio; the global state and the batch stay as they were."""
    batch, apply = make_batch(), augmentation.build(SOURCES)
    before, state = batch.audio.clone(), torch.get_rng_state()
    first, again, other = apply(batch), apply(redrawn(batch)), apply(redrawn(batch, seed=99))
    assert torch.equal(first.audio, again.audio)
    assert not torch.equal(first.audio, other.audio)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(batch.audio, before)
    assert torch.equal(first.targets, batch.targets)


@each
def test_draws_do_not_depend_on_the_data(augmentation: Any) -> None:
    """Silence, and rows without real samples, leave the generator where any other batch does, with finite audio."""
    batch = make_batch()
    silent = attrs.evolve(redrawn(batch), audio=torch.zeros(12, 2400), lengths=torch.zeros(12, dtype=torch.int64))
    apply = augmentation.build(SOURCES)
    apply(batch)
    assert apply(silent).audio.isfinite().all()
    assert torch.equal(batch.draws.generator.get_state(), silent.draws.generator.get_state())


@each
def test_a_batch_equals_its_rows_one_by_one(augmentation: Any) -> None:
    """A row comes out the same alone as among others."""
    batch, apply = make_batch(), augmentation.build(SOURCES)
    together = apply(batch)
    for row in range(12):
        here = slice(row, row + 1)
        draws: Any = OneRow(redrawn(batch).draws, row)
        alone = apply(Batch(batch.audio[here], batch.lengths[here], batch.targets[here], draws))
        torch.testing.assert_close(alone.audio, together.audio[here], rtol=1e-5, atol=1e-6)
        assert torch.equal(alone.lengths, together.lengths[here])


@each
def test_works_on_waveforms(augmentation: Any) -> None:
    """Each declares its domain and keeps shape and type."""
    batch = make_batch()
    result = augmentation.build(SOURCES)(batch)
    assert augmentation.domain == "waveform"
    assert result.audio.shape == batch.audio.shape
    assert result.audio.dtype is torch.float32


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10_000), low=st.floats(-10, 30), width=st.floats(0, 10))
def test_noise_has_the_drawn_snr(seed: int, low: float, width: float) -> None:
    """Power over a row's real samples, against noise over the window, is the drawn ratio within 0.1 dB."""
    batch = make_batch(seed=seed)
    expected = Draws(generator(seed + 3), 12, CPU)
    expected.chance(1)
    snr = expected.uniform(low, low + width)
    noise = Noise(snr_db=(low, low + width), probability=1).build(SOURCES)(batch).audio.double() - batch.audio.double()
    power = batch.audio.double().square().sum(dim=1) / batch.lengths
    measured = 10 * torch.log10(power / noise.square().mean(dim=1))
    torch.testing.assert_close(measured, snr.double(), rtol=0, atol=0.1)


def test_noise_on_a_row_without_sound_is_low_and_finite() -> None:
    """Silence gets the noise of a row at -40 dB of full scale: 10 dB below that at an SNR of 10 dB."""
    batch = attrs.evolve(make_batch(), audio=torch.zeros(12, 2400))
    for lengths in (batch.lengths, torch.zeros(12, dtype=torch.int64)):
        silent = attrs.evolve(redrawn(batch), lengths=lengths)
        power = Noise(snr_db=(10, 10), probability=1).build(SOURCES)(silent).audio.square().mean(dim=1)
        torch.testing.assert_close(10 * power.log10(), torch.full((12,), -50.0), rtol=0, atol=0.1)


def test_noise_meets_the_share_of_rows_asked_for() -> None:
    """Rows left out are untouched; 0 and 1 mean none and all."""
    batch = make_batch(rows=400, samples=60)
    shares = []
    for probability in (0, 0.8, 1):
        changed = Noise(probability=probability).build(SOURCES)(redrawn(batch)).audio != batch.audio
        shares.append(changed.any(dim=1).float().mean().item())
    assert shares[0] == 0
    assert shares[1] == pytest.approx(0.8, abs=0.06)
    assert shares[2] == 1


def test_noise_is_cut_from_one_recording_and_repeated_where_short() -> None:
    """A long recording is cut without wrapping, at either end at most; a short one goes round and round."""
    rows = torch.tensor([0, 0, 1, 1])
    cut = looped(BACKGROUND, rows, torch.tensor([0.0, 0.9999999, 0.0, 0.5]), 2400)
    long, short = BACKGROUND.audio[:20000].float() / 32768, BACKGROUND.audio[20000:20300].float() / 32768
    assert torch.equal(cut[0], long[:2400])
    assert torch.equal(cut[1], long[-2400:])
    assert torch.equal(cut[2], short.repeat(8))
    assert torch.equal(cut[3], short.roll(-150).repeat(8))


def test_silent_background_adds_nothing() -> None:
    """A recording of digital silence leaves the row as it is."""
    sources = attrs.evolve(SOURCES, background=table(torch.zeros(5000)))
    batch = make_batch()
    assert torch.equal(Noise(probability=1).build(sources)(batch).audio, batch.audio)


def test_noise_without_background_is_an_error() -> None:
    """There is no silent fallback, also where all recordings are empty."""
    for background in (table(), table(torch.zeros(0))):
        with pytest.raises(WakekitError, match="background recordings in the split, got none"):
            Noise().build(Sources(background, table(), RATE))


def test_measured_reverb_equals_scipy() -> None:
    """A row is SciPy's convolution with one response, with the direct sound in place and the power kept."""
    batch = make_batch()
    draws = Draws(generator(3), 12, CPU)
    draws.chance(1)
    rows = draws.integers(3).tolist()
    result = Reverb(kind="measured", probability=1).build(SOURCES)(batch).audio.double().numpy()
    for row, chosen in enumerate(rows):
        start, length = int(RESPONSES.starts[chosen]), int(RESPONSES.lengths[chosen])
        impulse = RESPONSES.audio[start : start + length].double().numpy() / 32768
        dry, peak = batch.audio[row].double().numpy(), (12, 0, 40)[chosen]
        wet = fftconvolve(dry, impulse)[peak : peak + 2400]
        wet *= np.sqrt((dry**2).sum() / (wet**2).sum())
        np.testing.assert_allclose(result[row], wet, rtol=0, atol=2e-6)


@pytest.mark.parametrize("kind", ["measured", "synthetic"])
def test_reverb_keeps_the_direct_sound_in_place_and_the_level(kind: str) -> None:
    """A click stays the loudest sample at its place; nothing sounds before a synthetic room is excited."""
    batch = make_batch()
    clicks = torch.zeros(12, 2400)
    clicks[:, 1000] = 0.5
    result = Reverb(kind=kind, probability=1, direct_db=(6, 12)).build(SOURCES)(attrs.evolve(batch, audio=clicks)).audio
    assert (result.abs().argmax(dim=1) == 1000).all()
    torch.testing.assert_close(result.square().sum(dim=1), clicks.square().sum(dim=1), rtol=1e-4, atol=1e-6)
    if kind == "synthetic":
        assert result[:, :1000].abs().max() < 1e-6


def test_synthetic_reverb_decays_as_asked() -> None:
    """Energy falls by 60 dB in the reverberation time, and the direct sound has the ratio asked for."""
    clicks = torch.zeros(400, 4000)
    clicks[:, 0] = 0.5
    batch = attrs.evolve(make_batch(rows=400, samples=4000), audio=clicks)
    reverb = Reverb(kind="synthetic", probability=1, rt60_seconds=(0.4, 0.4), direct_db=(3, 3))
    energy = reverb.build(NOTHING)(batch).audio.double().square()
    energy /= energy[:, :1]
    assert 10 * np.log10(energy[:, 1:].sum(dim=1).mean().item()) == pytest.approx(-3, abs=0.01)
    blocks = 10 * torch.log10(energy[:, 1:3201].mean(dim=0).view(16, 200).mean(dim=1)).numpy()
    slope = np.polyfit(np.arange(16) * 200 / RATE, blocks, 1)[0]
    assert slope * 0.4 == pytest.approx(-60, abs=1)


def test_reverb_takes_measured_responses_where_there_are_any() -> None:
    """`auto` is measured with responses and synthetic without; asking for measured ones without is an error."""
    batch = make_batch()
    for sources, kind in ((SOURCES, "measured"), (NOTHING, "synthetic")):
        auto = Reverb().build(sources)(redrawn(batch)).audio
        assert torch.equal(auto, Reverb(kind=kind).build(sources)(redrawn(batch)).audio)
    with pytest.raises(WakekitError, match="impulse responses in the split, got none"):
        Reverb(kind="measured").build(NOTHING)


def test_reverb_leaves_rows_alone_that_were_not_drawn() -> None:
    """With probability 0 nothing changes."""
    batch = make_batch()
    assert torch.equal(Reverb(probability=0).build(SOURCES)(batch).audio, batch.audio)


def test_gain_is_drawn_in_decibels_and_clipped() -> None:
    """A row is multiplied by its own factor within the range, and never leaves [-1, 1]."""
    batch = make_batch(rows=200)
    result = Gain(db=(-20, -3)).build(NOTHING)(batch).audio
    ratio = result.square().sum(dim=1) / batch.audio.square().sum(dim=1)
    db = 10 * ratio.log10()
    assert ((db > -20.01) & (db < -2.99)).all()
    assert db.std().item() == pytest.approx(17 / 12**0.5, rel=0.15)
    torch.testing.assert_close(result, batch.audio * ratio.sqrt()[:, None])
    loud = Gain(db=(40, 40)).build(NOTHING)(batch).audio
    assert torch.equal(loud, (batch.audio * 100).clamp(-1, 1))


def test_shift_moves_rows_and_fills_with_zeros() -> None:
    """Each row is its audio moved by a whole number of samples within the range, positive later."""
    batch = make_batch()
    draws = Draws(generator(3), 12, CPU)
    shifts = (draws.uniform(-0.05, 0.1) * RATE).round().long().tolist()
    result = Shift(seconds=(-0.05, 0.1)).build(NOTHING)(batch)
    assert min(shifts) < 0 < max(shifts)
    for row, shift in enumerate(shifts):
        expected = np.zeros(2400, dtype=np.float32)
        source = batch.audio[row].numpy()
        expected[max(shift, 0) : 2400 + min(shift, 0)] = source[max(-shift, 0) : 2400 - max(shift, 0)]
        np.testing.assert_array_equal(result.audio[row].numpy(), expected)
        assert result.lengths[row] == min(int(batch.lengths[row]), 2400 - abs(shift))


def test_shift_beyond_the_window_leaves_silence() -> None:
    """Nothing wraps around."""
    result = Shift(seconds=(1, 1)).build(NOTHING)(make_batch())
    assert not result.audio.any()
    assert not result.lengths.any()


@pytest.mark.parametrize(
    ("component", "option"),
    [
        (Noise, "snr_db"),
        (Reverb, "rt60_seconds"),
        (Reverb, "direct_db"),
        (Gain, "db"),
        (Clipping, "below_peak_db"),
        (LowPass, "cutoff_hz"),
    ],
)
def test_ranges_the_wrong_way_round_are_an_error(component: Any, option: str) -> None:
    """The lower value comes first."""
    with pytest.raises(ValueError, match=f"{option}: expected the lower value first"):
        component(**{option: (2.0, 1.0)})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each
def test_cuda_equals_cpu(augmentation: Any) -> None:
    """Parameters are drawn on the CPU, so both devices give the same audio."""
    device = torch.device("cuda")
    moved = [attrs.evolve(one, audio=one.audio.to(device)) for one in (BACKGROUND, RESPONSES)]
    expected = augmentation.build(SOURCES)(make_batch()).audio
    result = augmentation.build(Sources(*moved, RATE))(make_batch(device=device)).audio
    torch.testing.assert_close(result.cpu(), expected, rtol=1e-4, atol=1e-5)
