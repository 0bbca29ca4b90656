"""The sampler `weighted`: rows drawn with replacement, each with a chance in proportion to its pool's weight.

As torch's WeightedRandomSampler with one weight per pool. A row is drawn more than once in an epoch, or not at all:
where every row should be heard, `balanced` keeps the pools in proportion without chance.
"""

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
class Weighted:
    """Draw rows at random, those of a pool of weight 3 three times as often as those of a pool of weight 1.

    A pool of weight 0 is left out. Without positives, or without any negatives, WakekitError says so.
    """

    positive: float = option(1.0, above=0, help="weight of each positive row")
    negative: float = option(1.0, at_least=0, help="weight of each negative row")
    hard: float = option(1.0, at_least=0, help="weight of each hard negative row")
    batch_size: int = option(96, at_least=1, help="rows in a batch")
    draws: int | None = option(None, at_least=1, help="rows drawn in an epoch; as many as there are if left out")

    def __attrs_post_init__(self) -> None:
        """Refuse weights that leave one side out."""
        if self.negative + self.hard <= 0:
            raise ValueError("negative, hard: expected a weight above 0 for at least one of them, got 0 and 0")

    @property
    def rebalances(self) -> tuple[str, ...]:
        """What of this sampler makes some rows count more than others, in words."""
        return ("weighted sampling",) if len({self.positive, self.negative, self.hard}) > 1 else ()

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return the drawn rows, cut into batches."""
        weights = {"positive": self.positive, "negative": self.negative, "hard": self.hard}
        used = {name: pools[name] for name, weight in weights.items() if weight > 0 and len(pools.get(name, ()))}
        if "positive" not in used or len(used) == 1:
            missing = "positives" if "positive" not in used else "negatives with a weight above 0"
            raise WakekitError(f"sampler weighted: the train split has no {missing}")
        rows = torch.cat(list(used.values()))
        sizes = torch.tensor([len(pool) for pool in used.values()])
        each = torch.tensor([weights[name] for name in used], dtype=torch.float64)
        wanted = len(rows) if self.draws is None else self.draws
        return whole_batches(rows[_drawn(sizes, each, wanted, generator)], self.batch_size)


def _drawn(sizes: Tensor, weights: Tensor, wanted: int, generator: torch.Generator) -> Tensor:
    """Return `wanted` positions in pools laid end to end, `sizes` [P] rows of weight `weights` [P] each.

    A point is thrown onto the line of all weights; the pool it falls in is that of its row. So no table of a weight per
    row is needed, which torch.multinomial holds in float32 and for at most 2^24 rows.
    """
    ends = (sizes * weights).cumsum(0)
    point = torch.rand(wanted, generator=generator, dtype=torch.float64) * ends[-1]
    pool = torch.searchsorted(ends, point, right=True).clamp_(max=len(sizes) - 1)
    inside = ((point - (ends - sizes * weights)[pool]) / weights[pool]).long()
    return (sizes.cumsum(0) - sizes)[pool] + torch.minimum(inside.clamp_(min=0), sizes[pool] - 1)
