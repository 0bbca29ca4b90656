"""The condition stage: a copy of the test split's recordings, changed by augmentations.

A recording goes through the augmentations by itself, in blocks of ten seconds (the last takes in what is left; shorter
recordings are one block), each with draws of its own. An augmentation sees a second beyond both ends of a block, so
that reverberation runs on from one to the next, and blocks are blended over 50 ms, so that nothing clicks where noise,
room or level change. What an augmentation measures, as the power behind an SNR, it measures on what it sees.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch

from wakekit.batch import Batch, Draws, Sources
from wakekit.errors import PluginError, WakekitError
from wakekit.geometry import N_CLASSES
from wakekit.prepared import Placed, SplitAudio, composed_split, map_audio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from wakekit.data import Clip, Stream
    from wakekit.prepared import Prepared, Samples
    from wakekit.progress import Progress
    from wakekit.settings import Condition

    Floats = npt.NDArray[np.float32]
    Row = Clip | Stream
    Change = Callable[[Batch], Batch]

_BLOCK_SECONDS = 10.0
_CONTEXT_SECONDS = 1.0
_BLEND_SECONDS = 0.05
_SPLIT = "test"
_CPU = torch.device("cpu")


def make_condition(
    folder: Path, condition: Condition, prepared: Prepared, composed: Path, *, name: str, progress: Progress
) -> None:
    """Change every clip and stream of the test split, composed streams last; leaves `audio.i16`.

    Noise and rooms come from the test split. What is drawn for a row depends on the seed and the row's content, not on
    the other rows. Raises WakekitError where the split lacks what an augmentation needs.
    """
    data = prepared.open(_SPLIT)
    changer = _Changer(data, name, condition)
    parts = (data, composed_split(composed, data))
    total = sum(len(part.clips.rows) + len(part.streams.rows) for part in parts)
    changed = clipped = 0
    task = progress.task(f"changing {_SPLIT} for condition {name}", total)
    with _one_thread(), (folder / "audio.i16").open("wb") as file, task as advance:
        for row, samples in _recordings(parts):
            differs = False
            for before, after in changer.blocks(row, samples):
                whole = np.rint(after * 32768)
                written = np.clip(whole, -32768, 32767).astype(np.int16)
                file.write(written.tobytes())
                clipped += int((written != whole).sum())
                differs = differs or not np.array_equal(written, before)
            changed += differs
            advance()
    progress.note(f"condition {name}: {changed} of {total} recordings changed, {clipped} samples clipped")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run small operations on one thread, so that no bit depends on how many the process has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def changed_split(changed: Path, split: SplitAudio, composed: Path) -> SplitAudio:
    """Return what `make_condition` left in `changed` as a split: the rows of `split`, then its composed streams."""
    streams, extra = split.streams, composed_split(composed, split).streams
    lengths = torch.cat([split.clips.lengths, streams.lengths, extra.lengths])
    starts, clips = torch.cumsum(lengths, 0) - lengths, len(split.clips.rows)
    return attrs.evolve(
        split,
        audio=map_audio(changed / "audio.i16"),
        path=changed / "audio.i16",
        clips=Placed(split.clips.rows, starts[:clips], lengths[:clips]),
        streams=Placed((*streams.rows, *extra.rows), starts[clips:], lengths[clips:]),
        impulse_responses=split.impulse_responses.only([]),
    )


def _recordings(parts: tuple[SplitAudio, ...]) -> Iterator[tuple[Row, Samples]]:
    for part in parts:
        for place in (part.clips, part.streams):
            for row, start, length in zip(place.rows, place.starts.tolist(), place.lengths.tolist(), strict=True):
                yield row, part.long(start, length)


class _Changer:
    """The augmentations of a condition, built for a split."""

    def __init__(self, split: SplitAudio, name: str, condition: Condition) -> None:
        self._name, self._seed, self._rate = name, condition.seed, split.sample_rate
        sources = Sources(split.background(), split.rooms(), split.sample_rate)
        self._changes: dict[str, Change] = {}
        for key, augmentation in condition.augmentations.items():
            try:
                self._changes[key] = augmentation.build(sources)
            except PluginError:
                raise
            except WakekitError as error:
                raise WakekitError(f"condition {name}, which draws from the {_SPLIT} split: {error}") from error

    def blocks(self, row: Row, samples: Samples) -> Iterator[tuple[npt.NDArray[np.int16], Floats]]:
        """Yield a recording's samples as they were and, in [-1, 1], changed, block by block."""
        block, context, blend = (round(s * self._rate) for s in (_BLOCK_SECONDS, _CONTEXT_SECONDS, _BLEND_SECONDS))
        count = max(1, len(samples) // block)
        ramp = (np.arange(blend, dtype=np.float32) + 0.5) / np.float32(blend)
        ending = np.empty(0, dtype=np.float32)
        for index in range(count):
            first = index * block
            end = len(samples) if index == count - 1 else first + block
            last = min(len(samples), end + blend) if index < count - 1 else end
            low = max(0, first - context)
            made = self._changed(samples[low : last + context], row, index)[first - low : last - low]
            if index:
                made[:blend] += (ending - made[:blend]) * (1 - ramp)
            yield samples[first:end].numpy(), made[: end - first]
            ending = made[end - first :]

    def _changed(self, samples: torch.Tensor, row: Row, index: int) -> Floats:
        """Return float32 [n] of the augmented samples."""
        length = len(samples)
        audio = samples.to(torch.float32).div_(32768).unsqueeze(0)
        draws = Draws(torch.Generator().manual_seed(_draws_seed(self._seed, row, index)), 1, _CPU)
        batch = Batch(audio, torch.tensor([length]), torch.zeros(1, N_CLASSES), draws)
        with torch.no_grad():
            for key, change in self._changes.items():
                batch = change(batch)
                if batch.audio.shape != (1, length) or not bool(batch.audio.isfinite().all()):
                    raise PluginError(
                        f"condition {self._name}, augmentation {key}: expected {length} finite samples for "
                        f"{row.audio.name}, got {'x'.join(map(str, batch.audio.shape))}, or some that are not finite"
                    )
        made: Floats = batch.audio[0].numpy().copy()
        return made


def _draws_seed(seed: int, row: Row, index: int) -> int:
    """Return the seed of a block's draws, from what the row holds rather than where it stands."""
    content = row.sha256 or f"{row.audio.name} {getattr(row, 'offset', 0.0)}"
    digest = hashlib.sha256(f"{seed}\n{content}\n{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
