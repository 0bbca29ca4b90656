"""The checks of samplers: each finds what it is meant for, and a stranger's good sampler passes all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
from torch import Tensor

from tests.testing.support import failures_on, unproved
from wakekit import WakekitError, option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@attrs.frozen
class Rounds:
    """All rows of the pools in turn, a chunk of every pool in a batch as far as it has rows left."""

    batch_size: int = option(30, at_least=1, at_most=1000, help="rows in a batch")

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        rows = torch.cat([pools[name][torch.randperm(len(pools[name]), generator=generator)] for name in sorted(pools)])
        if not len(rows):
            raise WakekitError("no rows")
        return list(rows.split(self.batch_size))


@attrs.frozen
class Sorted(Rounds):
    """No chance at all: every epoch is the same."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        del generator
        return super().batches(pools, torch.Generator().manual_seed(0))


@attrs.frozen
class Seeded(Rounds):
    """Takes the seed that the generator began with, as if it told where the generator stands."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        return super().batches(pools, torch.Generator().manual_seed(generator.initial_seed()))


@attrs.frozen
class Replacing(Rounds):
    """One batch an epoch, of rows that may come twice."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        rows = torch.cat(list(pools.values()))
        if not len(rows):
            raise WakekitError("no rows")
        return (rows[torch.randint(len(rows), (self.batch_size,), generator=generator)],)


@attrs.frozen
class Floats(Rounds):
    """Rows as floats."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        return [batch.float() for batch in super().batches(pools, generator)]


@attrs.frozen
class Beyond(Rounds):
    """Counts rows from one."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        return [batch + 1 for batch in super().batches(pools, generator)]


@attrs.frozen
class Forgetful(Rounds):
    """Leaves out the highest row, always."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        last = max(int(rows.max()) for rows in pools.values() if len(rows))
        kept = [batch[batch != last] for batch in super().batches(pools, generator)]
        return [batch for batch in kept if len(batch)]


@attrs.frozen
class Shortest(Rounds):
    """As many rows of every pool as the smallest pool has."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        least = min(len(rows) for rows in pools.values() if len(rows))
        some = {name: rows[torch.randperm(len(rows), generator=generator)[:least]] for name, rows in pools.items()}
        return super().batches(some, generator)


@attrs.frozen
class Silent(Rounds):
    """An empty epoch where there are no positives."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        return super().batches(pools, generator) if len(pools["positive"]) else []


@attrs.frozen
class Large(Rounds):
    """Batches of two rows more than asked for."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        rows = torch.cat(list(super().batches(pools, generator)))
        return list(rows.split(self.batch_size + 2))


@attrs.frozen
class ByChance(Rounds):
    """Now and then a batch less."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        found = list(super().batches(pools, generator))
        return found[: len(found) - int(torch.randint(2, (), generator=generator))] or found


_SEEN: list[int] = []


@attrs.frozen
class Remembering(Rounds):
    """Turns the epoch round, the further the more it has made."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        _SEEN.append(1)
        rows = torch.cat(list(super().batches(pools, generator)))
        return list(rows.roll(len(_SEEN)).split(self.batch_size))


@attrs.frozen
class Global(Rounds):
    """Draws from torch's global generator."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        del generator
        rows = torch.cat(list(pools.values()))
        if not len(rows):
            raise WakekitError("no rows")
        return list(rows[torch.randperm(len(rows))].split(self.batch_size))


@attrs.frozen
class Writing(Rounds):
    """Sorts the pools in place."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        for rows in pools.values():
            rows.copy_(rows.flip(0))
        return super().batches(pools, generator)


class _Lazy(list[Tensor]):
    """Batches that are drawn when they are read."""

    def __init__(self, rows: Tensor, size: int, generator: torch.Generator) -> None:
        super().__init__(rows.split(size))
        self.generator = generator

    def __iter__(self) -> Any:
        for batch in super().__iter__():
            yield batch[torch.randperm(len(batch), generator=self.generator)]


@attrs.frozen
class Late(Rounds):
    """Draws from the generator only as batches are read."""

    def batches(self, pools: Mapping[str, Tensor], generator: torch.Generator) -> Sequence[Tensor]:
        """Return an epoch."""
        return _Lazy(torch.cat(list(super().batches(pools, generator))), self.batch_size, generator)


@attrs.frozen
class Wordless(Rounds):
    """Says what it rebalances in one text."""

    rebalances = "hard rows"


def test_a_strangers_sampler_passes(tmp_path: Path) -> None:
    """No check complains of a sampler that keeps the contract, whatever its batches look like."""
    for number, cls in enumerate((Rounds, Replacing)):
        assert failures_on("sampler", cls, tmp_path / str(number)) == {}


BROKEN = [
    (Floats, "rows-exist", "expected int64"),
    (Beyond, "rows-exist", "is in no pool"),
    (Forgetful, "covers", "1 of the"),
    (Shortest, "few-hard-negatives-make-no-short-epoch", "an epoch visits"),
    (Silent, "no-empty-epoch", "the epoch is empty"),
    (Large, "batch-size-kept", "a batch has 32 rows, batch_size is 30"),
    (ByChance, "length-by-pool-sizes-alone", "one epoch has"),
    (Remembering, "epoch-by-itself", "after other epochs"),
    (Remembering, "deterministic", "differ"),
    (Global, "global-state-untouched", "torch"),
    (Sorted, "epochs-differ", "two epochs from one generator are the same"),
    (Seeded, "epochs-differ", "two epochs from one generator are the same"),
    (Global, "resumable", "from a restored generator"),
    (Global, "disjoint-across-ranks", "put together by 2 processes"),
    (Late, "resumable", "differ"),
    (Writing, "pools-untouched", "after an epoch, the pools"),
    (Wordless, "says-what-it-rebalances", "expected a tuple"),
]


@pytest.mark.parametrize(("cls", "check", "words"), BROKEN)
def test_a_broken_sampler_is_caught(cls: type, check: str, words: str, tmp_path: Path) -> None:
    """The check that is meant for the mistake tells of it."""
    assert words in failures_on("sampler", cls, tmp_path, only={check}).get(check, "nothing")


def test_every_check_is_proved() -> None:
    """There is no check of samplers that no broken one above is caught by."""
    assert unproved("sampler", {check for _, check, _ in BROKEN}) == set()
