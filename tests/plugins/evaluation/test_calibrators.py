"""Calibrators give float64 probabilities in the order of the scores, at the temperature of least cross-entropy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.metrics import log_loss
from torch import nn

from wakekit import WakekitError
from wakekit_evaluation.none_calibrator import NoCalibration
from wakekit_evaluation.temperature import Temperature


def fitted(scores: npt.ArrayLike, labels: npt.ArrayLike) -> nn.Module:
    """A temperature fitted on lists."""
    module = Temperature().build()
    module.fit(torch.tensor(scores, dtype=torch.float64), torch.tensor(labels))
    return module


@given(st.integers(0, 2**31), st.sampled_from([0.2, 1.0, 5.0]))
@settings(deadline=None, max_examples=25)
def test_the_temperature_is_the_optimum_of_scipy(seed: int, scale: float) -> None:
    """It is where scipy's own search finds the least scikit-learn log loss; log-odds times `scale` give `scale`."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(scale=2, size=400)
    labels = (rng.random(400) < expit(truth)).astype(np.int64)
    module = fitted(truth * scale, labels)
    best = minimize_scalar(
        lambda log_t: log_loss(labels, expit(truth * scale / np.exp(log_t))), bounds=(-4, 4), options={"xatol": 1e-9}
    )
    assert float(module.temperature) == pytest.approx(np.exp(best.x), rel=1e-4)
    assert float(module.temperature) == pytest.approx(scale, rel=0.5)


def test_the_ranking_stays() -> None:
    """Distinct float32 log-odds stay distinct and in order, also where a float32 sigmoid would be 1."""
    scores = torch.linspace(-20, 20, 1001)
    for module in (fitted([-20.0, 20.0], [0, 1]), fitted([-2.0, 1.0, -1.0], [0, 1, 1]), NoCalibration().build()):
        found = module(scores)
        assert found.dtype == torch.float64
        assert (found.diff() > 0).all()


def test_without_calibration_log_odds_are_probabilities() -> None:
    """The neutral calibrator is the logistic function, and has nothing to fit."""
    scores = torch.tensor([-3.0, 0.0, 2.0])
    assert NoCalibration().build()(scores).numpy() == pytest.approx(expit([-3.0, 0.0, 2.0]))
    assert not hasattr(NoCalibration().build(), "fit")


def test_separated_data_stop_at_a_bound() -> None:
    """Separated classes sharpen until the largest log-odds are 20, and never past 1 where they are larger already."""
    assert float(fitted([-4.0, -1.0, 2.0, 5.0], [0, 0, 1, 1]).temperature) == pytest.approx(0.25)
    assert float(fitted([-40.0, 40.0], [0, 1]).temperature) == 1.0


def test_useless_and_one_sided_data_stop_too() -> None:
    """Reversed scores flatten to 100; one class, and scores that are all 0, give no reason to be sure of anything."""
    assert float(fitted([4.0, -4.0], [0, 1]).temperature) == pytest.approx(100)
    assert float(fitted([4.0, -4.0, 1.0], [1, 1, 1]).temperature) == 1.0
    assert np.isfinite(float(fitted([0.0, 0.0], [0, 1]).temperature))


def test_it_survives_its_state_dict() -> None:
    """A new module with the saved state gives bit-identical probabilities."""
    module, scores = fitted([-2.0, 1.0, -1.0, 3.0, 0.5], [0, 1, 1, 1, 0]), torch.linspace(-9, 9, 50)
    again = Temperature().build()
    again.load_state_dict(module.state_dict())
    assert float(again.temperature) != 1.0
    assert torch.equal(again(scores), module(scores))


def test_bad_dev_scores_are_refused() -> None:
    """No scores, scores without labels and scores that are not finite are errors."""
    for scores, labels, message in (
        ([], [], "got 0 and 0"),
        ([1.0], [0, 1], "got 1 and 2"),
        ([1.0, float("nan")], [0, 1], "finite"),
        ([1.0, float("inf")], [0, 1], "finite"),
    ):
        with pytest.raises(WakekitError, match=message):
            fitted(scores, labels)
