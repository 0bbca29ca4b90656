"""What a training step works on: a table of audio in one flat tensor, a batch cropped from it, and its random draws.

Audio stays int16 in one flat tensor; a batch of crops is one gather on the device, never a loop over clips.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wakekit.distributed import World, added_up

_SCALE = 1.0 / 32768.0


@attrs.frozen(eq=False)
class AudioTable:
    """Rows of audio in one flat int16 tensor.

    `audio` is int16 [N]; row r holds the samples `starts[r]` to `starts[r] + lengths[r]` (int64 [R], on the CPU).
    """

    audio: Tensor
    starts: Tensor
    lengths: Tensor
    sample_rate: int

    def __len__(self) -> int:
        return self.starts.numel()

    def crop(self, rows: Tensor, first: Tensor, samples: int) -> Tensor:
        """Return float32 [B, samples] in [-1, 1): row `rows[b]` from its sample `first[b]` on, zero outside the row."""
        low = self.starts[rows]
        return gather(self.audio, low + first, low, low + self.lengths[rows], samples)


def gather(audio: Tensor, start: Tensor, low: Tensor, high: Tensor, samples: int) -> Tensor:
    """Cut `samples` samples at every `start` [B] out of the flat int16 `audio`, with zeros outside [low, high).

    The positions are int64 on the CPU, whatever the device of the audio. Returns float32 [B, samples] on the audio's
    device. Rows are copied whole, which is many times as fast as picking sample by sample.
    """
    if audio.numel() < samples:
        audio = nn.functional.pad(audio, (0, samples - audio.numel()))
    first = start.clamp(0, audio.numel() - samples)
    taken = audio.unfold(0, samples, 1)[first.to(audio.device, non_blocking=True)]
    column = torch.arange(samples, dtype=torch.int32, device=audio.device)
    beyond = start - first
    if bool(beyond.any()):
        place = column + beyond.clamp(-samples, samples).to(audio.device).unsqueeze(1)
        taken = taken.gather(1, place.clamp_(0, samples - 1))
    cut = taken.to(torch.float32).mul_(_SCALE)
    if bool(((start < low) | (start + samples > high)).any()):
        edges = torch.stack([low - start, high - start]).clamp(-1, samples).int().to(audio.device).unsqueeze(2)
        cut.mul_((column >= edges[0]) & (column < edges[1]))
    return cut


@attrs.frozen(eq=False)
class Draws:
    """Random numbers for the rows of one batch: drawn on the CPU, so that every device sees the same, then moved.

    Where several processes train together, each computes some of the rows and draws for all `rows` of them, so that a
    row has the numbers that it has where one process trains alone, and generators stay in step. The methods return
    those of this process's rows, B of them. What is drawn from `generator` in another way must be drawn for all `rows`
    too, and put through `own`; other rows of the batch are to be had by `taken`.
    """

    generator: torch.Generator
    rows: int
    device: torch.device
    world: World = World()  # noqa: RUF009, frozen

    def own(self, values: Tensor) -> Tensor:
        """Return those of values [rows, ...] of the whole batch that are of this process's rows."""
        return values if self.world.size == 1 else values[self.world.part(self.rows)]

    def uniform(self, low: float = 0.0, high: float = 1.0, columns: int | None = None) -> Tensor:
        """Return float32 [B], or [B, columns], uniform in [low, high)."""
        shape = (self.rows,) if columns is None else (self.rows, columns)
        drawn = torch.rand(shape, generator=self.generator) * (high - low) + low
        return self.own(drawn).to(self.device, non_blocking=True)

    def normal(self, columns: int | None = None) -> Tensor:
        """Return standard normal float32 [B], or [B, columns]."""
        shape = (self.rows,) if columns is None else (self.rows, columns)
        return self.own(torch.randn(shape, generator=self.generator)).to(self.device, non_blocking=True)

    def chance(self, probability: float) -> Tensor:
        """Return bool [B], true with the given probability."""
        return self.uniform() < probability

    def integers(self, high: int) -> Tensor:
        """Return int64 [B] uniform in [0, high), on the CPU: they choose rows of an `AudioTable`."""
        return self.own(torch.randint(high, (self.rows,), generator=self.generator))

    def permutation(self) -> Tensor:
        """Return int64 [B]: for every row another of the whole batch, or itself, each of them once; for `taken`."""
        drawn = torch.randperm(self.rows, generator=self.generator)
        return self.own(drawn).to(self.device, non_blocking=True)

    def taken(self, values: Tensor, places: Tensor) -> Tensor:
        """Return values [B, ...] of other rows, `places` [B] in the whole batch; gradients do not go that way."""
        if self.world.size == 1:
            return values[places]
        whole = values.new_zeros((self.rows, *values.shape[1:]))
        if self.world.count(self.rows):
            whole[self.world.part(self.rows)] = values.detach()
        return added_up(whole)[places]


@attrs.frozen(eq=False)
class Batch:
    """A batch on its way through the step; augmentations return a changed copy (`attrs.evolve`).

    `audio` is float32 [B, S] in [-1, 1); `lengths` int64 [B] counts the samples of each row that are audio rather than
    padding; `targets` is float32 [B, C]. `features` [B, F, T] is None until the frontend has run.
    """

    audio: Tensor
    lengths: Tensor
    targets: Tensor
    draws: Draws
    features: Tensor | None = None


@attrs.frozen(eq=False)
class FeatureBatch:
    """Features [B, F, T] for fitting a normalizer; row b is real in its first `frames[b]` frames, padding after."""

    features: Tensor
    frames: Tensor


@attrs.frozen(eq=False)
class Sources:
    """Audio that augmentations may draw from, all of one split: background recordings and impulse responses."""

    background: AudioTable
    impulse_responses: AudioTable
    sample_rate: int


@attrs.frozen(eq=False)
class Recorded:
    """A whole recording after a change: its samples, float32 [n] in [-1, 1], block by block, to be read once.

    It is `time_scale` times as long as it was, to within a sample, and so are the times of the words in it.
    """

    blocks: Iterator[npt.NDArray[np.float32]]
    time_scale: float = 1.0
