"""The confusion of clips at the frozen threshold: what is accepted and what is not, and who is accepted falsely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit import option
from wakekit.data import POOLS, Measure
from wakekit.statistic import CLIPS, Statistic
from wakekit_evaluation.at_threshold import of_results, of_run, quotient, share_of_clips, unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import Clip, Results
    from wakekit.run_folder import Run, ScoredClip
    from wakekit_evaluation.at_threshold import Flags

_RATE = "false-accepts-clips"


@attrs.frozen
class Confusion:
    """Count true and false positives and negatives among clips, and measure which others are accepted falsely."""

    by: str = option(
        "pool", choices=("none", "pool", "label"), help="what to break the share of others that are accepted down by"
    )

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return counts `confusion-tp`, `-fp`, `-tn` and `-fn`, and shares of other clips that are accepted.

        `false-accepts-clips` is the share of all of them, `false-accepts-clips-…` those of each pool or label. Shares
        are clustered by speaker, Wilson's interval beside them, and None where there are no such clips; counts have no
        interval, and are 0 where there is nothing to count. The share of the keyword that is missed is the metric
        `false-rejects`.
        """
        found = of_results(results)
        counted = [_count(results, name, int(cell.sum())) for name, cell in found.cells().items()]
        none = "there are no clips without the keyword"
        total = share_of_clips(results, _RATE, found.accepted, ~found.keyword, counted="false_accepts", none=none)
        parts = [
            share_of_clips(results, f"{_RATE}-{name}", found.accepted, rows, counted="accepted", none=none)
            for name, rows in self._parts(results.clips.clips, found.keyword).items()
        ]
        return [*counted, total, *parts]

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return counts and shares of a run's clips, for comparing runs."""
        found = of_run(run)
        parts = {_RATE: ~found.keyword}
        parts |= {f"{_RATE}-{name}": rows for name, rows in self._parts(run.clips, found.keyword).items()}
        counted = [_sum(_cell(name), cell) for name, cell in found.cells().items()]
        return [*counted, *(quotient(name, found.accepted & rows, rows) for name, rows in parts.items())]

    def _parts(self, clips: Sequence[Clip | ScoredClip], keyword: Flags) -> dict[str, Flags]:
        """Return which other clips belong to each pool or label."""
        if self.by == "none":
            return {}
        of = np.array([getattr(clip, self.by) for clip in clips], np.str_)
        names = set(of[~keyword].tolist())
        listed = [pool for pool in POOLS if pool in names] if self.by == "pool" else sorted(names)
        return {name: (of == name) & ~keyword for name in listed}


def _cell(name: str) -> str:
    return f"confusion-{name}"


def _count(results: Results, name: str, count: int) -> Measure:
    counts: dict[str, float] = {"clips": len(results.clips.labels)}
    return Measure(
        name=_cell(name),
        value=count,
        unit="clips",
        counts=counts,
        note="; ".join(part for part in (unreachable(results), "a count of these very clips") if part),
    )


def _sum(measure: str, cell: Flags) -> Statistic:
    numbers = cell.astype(np.float64)
    return Statistic(measure=measure, over=CLIPS, values=lambda weights: weights @ numbers)
