"""The sampler `shuffle`: every row once an epoch, in random order, whatever its pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from wakekit import WakekitError, option
from wakekit_training.cutting import whole_batches

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@attrs.frozen
class Shuffle:
    """Visit every row once an epoch; the last batch may be smaller."""

    batch_size: int = option(96, at_least=1, help="rows in a batch")

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return a random order of all rows, cut into batches; raises WakekitError where there are no rows."""
        rows = torch.cat(list(pools.values()))
        if not len(rows):
            raise WakekitError("sampler shuffle: the train split has no rows to visit")
        return whole_batches(rows[torch.randperm(len(rows), generator=generator)], self.batch_size)
