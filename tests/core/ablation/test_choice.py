"""Thresholds of cells are those of the operating point's rule, on audio as it is and on audio weighted anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.ablation.simulated import TARGET, World, counted
from wakekit.ablation.choice import Weights, choose_again, chosen, draw_weights, misses, most_false_accepts
from wakekit.intervals import one_sided_upper
from wakekit.operating import pick
from wakekit.settings import Target

if TYPE_CHECKING:
    from wakekit.ablation.evidence import Part


def part(rng: np.random.Generator, rows: int, units: int) -> Part:
    """Return a part of random counts, not monotone along the rows, some of which hear nothing."""
    hits = rng.integers(0, 6, rows) * rng.integers(0, 2, rows)
    return attrs.evolve(
        counted([0]).parts[0],
        choose_false_accepts=rng.integers(0, 5, (units, rows)),
        choose_hours=rng.integers(1, 5, units) / 4,
        units=np.arange(units),
        choose_hits=hits,
        shown_hours=float(rng.integers(1, 9)),
    )


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32), st.integers(1, 12), st.integers(1, 5),
    st.sampled_from(["estimate", "upper"]), st.floats(0.05, 20), st.floats(0.5, 0.99),
)  # fmt: skip
def test_it_chooses_as_the_operating_point_does(
    seed: int, rows: int, units: int, bound: str, rate: float, level: float
) -> None:
    """With whole weights, which repeat units, the row is the one that `pick` takes on the repeated units."""
    rng = np.random.default_rng(seed)
    found = part(rng, rows, units)
    target = Target(fa_per_hour=rate, bound=bound, level=level)
    weights = rng.integers(1, 4, (6, units))
    expected = [
        pick(row @ found.choose_false_accepts, found.choose_hits, float(row @ found.choose_hours), target,
             shown=found.shown_hours).row
        for row in weights
    ]  # fmt: skip
    assert choose_again(found, target, weights.astype(np.float64)).tolist() == expected


@pytest.mark.parametrize("hours", [0.1, 0.7, 3.0, 40.0])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_the_most_false_accepts_are_where_the_bound_meets_the_target(hours: float, level: float) -> None:
    """The upper bound of that count is the target itself; where even none is beyond it, no count is."""
    target = Target(fa_per_hour=4.0, bound="upper", level=level)
    most = most_false_accepts(target, hours)
    if one_sided_upper(0, hours, level) > 4.0:
        assert most < 0
    else:
        assert one_sided_upper(most, hours, level) == pytest.approx(4.0, rel=1e-6)


def test_every_part_is_judged_at_its_own_row() -> None:
    """Misses are those of each part's speakers at the row chosen on the other parts, however the units are weighted."""
    cell = World(speakers=7, units=6).ablation(np.random.default_rng(3), 1, [])[0][0]
    weights = draw_weights(cell.units, resamples=5)
    found = chosen(cell, TARGET, weights)
    missed, words, again = misses(cell, found, cell.speakers)
    expected, total, moved = {}, {}, np.zeros(5)
    for number, one in enumerate(cell.parts):
        row = pick(one.choose_false_accepts.sum(axis=0), one.choose_hits, one.choose_hours.sum(), TARGET).row
        for speaker, said, heard in zip(one.speakers, one.words, one.hits, strict=True):
            expected[cell.speakers[speaker]] = said - heard[row]
            total[cell.speakers[speaker]] = said
            moved += said - heard[found.again[number]]
    assert dict(zip(sorted(cell.speakers), missed, strict=True)) == expected
    assert dict(zip(sorted(cell.speakers), words, strict=True)) == total
    assert again.tolist() == moved.tolist()
    assert set(found.rows) != {0}


def test_each_unit_has_its_own_weight_in_every_part() -> None:
    """A part is chosen again under the weights that its units have by name, whatever their order and number."""
    cell = World(speakers=7, units=6).ablation(np.random.default_rng(5), 1, [])[0][0]
    weights = draw_weights([*cell.units, "another", "u10"])
    found = chosen(cell, TARGET, weights)
    for number, one in enumerate(cell.parts):
        columns = [weights.names.index(cell.units[unit]) for unit in one.units]
        assert np.array_equal(found.again[number], choose_again(one, TARGET, weights.values[:, columns]))


def test_only_the_speakers_asked_for_are_counted() -> None:
    """Misses of other speakers are in neither the counts nor the resamples."""
    cell = counted([1, 2, 4])
    missed, words, again = misses(cell, chosen(cell, TARGET, draw_weights(cell.units)), ["s2", "s0"])
    assert missed.tolist() == [1, 4]
    assert words.tolist() == [10, 10]
    assert set(again.tolist()) == {5}


def test_weights_are_the_same_for_the_same_units_in_any_order() -> None:
    """A unit has its weights by its name, 1 on average in each resample, none of them 0."""
    one, other = draw_weights(["a", "b", "c"], seed=4), draw_weights(["c", "a", "b", "a"], seed=4)
    assert one.names == other.names
    assert np.array_equal(one.values, other.values)
    assert one.values.mean(axis=1) == pytest.approx(np.ones(200))
    assert (one.values > 0).all()
    assert not np.array_equal(one.values, draw_weights(["a", "b", "c"], seed=5).values)


def test_variances_under_the_weights_are_those_of_a_mean() -> None:
    """The variance of a weighted mean, inflated, is that of a mean of so many independent items."""
    names = [f"u{number}" for number in range(8)]
    weights = draw_weights(names, resamples=40_000)
    items = np.random.default_rng(0).normal(size=8)
    found = weights.inflation * (weights.values @ items / 8).var()
    assert found == pytest.approx(items.var(ddof=1) / 8, rel=0.05)
    assert Weights(("a",), np.ones((3, 1))).inflation == 0


def test_a_count_at_the_target_is_within_it_under_weights() -> None:
    """Rounding in a weighted sum does not push a rate beyond the target that it equals."""
    one = attrs.evolve(
        part(np.random.default_rng(0), 2, 3),
        choose_false_accepts=np.array([[0, 1], [0, 1], [0, 1]]),
        choose_hours=np.full(3, 1.0),
        choose_hits=np.array([1, 2]),
    )
    weights = np.random.default_rng(1).random((500, 3))
    assert choose_again(one, Target(fa_per_hour=1.0), weights).tolist() == [1] * 500
