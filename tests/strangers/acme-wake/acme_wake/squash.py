"""The `squash` normalizer."""

from typing import ClassVar

import attrs
from torch import Tensor, nn

from wakekit import option


@attrs.frozen
class Squash:
    """Press every feature into -1 to 1 by a hyperbolic tangent, each frame by itself."""

    scope: ClassVar[str] = "corpus"
    gain: float = option(0.1, above=0, at_most=10, help="what features are multiplied by before")

    def build(self, n_features: int) -> nn.Module:
        """Return the module; there is nothing to fit."""
        return Press(n_features, self.gain)


class Press(nn.Module):
    """Features [B, F, T] → values between -1 and 1 of the same shape."""

    def __init__(self, n_features: int, gain: float) -> None:
        super().__init__()
        self.n_features, self.gain = n_features, gain

    def forward(self, features: Tensor) -> Tensor:
        """Return the pressed features."""
        return (features * self.gain).tanh()
