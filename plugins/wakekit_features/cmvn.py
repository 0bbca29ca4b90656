"""The `cmvn` normalizer: zero mean and unit variance per feature over the train split.

Statistics are gathered in float64 and batches are merged pairwise, because E[x²] - E[x]² loses every digit where the
mean is large. They run over rows and time, never over features, and padding frames are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import torch
from torch import Tensor, nn

from wakekit import FeatureBatch, WakekitError, option

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.frozen
class Cmvn:
    """Normalize every feature by the mean and standard deviation of the train split."""

    scope: ClassVar[str] = "corpus"
    eps: float = option(0.01, above=0, help="smallest standard deviation to divide by, for features that never change")

    def build(self, n_features: int) -> CmvnModule:
        """Return the module, not yet fitted."""
        return CmvnModule(n_features, eps=self.eps)


class CmvnModule(nn.Module):
    """Features [B, F, T] → (features - mean) / std, with buffers `mean` and `std` [F] and `count`, the frames seen."""

    mean: Tensor
    std: Tensor
    count: Tensor

    def __init__(self, n_features: int, *, eps: float) -> None:
        super().__init__()
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
            self._check(batch.features)
            total = total.merge(Moments.of(batch))
        if total.count == 0:
            raise WakekitError("expected frames to learn from, got none @ normalizer cmvn; is the train split empty?")
        if not bool(torch.isfinite(total.mean + total.spread).all()):
            raise WakekitError("expected finite features, got NaN or infinity @ normalizer cmvn; check the audio")
        self.mean.copy_(total.mean)
        self.std.copy_((total.spread / total.count).sqrt().clamp_(min=self.eps))
        self.count.fill_(total.count)
        self.fitted = True
        return self

    def forward(self, features: Tensor) -> Tensor:
        """Return normalized features; raises WakekitError before `fit` or where F is another."""
        self._ready(features)
        return (features - self.mean[:, None]) / self.std[:, None]

    def inverse(self, features: Tensor) -> Tensor:
        """Return the features that `forward` would turn into `features` [B, F, T]."""
        self._ready(features)
        return features * self.std[:, None] + self.mean[:, None]

    def _ready(self, features: Tensor) -> None:
        if not self.fitted:
            raise WakekitError("expected statistics, got an unfitted cmvn @ normalizer; call fit or load its weights")
        self._check(features)

    def _check(self, features: Tensor) -> None:
        n_features = self.mean.shape[0]
        if features.dim() != 3 or features.shape[1] != n_features:  # noqa: PLR2004
            raise WakekitError(
                f"expected features [batch, {n_features}, time], got {list(features.shape)} @ normalizer cmvn; "
                "build it with the frontend's n_features"
            )


def _loaded(module: CmvnModule, _incompatible: Any) -> None:  # noqa: ANN401
    # Kept outside the buffers: asking a CUDA tensor whether it was fitted would wait for the device at every step.
    module.fitted = bool(module.count > 0)


@attrs.frozen(eq=False)
class Moments:
    """How many frames were seen, their mean and their summed squared deviation from it, float64 [F]."""

    count: int
    mean: Tensor
    spread: Tensor

    @classmethod
    def empty(cls, like: Tensor) -> Moments:
        """Return the moments of no frames, on the device of `like` [F]."""
        zeros = torch.zeros_like(like, dtype=torch.float64)
        return cls(0, zeros, zeros)

    @classmethod
    def of(cls, batch: FeatureBatch) -> Moments:
        """Return the moments of a batch's real frames."""
        features = batch.features.double()
        real = torch.arange(features.shape[2], device=features.device) < batch.frames.to(features.device)[:, None]
        count = int(real.sum())
        kept = features.transpose(1, 2)[real]
        mean = kept.sum(dim=0) / max(count, 1)
        return cls(count, mean, (kept - mean).square().sum(dim=0))

    def merge(self, other: Moments) -> Moments:
        """Return the moments of both together (Chan, Golub and LeVeque, 1979)."""
        count = self.count + other.count
        share = other.count / max(count, 1)
        delta = other.mean.to(self.mean.device) - self.mean
        spread = self.spread + other.spread.to(self.mean.device) + delta.square() * (self.count * share)
        return Moments(count, self.mean + delta * share, spread)
