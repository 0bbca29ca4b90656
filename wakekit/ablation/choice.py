"""The threshold that a cell of an ablation is judged at, and how it would have come out on other audio.

A threshold is chosen on a few false accepts, so another sample of recordings would have given another. How much that
moves a difference is told by choosing again with the recordings weighted at random, all cells with the same weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.optimize import brentq
from scipy.special import gammainc

from wakekit.ablation.evidence import FloatArray, IntArray
from wakekit.operating import pick

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from wakekit.ablation.evidence import Evidence, Part
    from wakekit.settings import Target

RESAMPLES = 200


@attrs.frozen(eq=False)
class Weights:
    """How much each unit of audio counts in each resample [r, u]; `names` are the units in the order of columns.

    Weights are those of the Bayesian bootstrap (Rubin, 1981), which leaves no part of the audio without any: flat on
    the simplex, 1 on average. `inflation` is what the variance of a mean under them falls short by.
    """

    names: tuple[str, ...]
    values: FloatArray

    @property
    def inflation(self) -> float:
        """Factor on a variance under these weights; 0 where there is one unit alone, which tells nothing."""
        units = len(self.names)
        return (units + 1) / (units - 1) if units > 1 else 0.0


def draw_weights(units: Iterable[str], *, seed: int = 0, resamples: int = RESAMPLES) -> Weights:
    """Draw weights for units, whose order does not matter."""
    names = tuple(sorted(set(units)))
    drawn = np.random.default_rng(seed).standard_exponential((resamples, len(names)))
    return Weights(names, drawn * (len(names) / drawn.sum(axis=1, keepdims=True)) if names else drawn)


@attrs.frozen(eq=False)
class Chosen:
    """The rows that a cell is judged at: `rows` [p] of each part, and `again` [p, r] as chosen in each resample."""

    rows: IntArray
    again: IntArray


def chosen(evidence: Evidence, target: Target, weights: Weights) -> Chosen:
    """Choose each part's row on what may be chosen on, and again under the weights."""
    column = {name: number for number, name in enumerate(weights.names)}
    at = np.array([column[name] for name in evidence.units], np.int64)
    rows, again = [], []
    for part in evidence.parts:
        counts, hours = part.choose_false_accepts.sum(axis=0), float(part.choose_hours.sum())
        rows.append(pick(counts, part.choose_hits, hours, target, shown=part.shown_hours).row)
        again.append(choose_again(part, target, weights.values[:, at[part.units]]))
    return Chosen(np.array(rows, np.int64), np.array(again, np.int64).reshape(len(rows), -1))


def choose_again(part: Part, target: Target, weights: FloatArray) -> IntArray:
    """Choose a part's row under weights [r, u] of its units, as `wakekit.operating.pick` does for counts."""
    hours = weights @ part.choose_hours
    counts = weights @ part.choose_false_accepts.astype(np.float64)
    if target.bound == "upper":
        scale, most = part.shown_hours / hours, most_false_accepts(target, part.shown_hours)
    else:
        scale, most = 1 / hours, target.fa_per_hour
    found: IntArray = _rows(counts, np.ascontiguousarray(part.choose_hits), scale, most)
    return found


def most_false_accepts(target: Target, hours: float) -> float:
    """Return the most false accepts in these hours whose upper bound is within the target; -1 where none is."""
    expected = target.fa_per_hour * hours
    # A count c is within it where a Poisson count that is expected so often exceeds c with at least the level's chance.
    if gammainc(1.0, expected) < target.level:
        return -1.0
    top = expected + 1.0
    return float(brentq(lambda count: gammainc(count + 1, expected) - target.level, 0.0, top, xtol=1e-12))


# A weighted count carries the rounding of its sum: counts that differ by so little of them are equal.
_SLACK = 1e-9


@njit(cache=True)
def _rows(counts: FloatArray, hits: IntArray, scale: FloatArray, most: float) -> npt.NDArray[np.int64]:
    found = np.zeros(len(counts), np.int64)
    for draw in range(len(counts)):
        limit = most / scale[draw]
        limit += _SLACK * abs(limit)
        best, kind = -1, 3
        for row in range(len(hits)):
            count, heard = counts[draw, row], hits[row]
            here = 2 if heard == 0 else (0 if count <= limit else 1)
            if here > kind:
                continue
            least = counts[draw, best]
            fewer, tied = count < least * (1 - _SLACK), abs(count - least) <= least * _SLACK
            if here < kind:
                better = True
            elif here == 0:
                better = heard > hits[best] or (heard == hits[best] and fewer)
            else:
                better = fewer or (tied and heard > hits[best])
            if better:
                best, kind = row, here
        found[draw] = best
    return found


def misses(evidence: Evidence, found: Chosen, speakers: Collection[str]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return misses and words [j] of these speakers, in their sorted order, and misses in all of each resample [r]."""
    place = {name: number for number, name in enumerate(sorted(speakers))}
    at = np.array([place.get(name, -1) for name in evidence.speakers], np.int64)
    missed, words, again = np.zeros(len(place)), np.zeros(len(place)), np.zeros(found.again.shape[1])
    for number, part in enumerate(evidence.parts):
        to = at[part.speakers]
        kept = to >= 0
        np.add.at(missed, to[kept], (part.words - part.hits[:, found.rows[number]])[kept])
        np.add.at(words, to[kept], part.words[kept])
        again += part.words[kept].sum() - part.hits[kept].sum(axis=0)[found.again[number]]
    return missed, words, again
