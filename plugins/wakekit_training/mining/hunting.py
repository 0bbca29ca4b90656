"""Score all that may be mined and keep the peaks, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from torch import Tensor

from wakekit import Stream
from wakekit.streams import score_clip_windows, score_stream
from wakekit_training.mining.choosing import BoolArray, FloatArray, IntArray, peaks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit import Network
    from wakekit.prepared import SplitAudio
    from wakekit_training.mining.ground import Ground


class Raw:
    """The scorer of mining: what the network itself says."""

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return the log-odds of every window."""
        return network.score_windows(audio, hop)


@attrs.frozen(eq=False)
class Candidates:
    """Windows [n] that score high for what they are: the recording, the first sample in it, and the log-odds."""

    recording: IntArray
    start: IntArray
    score: FloatArray

    def at(self, chosen: IntArray) -> Candidates:
        """Return the chosen ones, in the order given."""
        return Candidates(self.recording[chosen], self.start[chosen], self.score[chosen])

    def ranked(self) -> Candidates:
        """Return them from the highest score down; among equals the first comes first."""
        return self.at(np.lexsort((self.start, self.recording, -self.score)))


@attrs.frozen(kw_only=True)
class Grid:
    """How recordings are searched, in samples.

    Windows are scored every `hop`; those found are at least `apart` and begin up to `jitter` earlier or later in
    training, and even then none comes nearer than `margin` to a keyword. `least` is the lowest log-odds of interest.
    """

    window: int
    hop: int
    jitter: int
    margin: int
    apart: int
    least: float


def hunt(network: Network, split: SplitAudio, ground: Ground, grid: Grid) -> Candidates:
    """Return the peaks of the scores of all recordings, save where a stream's keyword is in the window."""
    parts = [*_in_streams(network, split, ground, grid), *_in_clips(network, split, ground, grid)]
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return Candidates(nothing, nothing, np.zeros(0))
    return Candidates(
        np.concatenate([part.recording for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.score for part in parts]),
    ).ranked()


def keyword_scores(network: Network, split: SplitAudio, grid: Grid) -> FloatArray:
    """Return the log-odds [n] of the keyword clips: the highest of each one's windows."""
    rows = torch.tensor([index for index, clip in enumerate(split.clips.rows) if clip.pool == "positive"])
    found = score_clip_windows(network, Raw(), split, rows.long(), window=grid.window, hop=grid.hop)
    return np.concatenate([np.zeros(0), *(scores.max(axis=1) for _, scores in found)])


def free_of_keyword(stream: Stream, keyword: str, count: int, grid: Grid, rate: int) -> BoolArray:
    """Return bool [count]: which windows of a stream stay clear of every keyword, wherever training crops them."""
    free, guard = np.ones(count, dtype=np.bool_), grid.margin + grid.jitter
    for event in stream.events:
        if event.label == keyword:
            begin, end = event.start * rate - guard, event.end * rate + guard
            first = int(np.floor((begin - grid.window) / grid.hop)) + 1
            free[max(0, first) : max(0, int(np.ceil(end / grid.hop)))] = False
    return free


def _in_streams(network: Network, split: SplitAudio, ground: Ground, grid: Grid) -> Iterator[Candidates]:
    for index, stream in enumerate(ground.rows[: ground.streams]):
        samples = ground.samples(split, index)
        scores = score_stream(network, Raw(), samples, window=grid.window, hop=grid.hop)
        if isinstance(stream, Stream):
            scores[~free_of_keyword(stream, split.keyword, len(scores), grid, split.sample_rate)] = -np.inf
        rows, columns = _peaks(scores[None], grid)
        yield Candidates(rows + index, columns * grid.hop, scores[columns])


def _in_clips(network: Network, split: SplitAudio, ground: Ground, grid: Grid) -> Iterator[Candidates]:
    home = np.zeros(len(split.clips.rows), dtype=np.int64)
    home[ground.clips.numpy()] = np.arange(ground.streams, len(ground.rows))
    sizes = {"window": grid.window, "hop": grid.hop}
    for clips, scores in score_clip_windows(network, Raw(), split, ground.clips, **sizes):
        rows, columns = _peaks(scores, grid)
        starts = (columns + 1) * grid.hop - grid.window
        yield Candidates(home[clips.numpy()[rows]], starts, scores[rows, columns])


def _peaks(scores: FloatArray, grid: Grid) -> tuple[IntArray, IntArray]:
    return peaks(scores, apart=max(1, -(-grid.apart // grid.hop)), least=grid.least)
