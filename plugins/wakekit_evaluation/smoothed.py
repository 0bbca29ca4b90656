"""The smoothing detector: it fires when the mean of the last scores reaches the threshold, then waits.

Each mean is added up anew, from its oldest score to its newest, so that it cannot drift over a long stream and no bit
of it depends on how the stream is cut into calls.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np
from numba import njit
from scipy.special import expit, logit

from wakekit import WakekitError, option
from wakekit_evaluation.vote_sweep import VoteSweep

if TYPE_CHECKING:
    from wakekit.data import Changes, FloatArray, IntArray

# The largest probability below 1: log-odds stay within 37, so that no score outweighs all others for ever.
_SURE = 1 - 2.0**-53


@attrs.frozen
class Smoothed:
    """Fire when the mean of the last `window` scores reaches the threshold (posterior smoothing; Chen et al., 2014).

    No mean is taken before `window` scores have come, so that an empty buffer cannot fire. After firing it waits until
    `refractory_seconds` have passed and, at any time since it fired, the mean was below the threshold: one long burst
    is one event, and a word inside that time is missed. Means are of probabilities, so that one saturated score lifts
    them by at most 1 / window, or of log-odds (held within ±37) and then turned into a probability; either way the
    threshold is one. A mean lags half a window behind its scores: (window - 1) / 2 of them.
    """

    searchable: ClassVar[tuple[str, ...]] = ("window", "average")

    hop_seconds: float = option(0.08, above=0, unit="s", help="how often a score is wanted")
    window: int = option(4, at_least=1, help="scores that are averaged")
    average: str = option(
        "probability", choices=("probability", "log-odds"), help="the scale on which scores are averaged"
    )
    refractory_seconds: float = option(1.0, at_least=0, unit="s", help="time after firing in which it cannot fire")

    @property
    def refractory_frames(self) -> int:
        """Number of scores from one firing to the earliest next."""
        return math.ceil(self.refractory_seconds / self.hop_seconds - 1e-9)

    def build(self, threshold: float) -> SmoothedStream:
        """Return a detector at the start of a stream; `threshold` is a probability."""
        return SmoothedStream(self, threshold)

    def sweep(self, scores: FloatArray) -> SmoothedSweep:
        """Return the detections on a whole stream for a threshold that falls from above every mean."""
        return SmoothedSweep(self, scores)

    def means(self, scores: FloatArray) -> FloatArray:
        """Return the means [n - window + 1] of every `window` scores in a row of [n]; none where n is too small."""
        if np.isnan(scores).any():
            raise WakekitError("expected scores, got nan")
        values = np.asarray(scores, np.float64)
        if self.average == "log-odds":
            values = logit(np.clip(values, 1 - _SURE, _SURE))
        count = max(0, len(values) - self.window + 1)
        total = np.zeros(count)
        for oldest in range(self.window):
            total += values[oldest : oldest + count]
        found: FloatArray = total / self.window
        return expit(found) if self.average == "log-odds" else found


class SmoothedSweep:
    """Where a smoothing detector fires on a stream, as its threshold falls.

    It fires as a voting detector of one vote would on the means, with neither hysteresis nor window.
    """

    def __init__(self, options: Smoothed, scores: FloatArray) -> None:
        self._means = options.means(scores)
        self._late = options.window - 1
        self._sweep = VoteSweep(self._means, votes=1, window=1, lockout=options.refractory_frames)

    def levels(self) -> FloatArray:
        """Return the distinct means: only there do its detections change."""
        return np.unique(self._means)

    def lower(self, thresholds: FloatArray) -> Changes:
        """Return the detections that come and go as the threshold falls through [n] values."""
        upper = np.asarray(thresholds, np.float64)
        found = self._sweep.fall(upper, upper)
        return attrs.evolve(found, frame=found.frame + self._late)


class SmoothedStream:
    """A smoothing detector in the middle of a stream."""

    def __init__(self, options: Smoothed, threshold: float) -> None:
        if math.isnan(threshold):
            raise WakekitError("expected a threshold, got nan")
        self._options, self._threshold = options, float(threshold)
        self._recent = np.zeros(0)
        self._state = np.array([options.window - 1, 1, 0, 0], np.int64)

    def feed(self, scores: FloatArray) -> IntArray:
        """Take the next probabilities; return the frames, counted from the stream's start, at which it fired."""
        known = np.concatenate([self._recent, np.asarray(scores, np.float64)])
        means = self._options.means(known)
        self._recent = known[len(means) :].copy()
        fired = np.empty(len(means), np.int64)
        count = _advance(means, self._threshold, self._options.refractory_frames, self._state, fired)
        return fired[:count]


@njit(cache=True)
def _advance(means: FloatArray, threshold: float, refractory: int, state: IntArray, fired: IntArray) -> int:
    """Run over means, writing the frames it fires at into `fired`; return how many."""
    start, armed, fallen, last = state
    count = 0
    for row in range(len(means)):
        frame = start + row
        if not armed:
            if means[row] < threshold:
                fallen = 1
            if fallen and frame - last >= refractory:
                armed = 1
        if armed and means[row] >= threshold:
            fired[count], last = frame, frame
            count += 1
            armed, fallen = 0, 0
    state[:] = start + len(means), armed, fallen, last
    return count
