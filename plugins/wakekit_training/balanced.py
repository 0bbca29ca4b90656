"""The sampler `balanced`: positives, negatives and hard negatives in a fixed ratio in every batch.

An epoch covers every row of every pool at least once: it lasts as long as the pool that takes longest at its share, and
smaller pools go round again, in a new order each time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor

from wakekit import WakekitError, option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_POOLS = ("positive", "negative", "hard")


def _shares(_instance: object, _attribute: object, value: tuple[float, float, float]) -> None:
    if value[0] <= 0 or value[1] + value[2] <= 0:
        raise ValueError(f"ratio: expected positives and some negatives above 0, got {list(value)}")


@attrs.frozen
class Balanced:
    """Draw every batch from the pools in the ratio positive : negative : hard negative.

    The share of an empty pool of hard negatives goes to the negatives, and the other way round; without positives, or
    without any negatives, there is nothing to balance and WakekitError says so.
    """

    ratio: tuple[float, float, float] = option(
        (1.0, 1.0, 1.0), at_least=0, help="positive : negative : hard negative in a batch"
    )
    batch_size: int = option(96, at_least=2, help="rows in a batch")

    def __attrs_post_init__(self) -> None:
        """Refuse a ratio that leaves one side out."""
        _shares(self, None, self.ratio)

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return the epoch's batches; each pool's rows are spread evenly over them."""
        shares = self._filled_shares(pools)
        counts = _largest_remainder(list(shares.values()), self.batch_size)
        taken = dict(zip(shares, counts, strict=True))
        empty = [pool for pool, count in taken.items() if count == 0]
        if empty:
            raise WakekitError(
                f"sampler balanced: batch_size {self.batch_size} leaves no place for {', '.join(empty)} at ratio "
                f"{list(self.ratio)}; use larger batches"
            )
        steps = max(math.ceil(len(pools[pool]) / count) for pool, count in taken.items())
        columns = [_cycled(pools[pool], steps * count, generator).view(steps, count) for pool, count in taken.items()]
        return list(torch.cat(columns, dim=1))

    def _filled_shares(self, pools: Mapping[str, Tensor]) -> dict[str, float]:
        sizes = {pool: len(pools.get(pool, ())) for pool in _POOLS}
        if not sizes["positive"] or not sizes["negative"] + sizes["hard"]:
            missing = "positives" if not sizes["positive"] else "negatives"
            raise WakekitError(f"sampler balanced: the train split has no {missing}")
        shares = dict(zip(_POOLS, self.ratio, strict=True))
        for pool, other in (("hard", "negative"), ("negative", "hard")):
            if not sizes[pool]:
                shares[other] += shares.pop(pool)
                break
        return {pool: share for pool, share in shares.items() if share > 0}


def _largest_remainder(shares: list[float], total: int) -> list[int]:
    """Split a whole number in proportion to the shares (Hamilton's method)."""
    exact = [share / sum(shares) * total for share in shares]
    counts = [math.floor(value) for value in exact]
    for index in sorted(range(len(exact)), key=lambda i: counts[i] - exact[i])[: total - sum(counts)]:
        counts[index] += 1
    return counts


def _cycled(rows: Tensor, wanted: int, generator: torch.Generator) -> Tensor:
    """Return `wanted` rows, going through all of them before any comes again."""
    rounds = math.ceil(wanted / len(rows))
    order = [rows[torch.randperm(len(rows), generator=generator)] for _ in range(rounds)]
    return torch.cat(order)[:wanted]
