"""Beta calibration: the map between scores of two beta distributions (Kull, Silva Filho and Flach, 2017).

It has Platt's map on log-odds among its members (a = b), and can bend the two ends apart, as an overconfident network
needs that is sure of too many keywords but not of too many others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wakekit import option
from wakekit_evaluation.fitting import bounded_logistic, checked, one_class, smoothed

if TYPE_CHECKING:
    from wakekit.data import FloatArray


@attrs.frozen
class Beta:
    """Map a probability p to log-odds a · ln(p) - b · ln(1 - p) + c that make dev most likely.

    Both a and b are at least 0.01: the paper's map needs them not to be negative, and one of 0 would give all scores at
    that end the same probability, where a threshold could no longer tell them apart. The optimum is searched for within
    those bounds, where the usual way (dropping a column that came out negative) can miss it. Probabilities are those of
    clips among which the keyword is as common as in dev.
    """

    repairs_prior: ClassVar[bool] = True
    monotone: ClassVar[bool] = True

    smoothing: bool = option(
        True,  # noqa: FBT003
        help="fit Platt's smoothed labels, which keep separated classes from certainty; false fits 0 and 1",
    )

    def build(self) -> nn.Module:
        """Return the module, at a = b = 1 and c = 0 (which change nothing) until fitted."""
        return _BetaCalibration(smoothing=self.smoothing)


class _BetaCalibration(nn.Module):
    """Log-odds [N] → probabilities float64 [N]; `a`, `b` and `c` are float64 buffers."""

    a: Tensor
    b: Tensor
    c: Tensor

    def __init__(self, *, smoothing: bool) -> None:
        super().__init__()
        self._smoothing = smoothing
        for name, value in (("a", 1.0), ("b", 1.0), ("c", 0.0)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))

    def fit(self, scores: Tensor, labels: Tensor) -> None:
        """Set a, b and c to those of least cross-entropy on log-odds [N] with labels [N] of 0 and 1.

        Scores that say the opposite stop at a = b = 0.01. Perfectly separated data without smoothing stop where a
        alone, or b alone, spreads dev over log-odds of 40, or at 1 where it is spread wider already. Scores that are
        all equal move c alone; one class alone leaves all three as they are. Raises WakekitError for no scores at all,
        and for scores that are not finite.
        """
        log_odds, targets = checked(scores, labels, what="a beta calibration")
        if one_class(targets):
            return
        goal = smoothed(targets) if self._smoothing else targets
        slopes, c = bounded_logistic(_columns(log_odds), goal)
        self.a.fill_(slopes[0])
        self.b.fill_(slopes[1])
        self.c.fill_(c)

    def forward(self, scores: Tensor) -> Tensor:
        log_odds = scores.double()
        # ln(p) and -ln(1 - p) of the logistic function, without its rounding to 0 and 1.
        low, high = functional.logsigmoid(log_odds), -functional.logsigmoid(-log_odds)
        return torch.sigmoid(self.a * low + self.b * high + self.c)


def _columns(log_odds: FloatArray) -> FloatArray:
    return np.stack([-np.logaddexp(0, -log_odds), np.logaddexp(0, log_odds)], axis=1)
