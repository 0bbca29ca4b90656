"""What cells of an ablation differ by in one measure, with its interval, over seeds and speakers that they share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
from scipy.stats import t as student

from wakekit.ablation.crossed import Again, Crossed, crossed
from wakekit.ablation.measures import KINDS, Kind, Sampled, Samples
from wakekit.ablation.result import Effect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakekit.ablation.evidence import Evidence, FloatArray

SAME = "the same by construction"
ONE_SEED = "one seed: what other seeds would change is not in the interval"


@attrs.frozen(eq=False)
class Compared:
    """An effect with the variance that its interval comes from; without one where there is no interval."""

    effect: Effect
    spread: Crossed | None = None


def contrast(
    samples: Samples, measure: str, weights: Mapping[str, float], seeds: Sequence[int], *, level: float
) -> Compared:
    """Compare variants in a measure over words, streams or clips: the sum of their values by weight, over seeds.

    Only words and clips of speakers that all of the variants hear are counted.
    """
    kind = KINDS[measure]
    empty = Effect(measure=measure, unit=kind.unit, better=kind.better, value=None, low=None, high=None, level=level)
    cells = [samples.evidence[name][seed] for name in weights for seed in seeds]
    if same(kind, weights, samples, seeds):
        value = sum(weights.values()) * 0.0
        return Compared(attrs.evolve(empty, value=value, low=value, high=value, note=SAME))
    heard = [samples.clusters(name, seed, kind.over) for name in weights for seed in seeds]
    common, every = heard[0].intersection(*heard), heard[0].union(*heard)
    if every and not common:
        return Compared(attrs.evolve(empty, note="no speaker is heard by all that is compared"))
    if len({len(cell.parts) for cell in cells}) > 1 and kind.over == "streams":
        return Compared(attrs.evolve(empty, note="the audio was dealt into other parts"))
    names = tuple(sorted(common))
    found = [[samples.of(name, seed, measure, names) for name in weights] for seed in seeds]
    rows = [[one for one in row if one is not None] for row in found]
    if any(len(row) < len(weights) for row in rows):
        return Compared(attrs.evolve(empty, note=f"there is nothing among the {kind.over} to measure it on"))
    left_out = f"{len(every) - len(common)} speakers left out, whom only some of the variants hear"
    note = left_out if len(every) > len(common) else ""
    return _combined(empty, rows, np.array(list(weights.values())), note, samples)


def _combined(
    empty: Effect, rows: Sequence[Sequence[Sampled]], weights: FloatArray, note: str, samples: Samples
) -> Compared:
    values = np.array([weights @ [one.value for one in row] for row in rows])
    pseudo = np.array([sum(weight * one.pseudo for weight, one in zip(weights, row, strict=True)) for row in rows])
    # Differences of the same items stay as uncertain however many of them are averaged.
    floor = max(one.floor for row in rows for one in row) * float(abs(weights).sum()) / 2
    again = None
    if rows[0][0].again is not None:
        chosen = [[np.zeros(0) if one.again is None else one.again for one in row] for row in rows]
        moved = np.array([sum(weight * one for weight, one in zip(weights, row, strict=True)) for row in chosen])
        again = Again(values=moved, units=len(samples.weights.names), inflation=samples.weights.inflation)
    scarce = min(one.scarce for row in rows for one in row)
    spread = crossed(values, pseudo, again, floor=floor, scarce=scarce)
    notes = [note] * bool(note) + [ONE_SEED] * (len(rows) == 1)
    if pseudo.shape[1] == 1 and empty.measure != "fa-per-hour":
        notes.append("one speaker: what other speakers would change is not in the interval")
    most = float(abs(weights).sum()) / 2
    return Compared(_bounded(empty, float(values.mean()), spread, "; ".join(notes), most=most), spread)


def _bounded(empty: Effect, value: float, spread: Crossed, note: str, *, most: float) -> Effect:
    if spread.variance <= 0:
        return attrs.evolve(empty, value=value, note="all seeds and speakers give the same: chance cannot be told")
    half = spread.half_width(empty.level)
    # Shares differ by 1 at most, and so does what is made of them; an interaction of two by 2.
    most = math.inf if empty.unit == "1/h" else most
    return attrs.evolve(
        empty,
        value=value,
        low=max(value - half, -most),
        high=min(value + half, most),
        p=None if spread.count == 1 else spread.p(value),
        parts=spread.shares(),
        degrees=spread.degrees,
        note=note,
    )


def pair(
    samples: Samples, measure: str, variant: str, seeds: Sequence[int], *, left_out: bool, level: float
) -> Compared:
    """Compare the recipe, whose name is "", with a variant: with the thing in question minus without it."""
    sign = -1.0 if left_out else 1.0
    kind = KINDS[measure]
    if kind.over == "trainings":
        return Compared(_of_trainings(kind, samples, variant, seeds, sign=sign, level=level))
    compared = contrast(samples, measure, {variant: sign, "": -sign}, seeds, level=level)
    sides = [_values(samples, measure, name, (variant, ""), seeds) for name in ("", variant)]
    if any(None in side for side in sides):
        return compared
    return attrs.evolve(compared, effect=_with_sides(compared.effect, *np.array(sides, np.float64)))


def _values(
    samples: Samples, measure: str, name: str, both: tuple[str, str], seeds: Sequence[int]
) -> list[float | None]:
    over = KINDS[measure].over
    heard = [samples.clusters(one, seed, over) for one in both for seed in seeds]
    names = tuple(sorted(heard[0].intersection(*heard)))
    found = [samples.of(name, seed, measure, names) for seed in seeds]
    return [None if one is None else one.value for one in found]


def _with_sides(effect: Effect, base: FloatArray, variant: FloatArray) -> Effect:
    spread = None if len(base) == 1 else (float(base.std(ddof=1)), float(variant.std(ddof=1)))
    return attrs.evolve(effect, base=float(base.mean()), variant=float(variant.mean()), spread=spread)


def same(kind: Kind, variants: Mapping[str, float], samples: Samples, seeds: Sequence[int]) -> bool:
    """Tell whether variants have the very same to be measured on in all seeds."""
    return all(
        _equal(kind, samples.evidence[name][seed], samples.evidence[next(iter(variants))][seed])
        for name in variants
        for seed in seeds
    )


def alike(one: Evidence, other: Evidence) -> bool:
    """Tell whether two cells have the very same to be judged by: scores, counts and probabilities."""
    return all(_equal(KINDS[name], one, other) for name in ("miss-rate", "brier"))


def _equal(kind: Kind, one: Evidence, other: Evidence) -> bool:
    if one is other:
        return True
    clips, others = one.clips, other.clips
    known = clips.clusters == others.clusters and np.array_equal(clips.labels, others.labels)
    if kind.over == "clips":
        raw = kind.name in {"eer", "pauc"}
        return known and np.array_equal(*((clips.raw, others.raw) if raw else (clips.probability, others.probability)))
    if kind.over == "trainings":
        return known and bool(one.dev_loss) and one.dev_loss == other.dev_loss
    if len(one.parts) != len(other.parts) or not known or not np.array_equal(clips.raw, others.raw):
        return False
    return (one.speakers, one.units) == (other.speakers, other.units) and all(
        np.array_equal(value, attrs.asdict(there, recurse=False)[name])
        for part, there in zip(one.parts, other.parts, strict=True)
        for name, value in attrs.asdict(part, recurse=False).items()
    )


def _of_trainings(
    kind: Kind, samples: Samples, variant: str, seeds: Sequence[int], *, sign: float, level: float
) -> Effect:
    empty = Effect(measure=kind.name, unit=kind.unit, better=kind.better, value=None, low=None, high=None, level=level)
    cells = [(samples.evidence[""][seed], samples.evidence[variant][seed]) for seed in seeds]
    numbers = [_numbers(kind.name, *cell) for cell in cells]
    known = [both for both in numbers if both is not None]
    # A time to the last bit the same was measured once, of what both share.
    shared = kind.name != "epochs" and known and all(one == other for one, other in known)
    if shared or (kind.name == "epochs" and same(kind, {"": 1.0, variant: 1.0}, samples, seeds)):
        return attrs.evolve(empty, value=0.0, low=0.0, high=0.0, note=SAME)
    if not known:
        return attrs.evolve(
            empty, note="not known for any seed" if kind.name == "epochs" else "interrupted and resumed"
        )
    base, other = np.array(known, np.float64).T
    differences = sign * (other - base)
    note = "" if len(known) == len(seeds) else f"known for {len(known)} of {len(seeds)} seeds"
    effect = _with_sides(attrs.evolve(empty, value=float(differences.mean()), note=note), base, other)
    if len(known) == 1:
        return attrs.evolve(effect, note=f"{note}; {ONE_SEED}".removeprefix("; "))
    error = float(differences.std(ddof=1)) / math.sqrt(len(known))
    if not error:
        return attrs.evolve(effect, note="the same difference in every seed: chance cannot be told")
    degrees = len(known) - 1
    half = float(student.ppf((1 + level) / 2, degrees)) * error
    return attrs.evolve(
        effect,
        low=float(differences.mean()) - half,
        high=float(differences.mean()) + half,
        p=float(2 * student.sf(abs(differences.mean()) / error, degrees)),
        parts={"seeds": 1.0},
        degrees=float(degrees),
    )


def _numbers(measure: str, base: Evidence, variant: Evidence) -> tuple[float, float] | None:
    if measure == "epochs":
        return epochs_to_reach(base.dev_loss, variant.dev_loss)
    if measure == "training-time":
        one, other = base.train_seconds, variant.train_seconds
    else:
        one, other = base.score_seconds, variant.score_seconds
    return None if one is None or other is None else (one, other)


def epochs_to_reach(first: Sequence[float], other: Sequence[float]) -> tuple[float, float] | None:
    """Return the epochs that each of two trainings takes until its dev loss is as low as both of them get.

    That is the worse of the two lowest losses; None where one has no loss that is a number.
    """
    losses = [np.array(one, np.float64) for one in (first, other)]
    if not all(np.isfinite(one).any() for one in losses):
        return None
    common = max(float(np.nanmin(one)) for one in losses)
    return float(np.argmax(losses[0] <= common)) + 1, float(np.argmax(losses[1] <= common)) + 1
