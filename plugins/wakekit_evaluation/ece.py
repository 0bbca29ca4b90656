"""The calibration error of clips: how far probabilities are from how often the keyword was there.

The usual estimate adds the noise of every bin to the error and so calls a perfectly calibrated model miscalibrated;
the one here is debiased.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit import option
from wakekit.data import Measure
from wakekit.statistic import CLIPS, Statistic
from wakekit_evaluation.probabilities import BEFORE_AND_AFTER, of_results, of_run
from wakekit_evaluation.ranking import clip_measure, counts, labels, no_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import FloatArray, IntArray, Results
    from wakekit.run_folder import Run


@attrs.frozen
class Ece:
    """Measure the root mean square calibration error over equal-mass bins, debiased (Kumar, Liang and Ma, 2019).

    It estimates sqrt(sum over bins of share · (mean probability - frequency of the keyword)²), where the bins hold
    equally many of these clips. Within a bin the square is estimated from products of clips of two different speakers,
    whose noise is independent, so that the estimate of the sum is right on average; it may fall below 0, which counts
    as 0 and stands in `counts` as `squared`, beside the usual estimate (`naive`, the root before debiasing).
    """

    bins: int = option(15, at_least=2, at_most=1000, help="bins at most, each of equally many clips")

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return `ece` and, on raw log-odds through the logistic function, `ece-raw`.

        The interval is the percentiles of the estimate when speakers are resampled with their bins fixed; copies of a
        speaker are never multiplied with each other, so that resampling does not bring the bias back. Near 0 it is
        cautious: in simulated worlds it held the truth in 99 to 100 %, and in 94 % where the error was large.
        """
        return [self._measure(results, "ece" + suffix, raw=raw) for suffix, raw in BEFORE_AND_AFTER]

    def _measure(self, results: Results, name: str, *, raw: bool) -> Measure:
        missing = no_value(results.clips, name, "share")
        if missing is not None:
            return missing
        clips = results.clips
        table = binned(of_results(results, raw=raw), clips.labels, clips.clusters(), bins=self.bins)
        if not table.bins:
            note = "telling noise from miscalibration takes clips of two speakers"
            return Measure(name=name, value=None, unit="share", counts=counts(clips), note=note)
        once = np.ones((1, len(clips.labels)))
        more = {"bins": table.bins, "squared": float(table.squared(once)[0]), "naive": table.naive()}
        return clip_measure(results, name, "share", table.root, more=more)

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return both errors of a run's clips, for comparing runs; each run has its own bins."""
        truth, clusters = labels(run), [clip.cluster for clip in run.clips]
        tables = [
            (suffix, binned(of_run(run, raw=raw), truth, clusters, bins=self.bins)) for suffix, raw in BEFORE_AND_AFTER
        ]
        return [Statistic(measure="ece" + suffix, over=CLIPS, values=table.root) for suffix, table in tables]


@attrs.frozen(eq=False)
class Binned:
    """Errors [n] (probability minus label) of clips in `order`, so that clips of one speaker in one bin are together.

    `starts` [m] is where each such group begins in that order, `bin_starts` [bins] is the first group of each bin.
    """

    errors: npt.NDArray[np.float64]
    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    bin_starts: npt.NDArray[np.int64]

    @property
    def bins(self) -> int:
        """Number of bins, each with clips of two speakers or more; 0 where there is one speaker only."""
        return len(self.bin_starts)

    def squared(self, weights: FloatArray) -> FloatArray:
        """Return the debiased sum of squares [r] under weights [r, n] of the clips.

        A bin in which the weights leave no two speakers is left out; nan where that is every bin.
        """
        totals, sizes, own, own_sizes = self._sums(weights)
        pairs = sizes**2 - own_sizes
        known = pairs > 0
        squares = np.divide(totals**2 - own, pairs, out=np.zeros_like(pairs), where=known)
        spent = (sizes * known).sum(axis=1)
        found: FloatArray = np.full(len(weights), np.nan)
        np.divide((sizes * squares).sum(axis=1), spent, out=found, where=spent > 0)
        return found

    def root(self, weights: FloatArray) -> FloatArray:
        """Return the root [r] of the debiased sum of squares, 0 where that is below 0."""
        found: FloatArray = np.sqrt(np.maximum(self.squared(weights), 0.0))
        return found

    def naive(self) -> float:
        """Return the usual estimate: the root of the sum of squares before debiasing."""
        totals, sizes, _, _ = self._sums(np.ones((1, len(self.order))))
        return float(np.sqrt((totals**2 / sizes).sum() / sizes.sum()))

    def _sums(self, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return, per bin, the sums of errors and weights, and of their squares speaker by speaker, each [r, bins]."""
        ordered = weights[:, self.order]
        errors = np.add.reduceat(ordered * self.errors[self.order], self.starts, axis=1)
        sizes = np.add.reduceat(ordered, self.starts, axis=1)
        sums = (errors, sizes, errors**2, sizes**2)
        return tuple(np.add.reduceat(each, self.bin_starts, axis=1) for each in sums)  # type: ignore[return-value]


def binned(scores: FloatArray, truth: IntArray, clusters: Sequence[str], *, bins: int) -> Binned:
    """Lay clips out in bins of equally many; equal scores share a bin, and each bin has two clusters or more."""
    errors, nothing = scores - truth, np.zeros(0, np.int64)
    member = np.unique(np.array(clusters, dtype=np.str_), return_inverse=True)[1].astype(np.int64)
    if not len(member) or not member.any():
        return Binned(errors, np.arange(len(errors)), nothing, nothing)
    place = _merged(_equal_mass(scores, bins), member)
    order = np.lexsort((member, place))
    new_bin = np.append(True, place[order][1:] != place[order][:-1])
    starts = np.flatnonzero(new_bin | np.append(True, member[order][1:] != member[order][:-1]))
    return Binned(errors, order, starts, np.flatnonzero(new_bin[starts]))


def _equal_mass(scores: FloatArray, bins: int) -> IntArray:
    """Return the bin of each clip; edges are scores, so that equal scores fall into one bin."""
    edges = np.sort(scores)[np.arange(1, bins) * len(scores) // bins]
    return np.searchsorted(np.unique(edges), scores, side="right").astype(np.int64)


def _merged(place: IntArray, member: IntArray) -> IntArray:
    """Join bins from the lowest up until each has two clusters or more."""
    merged, current, seen = np.zeros_like(place), 0, set[int]()
    for bin_ in np.unique(place).tolist():
        if len(seen) > 1:
            current, seen = current + 1, set()
        merged[place == bin_] = current
        seen |= set(member[place == bin_].tolist())
    # What is left over at the top has no two clusters of its own and joins the bin below.
    return np.minimum(merged, current - 1) if len(seen) < 2 else merged  # noqa: PLR2004
