"""Clipping cuts where it says, and low-pass is SciPy's filter design, delayed by nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import firwin, oaconvolve

from wakekit import Batch, Draws, Sources, WakekitError
from wakekit.batch import AudioTable
from wakekit_data.clipping import Clipping
from wakekit_data.low_pass import LowPass, sinc_filter

RATE = 16000
NOTHING = AudioTable(torch.zeros(0, dtype=torch.int16), torch.zeros(0).long(), torch.zeros(0).long(), RATE)
SOURCES = Sources(NOTHING, NOTHING, RATE)


def draws(rows: int) -> Draws:
    """Return draws at their start."""
    return Draws(torch.Generator().manual_seed(3), rows, torch.device("cpu"))


def batch(audio: torch.Tensor) -> Batch:
    """Return rows of audio."""
    rows, samples = audio.shape
    return Batch(audio, torch.full((rows,), samples), torch.zeros(rows, 2), draws(rows))


def noise(rows: int, samples: int = 3000) -> torch.Tensor:
    """Return noise of several levels, one row silent."""
    level = torch.linspace(0, 0.2, rows)[:, None]
    return torch.randn(rows, samples, generator=torch.Generator().manual_seed(0)) * level


@pytest.mark.parametrize("rescale", [False, True])
def test_rows_are_cut_at_their_level_as_by_hand(rescale: bool) -> None:  # noqa: FBT001
    """Each row is cut at its own drawn level below its own peak; rescaled, its power is what it was, its peak lower."""
    rows = noise(40)
    found = Clipping(below_peak_db=(3, 20), rescale=rescale, probability=0.7).build(SOURCES)(batch(rows)).audio
    again = draws(40)
    chosen, below = again.chance(0.7), again.uniform(3, 20)
    assert 20 < int(chosen.sum()) < 36
    for row, audio in enumerate(rows.double().numpy()):
        level = np.abs(audio).max() * 10 ** (-float(below[row]) / 20)
        expected = audio.clip(-level, level) if chosen[row] else audio
        if rescale and expected.any():
            expected = expected * np.sqrt(np.square(audio).sum() / np.square(expected).sum())
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-6)
        assert found[row].abs().max() <= rows[row].abs().max() + 1e-6
    assert found.isfinite().all()


@pytest.mark.parametrize("cutoff", [500.0, 2000.0, 3400.0, 7000.0])
def test_the_filter_is_scipys(cutoff: float) -> None:
    """The response equals `firwin` with a Hamming window."""
    found = sinc_filter(torch.tensor([cutoff / RATE]), 320)[0]
    np.testing.assert_allclose(found, firwin(641, cutoff, fs=RATE, window="hamming"), rtol=0, atol=1e-6)


def test_rows_are_filtered_as_by_hand_without_delay() -> None:
    """Each row is SciPy's convolution with its own filter, in place; those left out keep their bits."""
    rows = noise(12)
    found = LowPass(cutoff_hz=(1000, 3400), high_pass_hz=300, probability=0.6).build(SOURCES)(batch(rows)).audio
    again = draws(12)
    chosen, cutoff = again.chance(0.6), again.uniform(1000, 3400)
    assert 0 < int(chosen.sum()) < 12
    for row in range(12):
        if not chosen[row]:
            assert torch.equal(found[row], rows[row])
            continue
        low, high = (firwin(641, hertz, fs=RATE, window="hamming") for hertz in (float(cutoff[row]), 300.0))
        expected = oaconvolve(rows[row].double().numpy(), low - high)[320:-320]
        np.testing.assert_allclose(found[row], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("hertz", "gain"), [(0, -50), (200, -50), (1000, 0), (3000, 0), (3500, -50), (6000, -50)])
def test_a_telephone_passes_its_band_only(hertz: float, gain: float) -> None:
    """Tones inside the band keep their level within 0.1 dB, tones outside lose 50 dB."""
    row = torch.cos(2 * torch.pi * hertz * torch.arange(8000) / RATE)[None]
    found = LowPass(cutoff_hz=(3400, 3400), high_pass_hz=300, probability=1).build(SOURCES)(batch(row)).audio
    inner = slice(1000, 7000)
    level = 10 * torch.log10(found[:, inner].square().mean() / row[:, inner].square().mean()).item()
    assert level < gain if gain else level == pytest.approx(0, abs=0.1)


def test_bands_that_cannot_be_are_refused() -> None:
    """A cutoff beyond half the sample rate, and a lower one above the upper."""
    with pytest.raises(WakekitError, match="cutoff_hz below 8000, half the sample rate, got 9000"):
        LowPass(cutoff_hz=(1000, 9000)).build(SOURCES)
    with pytest.raises(ValueError, match="high_pass_hz: expected less than cutoff_hz, got 2500"):
        LowPass(high_pass_hz=2500)
