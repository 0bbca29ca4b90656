"""Platt scaling: log-odds are multiplied by a scale and shifted by a bias, fitted on dev (Platt, 1999).

The bias repairs a shift of the prior, such as class weights in training leave behind, which a temperature cannot:
weights multiply the odds by w1 / w0, and so add ln(w1 / w0) to every log-odds.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import torch
from torch import Tensor, nn

from wakekit import option
from wakekit_evaluation.fitting import bounded_logistic, checked, one_class, smoothed


@attrs.frozen
class Platt:
    """Map log-odds s to the probability 1 / (1 + exp(-(scale · s + bias))) that makes dev most likely.

    The scale is above 0, so that no ranking changes. Probabilities are those of clips among which the keyword is as
    common as in dev.
    """

    repairs_prior: ClassVar[bool] = True
    monotone: ClassVar[bool] = True

    smoothing: bool = option(
        True,  # noqa: FBT003
        help="fit Platt's smoothed labels, which keep separated classes from certainty; false fits 0 and 1",
    )

    def build(self) -> nn.Module:
        """Return the module, at scale 1 and bias 0 until fitted."""
        return _PlattScaling(smoothing=self.smoothing)


class _PlattScaling(nn.Module):
    """Log-odds [N] → probabilities float64 [N]; `scale` and `bias` are float64 buffers."""

    scale: Tensor
    bias: Tensor

    def __init__(self, *, smoothing: bool) -> None:
        super().__init__()
        self._smoothing = smoothing
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))
        self.register_buffer("bias", torch.zeros((), dtype=torch.float64))

    def fit(self, scores: Tensor, labels: Tensor) -> None:
        """Set scale and bias to those of least cross-entropy on log-odds [N] with labels [N] of 0 and 1.

        Scores that say nothing, or the opposite (the best scale would be 0 or negative), stop at a scale of 0.01, which
        keeps their order, with the bias that is best there. Perfectly separated data without smoothing stop where the
        calibrated log-odds span 40, or at a scale of 1 where the scores span more already. Scores that are all equal
        leave the scale at 1 and move the bias alone; one class alone leaves both as they are. Raises WakekitError for
        no scores at all, and for scores that are not finite.
        """
        log_odds, targets = checked(scores, labels, what="a scale and a bias")
        if one_class(targets):
            return
        goal = smoothed(targets) if self._smoothing else targets
        slopes, bias = bounded_logistic(log_odds[:, None], goal)
        self.scale.fill_(slopes[0])
        self.bias.fill_(bias)

    def forward(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(self.scale * scores.double() + self.bias)
