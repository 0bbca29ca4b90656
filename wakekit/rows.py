"""Rows of training audio: regions of the flat audio from which windows are cropped, batched on the device.

A row is a region a little longer than the window; a crop starts anywhere in its slack. For the keyword the slack is
the tolerance, so that the word always ends within it of the window's end; other audio is tiled, so that an epoch
covers all of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from wakekit.batch import gather

if TYPE_CHECKING:
    from wakekit.callbacks import ExtraRows
    from wakekit.data import Clip
    from wakekit.prepared import SplitAudio
    from wakekit.settings import Window


@attrs.frozen(eq=False, kw_only=True)
class Rows:
    """A table of regions in a flat int16 tensor, all positions in samples.

    `start` and `slack` [R]: a window of `window` samples begins at start + u · slack, u in [0, 1]; it is cropped with
    the `context` samples before it. Samples outside [low, high) [R] are zero. `labels` [R] are class indices, `pools`
    map pool names to row indices. All but `audio` are int64 on the CPU.
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
    context: int = 0

    def __len__(self) -> int:
        return self.start.numel()

    def crop(self, rows: Tensor, fraction: Tensor) -> tuple[Tensor, Tensor]:
        """Return windows float32 [B, context + window] of the given rows and the number of real samples in each.

        `fraction` [B] in [0, 1] places each window within its row's slack; it lives on the CPU, like `rows`.
        """
        samples = self.context + self.window
        first = self.start[rows] + (fraction * (self.slack[rows] + 1)).long().minimum(self.slack[rows]) - self.context
        low, high = self.low[rows], self.high[rows]
        real = (torch.minimum(high, first + samples) - torch.maximum(low, first)).clamp_(0)
        return gather(self.audio, first, low, high, samples), real.to(self.audio.device)

    def extended(self, extra: ExtraRows, split: SplitAudio) -> Rows:
        """Return the table with rows more; `split` is what their positions count in.

        Where this table's audio is another tensor, as on a GPU, theirs is copied to its end.
        """
        audio, moved = self.audio, torch.zeros_like(extra.start)
        low, high = extra.low, extra.high
        if audio.data_ptr() != split.audio.data_ptr():
            low = torch.maximum(low, extra.start - self.context)
            high = torch.minimum(high, extra.start + extra.slack + self.window)
            high = torch.maximum(high, low)
            pieces = [split.audio[first:last] for first, last in zip(low.tolist(), high.tolist(), strict=True)]
            moved = len(audio) + torch.cumsum(high - low, 0) - high
            audio = torch.cat([audio, *(piece.to(audio.device) for piece in pieces)])
        added = torch.arange(len(self), len(self) + len(extra.start))
        mine = self.pools.get(extra.pool, added[:0])
        return attrs.evolve(
            self,
            audio=audio,
            start=torch.cat([self.start, extra.start + moved]),
            slack=torch.cat([self.slack, extra.slack]),
            low=torch.cat([self.low, low + moved]),
            high=torch.cat([self.high, high + moved]),
            labels=torch.cat([self.labels, torch.full_like(extra.start, extra.label)]),
            pools={**self.pools, extra.pool: torch.cat([mine, added])},
        )


def training_rows(split: SplitAudio, window: Window, *, context: int = 0) -> Rows:
    """Lay out the rows of a split.

    A keyword clip is one row, whose windows end up to `tolerance_seconds` after the word. Any other clip
    is tiled with rows half a window beyond both its ends. A share of all-zero rows keeps silence from firing.
    """
    rate, size = split.sample_rate, round(window.seconds * split.sample_rate)
    sizes = {"window": size, "tolerance": round(window.tolerance_seconds * rate), "rate": rate}
    spans = zip(split.clips.rows, split.clips.starts.tolist(), split.clips.lengths.tolist(), strict=True)
    parts = [_clip_rows(clip, start, length, **sizes) for clip, start, length in spans]
    tables = [part for part, _ in parts]
    pools = [pool for part, pool in parts for _ in range(len(part))]
    others = sum(pool != "positive" for pool in pools)
    silent = round(others * window.silence / (1 - window.silence))
    table = torch.cat([*tables, torch.zeros(silent, 4, dtype=torch.int64)])
    pools += ["negative"] * silent
    return Rows(
        audio=split.audio,
        start=table[:, 0],
        slack=table[:, 1],
        low=table[:, 2],
        high=table[:, 3],
        labels=torch.tensor([int(pool == "positive") for pool in pools]),
        pools={name: _positions(pools, name) for name in ("positive", "negative", "hard")},
        window=size,
        sample_rate=rate,
        context=context,
    )


def _clip_rows(clip: Clip, low: int, length: int, *, window: int, tolerance: int, rate: int) -> tuple[Tensor, str]:
    """Return rows (start, slack, low, high) of a clip, and their pool."""
    if clip.pool == "positive":
        end = low + (length if clip.word is None else min(round(clip.word[1] * rate), length))
        return torch.tensor([[end - window, tolerance, low, low + length]]), "positive"
    tiles = torch.arange(max(1, math.ceil(length / window)))
    first = low - window // 2 + tiles * window
    rest = torch.tensor([window, low, low + length]).expand(len(tiles), 3)
    return torch.cat([first.unsqueeze(1), rest], dim=1), "hard" if clip.pool == "hard" else "negative"


def _positions(pools: list[str], name: str) -> Tensor:
    return torch.tensor([row for row, pool in enumerate(pools) if pool == name], dtype=torch.int64)
