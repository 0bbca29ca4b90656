"""Counts false accepts and hits of one stream while a threshold falls, from the detections that come and go.

Words whose times overlap share their detections, so each such group of words is matched anew whenever its detections
change; everything else is adding up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from wakekit.errors import PluginError
from wakekit.events import assign

if TYPE_CHECKING:
    from wakekit.data import Changes, FloatArray, IntArray, StreamScores
    from wakekit.events import Words


class StreamTally:
    """The running counts of one stream; `parts` [m] is the part of `n_parts` that each word belongs to.

    False accepts are counted between each two of the frames `edges` [k + 1]. `name` is what errors call the detector
    that the changes come from.
    """

    def __init__(
        self,
        scores: StreamScores,
        words: Words,
        parts: IntArray,
        n_parts: int,
        *,
        edges: IntArray,
        name: str = "the detector",
    ) -> None:
        self._scores, self._words, self._parts, self._name = scores, words, parts, name
        self._first, self._starts, self._ends = _groups(words)
        self._edges = edges
        self._inside = np.zeros((0, 2), np.int64)
        self._false_accepts = np.zeros(len(edges) - 1, np.int64)
        self._hits = np.zeros(n_parts, np.int64)

    def fall(self, changes: Changes, steps: int) -> tuple[IntArray, IntArray]:
        """Return the false accepts [k, steps] and hits [n_parts, steps] at each threshold, after the changes.

        Raises PluginError for changes that no detector could make.
        """
        _check(changes, steps, len(self._scores.scores), self._name)
        times = self._scores.times(changes.frame)
        group = np.searchsorted(self._starts, times, side="right") - 1
        inside = group >= 0
        inside[inside] = times[inside] <= self._ends[group[inside]]
        piece = np.searchsorted(self._edges, changes.frame[~inside], side="right") - 1
        false_accepts = _running(changes.rank[~inside], changes.step[~inside], steps, piece, self._false_accepts)
        table = np.stack([group, changes.rank, changes.frame, changes.step], axis=1)[inside]
        hits = self._hits[:, None] + self._heard(table, steps)
        if (false_accepts < 0).any():
            raise PluginError(f"{self._name}: its sweep takes back a detection that it never made")
        self._false_accepts = false_accepts[:, -1].copy()
        self._hits = hits[:, -1].copy()
        return false_accepts, hits

    def _heard(self, table: IntArray, steps: int) -> IntArray:
        """Return how many more words than before are hit at each threshold [n_parts, steps]."""
        # What was inside a word before comes first, at rank -1, where nothing is counted.
        known = np.stack([self._inside[:, 0], -np.ones(len(self._inside), np.int64), self._inside[:, 1]], axis=1)
        known = np.concatenate([known, np.ones((len(known), 1), np.int64)], axis=1)
        both = np.concatenate([known, table])
        both = both[np.lexsort([np.arange(len(both)), both[:, 1], both[:, 0]])]
        times = self._scores.times(both[:, 2])
        gains = np.zeros((len(self._hits), steps), np.int64)
        kept = np.zeros(len(both), np.bool_)
        words = self._words
        if not _replay(both, times, self._first, words.starts, words.deadlines, self._parts, gains, kept):
            raise PluginError(f"{self._name}: its sweep takes back a detection that it never made")
        self._inside = both[kept][:, [0, 2]]
        return np.cumsum(gains, axis=1)


def _check(changes: Changes, steps: int, frames: int, name: str) -> None:
    """Refuse what a stranger's sweep may give by mistake."""
    columns = [np.asarray(getattr(changes, name, None)) for name in ("rank", "frame", "step")]
    rank, frame, step = columns
    shaped = all(column.ndim == 1 and column.dtype.kind in "iu" and len(column) == len(rank) for column in columns)
    if not shaped:
        raise PluginError(f"{name}: its sweep must give wakekit.data.Changes, of three int64 arrays of one length")
    inside = len(rank) == 0 or (rank[0] >= 0 and rank[-1] < steps and frame.min() >= 0 and frame.max() < frames)
    if not inside or (rank[1:] < rank[:-1]).any() or (np.abs(step) != 1).any():
        raise PluginError(
            f"{name}: its sweep must give ranks that never fall, from 0 to {steps - 1}, frames from 0 to {frames - 1} "
            "and steps of 1 or -1"
        )


def _groups(words: Words) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return the first word of each group of overlapping words (and the number of words), their starts and ends."""
    latest = np.maximum.accumulate(words.deadlines) if len(words.deadlines) else words.deadlines
    fresh = np.append([True], words.starts[1:] > latest[:-1])[: len(words.starts)]
    first = np.flatnonzero(fresh)
    ends = latest[np.append(first[1:], len(latest)) - 1] if len(first) else latest
    return np.append(first, len(words.starts)), words.starts[first], ends


def _running(rank: IntArray, step: IntArray, steps: int, piece: IntArray, before: IntArray) -> IntArray:
    """Return the sums of the steps at each rank and those before it, for each piece."""
    added = np.bincount(piece * steps + rank, weights=step, minlength=len(before) * steps)
    table = np.rint(added).astype(np.int64).reshape(len(before), steps)
    total: IntArray = np.cumsum(table, axis=1) + before[:, None]
    return total


@njit(cache=True)
def _replay(  # noqa: PLR0917
    table: IntArray,
    times: FloatArray,
    first: IntArray,
    starts: FloatArray,
    deadlines: FloatArray,
    parts: IntArray,
    gains: IntArray,
    kept: npt.NDArray[np.bool_],
) -> bool:
    """Replay the changes [m, 4] (group, rank, frame, step), sorted by group; mark detections that stay in `kept`.

    False where a detection goes that was not there.
    """
    row = 0
    standing, count = np.empty(len(table), np.int64), 0
    while row < len(table):
        group, count = table[row, 0], 0
        words = slice(first[group], first[group + 1])
        heard = np.zeros(first[group + 1] - first[group], np.bool_)
        while row < len(table) and table[row, 0] == group:
            rank = table[row, 1]
            while row < len(table) and table[row, 0] == group and table[row, 1] == rank:
                if table[row, 3] > 0:
                    standing[count] = row
                    count += 1
                else:
                    gone = count - 1
                    while gone >= 0 and table[standing[gone], 2] != table[row, 2]:
                        gone -= 1
                    if gone < 0:
                        return False
                    count -= 1
                    standing[gone] = standing[count]
                row += 1
            hit = assign(np.sort(times[standing[:count]]), starts[words], deadlines[words])[2]
            for word in range(len(hit)):
                if rank >= 0:
                    gains[parts[first[group] + word], rank] += np.int64(hit[word]) - np.int64(heard[word])
            heard = hit
        kept[standing[:count]] = True
    return True
