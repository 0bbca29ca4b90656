"""The voting detector: it fires when k of the last n scores reach the threshold, then waits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np
from numba import njit

from wakekit import WakekitError, option
from wakekit_evaluation.vote_sweep import VoteSweep

if TYPE_CHECKING:
    import numpy.typing as npt

    from wakekit.data import Changes, FloatArray, IntArray

    Ring = npt.NDArray[np.uint8]


@attrs.frozen
class Vote:
    """Fire when at least `votes` of the last `window` scores reach the threshold.

    After firing it is disarmed until `lockout_seconds` have passed and, at any time since it fired, a score was below
    the lower threshold. Votes count only while it is armed, so that no score helps to fire twice; scores before the
    stream's start are no votes. The lower threshold lies `hysteresis` below the threshold on the scale of log-odds,
    where a step means the same near 0.5 as near 1; at a threshold of exactly 1 both are 1. A word spoken while it is
    disarmed is missed.
    """

    searchable: ClassVar[tuple[str, ...]] = ("window", "votes", "hysteresis")

    hop_seconds: float = option(0.08, above=0, unit="s", help="how often a score is wanted")
    window: int = option(3, at_least=1, help="scores that may vote")
    votes: int = option(2, at_least=1, help="votes that it takes to fire")
    hysteresis: float = option(0.8, at_least=0, help="log-odds the score must fall below the threshold to re-arm")
    lockout_seconds: float = option(1.0, at_least=0, unit="s", help="time after firing in which it cannot fire")

    @votes.validator
    def _fit_window(self, _attribute: object, votes: int) -> None:
        if votes > self.window:
            message = f"votes: expected at most window ({self.window}), got {votes}"
            raise ValueError(message)

    @property
    def lockout_frames(self) -> int:
        """Number of scores from one firing to the earliest next."""
        return math.ceil(self.lockout_seconds / self.hop_seconds - 1e-9)

    def build(self, threshold: float) -> VoteStream:
        """Return a detector at the start of a stream; `threshold` is a probability."""
        return VoteStream(self, threshold)

    def sweep(self, scores: FloatArray) -> _FallingVote:
        """Return the detections on a whole stream for a threshold that falls from above every score."""
        return _FallingVote(self, scores)


class _FallingVote:
    def __init__(self, options: Vote, scores: FloatArray) -> None:
        _refuse_nan(scores)
        self._hysteresis = options.hysteresis
        self._sweep = VoteSweep(
            np.asarray(scores, np.float64), votes=options.votes, window=options.window, lockout=options.lockout_frames
        )

    def lower(self, thresholds: FloatArray) -> Changes:
        """Return the detections that come and go as the threshold falls through [n] values."""
        upper = np.asarray(thresholds, np.float64)
        return self._sweep.fall(upper, _lower_threshold(upper, self._hysteresis))


class VoteStream:
    """A voting detector in the middle of a stream."""

    def __init__(self, options: Vote, threshold: float) -> None:
        if math.isnan(threshold):
            raise WakekitError("expected a threshold, got nan")
        self._options = options
        self._upper = float(threshold)
        self._lower = float(_lower_threshold(np.array(self._upper), options.hysteresis))
        self._ring = np.zeros(options.window, np.uint8)
        self._state = _start()

    def feed(self, scores: FloatArray) -> IntArray:
        """Take the next probabilities; return the frames, counted from the stream's start, at which it fired."""
        _refuse_nan(scores)
        chunk = np.asarray(scores, np.float64)
        fired = np.empty(len(chunk), np.int64)
        count = _advance(
            chunk,
            _next_at_least(chunk, self._upper),
            self._upper,
            self._lower,
            self._options.votes,
            self._options.lockout_frames,
            self._ring,
            self._state,
            fired,
        )
        return fired[:count]


def _refuse_nan(scores: FloatArray) -> None:
    if np.isnan(scores).any():
        raise WakekitError("expected scores, got nan")


def _lower_threshold(upper: FloatArray, hysteresis: float) -> FloatArray:
    share = np.clip(upper, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        # The odds divided by exp(hysteresis), in steps that rounding cannot make fall where the threshold rises.
        lower: FloatArray = 1 / (1 + (1 - share) * math.exp(hysteresis) / share)
    return np.minimum(lower, share)


_FRAME, _VOTES, _ARMED, _FALLEN, _LAST = range(5)


@njit(cache=True)
def _start() -> IntArray:
    state = np.zeros(5, np.int64)
    state[_ARMED] = 1
    return state


@njit(cache=True)
def _next_at_least(scores: FloatArray, bound: float) -> IntArray:
    """For every frame, the first frame from it on whose score reaches the bound; the length where there is none."""
    ahead = np.empty(len(scores), np.int64)
    found = len(scores)
    for frame in range(len(scores) - 1, -1, -1):
        if scores[frame] >= bound:
            found = frame
        ahead[frame] = found
    return ahead


@njit(cache=True)
def _advance(  # noqa: PLR0917
    scores: FloatArray,
    ahead: IntArray,
    upper: float,
    lower: float,
    needed: int,
    lockout: int,
    ring: Ring,
    state: IntArray,
    fired: IntArray,
) -> int:
    """Run the state machine over scores, writing the frames it fires at into `fired`; return how many."""
    start, votes, armed, fallen, last = state
    count = 0
    row = 0
    while row < len(scores):
        if armed and votes == 0:
            # Without a vote in the window nothing happens before the next score that could be one.
            row = ahead[row]
            if row == len(scores):
                break
        frame, score = start + row, scores[row]
        if not armed:
            if score < lower:
                fallen = 1
            if fallen and frame - last >= lockout:
                armed = 1
        if armed:
            place, vote = frame % len(ring), np.uint8(score >= upper)
            votes += np.int64(vote) - np.int64(ring[place])
            ring[place] = vote
            if votes >= needed:
                fired[count], last = frame, frame
                count += 1
                armed, fallen, votes = 0, 0, 0
                ring[:] = 0
        row += 1
    state[:] = start + len(scores), votes, armed, fallen, last
    return count
