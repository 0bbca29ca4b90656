"""The `running-cmvn` normalizer: every frame by the statistics of the frames just before it, so that it suits streams.

As in the online CMVN of Kaldi (Povey et al., 2011), statistics of the train split stand for what a stream has not yet
shown. The past is cut off after a fixed number of frames, so that a frame's value does not depend on where a stream was
cut. There is no inverse, because the statistics go on with the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import torch
from torch import Tensor, nn

from wakekit import FeatureBatch, option
from wakekit_features.cmvn import CmvnModule
from wakekit_features.moments import check_layout, real_frames
from wakekit_features.silence import Silence

if TYPE_CHECKING:
    from collections.abc import Iterable


@attrs.frozen
class RunningCmvn:
    """Normalize every frame by the mean and standard deviation of a window of the past that ends with it."""

    scope: ClassVar[str] = "running"
    window_frames: int = option(200, at_least=1, unit="frames", help="how far back statistics go, this frame included")
    prior_frames: float = option(100.0, above=0, unit="frames", help="how many frames the train split's statistics are")
    variance: bool = option(default=True, help="of the window as well; false takes the variance of the train split")
    eps: float = option(0.01, above=0, help="smallest standard deviation to divide by")

    def build(self, n_features: int) -> RunningCmvnModule:
        """Return the module, not yet fitted."""
        return RunningCmvnModule(n_features, self)


class RunningCmvnModule(nn.Module):
    """Features [B, F, T] → (features - mean) / std, where mean and std [B, F, T] belong to each frame.

    They are those of the last `window_frames` frames without digital silence, n of them, and of `prior_frames` more
    with the mean and standard deviation of the train split: mean = (Σx + p·μ) / (n + p), and likewise for squares. The
    first `context_frames` frames of T see less of the past than the others: give as many frames of context.
    """

    def __init__(self, n_features: int, options: RunningCmvn) -> None:
        super().__init__()
        self.options = options
        self.context_frames = options.window_frames - 1
        self.corpus = CmvnModule(n_features, eps=options.eps, name="running-cmvn")
        self.silence = Silence(n_features)

    def hear_silence(self, features: Tensor) -> None:
        """Remember the features [F] that the frontend gives for digital silence."""
        self.silence.hear(features)

    def fit(self, batches: Iterable[FeatureBatch]) -> RunningCmvnModule:
        """Learn the train split's statistics from its frames without digital silence, as `cmvn` does."""
        self.corpus.fit(self._heard(batch) for batch in batches)
        return self

    def _heard(self, batch: FeatureBatch) -> FeatureBatch:
        """Return the frames that are neither padding nor silence as one row."""
        check_layout(batch.features, len(self.corpus.mean), name=self.corpus.name)
        kept = batch.features.transpose(1, 2)[real_frames(batch) & ~self.silence(batch.features)]
        return FeatureBatch(kept.T[None], torch.tensor([len(kept)]))

    def forward(self, features: Tensor) -> Tensor:
        """Return normalized features, also under autocast; raises WakekitError before `fit` or where F is another."""
        self.corpus.check(features)
        return self._normalized(features).to(features.dtype)

    def _normalized(self, features: Tensor) -> Tensor:
        # Squares are taken in float64, which autocast leaves alone, of what the train split's mean leaves over: a
        # shared offset costs no digits.
        offset = features.double() - self.corpus.mean.double()[:, None]
        std = self.corpus.std.double()[:, None]
        silent = self.silence(features)[:, None]
        kept = offset.masked_fill(silent, 0)
        window, prior = self.options.window_frames, self.options.prior_frames
        count = window_sums((~silent).double(), window) + prior
        mean = window_sums(kept, window) / count
        if self.options.variance:
            squares = (window_sums(kept.square(), window) + prior * std.square()) / count
            std = (squares - mean.square()).clamp(min=self.options.eps**2).sqrt()
        normalized: Tensor = (offset - mean) / std
        return normalized


def window_sums(values: Tensor, window: int) -> Tensor:
    """Return the sums [..., T] over the last `window` of `values` [..., T], zeros standing before the first.

    Takes time in proportion to T (van Herk, 1992; Gil and Werman, 1993): a window is the end of one block of `window`
    values and the start of the next. Nothing is subtracted, so rounding does not pile up along a stream.
    """
    frames = values.shape[-1]
    # One value more than the windows need, so that the last may begin a block.
    end = -(frames + window - 1) % window or window
    blocks = nn.functional.pad(values, (window - 1, end)).unflatten(-1, (-1, window))
    ends = blocks.flip(-1).cumsum(dim=-1).flip(-1).flatten(-2)
    starts = nn.functional.pad(blocks[..., :-1].cumsum(dim=-1), (1, 0)).flatten(-2)
    sums: Tensor = ends[..., :frames] + starts[..., window : window + frames]
    return sums
