"""The splitter `k-fold`: the corpus in K parts alike, each of which is the test split of one run.

Whatever shares a speaker, household, recording or content stays in one fold. The folds depend on the corpus, `folds`
and `seed` alone, so that over the runs `fold = 0 … folds - 1` every row is in test once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit import option
from wakekit.data import SPLITS
from wakekit_data.dealing import deal, parts_of, with_splits

if TYPE_CHECKING:
    from wakekit import Manifest


@attrs.frozen
class KFold:
    """Split into K folds of about the same audio of every pool: one is test, the next is dev, the others are train."""

    folds: int = option(5, at_least=3, help="number of folds")
    fold: int = option(0, at_least=0, help="the fold to test on, counted from 0")
    seed: int = option(0, at_least=0, help="another seed, other folds")

    def __attrs_post_init__(self) -> None:
        """Refuse a fold that does not exist."""
        if self.fold >= self.folds:
            raise ValueError(f"fold: expected a value below folds, which is {self.folds}, got {self.fold}")

    def split(self, manifest: Manifest) -> Manifest:
        """Return the manifest with every split set; the order of its rows does not matter.

        Raises WakekitError where there are fewer independent speakers of the keyword than folds.
        """
        parts = parts_of(manifest.rows(), self.seed)
        even = np.full(self.folds, 1 / self.folds)
        homes = deal(parts, even, each_home="fold", remedy="add speakers, or choose fewer folds")
        role = {self.fold: "test", (self.fold + 1) % self.folds: "dev"}
        splits = [SPLITS.index(role.get(home, "train")) for home in homes]
        return with_splits(manifest, parts, splits, np.array([self.folds - 2, 1, 1]) / self.folds)
