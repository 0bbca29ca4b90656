"""Where mining may look: streams and clips of the train split, each audio once, and what to call a place in them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from torch import Tensor

from wakekit import Clip, Stream
from wakekit_training.mining.choosing import STRETCH, BoolArray, IntArray

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from wakekit.prepared import Samples, SplitAudio

_DIGITS = 12


@attrs.frozen(eq=False, kw_only=True)
class Ground:
    """The recordings to mine, streams before clips: `rows` [r] of the manifest and what belongs to each, int64 [r].

    `low` and `length` say where its samples are in the split's audio, `place` where its first sample is on the line of
    places, `source` which recordings share a quota. `disputed` [r] marks audio that is labelled as the keyword too.
    `clips` [c] are the positions of the last c rows among the split's clips.
    """

    rows: tuple[Clip | Stream, ...]
    names: tuple[str, ...]
    low: IntArray
    length: IntArray
    place: IntArray
    source: IntArray
    disputed: BoolArray
    clips: Tensor

    @property
    def streams(self) -> int:
        """Number of streams."""
        return len(self.rows) - len(self.clips)

    def name(self, recording: int, end: int, rate: int) -> str:
        """Return what identifies a window: the recording's content and the window's end in it, in milliseconds."""
        return f"{self.names[recording]}-{round(end * 1000 / rate):08d}"

    def places(self, names: Iterable[str], window: int, rate: int) -> IntArray:
        """Return the places of windows from what `name` gave; those of other audio are left out."""
        home = {name: index for index, name in enumerate(self.names)}
        found = []
        for content, _, end in (name.rpartition("-") for name in names):
            if content in home and end.isdigit():
                found.append(int(self.place[home[content]]) + round(int(end) * rate / 1000) - window)
        return np.array(found, dtype=np.int64)

    def samples(self, split: SplitAudio, recording: int) -> Samples:
        """Return the samples of a recording."""
        return split.long(int(self.low[recording]), int(self.length[recording]))


def survey(split: SplitAudio, pools: Sequence[str]) -> Ground:
    """Return what there is to mine: every stream, and every clip of the given pools; identical audio only once."""
    clips = [index for index, clip in enumerate(split.clips.rows) if clip.pool in pools]
    spoken = {clip.sha256 for clip in split.clips.rows if clip.pool == "positive"} - {""}
    streams = _once(split.streams.rows, range(len(split.streams.rows)))
    clips = _once(split.clips.rows, clips)
    rows = (*(split.streams.rows[index] for index in streams), *(split.clips.rows[index] for index in clips))
    rate = split.sample_rate
    files = _numbered(row.audio.as_posix() for row in rows)
    return Ground(
        rows=rows,
        names=tuple(_content(row) for row in rows),
        low=torch.cat([split.streams.starts[streams], split.clips.starts[clips]]).numpy(),
        length=torch.cat([split.streams.lengths[streams], split.clips.lengths[clips]]).numpy(),
        place=files * STRETCH + np.array([round(_offset(row) * rate) for row in rows], dtype=np.int64),
        source=_numbered(row.source or f"{row.audio.as_posix()} {_offset(row)}" for row in rows),
        disputed=np.array([row.sha256 in spoken for row in rows], dtype=np.bool_),
        clips=torch.tensor(clips, dtype=torch.int64),
    )


def described(row: Clip | Stream, *, start: int, length: int, window: int, rate: int) -> dict[str, Any]:
    """Return where a window lies in its recording: the file and the seconds in it, without what is beyond its ends."""
    first, last = max(0, start), min(length, start + window)
    return {
        "source": row.audio.as_posix(),
        "seconds": round(_offset(row) + first / rate, 4),
        "duration": round((last - first) / rate, 4),
        "kind": "stream" if isinstance(row, Stream) else "clip",
        "speaker": row.speaker if isinstance(row, Clip) else None,
    }


def _once(rows: Sequence[Clip | Stream], chosen: Iterable[int]) -> list[int]:
    """Return the positions without those whose audio came before; an empty hash says nothing of the audio."""
    first: dict[Hashable, int] = {}
    for index in chosen:
        first.setdefault(rows[index].sha256 or index, index)
    return list(first.values())


def _numbered(names: Iterable[str]) -> IntArray:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _offset(row: Clip | Stream) -> float:
    return row.offset if isinstance(row, Clip) else 0.0


def _content(row: Clip | Stream) -> str:
    digest = row.sha256 or hashlib.sha256(f"{row.audio.name} {_offset(row)}".encode()).hexdigest()
    return digest[:_DIGITS]
