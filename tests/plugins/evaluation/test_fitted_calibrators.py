"""Platt, beta and isotonic maps are those of scikit-learn and scipy, keep the ranking, and come back from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scipy.optimize import minimize
from scipy.special import expit, logit, xlogy
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from wakekit import WakekitError
from wakekit_evaluation.beta import Beta
from wakekit_evaluation.isotonic import Isotonic
from wakekit_evaluation.none_calibrator import NoCalibration
from wakekit_evaluation.platt import Platt
from wakekit_evaluation.temperature import Temperature

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

ALL = (Platt(), Platt(smoothing=False), Beta(), Beta(smoothing=False), Isotonic(), Isotonic(tilt=0.0))
SPREAD = torch.linspace(-18, 18, 2001)
SEEDS = st.integers(0, 2**31)


def fitted(calibrator: Any, scores: npt.ArrayLike, labels: npt.ArrayLike) -> nn.Module:
    """A calibrator fitted on lists."""
    module = calibrator.build()
    module.fit(torch.tensor(np.asarray(scores, float)), torch.tensor(np.asarray(labels)))
    return module


def world(seed: int, *, clips: int = 400, scale: float = 1.0, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds that are off by a scale and a shift, with labels of both classes."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1, 2, clips)
    labels = (rng.random(clips) < expit(truth)).astype(np.int64)
    labels[:2] = 0, 1
    return truth * scale + shift, labels


def columns(scores: np.ndarray) -> np.ndarray:
    """The two columns that beta calibration is a logistic regression on: ln p and -ln(1 - p)."""
    return np.stack([np.log(expit(scores)), -np.log(expit(-scores))], axis=1)


def cross_entropy(targets: np.ndarray, odds: np.ndarray) -> float:
    """Mean cross-entropy of log-odds, for targets between 0 and 1 too."""
    return float(np.mean(np.logaddexp(0, odds) - targets * odds))


@given(SEEDS, st.sampled_from([0.4, 1.0, 3.0]), st.sampled_from([-4.0, 0.0, 2.0]))
@settings(deadline=None, max_examples=20)
def test_platt_is_the_logistic_regression_of_scikit_learn(seed: int, scale: float, shift: float) -> None:
    """Without smoothing scale and bias are those of an unpenalized logistic regression, and near the true ones."""
    scores, labels = world(seed, scale=scale, shift=shift)
    module = fitted(Platt(smoothing=False), scores, labels)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=500).fit(scores[:, None], labels)
    assert float(module.scale) == pytest.approx(theirs.coef_[0, 0], rel=1e-4)
    assert float(module.bias) == pytest.approx(theirs.intercept_[0], rel=1e-3, abs=1e-4)
    assert float(module.scale) == pytest.approx(1 / scale, rel=0.6)


@given(seed=SEEDS, separated=st.booleans())
@settings(deadline=None, max_examples=20)
def test_smoothed_platt_is_that_of_scikit_learn(seed: int, *, separated: bool) -> None:
    """With Platt's smoothed labels it is scikit-learn's sigmoid calibration, separated classes included."""
    scores, labels = world(seed, clips=60)
    if separated:
        labels = (scores > np.median(scores)).astype(np.int64)
    module = fitted(Platt(), scores, labels)
    theirs = _SigmoidCalibration().fit(scores, labels)
    assert module(torch.from_numpy(scores)).numpy() == pytest.approx(theirs.predict(scores), abs=1e-6)


@given(SEEDS, st.sampled_from([-3.0, 0.0, 3.0]))
@settings(deadline=None, max_examples=8)
def test_beta_is_the_logistic_regression_on_both_ends(seed: int, shift: float) -> None:
    """Where both slopes come out positive the map is scikit-learn's; scipy finds nothing likelier within bounds.

    The likelihood is flat in some directions, so probabilities are compared.
    """
    scores, labels = world(seed, shift=shift)
    module = fitted(Beta(smoothing=False), scores, labels)
    a, b, c = float(module.a), float(module.b), float(module.c)
    assert min(a, b) >= 0.01
    # Steeper slopes than these are not searched, see `bounded_logistic`.
    assume((np.ptp(columns(scores), axis=0) * [a, b] < 39.9).all())
    ours = cross_entropy(labels, columns(scores) @ [a, b] + c)
    theirs = LogisticRegression(C=np.inf, tol=1e-12, max_iter=5000).fit(columns(scores), labels)
    if theirs.coef_.min() > 0.01:
        probabilities = theirs.predict_proba(columns(scores))[:, 1]
        assert module(torch.from_numpy(scores)).numpy() == pytest.approx(probabilities, abs=1e-3)
    best = minimize(
        lambda at: cross_entropy(labels, columns(scores) @ at[:2] + at[2]),
        [0.5, 0.5, 0.0],
        method="SLSQP",
        bounds=[(0.01, 100), (0.01, 100), (None, None)],
        options={"maxiter": 500, "ftol": 1e-12},
    )
    assert ours <= best.fun + 1e-8
    assert ours == pytest.approx(log_loss(labels, module(torch.from_numpy(scores)).numpy()), abs=1e-9)


def test_beta_finds_the_map_between_two_beta_distributions() -> None:
    """Scores drawn from two beta distributions give the map that their densities give."""
    rng = np.random.default_rng(0)
    labels = (rng.random(100_000) < 0.3).astype(np.int64)
    share = np.where(labels == 1, rng.beta(4, 2, len(labels)), rng.beta(1.5, 3, len(labels)))
    module = fitted(Beta(), logit(share), labels)
    # The ratio of densities is p^(4 - 1.5) (1 - p)^(2 - 3) up to a constant.
    assert (float(module.a), float(module.b)) == (pytest.approx(2.5, abs=0.1), pytest.approx(1.0, abs=0.08))


def test_beta_stays_rising_where_an_end_is_reversed() -> None:
    """A slope that the data want below 0 stops at 0.01, the other is then the best there, and the order stays."""
    rng = np.random.default_rng(1)
    scores = rng.normal(0, 3, 3000)
    labels = (rng.random(3000) < expit(-0.5 * np.abs(scores) + 1)).astype(np.int64)
    module = fitted(Beta(smoothing=False), scores, labels)
    assert min(float(module.a), float(module.b)) == pytest.approx(0.01)
    assert (module(SPREAD).diff() > 0).all()


@given(SEEDS, st.integers(2, 80), st.integers(0, 2))
@settings(deadline=None, max_examples=40)
def test_plain_isotonic_is_that_of_scikit_learn(seed: int, clips: int, digits: int) -> None:
    """At dev's scores, between and outside of them, ties included; probabilities stay off 0 and 1 by 1 / (n + 2)."""
    scores, labels = world(seed, clips=clips)
    scores, edge = np.round(scores, digits), 1 / (clips + 2)
    module = fitted(Isotonic(tilt=0.0), scores, labels)
    theirs = IsotonicRegression(y_min=edge, y_max=1 - edge, out_of_bounds="clip").fit(scores, labels)
    at = np.concatenate([scores, np.linspace(-12, 12, 301)])
    found = module(torch.from_numpy(at)).numpy()
    assert found == pytest.approx(theirs.predict(at), abs=1e-12)
    assert found.min() >= edge
    assert found.max() <= 1 - edge
    tilted = fitted(Isotonic(tilt=0.01), scores, labels)(torch.from_numpy(at)).numpy()
    assert np.abs(tilted - found).max() <= 0.01


def test_plain_isotonic_has_few_thresholds_and_the_tilt_brings_them_back() -> None:
    """Pooling gives all top scores one probability; with the tilt every float32 score keeps its place."""
    scores, labels = world(0, clips=3000)
    at = torch.unique(torch.from_numpy(scores).float())
    plain, tilted = (fitted(Isotonic(tilt=tilt), scores, labels)(at) for tilt in (0.0, 0.001))
    assert len(torch.unique(plain)) < 0.2 * len(at)
    assert plain[-20:].unique().numel() < 20
    assert (plain.diff() >= 0).all()
    assert (tilted.diff() > 0).all()


@pytest.mark.parametrize("calibrator", ALL, ids=repr)
@given(seed=SEEDS, scale=st.sampled_from([-2.0, 0.0, 0.3, 1.0, 4.0]), shift=st.sampled_from([-6.0, 0.0, 6.0]))
@settings(deadline=None, max_examples=10)
def test_the_ranking_stays(calibrator: Any, seed: int, scale: float, shift: float) -> None:
    """Whatever dev says, reversed scores included, no two scores change their order, and few become equal."""
    scores, labels = world(seed, clips=50, scale=scale or 1.0, shift=shift)
    if scale == 0:
        labels = np.random.default_rng(seed).integers(0, 2, 50)
    found = fitted(calibrator, scores, labels)(SPREAD)
    assert found.dtype == torch.float64
    assert (found.diff() >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 1
    if calibrator != Isotonic(tilt=0.0):
        middle = (found > 1e-12) & (found < 1 - 1e-12)
        assert (found[middle].diff() > 0).all()


def test_reversed_scores_stop_at_a_slope() -> None:
    """Where dev says the opposite, Platt's scale and both slopes of beta are 0.01, and isotonic says the share."""
    scores, labels = world(3, clips=2000, scale=-1.0)
    share = labels.mean()
    platt, beta = fitted(Platt(), scores, labels), fitted(Beta(), scores, labels)
    assert float(platt.scale) == pytest.approx(0.01)
    assert (float(beta.a), float(beta.b)) == (pytest.approx(0.01), pytest.approx(0.01))
    for module in (platt, beta):
        assert float(module(torch.from_numpy(scores)).mean()) == pytest.approx(share, abs=0.01)
    plain = fitted(Isotonic(tilt=0.0), scores, labels)(torch.from_numpy(scores))
    assert float(plain.min()) == pytest.approx(share, abs=0.05)


def test_separated_classes_stop_too() -> None:
    """Smoothed labels give a mild map; without smoothing the log-odds stop at a span of 40, or at slopes of 1."""
    scores, labels = [-4.0, -1.0, 2.0, 5.0], [0, 0, 1, 1]
    module = fitted(Platt(smoothing=False), scores, labels)
    assert float(module.scale) == pytest.approx(40 / 9)
    assert module(torch.tensor([0.5])).numpy() == pytest.approx(0.5, abs=1e-6)
    assert float(fitted(Platt(smoothing=False), [-40.0, 40.0], [0, 1]).scale) == pytest.approx(1.0)
    mild = fitted(Platt(), scores, labels)(torch.tensor(scores)).numpy()
    assert 0.05 < mild.min() < mild.max() < 0.95
    for smoothing in (True, False):
        beta = fitted(Beta(smoothing=smoothing), scores, labels)
        reach = np.ptp(columns(np.array(scores)), axis=0)
        assert ([float(beta.a), float(beta.b)] <= 40 / reach + 1e-9).all()
    step = fitted(Isotonic(tilt=0.0), scores, labels)(torch.tensor(scores)).numpy()
    assert step == pytest.approx([1 / 6, 1 / 6, 5 / 6, 5 / 6])


@pytest.mark.parametrize("calibrator", ALL, ids=repr)
def test_one_class_changes_nothing_and_equal_scores_give_the_share(calibrator: Any) -> None:
    """One class alone leaves the logistic function; scores that are all equal say how common the keyword is."""
    for labels in ([0, 0, 0], [1, 1, 1], [1]):
        module = fitted(calibrator, [4.0, -4.0, 1.0][: len(labels)], labels)
        assert module(SPREAD).numpy() == pytest.approx(expit(SPREAD.double().numpy()))
    equal = fitted(calibrator, [3.0] * 400, [1] * 100 + [0] * 300)
    assert float(equal(torch.tensor([3.0]))[0]) == pytest.approx(0.25, abs=0.005)


@pytest.mark.parametrize("calibrator", ALL, ids=repr)
@pytest.mark.parametrize("clips", [0, 1, 2, 300])
def test_it_survives_its_file(calibrator: Any, clips: int, tmp_path: Path) -> None:
    """A new module with the saved tensors gives bit-identical probabilities: not fitted, of one score, of many."""
    module = calibrator.build()
    if clips:
        scores, labels = world(5, clips=300, shift=2.0)
        module = fitted(calibrator, scores[:clips] if clips > 1 else [2.0, 2.0], labels[: max(clips, 2)])
    save_file(module.state_dict(), tmp_path / "calibration.safetensors")
    again = calibrator.build()
    again.load_state_dict(load_file(tmp_path / "calibration.safetensors"))
    assert torch.equal(again(SPREAD), module(SPREAD))
    assert all(value.dtype == torch.float64 for value in again.state_dict().values())


@pytest.mark.parametrize("calibrator", ALL, ids=repr)
def test_bad_dev_scores_are_refused_and_infinite_ones_are_mapped(calibrator: Any) -> None:
    """No scores, scores without labels and scores that are not finite are errors; later infinity has a probability."""
    for scores, labels, message in (
        ([], [], "got 0 and 0"),
        ([1.0], [0, 1], "got 1 and 2"),
        ([1.0, float("nan")], [0, 1], "finite"),
        ([1.0, float("inf")], [0, 1], "finite"),
    ):
        with pytest.raises(WakekitError, match=message):
            fitted(calibrator, scores, labels)
    ends = fitted(calibrator, *world(6))(torch.tensor([-torch.inf, torch.inf])).numpy()
    assert 0 <= ends[0] < 0.2
    assert 0.6 < ends[1] <= 1


def test_a_shift_of_the_prior_is_repaired_by_all_but_the_temperature() -> None:
    """T27: class weights of 50 to 1 move log-odds by ln 50; each calibrator says whether it can move them back.

    Judged on clips that were not fitted, by the Brier score beside its least and by how common the keyword seems.
    """
    shift = float(np.log(50))
    dev, dev_labels = world(10, clips=6000, shift=shift)
    test, labels = world(11, clips=20_000, shift=shift)
    truth = expit(test - shift)
    least = float(np.mean((truth - labels) ** 2))
    for calibrator in (*ALL, Temperature(), NoCalibration()):
        module = calibrator.build()
        if hasattr(module, "fit"):
            module.fit(torch.from_numpy(dev), torch.from_numpy(dev_labels))
        found = module(torch.from_numpy(test)).numpy()
        excess, bias = float(np.mean((found - labels) ** 2)) - least, float(found.mean() - labels.mean())
        if calibrator.repairs_prior:
            assert abs(excess) < 0.002, calibrator
            assert abs(bias) < 0.02, calibrator
        else:
            assert excess > 0.05, calibrator
            assert bias > 0.15, calibrator


def test_beta_repairs_a_bend_that_platt_cannot() -> None:
    """Where only the upper end is overconfident, beta's cross-entropy on other clips is below Platt's."""
    losses = {}
    for name, calibrator in (("platt", Platt()), ("beta", Beta()), ("isotonic", Isotonic())):
        (dev, dev_labels), (test, labels) = (world(seed, clips=20_000) for seed in (20, 21))
        bent, bent_test = (np.where(odds > 0, 4 * odds, odds) for odds in (dev, test))
        found = fitted(calibrator, bent, dev_labels)(torch.from_numpy(bent_test)).numpy()
        losses[name] = -float(np.mean(xlogy(labels, found) + xlogy(1 - labels, 1 - found)))
    assert losses["beta"] < losses["platt"] - 0.005
    assert losses["isotonic"] < losses["platt"] - 0.005
