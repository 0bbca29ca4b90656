"""Score long audio in bounded memory: a stream is cut into chunks of windows, and no score depends on the cuts.

A score's time is the end of its window. The first score of a stream comes when the first window is full, so that an
empty buffer is never scored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from wakekit.batch import gather
from wakekit.data import ClipScores, StreamScores, keyword_labels

if TYPE_CHECKING:
    from wakekit.kinds import Scorer
    from wakekit.network import Network
    from wakekit.prepared import SplitAudio
    from wakekit.progress import Progress

_CHUNK_WINDOWS = 512
_BATCH_SAMPLES = 2_000_000


def score_stream(
    network: Network, scorer: Scorer, audio: Tensor, *, window: int, hop: int, chunk: int = _CHUNK_WINDOWS
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the log-odds of every window of int16 `audio` [N], one each `hop` samples.

    `window` and `hop` are in samples; `chunk` windows are scored at once.
    """
    count = max(0, 1 + (len(audio) - window) // hop)
    device = next(network.parameters()).device
    scores = np.empty(count, dtype=np.float64)
    with torch.inference_mode():
        for first in range(0, count, chunk):
            some = min(chunk, count - first)
            start = first * hop
            piece = audio[start : start + (some - 1) * hop + window].to(device)
            floats = piece.to(torch.float32).div_(32768).unsqueeze(0)
            scores[first : first + some] = scorer.score(network, floats, hop)[0, :some].double().cpu().numpy()
    return scores


def score_streams(
    network: Network, scorer: Scorer, split: SplitAudio, *, window: int, hop: int, progress: Progress
) -> list[StreamScores]:
    """Score every stream of a split, one after the other."""
    rate, scored = split.sample_rate, []
    with progress.task(f"scoring {split.name} streams", len(split.streams.rows)) as advance:
        for stream, start, length in zip(
            split.streams.rows, split.streams.starts.tolist(), split.streams.lengths.tolist(), strict=True
        ):
            scores = score_stream(network, scorer, split.samples(start, length), window=window, hop=hop)
            scored.append(StreamScores(stream, scores, window / rate, hop / rate))
            advance()
    return scored


def score_clips(
    network: Network, scorer: Scorer, split: SplitAudio, *, window: int, hop: int, progress: Progress
) -> ClipScores:
    """Score every clip as if it came after silence: the highest score of its windows, one each `hop` samples."""
    starts, lengths = split.clips.starts, split.clips.lengths
    scores = np.empty(len(lengths), dtype=np.float64)
    device = next(network.parameters()).device
    with torch.inference_mode(), progress.task(f"scoring {split.name} clips", len(lengths)) as advance:
        for rows in _batches(lengths, window):
            if len(rows) == 1 and int(lengths[rows]) > _BATCH_SAMPLES:
                scores[rows.numpy()] = _long_clip(network, scorer, split, int(rows), window=window, hop=hop)
                advance()
                continue
            padded = _scored_length(int(lengths[rows].max()), hop) + window - hop
            low = starts[rows]
            audio = gather(split.audio, low - (window - hop), low, low + lengths[rows], padded).to(device)
            found = scorer.score(network, audio, hop)
            counts = torch.div(lengths[rows] + hop - 1, hop, rounding_mode="floor").to(device)
            beyond = torch.arange(found.shape[1], device=device) >= counts.unsqueeze(1)
            best = found.masked_fill(beyond, -torch.inf).amax(dim=1)
            scores[rows.numpy()] = best.double().cpu().numpy()
            advance(len(rows))
    return ClipScores(split.clips.rows, scores, keyword_labels(split.clips.rows))


def _long_clip(network: Network, scorer: Scorer, split: SplitAudio, row: int, *, window: int, hop: int) -> float:
    """Score a clip too long to be scored at once."""
    start, length = int(split.clips.starts[row]), int(split.clips.lengths[row])
    after = _scored_length(length, hop) - length
    audio = torch.nn.functional.pad(split.samples(start, length), (window - hop, after))
    return float(score_stream(network, scorer, audio, window=window, hop=hop).max())


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
