"""The share of keywords missed at the frozen operating point, in streams and in clips.

The share in streams is the one a user meets: it counts words that fell into a lockout as missed. The one in clips
ignores the detector and only asks whether the clip's score reaches the threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit.data import Measure
from wakekit.intervals import clustered_proportion, wilson
from wakekit.statistic import KEYWORD_CLIPS, WORDS, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import Results, StreamResult
    from wakekit.run_folder import Run
    from wakekit.statistic import Statistic


@attrs.frozen
class FalseRejects:
    """Measure false rejects, clustered by speaker."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return the share of words missed in streams and the share of keyword clips below the threshold."""
        words = [word for result in results.streams for word in _words(result)]
        clips = results.clips
        keyword = np.flatnonzero(clips.labels == 1)
        speakers = clips.clusters()
        below = [
            (bool(clips.scores[row] < results.operating_point.threshold), speakers[row]) for row in keyword.tolist()
        ]
        note = "" if results.operating_point.reachable else "no threshold met the target on dev"
        return [
            _measure("false-rejects", "words", words, note, results.seed),
            _measure("false-rejects-clips", "clips", below, note, results.seed),
        ]

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return both shares of a run, for comparing runs."""
        threshold = run.operating_point.threshold
        below = [clip.score < threshold for clip in run.clips if clip.pool == "positive"]
        return [
            share("false-rejects", WORDS, [not word.hit for word in run.words]),
            share("false-rejects-clips", KEYWORD_CLIPS, below),
        ]


def _words(result: StreamResult) -> list[tuple[bool, str]]:
    """Return for every word of a stream whether it was missed, and its speaker, else the recording."""
    stream = result.scores.stream
    hit = [found.event for found in result.detections if found.outcome == "hit" and found.event is not None]
    heard = [(False, stream.cluster(stream.events[event])) for event in hit]
    return heard + [(True, miss.speaker or stream.recording()) for miss in result.misses]


def _measure(name: str, what: str, outcomes: Sequence[tuple[bool, str]], note: str, seed: int) -> Measure:
    missed, speakers = [outcome for outcome, _ in outcomes], [speaker for _, speaker in outcomes]
    counts: dict[str, float] = {what: len(missed), "missed": sum(missed), "clusters": len(set(speakers))}
    if not missed:
        return Measure(name=name, value=None, unit="share", counts=counts, note=f"there are no {what} of the keyword")
    interval, simple = clustered_proportion(missed, speakers, seed=seed), wilson(sum(missed), len(missed))
    return Measure(
        name=name,
        value=sum(missed) / len(missed),
        unit="share",
        low=interval.low,
        high=interval.high,
        method=interval.method,
        simple=(simple.low, simple.high),
        counts=counts,
        note=note,
    )
