"""Rows of training audio: regions of the flat audio from which windows are cropped, batched on the device.

A row is a region a little longer than the window; a crop starts anywhere in its slack. For the keyword the slack is the
tolerance, so that the word always ends within it of the window's end; other audio is tiled, so that an epoch covers all.
"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor

from wakekit.batch import gather


@attrs.frozen(eq=False, kw_only=True)
class Rows:
    """A table of regions in a flat int16 tensor, all positions in samples.

    `start` and `slack` [R]: a window of `window` samples begins at start + u · slack, u in [0, 1]. Samples outside
    [low, high) [R] are zero. `labels` [R] are class indices, `pools` map pool names to row indices. All but `audio` are
    int64 on the CPU.
    """

    audio: Tensor
    start: Tensor
    slack: Tensor
    low: Tensor
    high: Tensor
    labels: Tensor
    pools: dict[str, Tensor]
    window: int
    sample_rate: int

    def __len__(self) -> int:
        return self.start.numel()

    def crop(self, rows: Tensor, fraction: Tensor) -> tuple[Tensor, Tensor]:
        """Return the windows float32 [B, window] of the given rows and the number of real samples in each.

        `fraction` [B] in [0, 1] places each window within its row's slack; it lives on the CPU, like `rows`.
        """
        first = self.start[rows] + (fraction * (self.slack[rows] + 1)).long().minimum(self.slack[rows])
        low, high = self.low[rows], self.high[rows]
        real = (torch.minimum(high, first + self.window) - torch.maximum(low, first)).clamp_(0)
        return gather(self.audio, first, low, high, self.window), real.to(self.audio.device)
