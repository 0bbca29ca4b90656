"""What is measured of each cell of an ablation, with the pseudo-values of speakers that say how far to trust it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit.ablation.choice import chosen, draw_weights, misses
from wakekit.ablation.crossed import jackknife
from wakekit.ablation.evidence import FloatArray
from wakekit.curves import ranked, standardized

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakekit.ablation.choice import Chosen
    from wakekit.ablation.evidence import ClipEvidence, Evidence, IntArray
    from wakekit.settings import Target

MAX_FPR = 0.1
_GROUPS = 100
_HALF = 0.5


@attrs.frozen
class Kind:
    """A measure: its name, unit, the way that is better, what it is over, and how sentences call it.

    It is over `words`, `streams`, `clips`, or `trainings`, of which there is one number for each seed.
    """

    name: str
    unit: str
    better: str
    over: str
    noun: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind("miss-rate", "share", "lower", "words", "the share of words missed"),
        Kind("fa-per-hour", "1/h", "lower", "streams", "the rate of false accepts"),
        Kind("eer", "share", "lower", "clips", "the equal error rate"),
        Kind("pauc", "area", "higher", "clips", "the partial area under the ROC curve"),
        Kind("brier", "squared error", "lower", "clips", "the Brier score"),
        Kind("accuracy", "share", "higher", "clips", "the share of clips judged rightly"),
        Kind("false-positives", "share", "lower", "clips", "the share of other clips taken for the keyword"),
        Kind("epochs", "epochs", "lower", "trainings", "the number of epochs"),
        Kind("training-time", "s", "lower", "trainings", "the time of training"),
        Kind("scoring-time", "s", "lower", "trainings", "the time of scoring"),
    )
}


@attrs.frozen(eq=False, kw_only=True)
class Sampled:
    """A measure of one cell: its value, pseudo-values [j] by cluster, and values [r] where the threshold was re-chosen.

    `floor` is the least that the variance of a difference may be: what one item more on either side would make of it,
    as Bonett and Price (2012) count it for paired proportions, so that no interval shrinks to a point where two sides
    happen to agree on every item. `scarce` is the number of clusters that hold the scarcer class of clips.
    """

    value: float
    pseudo: FloatArray
    again: FloatArray | None = None
    floor: float = 0.0
    scarce: int = 0


class Samples:
    """The measures of all cells of an ablation, each computed once; `evidence` is by variant and seed.

    Recordings are weighted alike for all cells, which are paired by that.
    """

    def __init__(self, evidence: Mapping[str, Mapping[int, Evidence]], target: Target, *, seed: int = 0) -> None:
        self.evidence = evidence
        self._target = target
        every = [cell for seeds in evidence.values() for cell in seeds.values()]
        self.weights = draw_weights((unit for cell in every for unit in cell.units), seed=seed)
        self._chosen: dict[tuple[str, int], Chosen] = {}
        self._clusters: dict[tuple[str, int, str], frozenset[str]] = {}
        self._sampled: dict[tuple[str, int, str, tuple[str, ...]], Sampled | None] = {}

    def of(self, variant: str, seed: int, measure: str, clusters: tuple[str, ...]) -> Sampled | None:
        """Return a measure over words, streams or clips on these clusters, in their order; None where it has no value.

        For streams clusters are ignored: theirs are the parts.
        """
        key = (variant, seed, measure, clusters)
        if key not in self._sampled:
            cell = self.evidence[variant][seed]
            over = KINDS[measure].over
            if over == "clips":
                found = _of_clips(cell.clips, measure, clusters)
            else:
                picked = self._choose(variant, seed)
                found = _missed(cell, picked, clusters) if over == "words" else _accepted(cell, picked)
            self._sampled[key] = found
        return self._sampled[key]

    def clusters(self, variant: str, seed: int, over: str) -> frozenset[str]:
        """Return the clusters of a cell's words or clips, by name; those of streams are its parts, and have none."""
        key = (variant, seed, over)
        if key not in self._clusters:
            cell = self.evidence[variant][seed]
            named: tuple[str, ...] = ()
            if over == "words":
                named = tuple(cell.speakers[number] for part in cell.parts for number in part.speakers.tolist())
            self._clusters[key] = frozenset(cell.clips.clusters if over == "clips" else named)
        return self._clusters[key]

    def _choose(self, variant: str, seed: int) -> Chosen:
        if (variant, seed) not in self._chosen:
            self._chosen[variant, seed] = chosen(self.evidence[variant][seed], self._target, self.weights)
        return self._chosen[variant, seed]


def measures_of(evidence: Evidence, target: Target) -> dict[str, float]:
    """Return a cell's own numbers by the names of measures; those that cannot be had are left out.

    `epochs` are those until its best dev loss.
    """
    samples = Samples({"": {0: evidence}}, target)
    found = {}
    for name, kind in KINDS.items():
        if kind.over != "trainings":
            sampled = samples.of("", 0, name, tuple(sorted(samples.clusters("", 0, kind.over))))
            found[name] = None if sampled is None else sampled.value
    losses = np.array(evidence.dev_loss)
    found["epochs"] = float(np.nanargmin(losses)) + 1 if np.isfinite(losses).any() else None
    found["training-time"], found["scoring-time"] = evidence.train_seconds, evidence.score_seconds
    return {name: value for name, value in found.items() if value is not None}


def _missed(cell: Evidence, picked: Chosen, speakers: Sequence[str]) -> Sampled | None:
    missed, words, again = misses(cell, picked, speakers)
    said = float(words.sum())
    if not said:
        return None
    return Sampled(
        value=float(missed.sum()) / said, pseudo=jackknife(missed, words), again=again / said, floor=_least(said)
    )


def _accepted(cell: Evidence, picked: Chosen) -> Sampled | None:
    hours = np.array([part.hours for part in cell.parts])
    spent = float(hours.sum())
    if not spent:
        return None
    each = [part.false_accepts for part in cell.parts]
    counts = np.array([one[row] for one, row in zip(each, picked.rows, strict=True)], np.float64)
    again = sum((one[rows] for one, rows in zip(each, picked.again, strict=True)), np.zeros(picked.again.shape[1]))
    # One part alone says nothing of how other audio would differ: the counts of both sides are taken as Poisson.
    apart = 1 + float(counts.sum()) if len(each) == 1 else 1.0
    return Sampled(
        value=float(counts.sum()) / spent,
        pseudo=jackknife(counts, hours),
        again=again / spent,
        floor=2 * apart / spent**2,
    )


def _least(items: float) -> float:
    """Return the variance of a difference of two shares of the same items, of which one more differs either way."""
    return 2 / (items + 2) ** 2


def _of_clips(clips: ClipEvidence, measure: str, clusters: tuple[str, ...]) -> Sampled | None:
    group = {name: number % _GROUPS for number, name in enumerate(clusters)}
    member = np.array([group.get(name, -1) for name in clips.clusters], np.int64)
    kept, count = member >= 0, min(_GROUPS, len(clusters))
    labels, member = clips.labels[kept], member[kept]
    if measure in {"eer", "pauc"}:
        return _ranked(measure, clips.raw[kept], labels, member, count)
    probability = clips.probability[kept]
    items: FloatArray = {
        "brier": (probability - labels) ** 2,
        "accuracy": ((probability >= _HALF) == (labels == 1)).astype(np.float64),
        "false-positives": ((probability >= _HALF) & (labels == 0)).astype(np.float64),
    }[measure]
    counted = (labels == 0).astype(np.float64) if measure == "false-positives" else np.ones(len(labels))
    if not counted.sum():
        return None
    tops, bottoms = np.zeros(count), np.zeros(count)
    np.add.at(tops, member, items)
    np.add.at(bottoms, member, counted)
    floor = 0.0 if measure == "brier" else _least(float(counted.sum()))
    scarce = _scarce(labels[counted > 0], member[counted > 0])
    return Sampled(
        value=float(items.sum() / counted.sum()), pseudo=jackknife(tops, bottoms), floor=floor, scarce=scarce
    )


def _scarce(labels: IntArray, member: IntArray) -> int:
    """Return the number of clusters that hold the class that fewer of them hold."""
    return min(len(np.unique(member[labels == label])) for label in np.unique(labels))


def _ranked(measure: str, raw: FloatArray, labels: IntArray, member: IntArray, count: int) -> Sampled | None:
    weights = np.ones((count + 1, len(raw)))
    weights[member + 1, np.arange(len(raw))] = 0.0
    order = ranked(raw, labels)
    if not order.positives or not order.negatives:
        return None
    values = order.eer(weights) if measure == "eer" else standardized(order.pauc(MAX_FPR, weights), MAX_FPR)
    value = float(values[0])
    # Without a cluster that holds all clips of one class there is no value; it tells nothing of the spread.
    left = np.where(np.isnan(values[1:]), value, values[1:])
    scale = 1.0 if measure == "eer" else _HALF / (1 - MAX_FPR / 2)
    floor = _least(min(order.positives, order.negatives)) * scale**2
    return Sampled(value=value, pseudo=count * value - (count - 1) * left, floor=floor, scarce=_scarce(labels, member))
