"""The `gain` augmentation: another level for every row, so that loudness says nothing about the label."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from wakekit_data.ranges import ranged

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit import Batch, Sources


@attrs.frozen
class Gain:
    """Multiply every row by a gain drawn uniformly in dB; what leaves [-1, 1] is clipped, as a converter would."""

    domain: ClassVar[str] = "waveform"
    db: tuple[float, float] = ranged((-10.0, 10.0), at_least=-100, at_most=100, unit="dB", help="range of the gain")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:  # noqa: ARG002
        """Return the augmentation; it needs no sources."""
        return self._apply

    def _apply(self, batch: Batch) -> Batch:
        factor = 10 ** (batch.draws.uniform(*self.db) / 20)
        return attrs.evolve(batch, audio=(batch.audio * factor[:, None]).clamp_(-1, 1))
