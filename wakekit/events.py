"""Matches what a detector fired on a stream to the words spoken in it.

A detection belongs to a word when it comes between the word's start and `tolerance` seconds after its end, both
included. A word is hit at most once, a further detection of it is a repeat, which counts for nothing, and any other is
a false accept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
from numba import njit

from wakekit.data import Detection, Miss, StreamResult
from wakekit.errors import PluginError, abridged, blaming, who

if TYPE_CHECKING:
    from wakekit.data import FloatArray, IntArray, StreamScores
    from wakekit.kinds import Detector

_SECONDS_PER_HOUR = 3600.0


@attrs.frozen(eq=False)
class Words:
    """The keywords of a stream that its scores could hear, by start: `index` [m] in the stream's events, times [m].

    `deadlines` are the last times at which a detection still belongs to the word.
    """

    index: npt.NDArray[np.int64]
    starts: npt.NDArray[np.float64]
    deadlines: npt.NDArray[np.float64]


@attrs.frozen(eq=False)
class Matching:
    """Which detection belongs to which word.

    `event` [n] is the word of each detection, -1 for a false accept; `repeat` [n] marks further detections of a word
    that is hit already; `hit` [m] marks the words that are hit.
    """

    event: npt.NDArray[np.int64]
    repeat: npt.NDArray[np.bool_]
    hit: npt.NDArray[np.bool_]

    @property
    def hits(self) -> int:
        """Number of words hit."""
        return int(self.hit.sum())

    @property
    def false_accepts(self) -> int:
        """Number of detections that belong to no word."""
        return int((self.event < 0).sum())


def fire(detector: Detector, threshold: float, scores: StreamScores) -> IntArray:
    """Return the frames at which a detector fires on a whole stream at a threshold.

    Raises PluginError where it fails, or gives anything but rising frames of the stream.
    """
    name = who("detector", detector)
    with blaming(name):
        frames = np.asarray(detector.build(threshold).feed(scores.scores.copy()))
    if frames.ndim != 1 or (len(frames) and frames.dtype.kind not in "iu"):
        raise PluginError(f"{name}: expected the frames at which it fired, whole numbers [n], got {abridged(frames)}")
    found: IntArray = frames.astype(np.int64)
    ends = np.concatenate([[-1], found, [len(scores.scores)]])
    if (np.diff(ends) <= 0).any():
        raise PluginError(
            f"{name}: expected the frames at which it fired, rising from 0 to {len(scores.scores) - 1} at most, "
            f"got {abridged(frames)}"
        )
    return found


def match(times: FloatArray, starts: FloatArray, ends: FloatArray, *, tolerance: float) -> Matching:
    """Match detections at `times` [n] to words [m], in seconds, so that as many words as possible are hit.

    Where words overlap a detection goes to the one with the earliest deadline, which is optimal for intervals
    (Glover, 1967).
    """
    by_time, by_start = np.argsort(times, kind="stable"), np.argsort(starts, kind="stable")
    sorted_match = match_sorted(times[by_time], starts[by_start], ends[by_start] + tolerance)
    event, repeat, hit = np.empty_like(by_time), np.empty(len(times), np.bool_), np.empty(len(starts), np.bool_)
    event[by_time] = np.append(by_start, -1)[sorted_match.event]
    repeat[by_time], hit[by_start] = sorted_match.repeat, sorted_match.hit
    return Matching(event, repeat, hit)


def match_sorted(times: FloatArray, starts: FloatArray, deadlines: FloatArray) -> Matching:
    """Match as `match` does, for detections in order of time and words in order of start."""
    return Matching(*assign(times, starts, deadlines))


@njit(cache=True)
def assign(  # noqa: C901
    times: FloatArray, starts: FloatArray, deadlines: FloatArray
) -> tuple[IntArray, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return the fields of a `Matching`, for callers that are compiled themselves; everything is in order of time."""
    event = np.full(len(times), -1, np.int64)
    repeat = np.zeros(len(times), np.bool_)
    hit = np.zeros(len(starts), np.bool_)
    first = 0
    for detection, time in enumerate(times):
        while first < len(starts) and deadlines[first] < time:
            first += 1
        fresh, heard = -1, -1
        for word in range(first, len(starts)):
            if starts[word] > time:
                break
            if deadlines[word] < time:
                continue
            if hit[word]:
                if heard < 0 or deadlines[word] < deadlines[heard]:
                    heard = word
            elif fresh < 0 or deadlines[word] < deadlines[fresh]:
                fresh = word
        if fresh >= 0:
            event[detection], hit[fresh] = fresh, True
        elif heard >= 0:
            event[detection], repeat[detection] = heard, True
    return event, repeat, hit


def keywords(scores: StreamScores, keyword: str, *, tolerance: float) -> Words:
    """Return the keywords that a detector fed with these scores could hit, by start.

    A word that is over before the first score (while the first window fills) or begins after the last is left out: no
    threshold could hear it. A word that falls between two scores stays, as a coarse hop must not hide a miss.
    """
    if not len(scores.scores):
        return Words(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    first, last = scores.times(np.array([0, len(scores.scores) - 1]))
    heard = [
        (event.start, index, event.end + tolerance)
        for index, event in enumerate(scores.stream.events)
        if event.label == keyword and event.end + tolerance >= first and event.start <= last
    ]
    table = np.array(sorted(heard), dtype=np.float64).reshape(-1, 3)
    return Words(table[:, 1].astype(np.int64), table[:, 0].copy(), table[:, 2].copy())


def negative_hours(scores: StreamScores, words: Words, *, first: int = 0, stop: int | None = None) -> float:
    """Return the hours of audio scored in which a detection would be a false accept, of frames `first` to `stop`.

    A score adds one hop of audio, the one that ends at its time; overlapping words are taken off once.
    """
    stop = len(scores.scores) if stop is None else stop
    seconds = (stop - first) * scores.hop_seconds
    end = scores.first_seconds + (stop - 1) * scores.hop_seconds
    free_from = end - seconds
    for start, deadline in zip(words.starts, words.deadlines, strict=True):
        over = min(float(deadline), end)
        seconds -= max(0.0, over - max(float(start), free_from))
        free_from = max(free_from, over)
    return max(0.0, seconds) / _SECONDS_PER_HOUR


def judge_stream(scores: StreamScores, frames: IntArray, keyword: str, *, tolerance: float) -> StreamResult:
    """Judge the frames, in order, at which a detector fired on a stream; `tolerance` is in seconds."""
    words = keywords(scores, keyword, tolerance=tolerance)
    times = scores.times(frames)
    matching = match_sorted(times, words.starts, words.deadlines)
    audio = scores.stream.audio.name
    detections = []
    for row, (frame, time) in enumerate(zip(frames, times, strict=True)):
        word = int(matching.event[row])
        outcome = "false accept" if word < 0 else "repeat" if matching.repeat[row] else "hit"
        event = None if word < 0 else int(words.index[word])
        detections.append(Detection(audio, float(time), float(scores.scores[frame]), outcome, event))
    missed = np.flatnonzero(~matching.hit)
    misses = tuple(_miss(scores, int(words.index[word]), float(words.deadlines[word])) for word in missed)
    return StreamResult(scores, tuple(detections), misses, len(words.index), negative_hours(scores, words))


def _miss(scores: StreamScores, index: int, deadline: float) -> Miss:
    event = scores.stream.events[index]
    times = scores.times(np.arange(len(scores.scores)))
    first = int(np.searchsorted(times, event.start))
    # Where no score lies inside the word, the next one stands in.
    behind = max(int(np.searchsorted(times, deadline, side="right")), first + 1)
    highest = float(scores.scores[first:behind].max())
    return Miss(scores.stream.audio.name, event.start, event.end, event.speaker, highest, index)
