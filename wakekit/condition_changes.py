"""What the augmentations of a condition make of one recording, block by block, in bounded memory.

Augmentations that have the verb `record` are handed the whole recording, which they read block by block. The others
follow one another through blocks of ten seconds (the last takes in what is left; a shorter recording is one block),
each with draws of its own. They see a second beyond both ends of a block, so that reverberation runs on from one to the
next, and blocks are blended over 50 ms, so that nothing clicks where noise, room or level change. What they measure,
as the power behind an SNR, they measure on what they see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch

from wakekit.answers import as_one
from wakekit.batch import Batch, Draws, Recorded, Sources
from wakekit.errors import PluginError, WakekitError, blaming, who
from wakekit.geometry import N_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from wakekit.data import Clip, Stream
    from wakekit.prepared import Samples, SplitAudio
    from wakekit.settings import Condition

    Floats = npt.NDArray[np.float32]
    Row = Clip | Stream
    Change = Callable[[Batch], Batch]

_BLOCK_SECONDS = 10.0
_CONTEXT_SECONDS = 1.0
_BLEND_SECONDS = 0.05
_CPU = torch.device("cpu")


class Changer:
    """The augmentations of a condition, built for a split."""

    def __init__(self, split: SplitAudio, name: str, condition: Condition) -> None:
        self._where, self._seed, self._rate = f"condition {name}", condition.seed, split.sample_rate
        sources = Sources(split.background(), split.rooms(), split.sample_rate)
        whole = {key: hasattr(one, "record") for key, one in condition.augmentations.items()}
        self._steps: list[_Blockwise | _Whole] = []
        for alone, keys in groupby(whole, key=lambda key: whole[key]):
            some = {key: condition.augmentations[key] for key in keys}
            if alone:
                for key, one in some.items():
                    self._steps.append(_Whole(self._called(key, one), one, self._drawn(), self._rate))
            else:
                built = self._built(some, sources, split.name)
                self._steps.append(_Blockwise(built, self._drawn(), self._rate))

    def _called(self, key: str, augmentation: object) -> str:
        return f"{self._where}, {who('augmentation', augmentation, key)}"

    def _drawn(self) -> str:
        """Return what makes the draws of the next step its own."""
        number = len(self._steps)
        return f"{self._seed}" if not number else f"{self._seed} {number}"

    def _built(self, some: Mapping[str, Any], sources: Sources, split: str) -> dict[str, Change]:
        built: dict[str, Change] = {}
        for key, augmentation in some.items():
            try:
                built[self._called(key, augmentation)] = augmentation.build(sources)
            except PluginError:
                raise
            except WakekitError as error:
                raise WakekitError(f"{self._where}, which draws from the {split} split: {error}") from error
        return built

    def changed(self, row: Row, samples: Samples) -> Recorded:
        """Return a recording as the augmentations leave it."""
        made = Recorded(_read(samples, round(_BLOCK_SECONDS * self._rate)))
        for step in self._steps:
            done = step(row, made.blocks)
            made = Recorded(done.blocks, made.time_scale * done.time_scale)
        return made


def _read(samples: Samples, block: int) -> Iterator[Floats]:
    for first in range(0, len(samples), block):
        yield samples[first : first + block].to(torch.float32).div_(32768).numpy()


@attrs.frozen(eq=False)
class _Whole:
    """An augmentation that is handed the whole recording."""

    where: str
    augmentation: Any
    seed: str
    rate: int

    def __call__(self, row: Row, blocks: Iterator[Floats]) -> Recorded:
        draws, taken = _draws(self.seed, row, "recording"), _Counted(blocks)
        with blaming(self.where):
            made: Recorded = self.augmentation.record(taken, self.rate, draws)
            given, scale = iter(made.blocks), float(made.time_scale)
        return Recorded(self._checked(row, taken, given, scale), scale)

    def _checked(self, row: Row, taken: _Counted, blocks: Iterator[Floats], scale: float) -> Iterator[Floats]:
        """Pass blocks on, held to finite samples, and to as many as the time scale promises."""
        given = 0
        while True:
            with blaming(self.where):
                block = next(blocks, None)
                if block is None:
                    break
                block = np.asarray(block, dtype=np.float32)
            if block.ndim != 1 or not np.isfinite(block).all():
                raise PluginError(f"{self.where}: expected blocks of finite samples [n] for {row.audio.name}")
            given += len(block)
            yield block
        if next(taken, None) is not None or abs(given - scale * taken.count) >= 1:
            raise PluginError(
                f"{self.where}: expected all of {row.audio.name}, {scale:g} times as long as its {taken.count} samples "
                f"read, got {given}"
            )


class _Counted:
    """An iterator over blocks that counts the samples it gave."""

    def __init__(self, blocks: Iterator[Floats]) -> None:
        self._blocks, self.count = blocks, 0

    def __iter__(self) -> Iterator[Floats]:
        return self

    def __next__(self) -> Floats:
        block = next(self._blocks)
        self.count += len(block)
        return block


@attrs.frozen(eq=False)
class _Blockwise:
    """Augmentations of batches, each recording a row by itself."""

    changes: Mapping[str, Change]
    """By what errors call them."""
    seed: str
    rate: int

    def __call__(self, row: Row, blocks: Iterator[Floats]) -> Recorded:
        return Recorded(self._blended(row, blocks))

    def _blended(self, row: Row, blocks: Iterator[Floats]) -> Iterator[Floats]:
        blend = round(_BLEND_SECONDS * self.rate)
        ramp = (np.arange(blend, dtype=np.float32) + 0.5) / np.float32(blend)
        ending = np.empty(0, dtype=np.float32)
        for index, piece in enumerate(_pieces(blocks, self.rate)):
            made = self._changed(piece.samples, row, index)[piece.first :]
            if index:
                made[:blend] += (ending - made[:blend]) * (1 - ramp)
            yield made[: piece.length]
            ending = made[piece.length : piece.length + blend]

    def _changed(self, samples: Floats, row: Row, index: int) -> Floats:
        """Return float32 [n] of the augmented samples."""
        length = len(samples)
        audio, draws = torch.from_numpy(samples.copy()).unsqueeze(0), _draws(self.seed, row, str(index))
        batch = Batch(audio, torch.tensor([length]), torch.zeros(1, N_CLASSES), draws)
        with torch.no_grad():
            for called, change in self.changes.items():
                with blaming(called):
                    batch = as_one(change(batch), Batch, called)
                if batch.audio.shape != (1, length) or not bool(batch.audio.isfinite().all()):
                    raise PluginError(
                        f"{called}: expected {length} finite samples for "
                        f"{row.audio.name}, got {'x'.join(map(str, batch.audio.shape))}, or some that are not finite"
                    )
        made: Floats = batch.audio[0].numpy().copy()
        return made


@attrs.frozen(eq=False)
class _Piece:
    """A block with its context: `length` samples from `first` on are the block's own."""

    samples: Floats
    first: int
    length: int


def _pieces(blocks: Iterator[Floats], rate: int) -> Iterator[_Piece]:
    """Cut a recording into blocks, each with what comes before and after it; the last takes in what is left."""
    block, context, blend = (round(s * rate) for s in (_BLOCK_SECONDS, _CONTEXT_SECONDS, _BLEND_SECONDS))
    held, start, first, more = np.empty(0, dtype=np.float32), 0, 0, True
    while more:
        # A block is the last where no whole one follows it.
        while more and start + len(held) < first + 2 * block:
            fresh = next(blocks, None)
            more = fresh is not None
            held = held if fresh is None else np.concatenate([held, fresh])
        end = first + block if more else start + len(held)
        low, high = max(0, first - context), end + blend + context if more else end
        yield _Piece(held[low - start : high - start], first - low, end - first)
        kept = max(start, end - context)
        held, start, first = held[kept - start :], kept, end


def _draws(seed: str, row: Row, part: str) -> Draws:
    """Return the draws of a part of a recording, from what the row holds rather than where it stands."""
    content = row.sha256 or f"{row.audio.name} {getattr(row, 'offset', 0.0)}"
    digest = hashlib.sha256(f"{seed}\n{content}\n{part}".encode()).digest()
    return Draws(torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1), 1, _CPU)
