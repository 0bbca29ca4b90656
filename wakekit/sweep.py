"""Counts hits and false accepts of a detector at every threshold that matters.

Counts of events are not monotone in the threshold (a long burst splits in two), so every distinct level is tried from
the top down; nothing is bisected, and no grid is laid over scores that may all lie near 1. A level is what a detector
compares with its threshold: a score, unless its sweeps name other levels, such as means of scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit.data import Changes
from wakekit.dealing import evenly
from wakekit.errors import PluginError, WakekitError, abridged, blaming, who
from wakekit.events import fire, keywords, negative_hours
from wakekit.tally import StreamTally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import FloatArray, IntArray, StreamScores
    from wakekit.dealing import Deal, Dealt
    from wakekit.events import Words
    from wakekit.kinds import Detector, ThresholdSweep

SWEPT_FA_PER_HOUR = 100.0
_FIRST, _AT_ONCE = 4096, 131_072
_GRID = 256
_WITHOUT_SWEEP = 200


@attrs.frozen(eq=False, kw_only=True)
class Curve:
    """What a detector does at each threshold, from the highest down, in each part of the streams.

    Audio is dealt into `p` parts for false accepts, words into `q` by speaker; one part is all. Down to
    `exact_down_to` every distinct level was tried; what lies below is a coarser grid. `distinct` is how many levels
    there are, and `hours` are free of keywords.
    """

    thresholds: npt.NDArray[np.float64]
    part_false_accepts: npt.NDArray[np.int64]
    part_hits: npt.NDArray[np.int64]
    part_hours: npt.NDArray[np.float64]
    part_events: npt.NDArray[np.int64]
    max_fa_per_hour: float
    distinct: int
    exact: int
    """How many distinct levels from the top were all tried."""
    exact_down_to: float

    @property
    def false_accepts(self) -> IntArray:
        """False accepts [n] of all parts."""
        return _total(self.part_false_accepts)

    @property
    def hits(self) -> IntArray:
        """Words hit [n] of all parts."""
        return _total(self.part_hits)

    @property
    def hours(self) -> float:
        """Hours without keywords of all parts."""
        return float(self.part_hours.sum())

    @property
    def events(self) -> int:
        """Words of all parts."""
        return int(self.part_events.sum())

    def corners(self) -> Curve:
        """Return the curve without thresholds that count what the next higher one does."""
        counts = np.concatenate([self.part_false_accepts, self.part_hits])
        moved = np.append([True], (counts[:, 1:] != counts[:, :-1]).any(axis=0))
        return self.only(np.flatnonzero(moved))

    def only(self, rows: IntArray) -> Curve:
        """Return the curve at some of its thresholds."""
        return attrs.evolve(
            self,
            thresholds=self.thresholds[rows],
            part_false_accepts=self.part_false_accepts[:, rows],
            part_hits=self.part_hits[:, rows],
        )


def _total(parts: IntArray) -> IntArray:
    total: IntArray = parts.sum(axis=0)
    return total


def sweep(
    detector: Detector,
    streams: Sequence[StreamScores],
    keyword: str,
    *,
    tolerance: float,
    max_fa_per_hour: float = SWEPT_FA_PER_HOUR,
    deal: Deal = evenly,
) -> Curve:
    """Run a detector over calibrated streams at every distinct level from the top down; `tolerance` is in seconds.

    `deal` says which part audio and words are counted in. Every distinct level is tried until false accepts exceed
    `max_fa_per_hour`, and the first 4,096 in any case; of the rest 256 are, evenly spaced by rank. Levels are the
    distinct scores, or those that the detector's sweeps offer. A detector without `sweep` is tried at 200 scores at
    most, closest together at the top. Raises WakekitError where there is nothing to sweep, or the scores are not at the
    detector's hop: a coarser hop than in use would hide false accepts; PluginError for levels that are no numbers.
    """
    _check(detector, streams)
    truths = [keywords(scores, keyword, tolerance=tolerance) for scores in streams]
    tried = _Tried(detector, streams, truths, deal(streams, truths))
    distinct, hours = tried.levels(), tried.hours()
    if hasattr(detector, "sweep"):
        ranks = _descend(tried, distinct, max_fa_per_hour * float(hours.sum()))
    else:
        ranks = _spread(len(distinct))
        tried.lower(distinct[ranks])
    false_accepts, hits = tried.counts()
    exact = int((ranks == np.arange(len(ranks))).sum())
    return Curve(
        thresholds=distinct[ranks],
        part_false_accepts=false_accepts,
        part_hits=hits,
        part_hours=hours,
        part_events=np.bincount(np.concatenate(tried.dealt.words), minlength=tried.dealt.word_parts),
        max_fa_per_hour=max_fa_per_hour,
        distinct=len(distinct),
        exact=exact,
        exact_down_to=float(distinct[exact - 1]),
    )


def _descend(tried: _Tried, distinct: FloatArray, limit: float) -> IntArray:
    """Try every distinct level until the false accepts exceed the limit, then a grid; return the ranks tried."""
    done, block = 0, _FIRST
    while done < len(distinct):
        false_accepts = tried.lower(distinct[done : done + block])
        done += len(false_accepts)
        if (false_accepts > limit).any():
            break
        block = min(2 * block, max(_FIRST, _AT_ONCE // tried.dealt.word_parts))
    if done == len(distinct):
        return np.arange(done)
    grid = np.unique(np.linspace(done, len(distinct) - 1, _GRID).astype(np.int64))
    tried.lower(distinct[grid])
    return np.concatenate([np.arange(done), grid])


def _spread(count: int) -> IntArray:
    """Return at most 200 ranks of `count` scores, closest together at the top."""
    if count <= _WITHOUT_SWEEP:
        return np.arange(count)
    return np.unique(np.geomspace(1, count, _WITHOUT_SWEEP).astype(np.int64)) - 1


class _Tried:
    """The counts so far, and where the threshold stands on every stream."""

    def __init__(
        self, detector: Detector, streams: Sequence[StreamScores], truths: Sequence[Words], dealt: Dealt
    ) -> None:
        self.dealt = dealt
        self._streams, self._truths = streams, truths
        self._name = who("detector", detector)
        begin = getattr(detector, "sweep", None)
        with blaming(self._name):
            self._sweeps: list[ThresholdSweep] = [
                begin(scores.scores.copy()) if begin else _Loop(detector, scores) for scores in streams
            ]
        self._tallies = [
            StreamTally(scores, truth, words, dealt.word_parts, edges=pieces.edges, name=self._name)
            for scores, truth, words, pieces in zip(streams, truths, dealt.words, dealt.audio, strict=True)
        ]
        self._false_accepts: list[IntArray] = []
        self._hits: list[IntArray] = []

    def levels(self) -> FloatArray:
        """Return the distinct levels from the highest down."""
        offered = [getattr(falling, "levels", None) for falling in self._sweeps]
        if all(offered):
            with blaming(self._name):
                found = np.unique(np.concatenate([_numbers(self._name, offer()) for offer in offered if offer]))
            if len(found):
                return found[::-1]
        # Without a level nothing can fire, and a score is as good as any threshold.
        return np.unique(np.concatenate([scores.scores for scores in self._streams]))[::-1]

    def hours(self) -> FloatArray:
        """Return the hours without keywords of each part [p]."""
        found = np.zeros(self.dealt.audio_parts)
        for scores, truth, pieces in zip(self._streams, self._truths, self.dealt.audio, strict=True):
            for part, first, stop in zip(pieces.parts, pieces.edges[:-1], pieces.edges[1:], strict=True):
                found[part] += negative_hours(scores, truth, first=int(first), stop=int(stop))
        return found

    def lower(self, thresholds: FloatArray) -> IntArray:
        """Count at each of the thresholds, which go on from where they stopped; return the false accepts [n]."""
        false_accepts = np.zeros((self.dealt.audio_parts, len(thresholds)), np.int64)
        hits = np.zeros((self.dealt.word_parts, len(thresholds)), np.int64)
        for falling, tally, pieces in zip(self._sweeps, self._tallies, self.dealt.audio, strict=True):
            with blaming(self._name):
                accepts, heard = tally.fall(falling.lower(thresholds.copy()), len(thresholds))
            np.add.at(false_accepts, pieces.parts, accepts)
            hits += heard
        self._false_accepts.append(false_accepts)
        self._hits.append(hits)
        return _total(false_accepts)

    def counts(self) -> tuple[IntArray, IntArray]:
        """Return false accepts [p, n] and hits [q, n] at all thresholds."""
        return np.concatenate(self._false_accepts, axis=1), np.concatenate(self._hits, axis=1)


def _numbers(name: str, levels: object) -> FloatArray:
    """Refuse what a stranger's sweep may offer as levels by mistake."""
    found = np.asarray(levels)
    if found.ndim != 1 or (len(found) and (found.dtype.kind not in "fiu" or np.isnan(found).any())):
        raise PluginError(f"{name}: expected the levels of its sweep, numbers [n], got {abridged(levels)}")
    return found.astype(np.float64)


class _Loop:
    """The sweep of a detector that has none: it is built anew for every threshold."""

    def __init__(self, detector: Detector, scores: StreamScores) -> None:
        self._detector, self._scores = detector, scores
        self._fired = np.zeros(0, np.int64)

    def lower(self, thresholds: FloatArray) -> Changes:
        """Return the detections that come and go."""
        rows = [np.zeros((0, 3), np.int64)]
        for rank, threshold in enumerate(thresholds):
            fired = fire(self._detector, float(threshold), self._scores)
            for frames, step in ((np.setdiff1d(self._fired, fired), -1), (np.setdiff1d(fired, self._fired), 1)):
                rows.append(np.stack([np.full(len(frames), rank), frames, np.full(len(frames), step)], axis=1))
            self._fired = fired
        table = np.concatenate(rows)
        return Changes(rank=table[:, 0], frame=table[:, 1], step=table[:, 2])


def _check(detector: Detector, streams: Sequence[StreamScores]) -> None:
    if not any(len(scores.scores) for scores in streams):
        raise WakekitError("expected streams to choose a threshold on, got none that holds a window; add some to dev")
    for scores in streams:
        where = scores.stream.audio.as_posix()
        if abs(scores.hop_seconds - detector.hop_seconds) > 1e-9:  # noqa: PLR2004
            raise WakekitError(
                f"expected scores every {detector.hop_seconds:g} s, as the detector will run, "
                f"got one every {scores.hop_seconds:g} s @ {where}"
            )
        if np.isnan(scores.scores).any():
            raise WakekitError(f"expected scores, got nan @ {where}")
