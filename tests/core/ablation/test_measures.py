"""Measures of cells and their differences against counting by hand, leaving out by hand, and symmetries."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.core.ablation.simulated import TARGET, World, counted
from wakekit.ablation.effects import ONE_SEED, SAME, contrast, epochs_to_reach, pair
from wakekit.ablation.measures import KINDS, Samples, measures_of
from wakekit.curves import ranked, standardized
from wakekit.operating import pick

if TYPE_CHECKING:
    from wakekit.ablation.evidence import Evidence, Part

SMALL = World(speakers=6, words=(2, 4), units=6, hours=2.0)


def shuffled(cell: Evidence, rng: np.random.Generator) -> Evidence:
    """Return the same evidence with speakers, units and clips in another order."""
    speakers, units = rng.permutation(len(cell.speakers)), rng.permutation(len(cell.units))
    to_speaker, to_unit = np.argsort(speakers), np.argsort(units)
    clips = rng.permutation(len(cell.clips.raw))

    def moved(part: Part) -> Part:
        rows, columns = rng.permutation(len(part.speakers)), rng.permutation(len(part.units))
        return attrs.evolve(
            part,
            speakers=to_speaker[part.speakers[rows]],
            words=part.words[rows],
            hits=part.hits[rows],
            units=to_unit[part.units[columns]],
            choose_hours=part.choose_hours[columns],
            choose_false_accepts=part.choose_false_accepts[columns],
        )

    return attrs.evolve(
        cell,
        speakers=tuple(cell.speakers[number] for number in speakers),
        units=tuple(cell.units[number] for number in units),
        parts=tuple(moved(part) for part in cell.parts),
        clips=attrs.evolve(
            cell.clips,
            raw=cell.clips.raw[clips],
            probability=cell.clips.probability[clips],
            labels=cell.clips.labels[clips],
            clusters=tuple(cell.clips.clusters[number] for number in clips),
        ),
    )


def test_a_cell_is_measured_as_by_hand() -> None:
    """Each measure of a cell is what counting its words, streams and clips one by one gives."""
    cell = World().ablation(np.random.default_rng(1), 1, [])[0][0]
    found = measures_of(cell, TARGET)
    missed = accepted = 0
    for part in cell.parts:
        row = pick(part.choose_false_accepts.sum(axis=0), part.choose_hits, part.choose_hours.sum(), TARGET).row
        missed += (part.words - part.hits[:, row]).sum()
        accepted += part.false_accepts[row]
    labels, probability = cell.clips.labels, cell.clips.probability
    order = ranked(cell.clips.raw, labels)
    assert found == pytest.approx(
        {
            "miss-rate": missed / sum(part.words.sum() for part in cell.parts),
            "fa-per-hour": accepted / sum(part.hours for part in cell.parts),
            "eer": order.eer()[0],
            "pauc": standardized(order.pauc(0.1), 0.1)[0],
            "brier": ((probability - labels) ** 2).mean(),
            "accuracy": ((probability >= 0.5) == labels).mean(),
            "false-positives": (probability[labels == 0] >= 0.5).mean(),
            "epochs": np.argmin(cell.dev_loss) + 1,
            "training-time": cell.train_seconds,
            "scoring-time": cell.score_seconds,
        }
    )
    assert list(found) == list(KINDS)


def test_what_cannot_be_had_is_left_out() -> None:
    """Times of interrupted stages, losses of no training, words and classes that are not there have no number."""
    cell = counted([0, 0], train_seconds=None, dev_loss=())
    silent = attrs.evolve(cell.parts[0], words=np.zeros(2, np.int64), hits=np.zeros((2, 1), np.int64), hours=0.0)
    clips = attrs.evolve(cell.clips, labels=np.ones(8, np.int64))
    found = measures_of(attrs.evolve(cell, parts=(silent,), clips=clips), TARGET)
    assert set(found) == {"brier", "accuracy"}


@pytest.mark.parametrize("measure", ["eer", "pauc", "brier", "accuracy", "false-positives"])
def test_pseudo_values_leave_out_the_clips_of_a_cluster(measure: str) -> None:
    """Each is what the measure becomes without that cluster's clips."""
    cell = SMALL.ablation(np.random.default_rng(2), 1, [])[0][0]
    names = tuple(sorted(set(cell.clips.clusters)))
    found = Samples({"": {0: cell}}, TARGET).of("", 0, measure, names)
    assert found is not None
    for name, pseudo in zip(names, found.pseudo, strict=True):
        kept = np.array([other != name for other in cell.clips.clusters])
        clips = attrs.evolve(
            cell.clips,
            raw=cell.clips.raw[kept],
            probability=cell.clips.probability[kept],
            labels=cell.clips.labels[kept],
            clusters=tuple(np.array(cell.clips.clusters)[kept]),
        )
        rest = measures_of(attrs.evolve(cell, clips=clips), TARGET)[measure]
        assert pseudo == pytest.approx(len(names) * found.value - (len(names) - 1) * rest)


def test_clusters_of_the_scarcer_class_are_counted() -> None:
    """Of eight speakers two say the keyword; only the others count where the share is of other clips."""
    cell = counted([0] * 8)
    cell = attrs.evolve(cell, clips=attrs.evolve(cell.clips, labels=(np.arange(32) < 8).astype(np.int64)))
    names = tuple(sorted(set(cell.clips.clusters)))
    found = {
        name: Samples({"": {0: cell}}, TARGET).of("", 0, name, names) for name in KINDS if KINDS[name].over == "clips"
    }
    assert {name: one.scarce for name, one in found.items() if one is not None} == {
        "eer": 2, "pauc": 2, "brier": 2, "accuracy": 2, "false-positives": 6,
    }  # fmt: skip


def test_clusters_beyond_a_hundred_are_left_out_in_groups() -> None:
    """There are never more than a hundred pseudo-values; the variance of a mean is the same but for chance."""
    rng = np.random.default_rng(0)
    cell = counted([0] * 600)
    clips = attrs.evolve(cell.clips, probability=rng.random(2400))
    names = tuple(sorted(set(clips.clusters)))
    found = Samples({"": {0: attrs.evolve(cell, clips=clips)}}, TARGET).of("", 0, "brier", names)
    assert found is not None
    assert len(found.pseudo) == 100
    items = (clips.probability - clips.labels) ** 2
    assert found.pseudo.mean() == pytest.approx(items.mean())
    assert found.pseudo.var(ddof=1) / 100 == pytest.approx(items.var() / 2400, rel=0.4)


def test_a_difference_of_words_is_worked_by_hand() -> None:
    """Mean, spread between seeds, interval and chance of the misses of two seeds, where all speakers move alike."""
    base = {0: counted([1, 1, 1], noise=1), 1: counted([2, 2, 2], noise=2), 2: counted([2, 2, 2], noise=3)}
    other = {0: counted([3, 3, 3], noise=4), 1: counted([6, 6, 6], noise=5), 2: counted([3, 3, 3], noise=6)}
    samples = Samples({"": base, "v": other}, TARGET)
    effect = pair(samples, "miss-rate", "v", [0, 1, 2], left_out=False, level=0.9).effect
    test = stats.ttest_1samp([0.2, 0.4, 0.1], 0)
    interval = test.confidence_interval(0.9)
    assert (effect.value, effect.low, effect.high) == pytest.approx((0.7 / 3, interval.low, interval.high))
    assert effect.p == pytest.approx(test.pvalue)
    assert (effect.base, effect.variant) == pytest.approx((0.5 / 3, 0.4))
    assert effect.spread == pytest.approx((np.std([0.1, 0.2, 0.2], ddof=1), np.std([0.3, 0.6, 0.3], ddof=1)))
    assert (effect.degrees, effect.parts["seeds"], effect.level) == (2, 1, 0.9)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_order_does_not_matter(seed: int) -> None:
    """Speakers, units, clips and seeds in another order leave every measure's effect as it is."""
    rng = np.random.default_rng(seed)
    base, variants = SMALL.ablation(rng, 3, [0.3])
    one = Samples({"": base, "v": variants["v0"]}, TARGET)
    mixed = [{number: shuffled(cells[number], rng) for number in (2, 0, 1)} for cells in (base, variants["v0"])]
    other = Samples({"": mixed[0], "v": mixed[1]}, TARGET)
    for measure in KINDS:
        first = pair(one, measure, "v", [0, 1, 2], left_out=True, level=0.95).effect
        second = pair(other, measure, "v", [1, 0, 2], left_out=True, level=0.95).effect
        assert numbers(first) == pytest.approx(numbers(second), rel=1e-6, abs=1e-9, nan_ok=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32))
def test_swapping_the_sides_turns_the_sign(seed: int) -> None:
    """The recipe as the variant of its variant, and what is left out rather than put in, turn the interval around."""
    base, variants = SMALL.ablation(np.random.default_rng(seed), 3, [0.3])
    one, other = Samples({"": base, "v": variants["v0"]}, TARGET), Samples({"": variants["v0"], "v": base}, TARGET)
    for measure in KINDS:
        first = pair(one, measure, "v", [0, 1, 2], left_out=False, level=0.95).effect
        swapped = pair(other, measure, "v", [0, 1, 2], left_out=False, level=0.95).effect
        left = pair(one, measure, "v", [0, 1, 2], left_out=True, level=0.95).effect
        value, low, high, p, degrees = numbers(swapped)
        turned = [-value, -high, -low, p, degrees]
        assert numbers(first) == pytest.approx(turned, rel=1e-6, abs=1e-9, nan_ok=True)
        assert numbers(left) == pytest.approx(numbers(swapped), rel=1e-6, abs=1e-9, nan_ok=True)
        assert (left.base, left.variant) == (first.base, first.variant)


def numbers(effect: object) -> list[float]:
    """Return what an effect says in numbers."""
    found = [getattr(effect, name) for name in ("value", "low", "high", "p", "degrees")]
    return [math.nan if one is None else one for one in found]


def test_what_is_the_same_is_said_to_be() -> None:
    """Equal raw scores are equal in all that ranks clips or hears words; other probabilities change Brier's score."""
    base = {number: counted([1, 2, 0], noise=number) for number in range(3)}
    calibrated = {
        number: attrs.evolve(cell, clips=attrs.evolve(cell.clips, probability=cell.clips.probability**2))
        for number, cell in base.items()
    }
    samples = Samples({"": base, "v": calibrated}, TARGET)
    notes = {name: pair(samples, name, "v", [0, 1, 2], left_out=True, level=0.95).effect for name in KINDS}
    same = {name for name, effect in notes.items() if effect.note == SAME}
    assert same == {"miss-rate", "fa-per-hour", "eer", "pauc", "epochs", "training-time"}
    assert all(
        (notes[name].value, notes[name].low, notes[name].high, notes[name].p) == (0, 0, 0, None) for name in same
    )
    assert notes["brier"].p is not None


def test_an_interval_does_not_shrink_to_a_point() -> None:
    """Where another model misses the very same words in all seeds, one word more on either side is left open."""
    base = {number: counted([1, 0, 2, 0], noise=number) for number in range(4)}
    other = {number: counted([1, 0, 2, 0], noise=number + 9) for number in range(4)}
    effect = pair(
        Samples({"": base, "v": other}, TARGET), "miss-rate", "v", [0, 1, 2, 3], left_out=True, level=0.95
    ).effect
    assert (effect.value, effect.p) == (0, 1)
    assert effect.high == pytest.approx(stats.t.ppf(0.975, 3) * math.sqrt(2) / 42)
    assert effect.low == -effect.high


@pytest.mark.parametrize("measure", ["eer", "pauc", "accuracy", "false-positives"])
def test_nor_does_one_of_perfect_clips(measure: str) -> None:
    """Two models that tell all clips apart are not known to be equal."""

    def perfect(noise: int) -> Evidence:
        cell = counted([0, 0, 0], noise=noise)
        raw = np.abs(cell.clips.raw) * (2 * cell.clips.labels - 1)
        return attrs.evolve(cell, clips=attrs.evolve(cell.clips, raw=raw, probability=1 / (1 + np.exp(-raw))))

    sides = {"": {number: perfect(number) for number in range(3)}, "v": {n: perfect(n + 5) for n in range(3)}}
    effect = pair(Samples(sides, TARGET), measure, "v", [0, 1, 2], left_out=False, level=0.95).effect
    assert effect.value == pytest.approx(0)
    assert effect.low is not None
    assert effect.low < -0.05


def test_one_seed_has_an_interval_without_a_chance() -> None:
    """The interval of one seed is that of its speakers, and says so."""
    base, variants = SMALL.ablation(np.random.default_rng(3), 1, [0.5])
    effect = pair(
        Samples({"": base, "v": variants["v0"]}, TARGET), "miss-rate", "v", [0], left_out=True, level=0.9
    ).effect
    assert (effect.p, effect.note, effect.spread) == (None, ONE_SEED, None)
    assert effect.low is not None


def test_only_speakers_that_both_hear_are_compared() -> None:
    """A longer window hears fewer: speakers whom one side lacks are left out of both, and counted in the note."""
    base = {number: counted([9, 1, 2], noise=number) for number in range(2)}
    other = {number: attrs.evolve(counted([1, 2], noise=number + 9), speakers=("s1", "s2")) for number in range(2)}
    effect = pair(Samples({"": base, "v": other}, TARGET), "miss-rate", "v", [0, 1], left_out=False, level=0.95).effect
    assert (effect.base, effect.variant, effect.value) == pytest.approx((0.15, 0.15, 0.0))
    assert effect.note.startswith("1 speakers left out")
    strangers = {number: attrs.evolve(cell, speakers=("x", "y")) for number, cell in other.items()}
    samples = Samples({"": base, "v": strangers}, TARGET)
    alone = pair(samples, "miss-rate", "v", [0, 1], left_out=False, level=0.95).effect
    assert (alone.value, alone.note) == (None, "no speaker is heard by all that is compared")


@pytest.mark.parametrize(
    ("first", "other", "found"),
    [
        ((5, 3, 2, 1), (5, 4, 2.5, 2), (3, 4)),
        ((5, 3, 2, 1), (1, 9), (4, 1)),
        ((math.nan, 3), (4, 3), (2, 2)),
        ((2, 1), (), None),
        ((math.nan,), (1,), None),
    ],
)
def test_epochs_are_those_to_the_loss_that_both_reach(
    first: tuple[float, ...], other: tuple[float, ...], found: tuple[float, float] | None
) -> None:
    """The worse of the two lowest losses is what both are timed to."""
    assert epochs_to_reach(first, other) == found


def test_times_are_compared_seed_by_seed() -> None:
    """The interval is Student's over the seeds' differences; seeds without a time are left out and counted."""
    base = {number: counted([0], noise=number, train_seconds=10.0) for number in range(4)}
    other = {number: counted([0], noise=number, train_seconds=t) for number, t in enumerate((11.0, 13.0, 12.5, None))}
    effect = pair(
        Samples({"": base, "v": other}, TARGET), "training-time", "v", range(4), left_out=False, level=0.95
    ).effect
    test = stats.ttest_1samp([1.0, 3.0, 2.5], 0)
    assert (effect.low, effect.high) == pytest.approx(tuple(test.confidence_interval()))
    assert (effect.base, effect.p, effect.note) == (10, pytest.approx(test.pvalue), "known for 3 of 4 seeds")
    nothing = pair(
        Samples({"": base, "v": other}, TARGET), "training-time", "v", [3], left_out=False, level=0.95
    ).effect
    assert (nothing.value, nothing.note) == (None, "interrupted and resumed")


def test_a_contrast_of_several_cells_is_the_sum_of_their_differences() -> None:
    """Weights add up: half of two differences each has their mean for its value."""
    base, variants = SMALL.ablation(np.random.default_rng(4), 3, [0.3, -0.5])
    samples = Samples({"": base, **variants}, TARGET)
    both = contrast(samples, "miss-rate", {"v0": 0.5, "v1": 0.5, "": -1.0}, [0, 1, 2], level=0.95).effect
    each = [pair(samples, "miss-rate", name, [0, 1, 2], left_out=False, level=0.95).effect.value for name in variants]
    assert both.value == pytest.approx(np.mean([value or 0.0 for value in each]))
