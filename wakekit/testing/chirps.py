"""A made-up corpus that any recipe can be rehearsed on in seconds: the keyword is a tone that rises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

RATE = 16000
KEYWORD = "chirp"
SPEAKER = "(s[0-9]+)_"


def chirp(rng: np.random.Generator, *, up: bool, seconds: float = 0.4) -> np.ndarray:
    """Return a tone [n] that rises (the keyword) or falls, with some noise, at 16 kHz."""
    time = np.arange(int(seconds * RATE)) / RATE
    low, high = rng.uniform(300, 500), rng.uniform(1500, 2500)
    start, end = (low, high) if up else (high, low)
    tone = np.sin(2 * np.pi * (start * time + (end - start) * time**2 / (2 * seconds)))
    return (0.3 * tone + 0.01 * rng.standard_normal(len(time))).astype(np.float32)


def write_corpus(folder: Path, *, speakers: int = 24) -> Path:
    """Write positive/, negative/ and background/ recordings of many speakers."""
    rng = np.random.default_rng(0)
    for pool in ("positive", "negative", "background"):
        (folder / pool).mkdir(parents=True)
    for speaker in range(speakers):
        for take in range(2):
            for pool, up in (("positive", True), ("negative", False)):
                path = folder / pool / f"s{speaker:02d}_{take}.wav"
                soundfile.write(path, chirp(rng, up=up), RATE, subtype="PCM_16")
        noise = 0.05 * rng.standard_normal(RATE).astype(np.float32)
        soundfile.write(folder / "background" / f"s{speaker:02d}_n.wav", noise, RATE, subtype="PCM_16")
    return folder
