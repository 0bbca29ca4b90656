"""Intervals agree with closed forms and scipy, and bootstraps with what resampling clusters must give."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from wakekit import intervals
from wakekit.errors import WakekitError


def test_no_event_in_some_hours_shows_three_over_the_hours() -> None:
    """T8: 0 in T hours is [0, 3.689 / T] two-sided, shows less than 2.996 / T, and 3 / target hours show a target."""
    found = intervals.garwood(0, 10.0)
    assert (found.low, found.high) == (0.0, pytest.approx(0.3689, abs=1e-4))
    assert intervals.one_sided_upper(0, 10.0) == pytest.approx(0.2996, abs=1e-4)
    assert intervals.hours_needed(0.5) == pytest.approx(5.99, abs=1e-2)
    assert intervals.one_sided_upper(0, intervals.hours_needed(0.5)) == pytest.approx(0.5)


@given(count=st.integers(1, 500), exposure=st.floats(0.01, 1e4), level=st.sampled_from([0.8, 0.95, 0.99]))
@settings(deadline=None)
def test_garwood_inverts_the_poisson_test(count: int, exposure: float, level: float) -> None:
    """At either end of the interval the count lies exactly in the tail of the Poisson distribution."""
    found = intervals.garwood(count, exposure, level)
    assert stats.poisson.cdf(count, found.high * exposure) == pytest.approx((1 - level) / 2, rel=1e-6)
    assert stats.poisson.sf(count - 1, found.low * exposure) == pytest.approx((1 - level) / 2, rel=1e-6)
    upper = intervals.one_sided_upper(count, exposure, level)
    assert stats.poisson.cdf(count, upper * exposure) == pytest.approx(1 - level, rel=1e-6)


def test_no_exposure_and_no_trials_say_nothing() -> None:
    """Without hours a rate may be anything, without trials a proportion too; no hours show a target of 0."""
    assert intervals.garwood(0, 0.0).high == math.inf == intervals.one_sided_upper(0, 0.0)
    for bound in (intervals.wilson, intervals.clopper_pearson):
        assert (bound(0, 0).low, bound(0, 0).high) == (0.0, 1.0)
    with pytest.raises(WakekitError, match="above 0"):
        intervals.hours_needed(0.0)


@given(trials=st.integers(1, 300), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.95]))
@settings(deadline=None)
def test_proportions_agree_with_scipy(trials: int, share: float, level: float) -> None:
    """Wilson's and Clopper and Pearson's intervals are scipy's."""
    hits = round(share * trials)
    for ours, name in ((intervals.wilson, "wilson"), (intervals.clopper_pearson, "exact")):
        theirs = stats.binomtest(hits, trials).proportion_ci(level, name)
        found = ours(hits, trials, level)
        assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_ninety_five_of_a_hundred() -> None:
    """T8: 95 of 100 recalled is 88.8 to 97.8 %."""
    found = intervals.wilson(95, 100)
    assert (found.low, found.high) == (pytest.approx(0.888, abs=1e-3), pytest.approx(0.978, abs=1e-3))


def test_newcombe_inverts_the_score_equation_and_never_collapses() -> None:
    """The ends solve (A - a)² = z² v(a) with Hanley and McNeil's variance v; A = 1 leaves an interval."""
    found = intervals.newcombe(0.9, 30, 70)
    z, extra = stats.norm.ppf(0.975), (30 + 70) / 2 - 1
    for a in (found.low, found.high):
        q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
        variance = (a * (1 - a) + extra * (q1 - a * a) + extra * (q2 - a * a)) / (30 * 70)
        assert (0.9 - a) ** 2 == pytest.approx(z * z * variance)
    assert found.low < 0.9 < found.high
    perfect = intervals.newcombe(1.0, 20, 20)
    assert perfect.low < 0.95
    assert perfect.high == 1.0
    assert intervals.newcombe(0.0, 20, 20).high == pytest.approx(1 - perfect.low)


def test_newcombe_covers_what_it_promises() -> None:
    """Of 400 samples from two normal classes about 95 % have an interval that holds the true area."""
    rng = np.random.default_rng(1)
    truth = stats.norm.cdf(1.2 / math.sqrt(2))
    covered = 0
    for _ in range(400):
        high, low = rng.normal(1.2, size=25), rng.normal(size=25)
        found = intervals.newcombe(float((high[:, None] > low).mean()), 25, 25)
        covered += found.low <= truth <= found.high
    assert 0.91 <= covered / 400 <= 0.99


def test_weights_draw_whole_clusters() -> None:
    """Items of a cluster share their weight, each row draws as many clusters as there are, evenly."""
    clusters = ["a", "b", "a", "c", "c", "c"]
    weights = np.concatenate(list(intervals.cluster_weights(clusters, resamples=4000, seed=3)))
    assert weights.shape == (4000, 6)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()
    assert weights[:, [0, 1, 3]].mean(axis=0) == pytest.approx([1, 1, 1], abs=0.05)
    assert weights[:, 0].var() == pytest.approx(3 * (1 / 3) * (2 / 3), abs=0.05)


def test_blocks_are_bounded_and_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bootstrap of many items comes in blocks of bounded size whose rows are those of a single block."""
    clusters = list(range(50))
    whole = np.concatenate(list(intervals.cluster_weights(clusters, resamples=30, seed=5)))
    monkeypatch.setattr(intervals, "_WEIGHTS_AT_ONCE", 200)
    blocks = list(intervals.cluster_weights(clusters, resamples=30, seed=5))
    assert max(block.size for block in blocks) <= 200
    assert (np.concatenate(blocks) == whole).all()


def test_bootstrap_of_a_mean_agrees_with_scipy() -> None:
    """Without repeated clusters the interval is scipy's percentile bootstrap, up to Monte Carlo noise."""
    values = np.random.default_rng(0).exponential(size=80)
    found = intervals.bootstrap(lambda w: w @ values / w.sum(axis=1), range(80), resamples=4000, seed=1)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=2).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.04)


def test_bootstrap_drops_and_counts_resamples_without_a_value() -> None:
    """A resample without a value is dropped and counted; none left, or a single cluster, gives no interval."""
    values = np.arange(3.0)
    found = intervals.bootstrap(lambda w: np.where(w[:, 0] > 0, w @ values, np.nan), range(3), resamples=2000)
    assert found.dropped == pytest.approx(2000 * (2 / 3) ** 3, rel=0.1)
    assert intervals.bootstrap(lambda w: np.full(len(w), np.nan), range(3)) is None
    assert intervals.bootstrap(lambda w: w @ values, ["one"] * 3) is None


def test_the_envelope_holds_where_the_bootstrap_collapses() -> None:
    """T8: twenty hits of twenty are no certainty; the bootstrap says [1, 1], the envelope is Wilson's."""
    found = intervals.clustered_proportion([True] * 20, list(range(10)) * 2)
    assert (found.low, found.high) == (intervals.wilson(20, 20).low, 1.0)
    assert "Wilson" in found.method
    assert "bootstrap" in found.method


def test_clustering_widens_the_interval_and_one_cluster_leaves_wilson() -> None:
    """Ten speakers who each succeed or fail throughout say little more than ten trials."""
    outcomes, speakers = np.repeat([1, 0] * 5, 50), np.repeat(np.arange(10), 50)
    found, simple = intervals.clustered_proportion(outcomes, list(speakers)), intervals.wilson(250, 500)
    assert found.high - found.low > 4 * (simple.high - simple.low)
    assert intervals.clustered_proportion([1, 0], ["a", "a"]) == intervals.wilson(1, 2)
    assert (intervals.clustered_proportion([], []).low, intervals.clustered_proportion([], []).high) == (0, 1)


def test_clustered_proportion_covers_clustered_truth() -> None:
    """With 20 speakers of differing recall about 95 % of the intervals hold it, where Wilson's alone do not."""
    rng = np.random.default_rng(2)
    speakers = list(np.repeat(np.arange(20), 20))
    clustered = simple = 0
    for seed in range(150):
        outcomes = rng.random(400) < np.repeat(rng.beta(4, 1, size=20), 20)
        found, wilson = (
            intervals.clustered_proportion(outcomes, speakers, seed=seed),
            intervals.wilson(outcomes.sum(), 400),
        )
        clustered += found.low <= 0.8 <= found.high
        simple += wilson.low <= 0.8 <= wilson.high
    assert clustered / 150 > 0.87
    assert simple / 150 < 0.8


def test_bootstrap_inside_a_range_is_a_t_interval_on_log_odds_or_logs() -> None:
    """Its ends are those of Student's interval for the cluster means, on the scale that the range has."""
    shares = np.random.default_rng(4).beta(2, 6, size=12)
    value, clusters = shares.mean(), list(range(12))
    half = stats.t.ppf(0.975, 11) * shares.std(ddof=1) / math.sqrt(12)

    def bound(within: tuple[float, float]) -> intervals.Interval:
        found = intervals.bootstrap(lambda w: w @ shares / 12, clusters, resamples=20_000, seed=1, within=within)
        assert found is not None
        return found

    odds, logs, half_range = bound((0.0, 1.0)), bound((0.0, math.inf)), bound((0.0, 0.5))
    expected = special.expit(special.logit(value) + np.array([-1, 1]) * half / value / (1 - value))
    assert (odds.low, odds.high) == pytest.approx(tuple(expected), rel=0.02)
    expected = value * np.exp(np.array([-1, 1]) * half / value)
    assert (logs.low, logs.high) == pytest.approx(tuple(expected), rel=0.02)
    expected = special.expit(special.logit(2 * value) + np.array([-1, 1]) * half * 0.5 / value / (0.5 - value)) / 2
    assert (half_range.low, half_range.high) == pytest.approx(tuple(expected), rel=0.02)
    assert [one.method.rpartition(" on ")[2] for one in (odds, logs)] == ["log-odds", "logs"]


def test_bootstrap_at_the_end_of_its_range_falls_back_on_percentiles() -> None:
    """A statistic without spread is a point; one that lies at an end but varies keeps its percentiles."""
    perfect = intervals.bootstrap(lambda w: w.sum(axis=1) / 6, range(6), within=(0.0, 1.0))
    assert (perfect.low, perfect.high) == (1.0, 1.0)
    varies = intervals.bootstrap(lambda w: np.maximum(0.0, w[:, 0] - 1), range(6), within=(0.0, 1.0))
    assert varies.low == 0.0 < varies.high
    assert varies.method == "cluster bootstrap"


def test_two_clusters_say_next_to_nothing() -> None:
    """Two speakers leave one degree of freedom: nearly the whole range is possible."""
    found = intervals.bootstrap(lambda w: w @ np.array([0.3, 0.7]) / 2, range(2), within=(0.0, 1.0))
    assert found.low < 0.01
    assert found.high > 0.99
