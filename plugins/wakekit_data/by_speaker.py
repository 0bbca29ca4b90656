"""The splitter `by-speaker`: whatever shares a speaker, household, recording or content goes to one side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit import option
from wakekit_data.dealing import deal, parts_of, with_splits

if TYPE_CHECKING:
    from wakekit import Manifest

_TOLERANCE = 1e-6


@attrs.frozen
class BySpeaker:
    """Split at random so that no speaker, household, recording or identical audio is on two sides."""

    seed: int = option(0, at_least=0, help="another seed, another split")
    train: float = option(0.6, above=0, below=1, help="share of the audio to train on")
    dev: float = option(0.2, above=0, below=1, help="share to choose the operating point on")
    test: float = option(0.2, above=0, below=1, help="share to report")

    def __attrs_post_init__(self) -> None:
        total = self.train + self.dev + self.test
        if abs(total - 1) > _TOLERANCE:
            raise ValueError(f"train, dev, test: expected shares that sum to 1, got {total:g}")

    def split(self, manifest: Manifest) -> Manifest:
        """Return the manifest with every split set; the order of its rows does not matter.

        Raises WakekitError where there are too few independent speakers of the keyword for three splits.
        """
        parts = parts_of(manifest.rows(), self.seed)
        shares = np.array([self.train, self.dev, self.test])
        homes = deal(parts, shares, each_home="split", remedy="add speakers, or use the splitter 'given'")
        return with_splits(manifest, parts, homes, shares)
