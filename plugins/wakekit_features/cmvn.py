"""The `cmvn` normalizer: zero mean and unit variance per feature over the train split.

The statistics are those of `wakekit_features.moments`; saved with the weights, they are what a stream is normalized by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import torch
from torch import Tensor, nn

from wakekit import WakekitError, option
from wakekit_features.moments import Moments, check_layout

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wakekit import FeatureBatch


@attrs.frozen
class Cmvn:
    """Normalize every feature by the mean and standard deviation of the train split."""

    scope: ClassVar[str] = "corpus"
    eps: float = option(0.01, above=0, help="smallest standard deviation to divide by, for features that never change")

    def build(self, n_features: int) -> CmvnModule:
        """Return the module, not yet fitted."""
        return CmvnModule(n_features, eps=self.eps)


class CmvnModule(nn.Module):
    """Features [B, F, T] → (features - mean) / std, with buffers `mean` and `std` [F] and `count`, the frames seen.

    `name` is the normalizer that errors speak of.
    """

    mean: Tensor
    std: Tensor
    count: Tensor

    def __init__(self, n_features: int, *, eps: float, name: str = "cmvn") -> None:
        super().__init__()
        self.name = name
        self.eps = eps
        self.fitted = False
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("std", torch.ones(n_features))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_load_state_dict_post_hook(_loaded)  # type: ignore[no-untyped-call]

    def fit(self, batches: Iterable[FeatureBatch]) -> CmvnModule:
        """Learn mean and standard deviation (ddof 0), forgetting what was learnt before; the order does not matter.

        Raises WakekitError where the batches hold no frame, or features that are no numbers.
        """
        total = Moments.empty(self.mean)
        for batch in batches:
            check_layout(batch.features, len(self.mean), name=self.name)
            total = total.merge(Moments.of(batch))
        if total.count == 0:
            raise WakekitError(
                f"expected frames to learn from, got none @ normalizer {self.name}; is the train split empty?"
            )
        if not bool(torch.isfinite(total.mean + total.spread).all()):
            raise WakekitError(
                f"expected finite features, got NaN or infinity @ normalizer {self.name}; check the audio"
            )
        self.mean.copy_(total.mean)
        self.std.copy_((total.spread / total.count).sqrt().clamp_(min=self.eps))
        self.count.fill_(total.count)
        self.fitted = True
        return self

    def forward(self, features: Tensor) -> Tensor:
        """Return normalized features; raises WakekitError before `fit` or where F is another."""
        self.check(features)
        return (features - self.mean[:, None]) / self.std[:, None]

    def inverse(self, features: Tensor) -> Tensor:
        """Return the features that `forward` would turn into `features` [B, F, T]."""
        self.check(features)
        return features * self.std[:, None] + self.mean[:, None]

    def check(self, features: Tensor) -> None:
        """Raise WakekitError before `fit`, or where `features` are not [B, F, T]."""
        if not self.fitted:
            raise WakekitError(
                f"expected statistics, got an unfitted {self.name} @ normalizer; call fit or load its weights"
            )
        check_layout(features, len(self.mean), name=self.name)


def _loaded(module: CmvnModule, _incompatible: Any) -> None:  # noqa: ANN401
    # Kept outside the buffers: asking a CUDA tensor whether it was fitted would wait for the device at every step.
    module.fitted = bool(module.count > 0)
