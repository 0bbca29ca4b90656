"""The share of keywords missed at the frozen operating point, in streams and in clips.

The share in streams is the one a user meets: it counts words that fell into a lockout as missed. The one in clips
ignores the detector and only asks whether the clip's score reaches the threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit.statistic import KEYWORD_CLIPS, WORDS, share
from wakekit_evaluation.at_threshold import share_measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import Measure, Results, StreamResult
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
        accepted = results.accepted()
        below = [(not accepted[row], speakers[row]) for row in keyword.tolist()]
        return [
            _measure(results, "false-rejects", "words", words),
            _measure(results, "false-rejects-clips", "clips", below),
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


def _measure(results: Results, name: str, what: str, outcomes: Sequence[tuple[bool, str]]) -> Measure:
    missed, speakers = [outcome for outcome, _ in outcomes], [speaker for _, speaker in outcomes]
    none = f"there are no {what} of the keyword"
    return share_measure(results, name, missed, speakers, counted="missed", of=what, none=none)
