"""What a metric offers so that its measures can be compared between two runs, item by item.

A metric's optional method `statistics(run)` returns a `Statistic` for each measure that it can compute again from what
a run's folder holds; `mean`, `share` and `rate` make those of the usual forms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from wakekit.data import FloatArray

CLIPS, KEYWORD_CLIPS, WORDS, STREAMS = "clips", "keyword clips", "words", "streams"


@attrs.frozen(eq=False, kw_only=True)
class Statistic:
    """A measure as a function of how often each of its items counts.

    `over` names the items: `clips`, `keyword clips`, `words` or `streams` of a `Run`, in its order. `values` maps
    weights [r, n] to values [r], nan where there is none; weights of 1 give the value of the measure named `measure`.
    `outcomes` [n] are given where the measure is the share of items that are true, `counts` and `exposures` [n] where
    it is a rate of events.
    """

    measure: str
    over: str
    values: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
    outcomes: npt.NDArray[np.bool_] | None = None
    counts: npt.NDArray[np.float64] | None = None
    exposures: npt.NDArray[np.float64] | None = None


def mean(measure: str, over: str, items: npt.ArrayLike) -> Statistic:
    """Return the statistic of a measure that is the mean of a number per item [n]."""
    numbers = np.asarray(items, np.float64)
    return Statistic(
        measure=measure, over=over, values=lambda weights: _divided(weights @ numbers, weights.sum(axis=1))
    )


def share(measure: str, over: str, outcomes: npt.ArrayLike) -> Statistic:
    """Return the statistic of a measure that is the share of items [n] that are true."""
    truth = np.asarray(outcomes, np.bool_)
    return attrs.evolve(mean(measure, over, truth), outcomes=truth)


def rate(measure: str, over: str, counts: npt.ArrayLike, exposures: npt.ArrayLike) -> Statistic:
    """Return the statistic of a measure that is a rate: the events of items [n] by their exposures [n]."""
    events, spent = np.asarray(counts, np.float64), np.asarray(exposures, np.float64)
    return Statistic(
        measure=measure,
        over=over,
        values=lambda weights: _divided(weights @ events, weights @ spent),
        counts=events,
        exposures=spent,
    )


def _divided(top: FloatArray, bottom: FloatArray) -> FloatArray:
    found: FloatArray = np.full(len(bottom), np.nan)
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found
