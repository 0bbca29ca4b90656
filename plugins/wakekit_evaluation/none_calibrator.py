"""No calibration: log-odds become the probabilities they claim to be.

The arithmetic is float64, in which scores stay distinct up to log-odds of about 36.
"""

from __future__ import annotations

from typing import ClassVar

import attrs
import torch
from torch import Tensor, nn


@attrs.frozen
class NoCalibration:
    """Take the network's log-odds at their word."""

    repairs_prior: ClassVar[bool] = False
    monotone: ClassVar[bool] = True

    def build(self) -> nn.Module:
        """Return a module that has nothing to fit."""
        return _Sigmoid()


class _Sigmoid(nn.Module):
    def forward(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores.double())
