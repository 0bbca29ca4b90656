"""Whether what an exporter wrote is the model that was trained: both judge the same windows.

The windows are those that matter: the keyword and what is not it, from dev, and the loudest and the quietest audio
there can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from wakekit.batch import gather
from wakekit.data import keyword_labels
from wakekit.errors import PluginError, blaming

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit.prepared import SplitAudio

_CLIPS_OF_A_CLASS = 32
_LOUDEST = 32767 / 32768


@attrs.frozen(kw_only=True)
class Parity:
    """How far what was written is from what was trained, over `windows` windows.

    `keyword_windows` and `other_windows` are of dev; the rest are made: silence and full scale. `largest_difference` is
    of probabilities, infinite where one is nan. `decisions_differ` counts the windows where one alone reaches the
    threshold, `accepted` those where the trained model does.
    """

    windows: int
    keyword_windows: int
    other_windows: int
    largest_difference: float
    tolerance: float
    threshold: float
    accepted: int
    decisions_differ: int

    @property
    def holds(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.largest_difference <= self.tolerance


@attrs.frozen(eq=False)
class ParityAudio:
    """Rows of audio float32 [n, S]; the first are windows of the keyword, then come others of dev, then made ones."""

    audio: Tensor
    keyword: int
    others: int


def parity_audio(split: SplitAudio, samples: int) -> ParityAudio:
    """Return windows of `samples` samples of a split's clips, some of each class, then silence and full scale."""
    keyword = torch.from_numpy(keyword_labels(split.clips.rows)).bool()
    parts = [_windows(split, torch.nonzero(wanted).flatten(), samples) for wanted in (keyword, ~keyword)]
    return ParityAudio(torch.cat([*parts, made_audio(samples)]), len(parts[0]), len(parts[1]))


def made_audio(samples: int) -> Tensor:
    """Return silence and three rows of full scale [4, samples]: square waves, low and high, and clipped noise.

    No pure tone and no constant: between their bands is nothing but rounding, and normalizers blow that up.
    """
    noise = torch.rand(samples, generator=torch.Generator().manual_seed(0)) - 0.5
    waves = [torch.sin(turn * torch.arange(samples)) for turn in (0.05, 1.3)]
    full = torch.where(torch.stack([*waves, noise]) < 0, -1.0, _LOUDEST)
    return torch.cat([torch.zeros(1, samples), full])


def _windows(split: SplitAudio, rows: Tensor, samples: int) -> Tensor:
    """Return the last window of some of the clips, and one from the middle where a clip is longer."""
    chosen = rows[torch.linspace(0, len(rows) - 1, min(len(rows), _CLIPS_OF_A_CLASS)).round().long()]
    low, lengths = split.clips.starts[chosen], split.clips.lengths[chosen]
    longer = lengths > samples
    starts = torch.cat([low + lengths - samples, (low + (lengths - samples) // 2)[longer]])
    low, lengths = torch.cat([low, low[longer]]), torch.cat([lengths, lengths[longer]])
    if not len(starts):
        return torch.zeros(0, samples)
    return gather(split.audio, starts, low, low + lengths, samples)


def measure_parity(
    run: Callable[[Tensor], Tensor],
    rows: ParityAudio,
    expected: Tensor,
    *,
    threshold: float,
    tolerance: float,
    name: str,
) -> Parity:
    """Run what was written on `rows`, and the first of them by itself too; compare with `expected`, [n] probabilities.

    `name` is the exporter that errors speak of. Raises PluginError where there is not a number for each row.
    """
    with blaming(name):
        found = _numbers(run(rows.audio), len(rows.audio), name=name)
        alone = _numbers(run(rows.audio[:1]), 1, name=name)
    expected = expected.double()
    apart = torch.cat([found - expected, alone - expected[:1]]).abs()
    fired, meant = found >= threshold, expected >= threshold
    return Parity(
        windows=len(expected),
        keyword_windows=rows.keyword,
        other_windows=rows.others,
        largest_difference=float("inf") if bool(apart.isnan().any()) else float(apart.max()),
        tolerance=tolerance,
        threshold=threshold,
        accepted=int(meant.sum()),
        decisions_differ=int((fired != meant).sum()),
    )


def _numbers(found: object, count: int, *, name: str) -> Tensor:
    """Return what a written model gave as float64 [count]; raises PluginError where it is anything else."""
    if not isinstance(found, Tensor) or tuple(found.shape) != (count,):
        got = list(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise PluginError(f"{name}: expected a tensor of {count} probabilities from what load returns, got {got}")
    return found.detach().double()
