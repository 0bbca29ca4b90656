"""How long a user waits, and what scoring costs.

The wait is counted on streams, from the end of a word to the detection that hears it, so that smoothing, votes and a
scorer that looks back are all in it. It is below 0 where a word is heard before its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from wakekit.data import Measure
from wakekit.intervals import Interval, bootstrap, envelope
from wakekit.statistic import WORDS, Statistic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wakekit.data import Cost, FloatArray, Results
    from wakekit.run_folder import Run

    Values = Callable[[FloatArray], FloatArray]

_LEVEL = 0.95
_QUANTILES = {"time-to-detect": 0.5, "time-to-detect-p95": 0.95}
_ROUNDING = 1e-9


@attrs.frozen
class Latency:
    """Measure the time from a word's end to its detection over the words heard, and what scoring costs."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return the median and the 95th percentile of the wait in seconds, then the cost where it was measured.

        Percentiles are by nearest rank. Their interval is the envelope of the one between order statistics, which
        assumes no distribution but takes words as independent, and of the bootstrap by speaker.
        """
        waits, clusters = _waits(results)
        cost = results.cost
        late = 0.0 if cost is None else cost.latency_seconds
        note = f"{late:g} s of it is the scorer's" if late else ""
        found = [_wait(name, waits, clusters, note=note, seed=results.seed) for name in _QUANTILES]
        return found if cost is None else [*found, *_costs(cost)]

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return both percentiles of a run, for comparing runs."""
        hit = np.array([word.hit for word in run.words], np.bool_)
        waits = np.array([word.detected - word.end for word in run.words if word.hit and word.detected is not None])
        return [Statistic(measure=name, over=WORDS, values=_quantile(waits, q, hit)) for name, q in _QUANTILES.items()]


def _waits(results: Results) -> tuple[FloatArray, list[str]]:
    """Return the wait for each word heard, and its speaker, else the recording."""
    waits, clusters = [], []
    for result in results.streams:
        stream = result.scores.stream
        for found in result.detections:
            if found.outcome == "hit" and found.event is not None:
                word = stream.events[found.event]
                waits.append(found.seconds - word.end)
                clusters.append(stream.cluster(word))
    return np.array(waits, np.float64), clusters


def _wait(name: str, waits: FloatArray, clusters: Sequence[str], *, note: str, seed: int) -> Measure:
    share = _QUANTILES[name]
    counts: dict[str, float] = {"words": len(waits), "clusters": len(set(clusters))}
    if not len(waits):
        return Measure(name=name, value=None, unit="s", counts=counts, note="no word was heard")
    values = _quantile(waits, share)
    measure = Measure(name=name, value=float(values(np.ones((1, len(waits))))[0]), unit="s", counts=counts, note=note)
    simple = _between_ranks(np.sort(waits), share)
    if simple is None:
        few = "too few words were heard for an interval that assumes no distribution"
        return attrs.evolve(measure, note="; ".join(part for part in (note, few) if part))
    bounds = envelope(simple, bootstrap(values, clusters, seed=seed, level=_LEVEL))
    return attrs.evolve(
        measure, low=bounds.low, high=bounds.high, method=bounds.method, simple=(simple.low, simple.high)
    )


def _quantile(values: FloatArray, share: float, among: npt.NDArray[np.bool_] | None = None) -> Values:
    """Return weights [r, n] → the value [r] that at least `share` of the weight does not exceed; nan without weight.

    `among` [n] marks the items that have a value, where not all have.
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]

    def at(weights: FloatArray) -> FloatArray:
        kept = weights if among is None else weights[:, among]
        reached = np.cumsum(kept[:, order], axis=1)
        if not reached.shape[1]:
            return np.full(len(weights), np.nan)
        total = reached[:, -1:]
        row = np.argmax(reached >= share * total * (1 - _ROUNDING), axis=1)
        return np.where(total[:, 0] > 0, ranked[row], np.nan)

    return at


def _between_ranks(ranked: FloatArray, share: float) -> Interval | None:
    """Bound a quantile by two of the sorted values (Conover, 1999, section 3.2); None where there are too few."""
    tail, count = (1 - _LEVEL) / 2, len(ranked)
    # Fewer than `low` values, and at most `high`, lie below the quantile in all but one tail each.
    low, high = int(binom.ppf(tail, count, share)), int(binom.ppf(1 - tail, count, share))
    if low < 1 or high >= count:
        return None
    return Interval(float(ranked[low - 1]), float(ranked[high]), _LEVEL, "order statistics")


def _costs(cost: Cost) -> list[Measure]:
    """Return what scoring costs, each as a measure; nothing is sampled, so that none has an interval."""
    timed = (
        f"median of {cost.calls} scores of {cost.window_seconds:g} s, each from all its audio with nothing kept from "
        f"the one before, threads: {cost.threads}, {cost.device}"
    )
    counted = "products, convolutions and recurrent layers; no transforms, and nothing that goes element by element"
    return [
        Measure(name="real-time-factor", value=cost.real_time_factor, unit="s/s", note=timed),
        Measure(name="compute-per-score", value=cost.seconds_per_score, unit="s", note=timed),
        Measure(name="macs", value=cost.macs_per_second, unit="MAC/s", note=counted),
        Measure(name="parameters", value=cost.parameters, unit="parameters"),
        Measure(name="model-size", value=cost.model_bytes, unit="B", note="weights as saved"),
    ]
