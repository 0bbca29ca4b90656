"""Prepared audio as later stages see it: one split at a time, never loaded whole.

Clips are memory-mapped, for random access. Streams are read from the file piece by piece, because the pages of a
mapping stay in memory once they were touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import attrs
import numpy as np
import torch
from torch import Tensor

from wakekit.batch import AudioTable
from wakekit.data import Clip, ImpulseResponse, Stream
from wakekit.manifest import read_manifest


@attrs.frozen(eq=False)
class Placed:
    """Rows of one kind and where their samples lie: `starts` and `lengths` int64 [n] in the flat audio."""

    rows: tuple[Any, ...]
    starts: Tensor
    lengths: Tensor

    def table(self, audio: Tensor, sample_rate: int) -> AudioTable:
        """Return the rows as an audio table."""
        return AudioTable(audio, self.starts, self.lengths, sample_rate)

    def only(self, chosen: list[int]) -> Placed:
        """Return the rows at the given positions."""
        index = torch.tensor(chosen, dtype=torch.int64)
        return Placed(tuple(self.rows[row] for row in chosen), self.starts[index], self.lengths[index])


class Samples(Protocol):
    """Int16 samples of any number, of which slices are taken: a tensor, or `FileSamples`."""

    def __len__(self) -> int:
        """Return the number of samples."""
        ...

    def __getitem__(self, part: slice, /) -> Tensor:
        """Return the samples of a slice of step 1."""
        ...


@attrs.frozen(eq=False)
class FileSamples:
    """The int16 samples of a file from `start` on, read when a slice is taken and not kept."""

    path: Path
    start: int
    length: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, part: slice, /) -> Tensor:
        first, end, _ = part.indices(self.length)
        count = max(0, end - first)
        return torch.from_numpy(np.fromfile(self.path, np.int16, count, offset=2 * (self.start + first)))


@attrs.frozen(eq=False)
class SplitAudio:
    """One split of a corpus: its clips, streams and impulse responses over one flat int16 tensor.

    `path` is the file that `audio` maps, None where there is none.
    """

    name: str
    keyword: str
    sample_rate: int
    audio: Tensor
    clips: Placed
    streams: Placed
    impulse_responses: Placed
    path: Path | None = None

    def background(self) -> AudioTable:
        """Return the background clips, the source of noise."""
        rows = [row for row, clip in enumerate(self.clips.rows) if clip.pool == "background"]
        return self.clips.only(rows).table(self.audio, self.sample_rate)

    def rooms(self) -> AudioTable:
        """Return the impulse responses."""
        return self.impulse_responses.table(self.audio, self.sample_rate)

    def samples(self, start: int, length: int) -> Tensor:
        """Return int16 samples of the flat audio."""
        return self.audio[start : start + length]

    def stream_samples(self) -> list[Samples]:
        """Return the samples of each stream."""
        return [
            self.long(*span) for span in zip(self.streams.starts.tolist(), self.streams.lengths.tolist(), strict=True)
        ]

    def long(self, start: int, length: int) -> Samples:
        """Return samples of the flat audio that may be hours, to be taken slice by slice in bounded memory."""
        return self.samples(start, length) if self.path is None else FileSamples(self.path, start, length)


@attrs.frozen
class Prepared:
    """What the prepare stage left: the corpus's folder (samples and spans) and the manifest with splits."""

    corpus: Path
    manifest: Path
    sample_rate: int

    def open(self, split: str) -> SplitAudio:
        """Open one split; rows of other splits are not reachable through the result."""
        whole = read_manifest(self.manifest)
        spans = torch.from_numpy(np.load(self.corpus / "spans.npy"))
        rows = whole.rows()

        def placed(kind: type) -> Placed:
            chosen = [index for index, row in enumerate(rows) if isinstance(row, kind) and row.split == split]
            return Placed(tuple(rows[index] for index in chosen), spans[chosen, 0], spans[chosen, 1])

        return SplitAudio(
            name=split,
            keyword=whole.keyword,
            sample_rate=self.sample_rate,
            audio=map_audio(self.corpus / "audio.i16"),
            clips=placed(Clip),
            streams=placed(Stream),
            impulse_responses=placed(ImpulseResponse),
            path=self.corpus / "audio.i16",
        )


def composed_split(folder: Path, split: SplitAudio) -> SplitAudio:
    """Return the streams that were composed of a split's clips, as `split` with these for streams and no clips."""
    rows, path = read_manifest(folder / "streams.jsonl").streams, folder / "audio.i16"
    lengths = torch.tensor([round(stream.duration * split.sample_rate) for stream in rows], dtype=torch.int64)
    streams = Placed(rows, torch.cumsum(lengths, 0) - lengths, lengths)
    return attrs.evolve(split, audio=map_audio(path), path=path, streams=streams, clips=split.clips.only([]))


def map_audio(path: Path) -> Tensor:
    """Return an int16 file as a tensor that the system pages in as it is read."""
    size = path.stat().st_size // 2
    if size == 0:
        return torch.zeros(0, dtype=torch.int16)
    return torch.from_file(str(path), shared=False, size=size, dtype=torch.int16)


def resident(split: SplitAudio, device: torch.device) -> SplitAudio:
    """Return the split with its clips and impulse responses on the GPU where they take less than half of what is free.

    Streams stay behind. On a CPU, or where there is no room, the split is returned as it is.
    """
    if device.type != "cuda":
        return split
    parts = (split.clips, split.impulse_responses)
    lengths = torch.cat([part.lengths for part in parts])
    if 2 * int(lengths.sum()) > torch.cuda.mem_get_info(device)[0] // 2 or not len(lengths):
        return split
    starts = torch.cat([part.starts for part in parts]).tolist()
    pieces = [split.samples(start, length) for start, length in zip(starts, lengths.tolist(), strict=True)]
    moved = torch.cumsum(lengths, 0) - lengths
    n_clips = len(split.clips.rows)
    return attrs.evolve(
        split,
        audio=torch.cat(pieces).to(device),
        clips=attrs.evolve(split.clips, starts=moved[:n_clips]),
        impulse_responses=attrs.evolve(split.impulse_responses, starts=moved[n_clips:]),
        streams=split.streams.only([]),
        path=None,
    )
