"""Temperature scaling: log-odds are divided by one number, fitted on dev (Guo et al., 2017).

It moves every threshold but changes no ranking. One number cannot repair a shift of the prior, such as class weights in
training leave behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit
from torch import Tensor, nn

from wakekit_evaluation.fitting import FLATTEST, checked, one_class

if TYPE_CHECKING:
    from wakekit.data import FloatArray

_SHARPEST_LOG_ODDS = 20.0


@attrs.frozen
class Temperature:
    """Divide log-odds by the temperature that makes dev most likely."""

    repairs_prior: ClassVar[bool] = False
    monotone: ClassVar[bool] = True

    def build(self) -> nn.Module:
        """Return the module, at temperature 1 until fitted."""
        return _TemperatureScaling()


class _TemperatureScaling(nn.Module):
    """Log-odds [N] → probabilities float64 [N]; `temperature` is a float64 buffer."""

    temperature: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones((), dtype=torch.float64))

    def fit(self, scores: Tensor, labels: Tensor) -> None:
        """Set the temperature to the one of least cross-entropy on log-odds [N] with labels [N] of 0 and 1.

        Perfectly separated data would have it at 0; it stops where the largest log-odds become 20, beyond which float64
        probabilities run together, or at 1 where they are larger already. Scores that say nothing, or the opposite,
        would have it at infinity; it stops at 100. One class alone says nothing about it, which leaves 1. Raises
        WakekitError for no scores at all, and for scores that are not finite.
        """
        log_odds, targets = checked(scores, labels, what="a temperature")
        self.temperature.fill_(1 / _sharpness(log_odds, targets))

    def forward(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores.double() / self.temperature)


def _sharpness(log_odds: FloatArray, targets: FloatArray) -> float:
    """Return 1 / temperature: the root of the cross-entropy's slope, which only rises."""
    if one_class(targets):
        return 1.0

    def slope(sharpness: float) -> float:
        return float(np.mean(log_odds * (expit(sharpness * log_odds) - targets)))

    sharpest = max(1.0, _SHARPEST_LOG_ODDS / max(float(np.abs(log_odds).max()), 1e-6))
    if slope(FLATTEST) >= 0:
        return FLATTEST
    if slope(sharpest) <= 0:
        return sharpest
    return float(brentq(slope, FLATTEST, sharpest, xtol=1e-13))
