"""What the frozen threshold decides about clips, for the metrics that count it.

A clip is accepted where its calibrated score reaches the threshold; the detector, which votes over several scores of a
stream, is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit.data import Measure
from wakekit.errors import WakekitError
from wakekit.intervals import clustered_proportion, wilson
from wakekit.statistic import CLIPS, Statistic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import FloatArray, Results
    from wakekit.run_folder import Run

Flags = npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class Decided:
    """Whether each clip is of the keyword, and whether it is accepted, [n] each."""

    keyword: Flags
    accepted: Flags

    def cells(self) -> dict[str, Flags]:
        """Return which clips are true and false positives (accepted) and true and false negatives (not accepted)."""
        return {
            "tp": self.keyword & self.accepted,
            "fp": ~self.keyword & self.accepted,
            "tn": ~self.keyword & ~self.accepted,
            "fn": self.keyword & ~self.accepted,
        }


def of_results(results: Results) -> Decided:
    """Return what the threshold decides; raises WakekitError where a score is nan."""
    return _decided(results.clips.scores, results.clips.labels == 1, results.accepted())


def of_run(run: Run) -> Decided:
    """Return what `of_results` does, of a finished run."""
    keyword = np.array([clip.pool == "positive" for clip in run.clips], np.bool_)
    scores = np.array([clip.score for clip in run.clips], np.float64)
    return _decided(scores, keyword, scores >= run.operating_point.threshold)


def _decided(scores: FloatArray, keyword: Flags, accepted: Flags) -> Decided:
    if np.isnan(scores).any():
        raise WakekitError("expected a score for every clip, got nan")
    return Decided(keyword, accepted)


def unreachable(results: Results) -> str:
    """Return the note of a number that a threshold decides which missed its target on dev; empty where it met it."""
    return "" if results.operating_point.reachable else "no threshold met the target on dev"


def share_measure(
    results: Results, name: str, outcomes: Sequence[bool], clusters: Sequence[str], *, counted: str, of: str, none: str
) -> Measure:
    """Measure a share of outcomes that are true, clustered, with Wilson's interval beside it.

    `counts` say how many are true under the name `counted`, of how many under `of`, in how many clusters; `none` is the
    note where there is no outcome, and hence no value.
    """
    true = sum(outcomes)
    counts: dict[str, float] = {of: len(outcomes), counted: true, "clusters": len(set(clusters))}
    if not len(outcomes):
        return Measure(name=name, value=None, unit="share", counts=counts, note=none)
    interval, simple = clustered_proportion(outcomes, clusters, seed=results.seed), wilson(true, len(outcomes))
    return Measure(
        name=name,
        value=true / len(outcomes),
        unit="share",
        low=interval.low,
        high=interval.high,
        method=interval.method,
        simple=(simple.low, simple.high),
        counts=counts,
        note=unreachable(results),
    )


def share_of_clips(results: Results, name: str, outcomes: Flags, of: Flags, *, counted: str, none: str) -> Measure:
    """Measure the share of some clips (`of` [n]) whose `outcomes` [n] are true."""
    rows, clusters = np.flatnonzero(of).tolist(), results.clips.clusters()
    return share_measure(
        results, name, outcomes[of].tolist(), [clusters[row] for row in rows], counted=counted, of="clips", none=none
    )


def quotient(measure: str, top: npt.ArrayLike, bottom: npt.ArrayLike) -> Statistic:
    """Return the statistic of a measure that divides one sum over clips by another, each of a number per clip [n]."""
    above, below = np.asarray(top, np.float64), np.asarray(bottom, np.float64)

    def values(weights: FloatArray) -> FloatArray:
        divisor = weights @ below
        found: FloatArray = np.full(len(weights), np.nan)
        np.divide(weights @ above, divisor, out=found, where=divisor > 0)
        return found

    return Statistic(measure=measure, over=CLIPS, values=values)
