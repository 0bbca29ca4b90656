"""Streams of scores whose events are known because they were planted, and a count of them frame by frame.

Words and false alarms are bursts of frames, half of the false ones with two peaks; many scores are saturated near 1, as
those of trained networks are. What a detector must count follows from the planted peaks, without running a detector.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
from scipy.special import expit, logit

from wakekit.data import Event, Stream, StreamScores

if TYPE_CHECKING:
    from wakekit_evaluation.vote import Vote

HOP, FIRST, TOLERANCE = 0.08, 1.5, 0.5
STREAMS, SLOTS, SLOT = 20, 300, 75
FLOOR = 0.05


@attrs.frozen(eq=False)
class World:
    """Streams, and what was planted in them.

    `lobes` [n] are the highest scores of the lobes of false bursts, `dips` [m] the highest score between two lobes, and
    `voted` [k] the second highest score of the burst's best lobe: what 2 of 3 votes need. `heard` and `voted_heard` are
    the same for words.
    """

    streams: tuple[StreamScores, ...]
    lobes: np.ndarray
    dips: np.ndarray
    voted: np.ndarray
    heard: np.ndarray
    voted_heard: np.ndarray

    def false_runs(self, thresholds: np.ndarray) -> np.ndarray:
        """Return how many runs of frames outside words reach each threshold: lobes less those that are joined."""
        return reach(self.lobes, thresholds) - reach(self.dips, thresholds)

    def thresholds(self) -> np.ndarray:
        """Return every distinct score above the noise, from the highest down."""
        every = np.unique(np.concatenate([stream.scores for stream in self.streams]))[::-1]
        return every[every > FLOOR]


def reach(levels: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return how many levels are at or above each threshold."""
    return len(levels) - np.searchsorted(np.sort(levels), thresholds, side="left")


def lobe(rng: np.random.Generator, peak: float, frames: int) -> np.ndarray:
    """Return a burst that rises to its peak and falls again in log-odds; its feet stay above the noise."""
    top = int(rng.integers(1, frames - 1))
    rise, fall = np.sort(rng.uniform(-1.0, -0.05, top)), np.sort(rng.uniform(-1.0, -0.05, frames - top - 1))[::-1]
    return expit(logit(peak) + np.concatenate([rise, [0.0], fall]))


def peak(rng: np.random.Generator, *, saturated: float, nines: float) -> float:
    """Return a peak; a share of them is saturated, with up to so many nines."""
    return float(1 - 10 ** -rng.uniform(1.5, nines) if rng.random() < saturated else rng.uniform(0.2, 0.95))


def plant() -> World:
    """Make the streams: in a slot of 6 s there is nothing, a word (3 %) or a false burst (3 %)."""
    rng = np.random.default_rng(2024)
    streams, lobes, dips, voted, heard, voted_heard = [], [], [], [], [], []
    for number in range(STREAMS):
        scores = rng.integers(0, 6, SLOTS * SLOT) / 100
        events = []
        for slot, kind in enumerate(rng.random(SLOTS)):
            start = slot * SLOT + 25
            if kind < 0.03:
                burst = lobe(rng, peak(rng, saturated=0.85, nines=7), int(rng.integers(4, 9)))
                # The word lasts from before the burst's first score to after its last, tolerance included.
                begins = FIRST + HOP * (start - 2)
                events.append(Event(start=begins, end=begins + 0.6, label="word"))
                heard.append(burst.max())
                voted_heard.append(np.sort(burst)[-2])
            elif kind < 0.06:
                burst = lobe(rng, peak(rng, saturated=0.4, nines=5), int(rng.integers(4, 9)))
                lobes.append(burst.max())
                voted.append(np.sort(burst)[-2])
                if kind < 0.045:
                    second = lobe(rng, peak(rng, saturated=0.4, nines=5), 4)
                    dip = np.full(3, 0.8 * min(burst[-1], second[0]))
                    lobes.append(second.max())
                    dips.append(dip[0])
                    voted[-1] = max(voted[-1], np.sort(second)[-2])
                    burst = np.concatenate([burst, dip, second])
            else:
                continue
            scores[start : start + len(burst)] = burst
        stream = Stream(audio=Path(f"{number}.wav"), duration=FIRST + HOP * len(scores), events=tuple(events))
        streams.append(StreamScores(stream, scores, FIRST, HOP))
    planted = (np.array(one) for one in (lobes, dips, voted, heard, voted_heard))
    return World(tuple(streams), *planted)


def brute_force(world: World, thresholds: np.ndarray, detector: Vote) -> tuple[np.ndarray, np.ndarray]:
    """Return false accepts and hits at each threshold: the rules of the detector, frame by frame, as written down."""
    lower = thresholds / (thresholds + (1 - thresholds) * np.exp(detector.hysteresis))
    false_accepts, hits = np.zeros((2, len(thresholds)), np.int64)
    for stream in world.streams:
        words = [(event.start, event.end + TOLERANCE) for event in stream.stream.events]
        hit = np.zeros((len(words), len(thresholds)), bool)
        armed, fallen = np.ones(len(thresholds), bool), np.zeros(len(thresholds), bool)
        last = np.zeros(len(thresholds), np.int64)
        votes = np.zeros((detector.window, len(thresholds)), bool)
        for frame in active(stream.scores):
            score = stream.scores[frame]
            fallen |= ~armed & (score < lower)
            armed |= fallen & (frame - last >= detector.lockout_frames)
            votes = np.concatenate([votes[1:], [armed & (score >= thresholds)]])
            fired = armed & (votes.sum(axis=0) >= detector.votes)
            if not fired.any():
                continue
            time_ = FIRST + HOP * frame
            inside = [row for row, (start, deadline) in enumerate(words) if start <= time_ <= deadline]
            hit[inside] |= fired
            false_accepts += fired & (not inside)
            armed, fallen, last = armed & ~fired, fallen & ~fired, np.where(fired, frame, last)
            votes[:, fired] = False
        hits += hit.sum(axis=0)
    return false_accepts, hits


def active(scores: np.ndarray) -> np.ndarray:
    """Return the frames of slots that hold more than noise; in the others nothing fires, and everything re-arms."""
    busy = np.repeat((scores.reshape(-1, SLOT) > FLOOR).any(axis=1), SLOT)
    return np.flatnonzero(busy)
