"""The operating point is the best that meets the target, and says so plainly where none does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma

from wakekit import operating
from wakekit.errors import WakekitError
from wakekit.settings import Target
from wakekit.sweep import Curve

if TYPE_CHECKING:
    from wakekit.data import OperatingPoint

Points = list[tuple[int, int]]


def curve(points: Points, *, events: int = 10, hours: float = 10.0, limit: float = 100.0, exact: bool = True) -> Curve:
    """A curve of (false accepts, hits) at thresholds 0.99, 0.98 and so on, all but the first on a grid if not exact."""
    accepts, hits = (np.array(column, np.int64) for column in zip(*points, strict=True))
    thresholds = 0.99 - np.arange(len(points)) / 100
    return Curve(
        thresholds=thresholds,
        part_false_accepts=accepts[None],
        part_hits=hits[None],
        part_events=np.array([events]),
        part_hours=np.array([hours]),
        max_fa_per_hour=limit,
        distinct=len(points) + 5 * (not exact),
        exact=len(points) if exact else 1,
        exact_down_to=thresholds[-1 if exact else 0],
    )


def choose(given_curve: Curve, fa_per_hour: float, *, bound: str = "estimate", level: float = 0.95) -> OperatingPoint:
    """Choose for a target."""
    target = Target(fa_per_hour=fa_per_hour, bound=bound, level=level)
    return operating.choose(given_curve, target, calibration="c")


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 10)), min_size=1, max_size=20),
    st.sampled_from([0.05, 0.1, 0.3, 0.5, 2.0]),
)
@settings(deadline=None)
def test_the_choice_is_the_best_of_all_points(points: Points, target: float) -> None:
    """It hears the most within the target; ties go to fewer false accepts, then to the higher threshold."""
    found = choose(curve(points), target)
    rows = [(accepts, hits, 0.99 - row / 100) for row, (accepts, hits) in enumerate(points)]
    met = [row for row in rows if row[0] / 10 <= target and row[1] > 0]
    assert found.reachable == bool(met)
    if met:
        best = max(met, key=lambda row: (row[1], -row[0], row[2]))
    else:
        best = max([r for r in rows if r[1]] or rows, key=lambda row: (-row[0], row[1], row[2]))
    assert (found.false_accepts, found.events - found.misses) == best[:2]
    assert found.threshold == pytest.approx(best[2])
    assert found.miss_rate == pytest.approx(1 - best[1] / 10)


def test_counts_that_fall_again_are_used() -> None:
    """T6: a lower threshold that meets the target again, after a higher one that did not, is taken."""
    found = choose(curve([(0, 1), (4, 2), (5, 3), (1, 9), (20, 10)]), 0.1)
    assert (found.false_accepts, found.misses, found.reachable) == (1, 1, True)


def test_an_unreachable_target_is_said_to_be_unreachable() -> None:
    """T7: asked for 0.1 per hour where 105 is the least, it says so, what was reached, and how many hours show 0.1."""
    found = choose(curve([(1056, 8), (1200, 9)]), 0.1)
    assert (found.reachable, found.false_accepts, found.fa_per_hour) == (False, 1056, 105.6)
    for part in ("at most 0.1", "no threshold that hears a keyword reaches", "106 per hour", "8 of 10", "30 h"):
        assert part in found.message


def test_firing_never_does_not_meet_a_target() -> None:
    """T9: no false accepts because nothing fires is no success; a threshold that hears something is named instead."""
    found = choose(curve([(0, 0), (30, 1), (60, 9)]), 0.5)
    assert (found.reachable, found.false_accepts, found.misses) == (False, 30, 9)
    deaf = choose(curve([(0, 0), (3, 0)]), 0.5)
    assert (deaf.reachable, deaf.miss_rate, deaf.false_accepts) == (False, 1.0, 0)
    assert "no threshold tried hears a single keyword" in deaf.message


def test_too_few_hours_to_show_the_target_are_said() -> None:
    """T8: no false accept in 2 h only shows fewer than 1.5 per hour; 6 h would show 0.5, and then nothing is said."""
    short = choose(curve([(0, 10)], hours=2.0), 0.5)
    assert short.reachable
    assert "2 h cannot show the target" in short.message
    assert "fewer than 1.5 per hour" in short.message
    assert "it takes 5.99 h" in short.message
    assert "cannot show" not in choose(curve([(0, 10)], hours=6.0), 0.5).message


def test_a_threshold_from_the_grid_is_said() -> None:
    """A choice below the exact part of the curve says where it comes from; one within it does not."""
    below = choose(curve([(0, 1), (0, 10)], exact=False), 1.0).message
    assert "coarser grid below 0.99, down to which every threshold that changes anything was tried." in below
    assert "grid" not in choose(curve([(0, 10), (0, 10)], exact=False), 1.0).message


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 10)), min_size=1, max_size=20), st.sampled_from([0.8, 0.95])
)
@settings(deadline=None)
def test_an_upper_bound_can_be_asked_for(points: Points, level: float) -> None:
    """With `bound = "upper"` what meets the target is the one-sided upper bound, from scipy's gamma distribution."""
    found = choose(curve(points), 0.5, bound="upper", level=level)
    met = [row for row in points if gamma.ppf(level, row[0] + 1) / 10 <= 0.5 and row[1] > 0]
    assert found.reachable == bool(met)
    if met:
        assert (found.events - found.misses, -found.false_accepts) == max((hits, -accepts) for accepts, hits in met)
        assert f"one-sided {100 * level:g} % upper bound" in found.message


def test_an_upper_bound_needs_the_hours() -> None:
    """No false accept in 2 h does not show 1 per hour, in 3 h it does; what is missing is said."""
    short = choose(curve([(0, 10)], hours=2.0), 1.0, bound="upper")
    assert (short.reachable, short.false_accepts) == (False, 0)
    assert "shown to be below 1.5 (one-sided 95 %)" in short.message
    assert "it takes 3 h" in short.message
    assert choose(curve([(0, 10)], hours=3.0), 1.0, bound="upper").reachable


def test_the_point_names_its_calibration() -> None:
    """T29: a threshold belongs to one calibration, which it carries along."""
    found = operating.choose(curve([(3, 9)]), Target(fa_per_hour=1.0), calibration="sha")
    assert (found.calibration, found.target_fa_per_hour, found.hours, found.events) == ("sha", 1.0, 10.0, 10)


@pytest.mark.parametrize(
    ("given_curve", "target", "message"),
    [
        (curve([(0, 0)], events=0), 1.0, "add recordings with the times of the keyword to dev"),
        (curve([(0, 1)], hours=0.0), 1.0, "expected audio without the keyword"),
        (curve([(0, 1)]), 200.0, "at most 100 false accepts per hour"),
    ],
)
def test_what_cannot_be_chosen_is_refused(given_curve: Curve, target: float, message: str) -> None:
    """No keyword in dev, no audio without it, and targets that make no sense or were not swept are errors."""
    with pytest.raises(WakekitError, match=message):
        choose(given_curve, target)
