"""Recordings through real codecs: as long as before, the sound in its place, and as bad as the codec makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
import torch
from scipy.signal import lfilter, resample_poly

from wakekit import Draws
from wakekit_data.codec import Codec

if TYPE_CHECKING:
    from pathlib import Path

RATE = 16000
FORMATS = ("mp3", "vorbis", "opus", "gsm", "u-law", "a-law", "g721", "ima-adpcm")
Floats = np.ndarray[Any, np.dtype[np.float32]]
each = pytest.mark.parametrize("name", FORMATS)


def speech(seconds: float, rate: int = RATE, seed: int = 0) -> Floats:
    """Return noise with the slope of speech, that comes and goes."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate)
    swing = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(count) / rate)
    found = lfilter([1], [1, -0.95], rng.standard_normal(count)) * swing
    return (found / np.abs(found).max() * 0.7).astype(np.float32)


def coded(audio: Floats, *cuts: int, rate: int = RATE, **options: Any) -> Floats:
    """Return audio, handed over in pieces, after a codec."""
    draws = Draws(torch.Generator(), 1, torch.device("cpu"))
    made = Codec(**options).record(iter(np.split(audio, cuts)), rate, draws)
    assert made.time_scale == 1
    return np.concatenate(list(made.blocks))


def lag(audio: Floats, heard: Floats) -> int:
    """Return by how many samples one is late to the other, by cross-correlation."""
    size = 2 * len(audio)
    likeness = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(audio, size).conj())
    late = int(np.argmax(likeness))
    return late if late < len(audio) else late - size


@each
@pytest.mark.parametrize(("rate", "seconds"), [(16000, 1.2345), (8000, 0.9), (22050, 0.4)])
def test_the_sound_keeps_its_place_and_length(name: str, rate: int, seconds: float) -> None:
    """No codec delays, shortens or fills up a recording, at any rate, yet each changes it."""
    audio = speech(seconds, rate)
    heard = coded(audio, rate=rate, format=name)
    assert heard.dtype == np.float32
    assert heard.shape == audio.shape
    assert abs(lag(audio, heard)) <= 1
    assert 0.75 < np.corrcoef(audio, heard)[0, 1] < 1


@pytest.mark.parametrize("name", ["mp3", "vorbis", "gsm"])
def test_nothing_depends_on_the_pieces_it_came_in(name: str) -> None:
    """A recording in blocks, one longer than the codec's own, gives the bits of the whole."""
    audio = speech(17)
    whole = coded(audio, format=name)
    np.testing.assert_allclose(coded(audio, 5, 40_000, format=name), whole, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(coded(audio, format=name), whole)


def test_u_law_is_its_formula() -> None:
    """At 8000 Hz every sample goes through the companding of G.711 and nothing else."""
    audio = speech(0.5, 8000)
    heard = coded(audio, rate=8000, format="u-law")
    mu = 255
    companded = np.sign(audio) * np.log1p(mu * np.abs(audio)) / np.log1p(mu)
    steps = np.abs(companded - np.sign(heard) * np.log1p(mu * np.abs(heard)) / np.log1p(mu)) * 128
    assert steps.max() < 1.5
    assert len(np.unique(heard)) <= 256


@pytest.mark.parametrize(("name", "subtype", "container"), [("gsm", "GSM610", "WAV"), ("g721", "G721_32", "AU")])
def test_telephone_codecs_run_at_8000_hz(name: str, subtype: str, container: str, tmp_path: Path) -> None:
    """What comes back is SciPy's resampling around libsndfile's codec, cut to length; nothing above 4 kHz is left."""
    audio = speech(1.0)
    path = tmp_path / "coded"
    soundfile.write(path, resample_poly(audio, 1, 2), 8000, format=container, subtype=subtype)
    with soundfile.SoundFile(path) as file:
        expected = resample_poly(file.read(file.frames, dtype="float32"), 2, 1)[: len(audio)]
    heard = coded(audio, format=name)
    np.testing.assert_allclose(heard, expected, rtol=0, atol=1e-6)
    power = np.abs(np.fft.rfft(heard)) ** 2
    assert power[4200:].sum() < 1e-3 * power.sum()


@pytest.mark.parametrize("name", ["mp3", "vorbis", "opus"])
def test_more_compression_is_worse(name: str) -> None:
    """The error grows with the compression asked for."""
    audio = speech(2.0)
    errors = [np.square(coded(audio, format=name, compression=level) - audio).mean() for level in (0.1, 0.99)]
    assert errors[1] > 2 * errors[0]


def test_the_mp3_decoder_has_nothing_to_complain_about(capfd: pytest.CaptureFixture[str]) -> None:
    """A recording of many blocks is decoded in one go, without a word from the library."""
    rng = np.random.default_rng(0)
    noise = lfilter([1], [1, -0.9], rng.standard_normal(40 * RATE))
    coded((noise / np.abs(noise).max() / 1.5).astype(np.float32), format="mp3")
    assert capfd.readouterr().err == ""


def test_what_is_too_loud_is_clipped_and_silence_stays() -> None:
    """Beyond full scale there is nothing to encode."""
    loud = speech(0.5, 8000) * 4
    heard = coded(loud, rate=8000, format="a-law")
    np.testing.assert_allclose(heard, coded(loud.clip(-1, 1), rate=8000, format="a-law"), rtol=0, atol=0)
    assert np.abs(heard).max() <= 1
    assert np.abs(coded(np.zeros(3000, np.float32), format="opus")).max() < 1e-3


def test_options_that_a_codec_lacks_are_refused() -> None:
    """G.711 has one quality only; unknown names are the recipe's business."""
    with pytest.raises(ValueError, match="compression: u-law has one quality only; it goes with mp3, vorbis, opus"):
        Codec(format="u-law", compression=0.5)
