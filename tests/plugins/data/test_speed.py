"""Speed moves pitch and tempo by the drawn factor, keeps the window's end, and resamples without aliases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly

from wakekit import Batch, Draws, Sources
from wakekit.batch import AudioTable
from wakekit_data.speed import Speed, played

RATE = 8000
NOTHING = AudioTable(torch.zeros(0, dtype=torch.int16), torch.zeros(0).long(), torch.zeros(0).long(), RATE)
SOURCES = Sources(NOTHING, NOTHING, RATE)


def draws(rows: int, seed: int = 3) -> Draws:
    """Return draws at their start."""
    return Draws(torch.Generator().manual_seed(seed), rows, torch.device("cpu"))


def batch(audio: torch.Tensor, seed: int = 3) -> Batch:
    """Return rows of audio, full to the end."""
    lengths = torch.full((len(audio),), audio.shape[1])
    return Batch(audio, lengths, torch.zeros(len(audio), 2), draws(len(audio), seed))


def tone(hertz: float, samples: int = 4000, end: int = 0) -> torch.Tensor:
    """Return a sine [1, S] with phase 0 at its last sample (or `end` before)."""
    place = torch.arange(samples, dtype=torch.float64) - (samples - 1 - end)
    return torch.sin(2 * torch.pi * hertz * place / RATE).float()[None]


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.97, 1.1, 1.25, 2.0])
@pytest.mark.parametrize("hertz", [100, 700, 1500])
def test_a_tone_is_moved_in_pitch_about_the_windows_end(factor: float, hertz: float) -> None:
    """Played f times as fast, a tone of h Hz is the tone of f·h Hz with the last sample in place, to 0.1 %."""
    found = played(tone(hertz), factor)
    expected = tone(hertz * factor)
    inner = slice(max(0, 4000 - round(4000 / factor)) + 150, 3850)
    torch.testing.assert_close(found[:, inner], expected[:, inner], rtol=0, atol=2e-3)
    if factor > 1:
        assert not found[:, : 4000 - round(4000 / factor) - 60].any()


def test_nothing_is_folded_back() -> None:
    """A tone that would leave the band when played faster is gone instead."""
    assert played(tone(3500), 1.25)[:, 1000:3800].square().mean() < 1e-4
    assert played(tone(2500), 1.25)[:, 1000:3800].square().mean() == pytest.approx(0.5, abs=0.01)


def test_it_agrees_with_scipys_polyphase_resampling() -> None:
    """Below nine tenths of the band the window's end is what `resample_poly` gives of the whole, within 1 %."""
    rng = np.random.default_rng(0)
    wide = resample_poly(rng.standard_normal(2000), 4, 2)  # 0 to half the band
    found = played(torch.from_numpy(wide).float()[None], 0.9)[0].numpy()
    backwards = resample_poly(wide[::-1], 10, 9)[:4000][::-1]
    np.testing.assert_allclose(found[200:-100], backwards[200:-100], atol=0.02 * np.std(wide))


def test_every_row_has_a_factor_of_its_own_and_all_are_equally_likely() -> None:
    """Row by row, alone and in a loop, the batch is what its drawn factors say; lengths follow."""
    factors = (0.9, 1.0, 1.1)
    rows = torch.randn(300, 200, generator=torch.Generator().manual_seed(0))
    found = Speed(factors=factors).build(SOURCES)(batch(rows))
    drawn = draws(300).integers(3).tolist()
    for row, number in enumerate(drawn):
        alone = rows[row : row + 1] if factors[number] == 1 else played(rows[row : row + 1], factors[number])
        torch.testing.assert_close(found.audio[row : row + 1], alone, rtol=0, atol=1e-5)
        assert found.lengths[row] == min(200, round(200 / factors[number]))
    assert np.bincount(drawn).min() > 70
    assert torch.equal(found.audio[[number == 1 for number in drawn]], rows[[number == 1 for number in drawn]])


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.07])
def test_a_recording_is_resampled_in_pieces_as_in_one(factor: float) -> None:
    """In a condition the whole recording is SciPy's, bit for bit, however it came, and says how much longer it is."""
    audio = np.random.default_rng(0).standard_normal(50_000).astype(np.float32)
    speed = Speed(factors=(factor,))
    made = [speed.record(iter(np.split(audio, cuts)), RATE, draws(1)) for cuts in ([], [9, 20_000, 20_500])]
    hundred = round(100 * factor)
    expected = resample_poly(audio, 100, hundred) if factor != 1 else audio
    for one in made:
        np.testing.assert_array_equal(np.concatenate(list(one.blocks)), expected)
        assert one.time_scale == pytest.approx(1 / factor, rel=1e-12)
        assert abs(len(expected) - one.time_scale * len(audio)) <= 1


def test_a_recording_draws_one_factor() -> None:
    """Each draw gives one of the factors, all of them in time."""
    speed, one = Speed(factors=(0.9, 1.1)), draws(1)
    scales = [speed.record(iter([]), RATE, one).time_scale for _ in range(40)]
    assert {round(1 / scale, 9) for scale in scales} == {0.9, 1.1}


@pytest.mark.parametrize(
    ("factors", "told"), [((), "at least one, got none"), ((0.9, 1.001), "whole percents such as 0.9 or 1.05, got 1.0")]
)
def test_factors_that_cannot_be_played_are_refused(factors: Any, told: str) -> None:
    """An empty list and odd fractions say so."""
    with pytest.raises(ValueError, match=told):
        Speed(factors=factors)
