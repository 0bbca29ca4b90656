"""Score long audio in bounded memory: a stream comes in pieces, and no score depends on where it was cut.

A score's time is the end of its window. The first score of a stream comes when the first window is full, so that an
empty buffer is never scored. What network and scorer must hear before a window, their context, is silence before the
start.
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from wakekit.answers import as_tensor
from wakekit.batch import gather
from wakekit.data import ClipScores, StreamScores, keyword_labels
from wakekit.errors import who

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wakekit.data import FloatArray
    from wakekit.kinds import Scorer
    from wakekit.network import Network
    from wakekit.prepared import Samples, SplitAudio
    from wakekit.progress import Progress

_BATCH_WINDOWS = {"cpu": 512, "cuda": 4096}
_BATCH_SAMPLES = 2_000_000
_CHUNK_SAMPLES = 1 << 20


class StreamScorer:
    """Scores a stream that comes in pieces of any length; `window` and `hop` are in samples.

    Windows are scored in batches of a fixed size, counted from the stream's start. Whatever the pieces, a window goes
    through the same arithmetic, in the same company: its score is the same to the bit, and so are the events.
    """

    def __init__(self, network: Network, scorer: Scorer, *, window: int, hop: int) -> None:
        self._network, self._scorer = network, scorer
        self._window, self._hop = window, hop
        self._device = next(network.parameters()).device
        self._step = hop * _BATCH_WINDOWS.get(self._device.type, 512)
        self._context = context_of(network, scorer)
        self._held: list[Tensor] = [torch.zeros(self._context, dtype=torch.int16)]
        self._samples = self._context

    def feed(self, samples: Tensor) -> FloatArray:
        """Take the next samples, int16 [n]; return the log-odds of the windows in the batches that they complete."""
        self._held.append(samples)
        self._samples += len(samples)
        full = self._context + self._step + max(0, self._window - self._hop)
        if self._samples < full:
            return np.empty(0, dtype=np.float64)
        audio, scores = torch.cat(self._held), []
        while len(audio) >= full:
            scores.append(self._score(audio[:full]))
            audio = audio[self._step :]
        self._held, self._samples = [audio], len(audio)
        return np.concatenate(scores)

    def finish(self) -> FloatArray:
        """Return the log-odds of the windows left when the stream ends."""
        if self._samples < self._context + self._window:
            return np.empty(0, dtype=np.float64)
        return self._score(torch.cat(self._held))

    def _score(self, audio: Tensor) -> FloatArray:
        count = 1 + (len(audio) - self._context - self._window) // self._hop
        piece = audio[: self._context + (count - 1) * self._hop + self._window].to(self._device)
        with torch.inference_mode():
            floats = piece.to(torch.float32).div_(32768).unsqueeze(0)
            found = scored(self._network, self._scorer, floats, self._hop)
            scores: FloatArray = found[0, :count].double().cpu().numpy()
        return scores


def context_of(network: Network, scorer: Scorer) -> int:
    """Return the samples that must come before a window: the scorer's context, then the network's."""
    fixed = round(getattr(scorer, "context_seconds", 0.0) * network.sample_rate)
    longer = getattr(scorer, "context_windows", 0.0) * (network.context + network.window)
    return network.context + fixed + math.ceil(longer - 1e-6)


def scored(network: Network, scorer: Scorer, audio: Tensor, hop: int) -> Tensor:
    """Return the log-odds [B, n] of audio [B, context + S]; raises PluginError where the scorer gives anything else."""
    count = 1 + (audio.shape[1] - context_of(network, scorer) - network.window) // hop
    answer = scorer.score(network, audio, hop)
    return as_tensor(answer, (len(audio), count), who("scorer", scorer), finite=True)


def score_stream(
    network: Network, scorer: Scorer, audio: Samples, *, window: int, hop: int, chunk: int = _CHUNK_SAMPLES
) -> FloatArray:
    """Return the log-odds of every window of int16 `audio` [N], one each `hop` samples.

    `window` and `hop` are in samples; `chunk` samples are held at once beside the batch that they go to.
    """
    stream = StreamScorer(network, scorer, window=window, hop=hop)
    return _fed(stream, (audio[first : first + chunk] for first in range(0, len(audio), chunk)))


def _fed(stream: StreamScorer, pieces: Iterable[Tensor]) -> FloatArray:
    found = [stream.feed(piece) for piece in pieces]
    return np.concatenate([*found, stream.finish()])


def score_streams(
    network: Network, scorer: Scorer, split: SplitAudio, *, window: int, hop: int, progress: Progress
) -> list[StreamScores]:
    """Score every stream of a split, one after the other."""
    rate, scored = split.sample_rate, []
    with progress.task(f"scoring {split.name} streams", len(split.streams.rows)) as advance:
        for stream, samples in zip(split.streams.rows, split.stream_samples(), strict=True):
            scores = score_stream(network, scorer, samples, window=window, hop=hop)
            scored.append(StreamScores(stream, scores, window / rate, hop / rate))
            advance()
    return scored


def score_clips(
    network: Network, scorer: Scorer, split: SplitAudio, *, window: int, hop: int, progress: Progress
) -> ClipScores:
    """Score every clip as if it came after silence: the highest score of its windows, one each `hop` samples."""
    rows = torch.arange(len(split.clips.rows))
    scores = np.empty(len(rows), dtype=np.float64)
    with progress.task(f"scoring {split.name} clips", len(rows)) as advance:
        for some, found in score_clip_windows(network, scorer, split, rows, window=window, hop=hop):
            scores[some.numpy()] = found.max(axis=1)
            advance(len(some))
    return ClipScores(split.clips.rows, scores, keyword_labels(split.clips.rows))


def score_clip_windows(
    network: Network, scorer: Scorer, split: SplitAudio, rows: Tensor, *, window: int, hop: int
) -> Iterator[tuple[Tensor, FloatArray]]:
    """Yield clips of like length together: some of the `rows` int64 [b], and the log-odds [b, n] of their windows.

    Each clip is scored as if it came after silence. Its window k ends k + 1 hops after its start, and the last one at
    its end or less than a hop later; where a clip has fewer than n windows, the rest is -inf.
    """
    for some in _batches(split.clips.lengths[rows], window):
        chosen = rows[some]
        if len(chosen) == 1 and int(split.clips.lengths[chosen]) > _BATCH_SAMPLES:
            yield chosen, _long_clip(network, scorer, split, int(chosen), window=window, hop=hop)[None]
        else:
            yield chosen, _short_clips(network, scorer, split, chosen, window=window, hop=hop)


@torch.inference_mode()
def _short_clips(
    network: Network, scorer: Scorer, split: SplitAudio, rows: Tensor, *, window: int, hop: int
) -> FloatArray:
    """Score the windows of clips [b] in one batch."""
    low, lengths = split.clips.starts[rows], split.clips.lengths[rows]
    device, before = next(network.parameters()).device, context_of(network, scorer) + window - hop
    padded = _scored_length(int(lengths.max()), hop) + before
    found = scored(network, scorer, gather(split.audio, low - before, low, low + lengths, padded).to(device), hop)
    counts = torch.div(lengths + hop - 1, hop, rounding_mode="floor").to(device)
    beyond = torch.arange(found.shape[1], device=device) >= counts.unsqueeze(1)
    scores: FloatArray = found.masked_fill(beyond, -torch.inf).double().cpu().numpy()
    return scores


def _long_clip(network: Network, scorer: Scorer, split: SplitAudio, row: int, *, window: int, hop: int) -> FloatArray:
    """Score the windows of a clip too long to be scored at once."""
    start, length = int(split.clips.starts[row]), int(split.clips.lengths[row])
    silence = torch.zeros(max(0, window - hop), dtype=torch.int16)
    after = torch.zeros(_scored_length(length, hop) - length, dtype=torch.int16)
    # A hop longer than the window passes over the first samples.
    audio = split.long(start, length)
    pieces = (audio[first : first + _CHUNK_SAMPLES] for first in range(max(0, hop - window), length, _CHUNK_SAMPLES))
    stream = StreamScorer(network, scorer, window=window, hop=hop)
    return _fed(stream, chain([silence], pieces, [after]))


def _scored_length(length: int, hop: int) -> int:
    return -(-length // hop) * hop


def _batches(lengths: Tensor, window: int) -> list[Tensor]:
    """Group clips of like length, so that little of a batch is padding."""
    order = torch.argsort(lengths)
    batches: list[Tensor] = []
    first = 0
    while first < len(order):
        # The longest clip of a batch decides its width, so look ahead from the shortest.
        last = first + 1
        while last < len(order) and (last + 1 - first) * (int(lengths[order[last]]) + window) <= _BATCH_SAMPLES:
            last += 1
        batches.append(order[first:last])
        first = last
    return batches
