"""A corpus of chirps with a near miss that only streams hold, and with keywords that nobody labelled.

The keyword rises; labelled negatives fall. The near miss rises like the keyword, but not as high: among the clips of no
split is anything like it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import soundfile

from wakekit.testing.chirps import RATE, chirp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEYWORD, NEAR_MISS, OTHER = "chirp", "low chirp", "speech"
SECONDS = 0.4
SLOT = 2.0
LEAD = 1.0


def near_miss(rng: np.random.Generator) -> np.ndarray:
    """Return a tone that rises as the keyword does, but not as high."""
    time = np.arange(int(SECONDS * RATE)) / RATE
    low, high = rng.uniform(300, 500), rng.uniform(1000, 1400)
    tone = np.sin(2 * np.pi * (low * time + (high - low) * time**2 / (2 * SECONDS)))
    return (0.3 * tone + 0.01 * rng.standard_normal(len(time))).astype(np.float32)


def sound(rng: np.random.Generator, what: str) -> np.ndarray:
    """Return one sound."""
    return near_miss(rng) if what == NEAR_MISS else chirp(rng, up=what == KEYWORD, seconds=SECONDS)


@attrs.frozen(eq=False)
class Planted:
    """The sounds of a stream in their order: what each is and when it starts, in seconds."""

    what: tuple[str, ...]

    def starts(self, what: str) -> np.ndarray:
        """Return the starts of all sounds of a kind."""
        return np.array([LEAD + SLOT * slot for slot, found in enumerate(self.what) if found == what])


def write_sounds(
    path: Path, rng: np.random.Generator, what: Sequence[str], *, lead: float = LEAD, slot: float = SLOT
) -> None:
    """Write a recording of sounds in a row, over some noise."""
    samples = 0.01 * rng.standard_normal(int((2 * lead + slot * len(what)) * RATE)).astype(np.float32)
    for number, name in enumerate(what):
        first = int((lead + slot * number) * RATE)
        one = sound(rng, name)
        samples[first : first + len(one)] += one
    soundfile.write(path, samples, RATE, subtype="PCM_16")


def write_mining_corpus(
    folder: Path, *, streams: dict[str, dict[str, int]], clips: int = 40, unlabelled: Sequence[str] = ("train",)
) -> dict[str, Planted]:
    """Write a manifest with splits, clips of both kinds and a stream a split; return what the streams hold.

    The keywords of streams of the splits in `unlabelled` are no events.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    planted = {}
    for split in ("train", "dev", "test"):
        for label in (KEYWORD, OTHER):
            for number in range(clips if split == "train" else clips // 2):
                name = f"{split}_{label}_{number}.wav"
                write_sounds(folder / name, rng, [label], lead=0.3, slot=1.0)
                rows.append(_row("clip", name, 1.6, split) | {"label": label, "word": [0.3, 0.3 + SECONDS]})
        if split in streams:
            what = [name for name, count in streams[split].items() for _ in range(count)]
            rng.shuffle(what)
            write_sounds(folder / f"{split}.wav", rng, what)
            planted[split] = Planted(tuple(what))
            starts = planted[split].starts(KEYWORD) if split not in unlabelled else []
            events = [{"start": start, "end": start + SECONDS, "label": KEYWORD} for start in starts]
            duration = soundfile.info(folder / f"{split}.wav").duration
            rows.append(_row("stream", f"{split}.wav", duration, split) | {"events": events})
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return planted


def _row(kind: str, name: str, duration: float, split: str) -> dict[str, Any]:
    return {"kind": kind, "audio_filepath": name, "duration": duration, "split": split}
