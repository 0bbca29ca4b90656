"""What one cell of an ablation (a variant with a seed) says: how often it would miss words, at thresholds chosen apart.

On dev, speakers and recordings are dealt into parts; calibrator and threshold for a part are chosen on the others, so
that nothing is judged by what it was chosen on. On test there is one part, judged at thresholds chosen on dev. Kept are
the counts at every threshold that could be chosen, so that the choice can be made again on resampled audio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt

from wakekit.tree import load_tree

if TYPE_CHECKING:
    from pathlib import Path

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@attrs.frozen(eq=False, kw_only=True)
class Part:
    """One part of what is judged, and the counts that its threshold is chosen by.

    Rows [n] are thresholds from the highest down (where a search tries several settings of the detector: setting by
    setting). `choose_false_accepts` [u, n] are those of each unit of audio (a recording, or a piece of one) that may be
    chosen on, `choose_hours` [u] their hours, `units` [u] their numbers among all units. `choose_hits` [n] are words
    hit of `choose_words`. `shown_hours` are what an upper bound is taken over. Judged are `words` [j] of the speakers
    numbered `speakers` [j], with `hits` [j, n], and `hours` of audio with `false_accepts` [n].
    """

    choose_false_accepts: IntArray
    choose_hours: FloatArray
    units: IntArray
    choose_hits: IntArray
    choose_words: int
    shown_hours: float
    speakers: IntArray
    words: IntArray
    hits: IntArray
    hours: float
    false_accepts: IntArray


@attrs.frozen(eq=False, kw_only=True)
class ClipEvidence:
    """The judged clips, in the order of the split: raw log-odds, cross-fitted probability, label, pool, cluster."""

    raw: FloatArray
    probability: FloatArray
    labels: IntArray
    pools: tuple[str, ...]
    clusters: tuple[str, ...]


@attrs.frozen(eq=False, kw_only=True)
class Evidence:
    """All that verdicts need of a cell.

    `speakers` and `units` name what `Part` numbers; they are the same for all cells of an ablation that hear the same
    words (a longer window hears fewer). `train_seconds` and `score_seconds` are None where a stage was interrupted and
    resumed. `dev_loss` is that of each epoch.
    """

    split: str
    speakers: tuple[str, ...]
    units: tuple[str, ...]
    parts: tuple[Part, ...]
    clips: ClipEvidence
    train_seconds: float | None = None
    score_seconds: float | None = None
    dev_loss: tuple[float, ...] = ()


def read_evidence(path: Path) -> Evidence:
    """Read what the judge stage left; times and losses are not in it."""
    tree = load_tree(path)
    parts = tuple(Part(**_arrays(part)) for part in tree["parts"])
    fields = {"split": tree["split"], "speakers": tuple(tree["speakers"]), "units": tuple(tree["units"])}
    return Evidence(**fields, parts=parts, clips=ClipEvidence(**_arrays(tree["clips"])))


def _arrays(table: dict[str, Any]) -> dict[str, Any]:
    return {name: item.numpy() if hasattr(item, "numpy") else item for name, item in table.items()}
