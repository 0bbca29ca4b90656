"""The condition stage: a copy of the test split's recordings, changed by augmentations.

Where an augmentation makes a recording longer or shorter, the times of the words in it move with the sound.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch

from wakekit.artifacts import write_text
from wakekit.condition_changes import Changer
from wakekit.data import Clip, Stream
from wakekit.prepared import Placed, SplitAudio, composed_split, map_audio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from wakekit.batch import Recorded
    from wakekit.prepared import Prepared, Samples
    from wakekit.progress import Progress
    from wakekit.settings import Condition

    Row = Clip | Stream

_SPLIT = "test"
_AUDIO, _SPANS = "audio.i16", "spans.json"


def check_conditions(conditions: Mapping[str, Condition], prepared: Prepared) -> None:
    """Raise WakekitError where the test split lacks what a condition draws from: no training need go before that.

    It reads which recordings the split has, and none of them.
    """
    data = prepared.open(_SPLIT)
    for name, condition in conditions.items():
        Changer(data, name, condition)


def make_condition(
    folder: Path, condition: Condition, prepared: Prepared, composed: Path, *, name: str, progress: Progress
) -> None:
    """Change every clip and stream of the test split, composed streams last; leaves `audio.i16` and `spans.json`.

    Noise and rooms come from the test split. What is drawn for a row depends on the seed and the row's content, not on
    the other rows. Raises WakekitError where the split lacks what an augmentation needs.
    """
    data = prepared.open(_SPLIT)
    changer = Changer(data, name, condition)
    parts = (data, composed_split(composed, data))
    written: list[_Written] = []
    total = sum(len(part.clips.rows) + len(part.streams.rows) for part in parts)
    task = progress.task(f"changing {_SPLIT} for condition {name}", total)
    with _one_thread(), (folder / _AUDIO).open("wb") as file, task as advance:
        for row, samples in _recordings(parts):
            written.append(_write(file, changer.changed(row, samples), samples))
            advance()
    spans = {"lengths": [one.samples for one in written], "time_scales": [one.time_scale for one in written]}
    write_text(folder / _SPANS, json.dumps(spans))
    changed, clipped = sum(one.differs for one in written), sum(one.clipped for one in written)
    progress.note(f"condition {name}: {changed} of {total} recordings changed, {clipped} samples clipped")


@attrs.frozen
class _Written:
    """What became of a recording: its samples, how many of them were clipped, and whether any differs."""

    samples: int
    clipped: int
    differs: bool
    time_scale: float


def _write(file: BinaryIO, made: Recorded, before: Samples) -> _Written:
    samples, clipped, same = 0, 0, True
    for block in made.blocks:
        whole = np.rint(block * 32768)
        written = np.clip(whole, -32768, 32767).astype(np.int16)
        file.write(written.tobytes())
        clipped += int((written != whole).sum())
        same = same and np.array_equal(written, before[samples : samples + len(block)].numpy())
        samples += len(block)
    return _Written(samples, clipped, not same or samples != len(before), made.time_scale)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run small operations on one thread, so that no bit depends on how many the process has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def changed_split(changed: Path, split: SplitAudio, composed: Path) -> SplitAudio:
    """Return what `make_condition` left in `changed` as a split: the rows of `split`, then its composed streams.

    Durations and the times of words are those of the changed recordings.
    """
    spans = json.loads((changed / _SPANS).read_text(encoding="utf-8"))
    rows = [*split.clips.rows, *split.streams.rows, *composed_split(composed, split).streams.rows]
    moved = [_retimed(row, scale) for row, scale in zip(rows, spans["time_scales"], strict=True)]
    lengths = torch.tensor(spans["lengths"], dtype=torch.int64)
    starts, clips = torch.cumsum(lengths, 0) - lengths, len(split.clips.rows)
    return attrs.evolve(
        split,
        audio=map_audio(changed / _AUDIO),
        path=changed / _AUDIO,
        clips=Placed(tuple(moved[:clips]), starts[:clips], lengths[:clips]),
        streams=Placed(tuple(moved[clips:]), starts[clips:], lengths[clips:]),
        impulse_responses=split.impulse_responses.only([]),
    )


def _retimed(row: Row, scale: float) -> Row:
    """Return a row with its duration and the times of its words scaled."""
    if scale == 1:
        return row
    if isinstance(row, Clip):
        word = None if row.word is None else (row.word[0] * scale, row.word[1] * scale)
        return attrs.evolve(row, duration=row.duration * scale, word=word)
    events = tuple(attrs.evolve(event, start=event.start * scale, end=event.end * scale) for event in row.events)
    return attrs.evolve(row, duration=row.duration * scale, events=events)


def _recordings(parts: tuple[SplitAudio, ...]) -> Iterator[tuple[Row, Samples]]:
    for part in parts:
        for place in (part.clips, part.streams):
            for row, start, length in zip(place.rows, place.starts.tolist(), place.lengths.tolist(), strict=True):
                yield row, part.long(start, length)
