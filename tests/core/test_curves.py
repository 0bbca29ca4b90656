"""Ranking statistics agree with scikit-learn and torchmetrics, ties, weights and missing classes included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve
from torchmetrics.functional.classification import binary_eer

from wakekit.curves import ranked, standardized
from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from random import Random

Case = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def scored(draw: st.DrawFn) -> Case:
    """Scores on a coarse grid (many ties), labels of both classes, and whole weights that leave both some weight."""
    n = draw(st.integers(2, 40))
    scores = np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)), float)
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    labels[:2] = 0, 1
    weights = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), float)
    weights[:2] += 1
    return scores, labels, weights


def reference_eer(scores: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Cross the line fpr = 1 - tpr on scikit-learn's ROC curve."""
    fpr, tpr, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    gap = 1 - tpr - fpr
    return float(np.interp(0.0, -gap, fpr))


@given(scored(), st.sampled_from([0.05, 0.1, 0.5, 1.0]))
@settings(deadline=None)
def test_statistics_agree_with_scikit_learn(case: Case, max_fpr: float) -> None:
    """Areas, partial areas (McClish's scale) and equal error rates are scikit-learn's under any weights and ties."""
    scores, labels, weights = case
    order = ranked(scores, labels)
    assert order.auc(weights[None])[0] == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights))
    theirs = roc_auc_score(labels, scores, sample_weight=weights, max_fpr=max_fpr)
    partial = order.pauc(max_fpr, weights[None])
    assert (partial if max_fpr == 1 else standardized(partial, max_fpr))[0] == pytest.approx(theirs)
    assert order.eer(weights[None])[0] == pytest.approx(reference_eer(scores, labels, weights), abs=1e-9)


@given(scored(), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_clips_does_not_matter(case: Case, random: Random) -> None:
    """Shuffled clips, tied ones too, give the same numbers."""
    scores, labels, _ = case
    order = list(range(len(scores)))
    random.shuffle(order)
    one, other = ranked(scores, labels), ranked(scores[order], labels[order])
    assert one.eer() == pytest.approx(other.eer())
    assert one.auc() == pytest.approx(other.auc())


def test_eer_is_near_that_of_torchmetrics() -> None:
    """Torchmetrics takes the nearest point of the curve, so that both agree within one clip of the smaller class."""
    rng = np.random.default_rng(0)
    labels = (rng.random(2000) < 0.3).astype(np.int64)
    scores = 1 / (1 + np.exp(-rng.normal(size=2000) - 1.5 * labels))
    theirs = float(binary_eer(torch.from_numpy(scores), torch.from_numpy(labels)))
    assert ranked(scores, labels).eer()[0] == pytest.approx(theirs, abs=1 / labels.sum())


def test_eer_of_known_cases() -> None:
    """Perfect scores have 0, useless equal ones 0.5, reversed ones 1."""
    labels = np.array([0, 0, 1, 1])
    for scores, eer in (([1, 2, 3, 4], 0.0), ([5, 5, 5, 5], 0.5), ([4, 3, 2, 1], 1.0)):
        assert ranked(np.array(scores, float), labels).eer()[0] == pytest.approx(eer)


def test_saturated_scores_keep_their_order() -> None:
    """T5: scores that differ in the last bits of float64 near 1 are ranked all the same."""
    scores = 1 - np.arange(8) * 2.0**-53
    labels = np.array([1, 0, 1, 0, 1, 0, 1, 0])
    assert ranked(scores, labels).auc()[0] == pytest.approx(roc_auc_score(labels, scores))


def test_a_missing_class_is_nan_and_a_nan_score_is_refused() -> None:
    """A weighting that leaves a class empty has no value; the other rows keep theirs."""
    order = ranked(np.array([0.1, 0.9, 0.5]), np.array([0, 1, 1]))
    weights = np.array([[0.0, 1, 1], [1, 0, 0], [1, 1, 1]])
    assert np.isnan(order.auc(weights)).tolist() == [True, True, False]
    assert np.isnan(order.eer(weights)).tolist() == [True, True, False]
    assert np.isnan(ranked(np.zeros(0), np.zeros(0, np.int64)).auc()).all()
    with pytest.raises(WakekitError, match="nan"):
        ranked(np.array([0.5, np.nan]), np.array([0, 1]))


def test_resamples_equal_repeated_clips() -> None:
    """A clip of weight 3 counts as three clips."""
    rng = np.random.default_rng(1)
    scores, labels = rng.integers(0, 9, 30).astype(float), np.arange(30) % 2
    times = rng.integers(0, 4, 30)
    again = ranked(np.repeat(scores, times), np.repeat(labels, times))
    order = ranked(scores, labels)
    assert order.eer(times[None].astype(float)) == pytest.approx(again.eer())
    assert order.pauc(0.1, times[None].astype(float)) == pytest.approx(again.pauc(0.1))
