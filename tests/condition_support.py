"""A small test split of noise and tones with a composed stream, and what a condition makes of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit.building import build_component
from wakekit.condition_stage import changed_split, make_condition
from wakekit.data import Clip, ImpulseResponse, Manifest, Stream
from wakekit.manifest import write_manifest
from wakekit.prepared import Prepared, SplitAudio
from wakekit.progress import Silence
from wakekit.settings import Condition

if TYPE_CHECKING:
    from wakekit.registry import Registry

RATE = 1000
Samples = np.ndarray[Any, np.dtype[np.int16]]


def sound(seed: int, seconds: float, rate: int = RATE) -> Samples:
    """Return noise that is the same whenever the seed is."""
    return (1000 * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.int16)


def tone(hertz: float, seconds: float) -> Samples:
    """Return a sine."""
    return (3000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.int16)


def clip(name: str, samples: Samples, pool: str = "negative", split: str = "test") -> tuple[Clip, Samples]:
    """Return a row and its samples."""
    content = hashlib.sha256(samples.tobytes()).hexdigest()
    facts: dict[str, Any] = {"label": "chirp" if pool == "positive" else "x", "pool": pool, "split": split}
    return Clip(audio=name, duration=len(samples) / RATE, sha256=content, **facts), samples


CLIPS = [
    clip("a", sound(1, 0.8), "positive"),
    clip("b", sound(2, 1.3)),
    clip("c", sound(3, 12.0)),
    clip("hum", tone(300, 4.0), "background"),
    clip("other", tone(100, 4.0), "background", "train"),
]
STREAMS = [(Stream(audio="s", duration=57.3, split="test", sha256="5"), sound(4, 57.3))]
COMPOSED = [(Stream(audio="composed-test-0", duration=21.0, split="test", composed="of 2"), sound(5, 21.0))]


@attrs.frozen
class Laid:
    """A prepared corpus and the folder of its composed streams."""

    prepared: Prepared
    composed: Path

    def split(self) -> SplitAudio:
        """Return the test split."""
        return self.prepared.open("test")


def lay(folder: Path, rows: list[tuple[Any, Samples]], rate: int = RATE) -> Laid:
    """Write rows (clips, streams, then impulse responses) as the prepare stage would, and one composed stream."""
    folder.mkdir()
    of = {kind: tuple(row for row, _ in rows if isinstance(row, kind)) for kind in (Clip, Stream, ImpulseResponse)}
    manifest = Manifest(keyword="chirp", clips=of[Clip], streams=of[Stream], impulse_responses=of[ImpulseResponse])
    write_manifest(folder / "manifest.jsonl", manifest)
    lengths = [len(samples) for _, samples in rows]
    np.save(folder / "spans.npy", np.stack([np.cumsum([0, *lengths[:-1]]), lengths], axis=1))
    np.concatenate([samples for _, samples in rows]).tofile(folder / "audio.i16")
    composed = folder / "composed"
    composed.mkdir()
    (stream, samples), = COMPOSED  # fmt: skip
    stream = attrs.evolve(stream, duration=len(samples) / rate)
    write_manifest(composed / "streams.jsonl", Manifest(keyword="chirp", clips=(), streams=(stream,)))
    samples.tofile(composed / "audio.i16")
    return Laid(Prepared(folder, folder / "manifest.jsonl", rate), composed)


def made(registry: Registry, *, seed: int = 0, **tables: dict[str, Any]) -> Condition:
    """Return a condition of the given augmentations."""
    values = {name: build_component(registry, "augmentation", table).value for name, table in tables.items()}
    return Condition(augmentations=values, seed=seed)


def changed(laid: Laid, condition: Condition, folder: Path) -> dict[str, Samples]:
    """Make a condition and return its recordings by name."""
    folder.mkdir()
    make_condition(folder, condition, laid.prepared, laid.composed, name="cafe", progress=Silence())
    split = changed_split(folder, laid.split(), laid.composed)
    spans = zip(split.clips.starts.tolist(), split.clips.lengths.tolist(), strict=True)
    samples = [*(split.samples(*span) for span in spans), *split.stream_samples()]
    rows = [*split.clips.rows, *split.streams.rows]
    return {row.audio.name: one[0 : len(one)].numpy() for row, one in zip(rows, samples, strict=True)}


def originals() -> dict[str, Samples]:
    """Return the recordings of the test split by name."""
    rows = [*CLIPS, *STREAMS, *COMPOSED]
    return {str(row.audio): samples for row, samples in rows if row.split == "test"}


NOISE = {"type": "noise", "snr_db": [5, 5], "probability": 1}


def power(samples: Samples) -> float:
    """Return the mean power."""
    return float(np.mean(np.square(samples.astype(float))))
