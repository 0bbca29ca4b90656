"""Intervals of differences invert the tests they are named after, and stay intervals where nothing differs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar

from wakekit.compare_intervals import rate_difference, rate_ratio, tango
from wakekit.intervals import garwood

Z = float(stats.norm.ppf(0.975))


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 60))
@settings(deadline=None, max_examples=60)
def test_the_ends_of_tangos_interval_are_where_the_score_test_rejects(first: int, other: int, same: int) -> None:
    """At an end the score statistic is z, its variance that of the likeliest table of that difference, by search."""
    items = first + other + same
    found = tango(first, other, items)
    if items == 0:
        assert (found.low, found.high) == (-1.0, 1.0)
        return
    assert -1 <= found.low <= (other - first) / items <= found.high <= 1
    for end in (found.low, found.high):
        if abs(end) > 1 - 1e-6:
            continue

        def surprise(q: float, end: float = end) -> float:
            cells = np.clip([q, q + end, 1 - 2 * q - end], 1e-300, 1)
            return -float(np.dot([first, other, same], np.log(cells)))

        bounds = (max(0.0, -end), (1 - end) / 2)
        q = minimize_scalar(surprise, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        if bounds[1] - bounds[0] < 1e-6 or min(q - bounds[0], bounds[1] - q) < 1e-6:
            continue
        score = (other - first - items * end) / math.sqrt(items * (2 * q + end - end * end))
        assert abs(score) == pytest.approx(Z, rel=1e-3)


def test_tango_where_the_systems_agree_or_always_differ() -> None:
    """No item told apart in n gives ±z² / (n + z²); swapping the systems mirrors the interval."""
    none = tango(0, 0, 20)
    assert (none.low, none.high) == pytest.approx((-(Z**2) / (20 + Z**2), Z**2 / (20 + Z**2)), abs=1e-6)
    assert tango(0, 20, 20).high == 1.0
    assert 0 < tango(0, 20, 20).low < 1
    one, two = tango(3, 9, 40), tango(9, 3, 40)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert one.low < 6 / 40 < one.high


def test_tango_covers_what_it_promises() -> None:
    """Of tables drawn from a known difference about 95 % of the intervals hold it."""
    rng = np.random.default_rng(0)
    for cells in ((0.1, 0.15, 0.75), (0.02, 0.05, 0.93)):
        tables = rng.multinomial(50, cells, size=1500)
        bounds = [tango(int(a), int(b), 50) for a, b, _ in tables]
        covered = np.mean([bound.low <= cells[1] - cells[0] <= bound.high for bound in bounds])
        assert 0.93 <= covered <= 0.99


@given(st.integers(0, 40), st.floats(0.1, 20), st.integers(0, 40), st.floats(0.1, 20))
@settings(deadline=None)
def test_the_ratio_of_rates_inverts_the_binomial_test(first: int, spent: float, other: int, spent_other: float) -> None:
    """At an end of it, as many of all events in one of the runs, or more, has a chance of 2.5 %."""
    found = rate_ratio(first, spent, other, spent_other)
    if first + other == 0:
        assert found is None
        return
    ends = [end * spent_other for end in (found.low, found.high)]
    low, high = (stats.binom(first + other, end / (end + spent) if math.isfinite(end) else 1.0) for end in ends)
    assert (found.low == 0.0) == (other == 0)
    assert math.isinf(found.high) == (first == 0)
    if other:
        assert low.sf(other - 1) == pytest.approx(0.025)
    if first:
        assert high.cdf(other) == pytest.approx(0.025)


def test_the_difference_of_rates_holds_the_truth_and_never_collapses() -> None:
    """None in T hours twice is ±3.689 / T; of counts drawn at known rates 95 % of the intervals hold the truth."""
    nothing = rate_difference(0, 2.0, 0, 2.0)
    assert (nothing.low, nothing.high) == pytest.approx((-1.8444, 1.8444), abs=1e-3)
    some, swapped = rate_difference(4, 3.0, 9, 2.0), rate_difference(9, 2.0, 4, 3.0)
    assert (some.low, some.high) == pytest.approx((-swapped.high, -swapped.low))
    one, two = garwood(4, 3.0), garwood(9, 2.0)
    assert some.low == pytest.approx(4.5 - 4 / 3 - math.sqrt((4.5 - two.low) ** 2 + (one.high - 4 / 3) ** 2))
    assert rate_difference(0, 0.0, 1, 2.0) is None
    assert rate_ratio(1, 0.0, 1, 2.0) is None
    rng = np.random.default_rng(1)
    for rate, other in ((1.0, 2.0), (6.0, 6.0)):
        counts = zip(rng.poisson(3 * rate, 1500), rng.poisson(2 * other, 1500), strict=True)
        bounds = [rate_difference(int(a), 3.0, int(b), 2.0) for a, b in counts]
        assert 0.94 <= np.mean([bound.low <= other - rate <= bound.high for bound in bounds]) <= 1.0
