"""The crossed analysis against closed forms, other formulas for the same thing, and worlds with known variances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wakekit.ablation.crossed import Again, Crossed, crossed, jackknife


def layout(rng: np.random.Generator, seeds: int, clusters: int, spreads: tuple[float, float, float]) -> np.ndarray:
    """Draw a two-way layout with these standard deviations of seeds, clusters and what is left."""
    of_seeds, of_clusters, left = spreads
    return np.asarray(
        rng.normal(0, of_seeds, (seeds, 1))
        + rng.normal(0, of_clusters, clusters)
        + rng.normal(0, left, (seeds, clusters))
    )


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 6), st.integers(2, 9))
def test_speakers_count_by_what_seeds_have_in_common(seed: int, seeds: int, clusters: int) -> None:
    """The difference of mean squares is the mean covariance between two seeds over speakers, by their number."""
    pseudo = layout(np.random.default_rng(seed), seeds, clusters, (1.0, 1.0, 1.0))
    found = crossed(pseudo.mean(axis=1), pseudo)
    table = np.cov(pseudo)
    covariance = table[~np.eye(seeds, dtype=bool)].mean()
    assert found.clusters == pytest.approx(max(0.0, covariance) / clusters, abs=1e-12)
    own = table[np.eye(seeds, dtype=bool)].mean() - covariance
    spread = max(pseudo.mean(axis=1).var(ddof=1), own / clusters)
    assert found.seeds == pytest.approx(spread / seeds)
    assert found.variance == pytest.approx(found.seeds + found.clusters)


def test_the_mean_squares_are_those_of_a_table_worked_by_hand() -> None:
    """For the table 1 2 6 / 3 4 5 the squares are 1.5 for seeds, 6.5 for clusters and 1.5 for the rest."""
    table = np.array([[1.0, 2, 6], [3, 4, 5]])
    found = crossed(table.mean(axis=1), table)
    assert found.seeds == pytest.approx(1.5 / 6)
    assert found.clusters == pytest.approx((6.5 - 1.5) / 6)
    degrees = (1.5 + 5) ** 2 / (1.5**2 / 1 + 6.5**2 / 2 + 1.5**2 / 2)
    assert found.degrees == pytest.approx(max(1.0, degrees))


def test_speakers_who_never_differ_leave_a_t_test_over_seeds() -> None:
    """Where every speaker shows the same, chance and interval are those of Student's test of the seeds' values."""
    values = np.array([0.1, 0.3, 0.25, 0.4])
    found = crossed(values, np.repeat(values[:, None], 5, axis=1))
    test = stats.ttest_1samp(values, 0)
    assert found.p(values.mean()) == pytest.approx(test.pvalue)
    assert found.half_width(0.95) == pytest.approx(values.mean() - test.confidence_interval().low)
    assert found.shares() == {"seeds": 1, "speakers": 0, "threshold": 0}


def test_one_seed_leaves_a_t_test_over_speakers() -> None:
    """With one seed the interval is Student's over the speakers, and what seeds would change is not known."""
    pseudo = np.array([[0.1, 0.3, 0.25, 0.4, -0.2]])
    found = crossed(pseudo.mean(axis=1), pseudo)
    test = stats.ttest_1samp(pseudo[0], 0)
    assert math.isnan(found.seeds)
    assert found.half_width(0.9) == pytest.approx(pseudo.mean() - test.confidence_interval(0.9).low)
    assert found.shares() == {"speakers": 1, "threshold": 0}


@pytest.mark.parametrize("spreads", [(1.0, 0.0, 1.0), (0.2, 1.0, 0.5), (0.0, 0.5, 1.0), (0.5, 1.0, 1.0)])
@pytest.mark.parametrize("seeds", [3, 6])
def test_intervals_hold_the_truth(spreads: tuple[float, float, float], seeds: int) -> None:
    """In worlds with known variances the variance is right on average, or too large, and 95 % of intervals hold 0."""
    rng = np.random.default_rng(1)
    worlds = [layout(rng, seeds, 12, spreads) for _ in range(1500)]
    found = [crossed(world.mean(axis=1), world) for world in worlds]
    truth = spreads[0] ** 2 / seeds + spreads[1] ** 2 / 12 + spreads[2] ** 2 / 12 / seeds
    mean = float(np.mean([one.variance for one in found]))
    assert 0.97 * truth <= mean <= 1.6 * truth
    covered = np.mean([abs(w.mean()) <= one.half_width(0.95) for w, one in zip(worlds, found, strict=True)])
    assert covered >= 0.95 - 2.5 * math.sqrt(0.05 * 0.95 / 1500)


def test_of_thresholds_chosen_again_only_what_seeds_share_is_added() -> None:
    """What moves all seeds alike is added, inflated; what moves each by itself lies in their spread already."""
    rng = np.random.default_rng(2)
    values, pseudo = np.array([0.0, 1, 2, 3]), np.repeat(np.arange(4.0)[:, None], 3, axis=1)
    alike, apart = rng.normal(0, 0.5, 20_000), rng.normal(0, 2, (4, 20_000))
    found = crossed(values, pseudo, Again(values=alike + apart, units=20, inflation=1.5))
    assert found.threshold == pytest.approx(1.5 * 0.25, rel=0.2)
    assert found.seeds == pytest.approx(values.var(ddof=1) / 4)
    total = found.seeds + found.threshold
    assert total**2 / (found.seeds**2 / 3 + found.threshold**2 / 9.5) > 3 * total / found.seeds
    assert found.degrees == pytest.approx(3 * total / found.seeds)
    few = crossed(values, pseudo, Again(values=alike + apart, units=7, inflation=9.0))
    total = few.seeds + few.threshold
    assert few.degrees == pytest.approx(total**2 / (few.seeds**2 / 3 + few.threshold**2 / 3))
    assert crossed(values, pseudo, Again(values=-alike * [[1], [-1], [1], [-1]], units=20)).threshold == 0
    alone = crossed(values[:1], pseudo[:1], Again(values=alike[None], units=20))
    assert alone.threshold == pytest.approx(alike.var())


def test_nothing_that_differs_leaves_the_floor() -> None:
    """Where no seed and no speaker shows a difference the variance is the floor, at the seeds' degrees of freedom."""
    found = crossed(np.zeros(4), np.zeros((4, 6)), floor=0.01)
    assert found.variance == 0.01
    assert found.half_width(0.95) == pytest.approx(stats.t.ppf(0.975, 3) * 0.1)
    assert found.p(0.0) == 1
    assert crossed(np.zeros(4), np.zeros((4, 6))).p(0.0) == 1


def test_degrees_are_never_fewer_than_the_scarcer_sample_has() -> None:
    """Neither a single speaker nor two make fewer degrees of freedom than that."""
    assert crossed(np.arange(4.0), np.arange(4.0)[:, None]).degrees == 3
    pseudo = np.array([[1.0, 5], [2, 6.5], [0, 5]])
    assert crossed(pseudo.mean(axis=1), pseudo).degrees >= 1


def test_the_scarcer_class_limits_the_degrees_of_freedom() -> None:
    """Where few clusters hold one class, speakers count as so few; with one seed they are all that counts."""
    pseudo = layout(np.random.default_rng(3), 4, 40, (0.1, 2.0, 0.5))
    values = pseudo.mean(axis=1)
    few, many = crossed(values, pseudo, scarce=6), crossed(values, pseudo)
    assert few.variance == many.variance
    assert few.degrees < 7
    assert many.degrees > 30
    assert crossed(values[:1], pseudo[:1], scarce=6).degrees == 5
    assert crossed(values, pseudo, scarce=50).degrees == many.degrees


def test_more_of_each_sample_shrinks_its_part() -> None:
    """More seeds shrink theirs alone, speakers and audio theirs; as many as there are change nothing."""
    pseudo = layout(np.random.default_rng(8), 4, 10, (1.0, 2.0, 0.5))
    moved = np.random.default_rng(9).normal(0, 0.3, 300) * np.ones((4, 1))
    found = crossed(pseudo.mean(axis=1), pseudo, Again(values=moved, units=9), floor=1e-9)
    same = found.with_more(seeds=4)
    assert same.degrees == pytest.approx(found.degrees)
    assert same.variance == pytest.approx(found.variance)
    more = found.with_more(seeds=8, speakers=2, audio=3)
    assert more.seeds == pytest.approx(found.seeds / 2)
    assert more.clusters == pytest.approx(found.clusters / 2)
    assert more.threshold == pytest.approx(found.threshold / 3)
    halves = [found.with_more(seeds=count).half_width(0.95) for count in range(4, 40)]
    assert halves == sorted(halves, reverse=True)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=2, max_size=12))
def test_pseudo_values_are_those_of_leaving_one_out(counts: list[tuple[int, int]]) -> None:
    """Each is the ratio of all, as often as there are clusters, minus that of all others, one time less."""
    tops, bottoms = np.array(counts, np.float64).T
    for at, found in enumerate(jackknife(tops, bottoms)):
        rest = np.delete(tops, at).sum() / np.delete(bottoms, at).sum()
        assert found == pytest.approx(len(tops) * tops.sum() / bottoms.sum() - (len(tops) - 1) * rest)


def test_pseudo_values_of_clusters_of_a_size_are_their_ratios() -> None:
    """Equal bottoms give each cluster's own ratio; a cluster that has everything gives the ratio of all."""
    assert jackknife(np.array([1.0, 3, 0]), np.full(3, 4.0)) == pytest.approx([0.25, 0.75, 0])
    assert jackknife(np.array([1.0, 0]), np.array([4.0, 0])) == pytest.approx([0.25, 0.25])


def test_a_chance_is_two_sided() -> None:
    """It is twice Student's tail, the normal one without limit on the degrees of freedom."""
    spread = Crossed(seeds=4.0, clusters=0.0, threshold=0.0, floor=0.0, degrees=math.inf, count=3)
    assert spread.p(-2 * 1.959964) == pytest.approx(0.05, abs=1e-6)
    assert spread.half_width(0.95) == pytest.approx(2 * 1.959964)
