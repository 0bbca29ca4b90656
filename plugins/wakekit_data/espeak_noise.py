"""Background sounds and rooms made of numbers: coloured noise, hum, tones, clicks, murmur, impulse responses.

Everything is drawn from the generator that is handed in, so no two sounds are the same and a seed gives the same again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Sound = npt.NDArray[np.float32]

_LOWEST = 20.0
_SPEECH_BANDS = ((150, 500), (500, 1500), (1500, 4000))


def background(kind: str, samples: int, sample_rate: int, rng: np.random.Generator) -> Sound:
    """Return a sound of one of `KINDS` at a drawn level, its peak below full scale."""
    sound = KINDS[kind](samples, sample_rate, rng)
    quiet = kind == "room tone"
    peak = 10 ** (rng.uniform(-60, -45) / 20) if quiet else 10 ** (rng.uniform(-30, -3) / 20)
    return np.asarray(sound * (peak / np.abs(sound).max()), np.float32)


def coloured(samples: int, sample_rate: int, slope: float, rng: np.random.Generator) -> Sound:
    """Return noise [samples] of unit power whose level falls by `slope` dB an octave: 0 white, 3 pink, 6 brown."""
    size = 1 << (samples - 1).bit_length()  # a prime length would make the transform slow
    spectrum = np.fft.rfft(rng.standard_normal(size, dtype=np.float32))
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / sample_rate), _LOWEST)
    noise = np.fft.irfft(spectrum * (hertz ** (-slope / 6.0206)).astype(np.float32), size)[:samples]
    return np.asarray(noise / noise.std(), np.float32)


def faint(samples: int, rng: np.random.Generator) -> Sound:
    """Return noise [samples] of unit power, between white and dull; cheap enough for hours."""
    pole = np.float32(rng.uniform(0, 0.95))
    white = rng.standard_normal(samples, np.float32)
    noise = lfilter([np.float32(np.sqrt(1 - pole**2))], [np.float32(1), -pole], white)
    return np.asarray(noise, dtype=np.float32)


def impulse_response(rt60: float, sample_rate: int, rng: np.random.Generator) -> Sound:
    """Return a room that decays by 60 dB in `rt60` seconds: a direct sound, then dying noise (Polack, 1988)."""
    time = np.arange(round(1.1 * rt60 * sample_rate)) / sample_rate
    tail = coloured(time.size, sample_rate, rng.uniform(0, 3), rng) * 10 ** (-3 * time / rt60)
    tail[: round(rng.uniform(0.002, 0.01) * sample_rate)] = 0
    tail *= 10 ** (rng.uniform(-6, 6) / -20) / np.sqrt((tail**2).sum())  # energy of direct sound over that of the room
    tail[0] = 1
    return np.asarray(0.9 * tail / np.abs(tail).max(), np.float32)


def _steady(samples: int, sample_rate: int, rng: np.random.Generator) -> Sound:
    return coloured(samples, sample_rate, rng.uniform(0, 7), rng)


def _gusts(samples: int, sample_rate: int, rng: np.random.Generator) -> Sound:
    return _steady(samples, sample_rate, rng) * _swell(samples, sample_rate, rng.uniform(0.3, 3), rng)


def _swell(samples: int, sample_rate: int, hertz: float, rng: np.random.Generator) -> Sound:
    """Return a positive envelope that rises and falls about `hertz` times a second."""
    knots = rng.lognormal(0, 1, int(samples / sample_rate * 2 * hertz) + 3)
    return np.interp(np.linspace(0, knots.size - 1, samples), np.arange(knots.size), knots).astype(np.float32)


def _hum(samples: int, sample_rate: int, rng: np.random.Generator) -> Sound:
    time = np.arange(samples) / sample_rate
    base = rng.choice([50.0, 60.0]) * rng.uniform(0.98, 1.02)
    partials = ((rng.uniform(0.1, 1) / order, rng.uniform(0, 2 * np.pi), order * base) for order in range(1, 13))
    hum = sum(level * np.sin(2 * np.pi * hertz * time + phase) for level, phase, hertz in partials)
    return np.asarray(hum + 0.02 * coloured(samples, sample_rate, 3, rng), np.float32)


def _tones(samples: int, sample_rate: int, rng: np.random.Generator) -> Sound:
    time = np.arange(samples) / sample_rate
    sound = 0.005 * coloured(samples, sample_rate, 3, rng)
    for _ in range(rng.integers(2, 9)):
        start, length = rng.uniform(0, time[-1]), rng.uniform(0.05, 1.5)
        shape = np.clip(np.minimum(time - start, start + length - time) / 0.01, 0, 1)
        sound += shape * np.sin(2 * np.pi * rng.uniform(200, 3500) * (time - start))
    return sound.astype(np.float32)


def _clicks(samples: int, sample_rate: int, rng: np.random.Generator) -> Sound:
    hits = np.zeros(samples, np.float32)
    hits[rng.integers(0, samples, rng.integers(5, 60))] = rng.normal(0, 1)
    length = round(rng.uniform(0.01, 0.1) * sample_rate)
    ring = coloured(length, sample_rate, rng.uniform(0, 4), rng) * np.exp(-6 * np.arange(length) / length)
    size = 1 << (samples + length).bit_length()
    sound = np.fft.irfft(np.fft.rfft(hits, size) * np.fft.rfft(ring, size), size)[:samples]
    return np.asarray(sound + 0.005 * np.abs(sound).max() * coloured(samples, sample_rate, 3, rng), np.float32)


def _murmur(samples: int, sample_rate: int, rng: np.random.Generator) -> Sound:
    """Return many talkers at once: noise in the bands of speech, each rising and falling as often as syllables do."""
    spectrum = np.fft.rfft(rng.standard_normal(samples, dtype=np.float32))
    hertz = np.fft.rfftfreq(samples, 1 / sample_rate)
    sound = np.zeros(samples, np.float32)
    for low, high in _SPEECH_BANDS:
        band = np.fft.irfft(np.where((hertz >= low) & (hertz < high), spectrum, 0), samples)
        sound += (band / band.std() * (300 / low) ** 0.7 * _swell(samples, sample_rate, rng.uniform(3, 6), rng)).astype(
            np.float32
        )
    return sound


KINDS: dict[str, Callable[[int, int, np.random.Generator], Sound]] = {
    "steady noise": _steady,
    "gusts": _gusts,
    "murmur": _murmur,
    "hum": _hum,
    "tones": _tones,
    "clicks": _clicks,
    "room tone": _steady,
}
