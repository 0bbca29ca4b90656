"""Streams composed from a split's own clips, for corpora that have too few real ones.

Every clip is used once at most, so that composed hours are never more than the audio behind them. All gaps together are
the stated share of the stream; background at a drawn SNR lies under clips and gaps, where the split has any.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit.data import Clip, Event, Stream

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.prepared import SplitAudio
    from wakekit.settings import Compose

_STREAM_SECONDS = 600.0
_LEAD_SECONDS = 3.0
_ENOUGH_MINUTES = 0.05
Samples = npt.NDArray[np.float32]


@attrs.frozen
class Composed:
    """Composed streams and the sentence to say about them; nothing was needed where `note` is empty."""

    streams: tuple[Stream, ...]
    note: str


def compose(folder: Path, split: SplitAudio, options: Compose) -> Composed:
    """Write `audio.i16` for the streams that the split lacks, and return them in the order of their samples.

    A split without the keyword in any real stream gets all its keyword clips, among other clips; one with less audio
    without the keyword than `minutes` gets other clips until it has enough.
    """
    rng = np.random.default_rng([options.seed, zlib.crc32(split.name.encode())])
    items = _chosen(split, options, rng)
    path = folder / "audio.i16"
    path.touch()
    if not items:
        return Composed((), "")
    streams = []
    with path.open("wb") as file:
        for index, group in enumerate(_groups(items, split)):
            stream, samples = _render(split, group, folder / f"composed-{split.name}-{index}", options, rng)
            file.write(samples.tobytes())
            streams.append(stream)
    found = sum(_minutes_without(stream, split.keyword) for stream in streams)
    wanted = options.minutes - _real_minutes(split) - found
    short = f"; {wanted:.1f} min short of compose.minutes, no clips left" if wanted > _ENOUGH_MINUTES else ""
    events = sum(len(stream.events) for stream in streams)
    note = f"{split.name}: composed {found:.1f} min of stream, beside {events} keywords, from its own clips{short}"
    return Composed(tuple(streams), note)


def _real_minutes(split: SplitAudio) -> float:
    return sum(_minutes_without(stream, split.keyword) for stream in split.streams.rows)


def _minutes_without(stream: Stream, keyword: str) -> float:
    """Return the minutes of a stream without the keyword."""
    spoken = sum(event.end - event.start for event in stream.events if event.label == keyword)
    return (stream.duration - spoken) / 60


def _chosen(split: SplitAudio, options: Compose, rng: np.random.Generator) -> list[int]:
    """Return the rows of the clips to lay out, shuffled."""
    heard = any(event.label == split.keyword for stream in split.streams.rows for event in stream.events)
    positives = [row for row, clip in enumerate(split.clips.rows) if clip.pool == "positive"]
    others = [row for row, clip in enumerate(split.clips.rows) if clip.pool in ("negative", "hard")]
    rng.shuffle(others)
    chosen = [] if heard else list(positives)
    stretch = 60 * split.sample_rate * (1 - options.silence)
    missing = (options.minutes - _real_minutes(split)) * stretch
    # A keyword is never heard alone: at least as many other clips go around them.
    least = len(chosen)
    for count, row in enumerate(others):
        if missing <= 0 and count >= least:
            break
        chosen.append(row)
        missing -= float(split.clips.lengths[row])
    return [int(row) for row in rng.permutation(chosen)] if chosen else []


def _groups(items: list[int], split: SplitAudio) -> list[list[int]]:
    """Cut the list into streams of about ten minutes, so that none outgrows memory."""
    limit = _STREAM_SECONDS * split.sample_rate
    groups: list[list[int]] = [[]]
    filled = 0.0
    for row in items:
        if filled > limit:
            groups.append([])
            filled = 0.0
        groups[-1].append(row)
        filled += float(split.clips.lengths[row])
    return groups


def _render(
    split: SplitAudio, rows: list[int], name: Path, options: Compose, rng: np.random.Generator
) -> tuple[Stream, npt.NDArray[np.int16]]:
    rate = split.sample_rate
    lengths = split.clips.lengths[rows].numpy()
    gaps = rng.random(len(rows))
    # The lead before the first clip and the second after the last are part of the silence that was asked for.
    budget = lengths.sum() * options.silence / (1 - options.silence) - (_LEAD_SECONDS + 1) * rate
    gaps *= max(0.0, budget) / gaps.sum()
    starts = np.cumsum(gaps + np.concatenate([[_LEAD_SECONDS * rate], lengths[:-1]])).astype(np.int64)
    mix = np.zeros(int(starts[-1] + lengths[-1]) + rate, dtype=np.float32)
    for row, start, length in zip(rows, starts, lengths, strict=True):
        mix[start : start + length] += _float(split, int(split.clips.starts[row]), int(length))
    _add_background(split, mix, options, rng)
    events = tuple(
        _event(split.clips.rows[row], start / rate, split.keyword)
        for row, start in zip(rows, starts, strict=True)
        if split.clips.rows[row].pool == "positive"
    )
    samples = np.clip(np.rint(mix * 32768), -32768, 32767).astype(np.int16)
    stream = Stream(
        audio=name,
        duration=len(mix) / rate,
        split=split.name,
        events=events,
        composed=f"from {len(rows)} clips of {split.name}",
        silence=float(1 - lengths.sum() / len(mix)),
        sha256=hashlib.sha256(samples.tobytes()).hexdigest(),
    )
    return stream, samples


def _event(clip: Clip, start: float, keyword: str) -> Event:
    first, last = clip.word or (0.0, clip.duration)
    return Event(start=start + first, end=start + last, label=keyword, speaker=clip.speaker)


def _float(split: SplitAudio, start: int, length: int) -> Samples:
    taken: Samples = split.samples(start, length).numpy().astype(np.float32) / np.float32(32768)
    return taken


def _add_background(split: SplitAudio, mix: Samples, options: Compose, rng: np.random.Generator) -> None:
    """Lay background recordings end to end under the mix, each at its own SNR against the mix's mean power."""
    table = split.background()
    if not len(table):
        return
    level = float(np.mean(np.square(mix[mix != 0]))) if mix.any() else 1e-4
    position = 0
    while position < len(mix):
        row = int(rng.integers(len(table)))
        taken = _float(split, int(table.starts[row]), int(table.lengths[row]))[: len(mix) - position]
        power = float(np.mean(np.square(taken)))
        snr = rng.uniform(*options.snr_db)
        if power > 0:
            mix[position : position + len(taken)] += taken * np.sqrt(level / power / 10 ** (snr / 10))
        position += len(taken)
