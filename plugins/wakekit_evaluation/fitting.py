"""What calibrators share when they are fitted: checked dev scores, and a logistic regression with bounds on slopes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from wakekit import WakekitError

if TYPE_CHECKING:
    from torch import Tensor

    from wakekit.data import FloatArray

FLATTEST = 0.01
"""Least slope of calibrated log-odds over log-odds: scores that say nothing, or the opposite, keep their order."""
_WIDEST_LOG_ODDS = 40.0


def checked(scores: Tensor, labels: Tensor, *, what: str) -> tuple[FloatArray, FloatArray]:
    """Return dev's log-odds [N] and labels [N] of 0 and 1 as float64; `what` is fitted to them.

    Raises WakekitError for no scores at all, and for scores that are not finite.
    """
    log_odds, targets = scores.detach().double().cpu().numpy(), labels.detach().double().cpu().numpy()
    if log_odds.shape != targets.shape or not log_odds.size:
        raise WakekitError(
            f"expected as many dev scores as labels to fit {what}, got {log_odds.size} and {targets.size}"
        )
    if not np.isfinite(log_odds).all():
        raise WakekitError(f"expected finite dev scores to fit {what}, got nan or infinity")
    return log_odds, targets


def one_class(targets: FloatArray) -> bool:
    """Return whether all labels are the same, which says nothing about how scores tell them apart."""
    return bool((targets == targets[0]).all())


def smoothed(targets: FloatArray) -> FloatArray:
    """Return labels as Platt (1999) trains on them: (n1 + 1) / (n1 + 2) of the keyword, 1 / (n0 + 2) of the rest.

    Each stands for its class with one more clip of either sort, so that separated classes have an optimum.
    """
    ones = targets.sum()
    found: FloatArray = np.where(targets == 1, (ones + 1) / (ones + 2), 1 / (len(targets) - ones + 2))
    return found


def bounded_logistic(columns: FloatArray, targets: FloatArray) -> tuple[FloatArray, float]:
    """Return the slopes [k] and the intercept of most likelihood for log-odds that are linear in columns [N, k].

    Slopes are at least 0.01. They are at most what spreads the log-odds over 40 by that column alone, beyond which
    float64 probabilities run together, or 1 where they are spread wider already; separated classes reach it unless
    their labels are smoothed. The slope of a column that is the same everywhere stays at 1. The problem is convex.
    """
    middle, spread, reach = columns.mean(axis=0), columns.std(axis=0), np.ptp(columns, axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    unit = (columns - middle) / scale

    def loss(values: FloatArray) -> tuple[float, FloatArray]:
        odds = unit @ values[:-1] + values[-1]
        error = expit(odds) - targets
        gradient = np.append(unit.T @ error, error.sum()) / len(targets)
        return float(np.mean(np.logaddexp(0, odds) - targets * odds)), gradient

    most = np.maximum(1.0, np.divide(_WIDEST_LOG_ODDS, reach, out=np.ones_like(reach), where=reach > 0))
    bounds = [*zip(FLATTEST * scale, most * scale, strict=True), (None, None)]
    found = minimize(loss, np.append(scale, 0.0), jac=True, method="L-BFGS-B", bounds=bounds, options=_PRECISE).x
    slopes = np.clip(found[:-1] / scale, FLATTEST, most)
    return slopes, float(found[-1] - slopes @ middle)


# Down to the last digits: a threshold in a run's folder must not hang on where a search gave up.
_PRECISE: dict[str, float] = {"ftol": 0.0, "gtol": 1e-12, "maxiter": 2000, "maxfun": 20000, "maxls": 50}
