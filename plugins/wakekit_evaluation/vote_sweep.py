"""The voting detector at ever lower thresholds, each from the one before.

As the threshold falls, one score after the other becomes a vote, and one after the other no longer counts as a fall.
Each such change moves detections near it only, so they are repaired from there until they are again those of the
threshold before. All thresholds together cost about as much as a few passes over the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from numba import njit

from wakekit.data import Changes

if TYPE_CHECKING:
    from wakekit.data import FloatArray, IntArray

    Flags = npt.NDArray[np.uint8]
    Tape = tuple[Flags, Flags, Flags, IntArray, IntArray, IntArray]

_BLOCK = 1024


class VoteSweep:
    """Where a voting detector fires on a stream, as its threshold falls."""

    def __init__(self, scores: FloatArray, *, votes: int, window: int, lockout: int) -> None:
        length = len(scores)
        self._scores = scores
        self._order = np.argsort(-scores, kind="stable")
        self._sizes = (votes, window, lockout)
        self._tape: Tape = (
            np.zeros(length, np.uint8),
            np.zeros(length, np.uint8),
            np.zeros(length, np.uint8),
            np.zeros(length // _BLOCK + 1, np.int64),
            np.full(length, length, np.int64),
            np.full(length, -1, np.int64),
        )
        self._done = np.zeros(2, np.int64)

    def fall(self, upper: FloatArray, lower: FloatArray) -> Changes:
        """Lower both thresholds step by step, [n] each and never rising; return the detections that come and go."""
        log = _fall(self._scores, self._order, upper, lower, self._sizes, self._tape, self._done)
        return Changes(rank=log[:, 0], frame=log[:, 1], step=log[:, 2])


# The tape holds, for every frame: whether its score is a vote, whether it is too high to re-arm, whether the detector
# fires there, how many frames of its block do, the frame that re-arms after firing there, and what it re-arms for.
@njit(cache=True)
def _fall(  # noqa: PLR0917
    scores: FloatArray,
    order: IntArray,
    upper: FloatArray,
    lower: FloatArray,
    sizes: tuple[int, int, int],
    tape: Tape,
    done: IntArray,
) -> IntArray:
    vote, high, fired, blocks, fall, falls_for = tape
    log, used = np.empty((1024, 3), np.int64), 0
    for rank in range(len(upper)):
        while done[1] < len(order) and scores[order[done[1]]] >= lower[rank]:
            frame = order[done[1]]
            done[1] += 1
            high[frame] = 1
            shot = falls_for[frame]
            if shot >= 0:
                before = _armed_again(fall, shot, sizes[2])
                falls_for[frame] = -1
                _find_fall(high, fall, falls_for, shot, frame + 1)
                after = _armed_again(fall, shot, sizes[2])
                if after != before:
                    log, used = _repair(before, after, before, rank, sizes, tape, log, used)
        while done[0] < len(order) and scores[order[done[0]]] >= upper[rank]:
            frame = order[done[0]]
            done[0] += 1
            vote[frame] = 1
            shot = _last_shot(fired, blocks, frame)
            armed = _armed_again(fall, shot, sizes[2]) if shot >= 0 else 0
            if frame >= armed:
                log, used = _repair(frame, armed, armed, rank, sizes, tape, log, used)
    return log[:used]


@njit(cache=True)
def _repair(  # noqa: C901, PLR0917
    start: int,
    now: int,
    was: int,
    rank: int,
    sizes: tuple[int, int, int],
    tape: Tape,
    log: IntArray,
    used: int,
) -> tuple[IntArray, int]:
    """Run the detector as it is now beside what it did before, until both agree; they agree before `start`.

    `now` and `was` are the frames since which each is armed.
    """
    votes_needed, window, lockout = sizes
    vote, high, fired, blocks, fall, falls_for = tape
    votes = 0
    for frame in range(max(now, start - window), start):
        votes += vote[frame]
    frame = start
    while frame < len(vote):
        if frame < now and frame < was:
            frame = min(now, was)
            continue
        fires = False
        if frame >= now:
            votes += vote[frame]
            if frame - window >= now:
                votes -= vote[frame - window]
            fires = votes >= votes_needed
        if fires and fired[frame]:
            break
        if fires or fired[frame]:
            if used == len(log):
                log = np.concatenate((log, np.empty_like(log)))
            log[used] = rank, frame, 1 if fires else -1
            used += 1
        if fires:
            fired[frame] = 1
            blocks[frame // _BLOCK] += 1
            _find_fall(high, fall, falls_for, frame, frame + 1)
            now, votes = _armed_again(fall, frame, lockout), 0
        elif fired[frame]:
            was = _armed_again(fall, frame, lockout)
            fired[frame] = 0
            blocks[frame // _BLOCK] -= 1
            if fall[frame] < len(vote) and falls_for[fall[frame]] == frame:
                falls_for[fall[frame]] = -1
        elif frame >= max(now, was, start) + window - 1:
            break
        frame += 1
    return log, used


@njit(cache=True)
def _find_fall(high: Flags, fall: IntArray, falls_for: IntArray, shot: int, start: int) -> None:
    """Find the first frame from `start` on that is low enough to re-arm after firing at `shot`."""
    frame = start
    while frame < len(high) and high[frame]:
        frame += 1
    fall[shot] = frame
    if frame < len(high):
        falls_for[frame] = shot


@njit(cache=True)
def _armed_again(fall: IntArray, shot: int, lockout: int) -> int:
    if fall[shot] == len(fall):
        return len(fall)
    return max(int(fall[shot]), shot + lockout)


@njit(cache=True)
def _last_shot(fired: Flags, blocks: IntArray, frame: int) -> int:
    """Return the last frame before `frame` at which the detector fires, -1 where there is none."""
    at, block = frame - 1, frame // _BLOCK
    while at >= block * _BLOCK:
        if fired[at]:
            return at
        at -= 1
    block -= 1
    while block >= 0 and blocks[block] == 0:
        block -= 1
    if block < 0:
        return -1
    at = (block + 1) * _BLOCK - 1
    while not fired[at]:
        at -= 1
    return at
