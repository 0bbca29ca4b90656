"""Isotonic calibration: the rising map of dev's scores to how often the keyword was there (Zadrozny and Elkan, 2002).

It assumes no form, hence repairs any rising distortion, and takes more dev clips than the others to do so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import torch
from scipy.optimize import isotonic_regression
from torch import Tensor, nn

from wakekit import option
from wakekit_evaluation.fitting import checked, one_class

if TYPE_CHECKING:
    from wakekit.data import FloatArray

_BUFFERS = ("knots", "values")
_LARGEST_LOG_ODDS = 1e6


@attrs.frozen
class Isotonic:
    """Map log-odds to the rising probabilities of least squared error on dev, by pooling adjacent violators.

    Between scores of dev it goes in straight lines, outside of them it stays level. Of n dev clips, probabilities stay
    within 1 / (n + 2) and 1 less that, as no n clips show more.

    The pooled map is level over whole ranges of scores, above all at the top, where the thresholds of few false accepts
    lie: there a threshold could only accept all of a range or nothing. So a little of a function that rises everywhere
    (s / (1 + |s|), moved to 0 to 1) is mixed in: no probability moves by more than `tilt`, and scores keep their order.
    With a tilt of 0 it is plain isotonic regression, whose operating point is exact too, as it is chosen among the
    probabilities that there are, but has few to choose from. A detector's hysteresis is measured on these
    probabilities, of which the same step means more scores where the map is level.
    """

    repairs_prior: ClassVar[bool] = True
    monotone: ClassVar[bool] = True

    tilt: float = option(
        0.001, at_least=0, below=1, help="weight of the rising function that keeps pooled scores in order; 0 is plain"
    )

    def build(self) -> nn.Module:
        """Return the module, the logistic function until fitted."""
        return _IsotonicMap(tilt=self.tilt)


class _IsotonicMap(nn.Module):
    """Log-odds [N] → probabilities float64 [N]; `knots` (log-odds) and `values` are float64 buffers [K], 0 at first."""

    knots: Tensor
    values: Tensor

    def __init__(self, *, tilt: float) -> None:
        super().__init__()
        self._tilt = tilt
        for name in _BUFFERS:
            self.register_buffer(name, torch.zeros(0, dtype=torch.float64))
        self.register_load_state_dict_pre_hook(_as_saved)  # type: ignore[no-untyped-call]

    def fit(self, scores: Tensor, labels: Tensor) -> None:
        """Set the map to that of least squared error on log-odds [N] with labels [N] of 0 and 1.

        Scores that say nothing, or the opposite, leave one probability for all, the share of keyword clips, with the
        tilt. Perfectly separated data give a step between the classes. One class alone leaves the logistic function.
        Raises WakekitError for no scores at all, and for scores that are not finite.
        """
        log_odds, targets = checked(scores, labels, what="an isotonic map")
        if one_class(targets):
            return
        knots, values = _pooled(log_odds, targets)
        self.knots, self.values = torch.from_numpy(knots), torch.from_numpy(values)

    def forward(self, scores: Tensor) -> Tensor:
        log_odds = scores.double().clamp(-_LARGEST_LOG_ODDS, _LARGEST_LOG_ODDS)
        if not len(self.knots):
            return torch.sigmoid(log_odds)
        rising = (1 + log_odds / (1 + log_odds.abs())) / 2
        return (1 - self._tilt) * self._level(log_odds) + self._tilt * rising

    def _level(self, log_odds: Tensor) -> Tensor:
        last = len(self.knots) - 1
        right = torch.searchsorted(self.knots, log_odds).clamp(min(1, last), last)
        left = (right - 1).clamp(min=0)
        low, high = self.values[left], self.values[right]
        width = self.knots[right] - self.knots[left]
        share = ((log_odds - self.knots[left]) / torch.where(width > 0, width, 1.0)).clamp(0, 1)
        # Rounding must not lift the end of one line above the start of the next.
        return torch.minimum(low + share * (high - low), high)


def _as_saved(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    """Give a fresh module as many knots as the saved one has."""
    for name in _BUFFERS:
        saved = state.get(prefix + name)
        if isinstance(saved, Tensor):
            setattr(module, name, torch.zeros(saved.shape, dtype=torch.float64))


def _pooled(log_odds: FloatArray, targets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the map's lines: log-odds that rise, and probabilities that never fall."""
    knots, group, sizes = np.unique(log_odds, return_inverse=True, return_counts=True)
    shares = np.bincount(group, weights=targets) / sizes
    edge = 1 / (len(targets) + 2)
    values = np.clip(isotonic_regression(shares, weights=sizes).x, edge, 1 - edge)
    # Inside a level stretch no knot is needed.
    kept = np.concatenate([[True], (values[1:-1] != values[:-2]) | (values[1:-1] != values[2:]), [True]])[: len(knots)]
    return knots[kept], values[kept]
