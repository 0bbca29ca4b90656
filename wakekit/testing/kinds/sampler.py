"""Samplers: which rows an epoch visits, in which batches, as a function of the pools and the generator alone.

`rebalances`, where a sampler has it, names in words what makes some rows count for more than others.
"""

from __future__ import annotations

import functools
import math
import random
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wakekit.distributed import World
from wakekit.errors import WakekitError
from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same, other_global_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.testing.subject import Subject

Sizes = tuple[int, int, int]
_NAMES = ("positive", "negative", "hard")
_LARGE: Sizes = (120, 300, 40)
_SMALL: Sizes = (12, 20, 8)
_OTHERS: tuple[Sizes, ...] = ((30, 50, 0), (1, 200, 3), (5, 3, 40), (40, 0, 60), (1, 1, 1), (97, 96, 2))
_DEGENERATE: tuple[Sizes, ...] = ((0, 5, 5), (5, 0, 0), (0, 0, 5), (1, 0, 0), (0, 1, 0), (1, 1, 0))
_MANY: Sizes = (500, 3000, 3000)
# With as many visits a row that is drawn twenty times as seldom as others is missed once in a thousand samplers.
_VISITS = 200
_SHARE = 0.25
_BATCHES = 3
_WORLDS = (2, 3, 8)


def _pools(sizes: Sizes, seed: int = 0) -> dict[str, Tensor]:
    """Return pools of the given sizes over rows that lie mixed, as those of a manifest do."""
    rows = torch.randperm(sum(sizes), generator=_generator(seed))
    return {name: part.sort().values for name, part in zip(_NAMES, rows.split(list(sizes)), strict=True)}


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _epoch(subject: Subject, sizes: Sizes) -> list[Tensor]:
    return list(subject.value.batches(_pools(sizes), _generator()))


def _usual(subject: Subject) -> Sizes:
    """Return sizes of pools that fill some batches, with fewer hard negatives than a batch has rows."""
    return _filling(subject, _LARGE)


def _filling(subject: Subject, sizes: Sizes) -> Sizes:
    times = max(1, math.ceil(_BATCHES * subject.value.batch_size / sum(sizes)))
    positive, negative, hard = sizes
    return times * positive, times * negative, times * hard


def _visited(batches: Sequence[Tensor]) -> int:
    return sum(len(batch) for batch in batches)


@functools.lru_cache(maxsize=4)
def _epochs(subject: Subject) -> dict[Sizes, list[Tensor]]:
    """Return an epoch for pools of every sizes that the sampler takes."""
    sure = (_usual(subject), _filling(subject, _SMALL))
    found = {sizes: _epoch(subject, sizes) for sizes in sure}
    for sizes in (*_OTHERS, *_DEGENERATE):
        try:
            found[sizes] = _epoch(subject, sizes)
        except WakekitError:
            continue
    return found


@exercise("sampler")
def epochs(subject: Subject, device: torch.device) -> list[object]:
    """Return two epochs from one generator, and where they leave it; batches are on the CPU on every device."""
    del device
    sampler, generator = subject.value, _generator()
    both = (_usual(subject), _filling(subject, _SMALL))
    first = [list(sampler.batches(_pools(sizes), generator)) for sizes in both]
    return [*first, generator.get_state()]


@check("sampler")
def rows_exist(subject: Subject) -> None:
    """Batches are int64 [B] on the CPU, of rows that stand in the pools."""
    for sizes, batches in _epochs(subject).items():
        there = set(range(sum(sizes)))
        for batch in batches:
            assert batch.dtype == torch.int64, f"expected int64, got {batch.dtype}"
            assert batch.dim() == 1, f"expected batches [B], got {list(batch.shape)}"
            assert batch.device.type == "cpu", f"expected batches on the CPU, got {batch.device}"
            strays = set(batch.tolist()) - there
            assert not strays, f"with {_told(sizes)}, row {min(strays)} is in no pool"


@check("sampler")
def covers(subject: Subject) -> None:
    """Every row of every pool is visited within a fair number of epochs."""
    for sizes in (_filling(subject, _SMALL), _filling(subject, (*_SMALL[:2], 0))):
        sampler, pools, generator = subject.value, _pools(sizes), _generator()
        missing, visited, count = set(range(sum(sizes))), 0, 0
        while missing and visited < _VISITS * sum(sizes):
            batches = list(sampler.batches(pools, generator))
            assert batches, f"with {_told(sizes)}, the epoch is empty"
            missing -= set(torch.cat(batches).tolist())
            visited, count = visited + max(1, _visited(batches)), count + 1
        left = {name: len(missing & set(rows.tolist())) for name, rows in pools.items()}
        told = ", ".join(f"{number} of the {len(pools[name])} {name} rows" for name, number in left.items() if number)
        assert not missing, f"{told} are not visited in {count} epochs of {_told(sizes)}"


@check("sampler")
def few_hard_negatives_make_no_short_epoch(subject: Subject) -> None:
    """An epoch is not as short as its smallest pool: neither without hard negatives nor with a few of them."""
    usual = _visited(_epoch(subject, _MANY)) / sum(_MANY)
    for hard in (0, 1, 40):
        sizes = (*_MANY[:2], hard)
        visited, least = _visited(_epoch(subject, sizes)), _SHARE * usual * sum(sizes)
        assert visited >= least, f"with {_told(sizes)} an epoch visits {visited} rows, expected {least:.0f} at least"


@check("sampler")
def no_empty_epoch(subject: Subject) -> None:
    """Where there is nothing to visit it raises WakekitError, rather than return an empty epoch."""
    for sizes in ((0, 0, 0), *_DEGENERATE, *_OTHERS):
        try:
            batches = _epoch(subject, sizes)
        except WakekitError:
            continue
        assert _visited(batches), f"with {_told(sizes)} the epoch is empty, expected a WakekitError that says why"
        assert min(map(len, batches)), f"with {_told(sizes)} a batch is empty"


@check("sampler")
def batch_size_kept(subject: Subject) -> None:
    """No batch has more rows than `batch_size`; only the last may have one more, so that none is left alone."""
    size = subject.value.batch_size
    assert isinstance(size, int), f"batch_size: expected a whole number, got {size!r}"
    for sizes, batches in _epochs(subject).items():
        most = max((len(batch) for batch in batches[:-1]), default=0)
        assert most <= size, f"with {_told(sizes)} a batch has {most} rows, batch_size is {size}"
        last = max((len(batch) for batch in batches[-1:]), default=0)
        assert last <= size + 1, f"with {_told(sizes)} the last batch has {last} rows, batch_size is {size}"


@check("sampler")
def length_by_pool_sizes_alone(subject: Subject) -> None:
    """How many batches an epoch has does not depend on the generator, nor on which rows are in the pools."""
    for sizes, batches in _epochs(subject).items():
        for seed in (1, 2):
            others = len(subject.value.batches(_pools(sizes, seed), _generator(seed)))
            assert others == len(batches), f"with {_told(sizes)} one epoch has {len(batches)} batches, another {others}"


@check("sampler")
def epoch_by_itself(subject: Subject) -> None:
    """An epoch does not depend on those that the sampler made before, of these pools or of grown ones."""
    used, usual = subject.value, _usual(subject)
    for sizes in (_filling(subject, _SMALL), _MANY, usual):
        used.batches(_pools(sizes, 5), _generator(9))
    found = list(used.batches(_pools(usual), _generator()))
    assert_same(found, _epoch(subject, usual), where="after other epochs, the epoch")


@check("sampler")
def epochs_differ(subject: Subject) -> None:
    """A generator's next epoch is another, and so is that of another seed; where not by design, say why in fails."""
    sampler, generator, pools = subject.value, _generator(), _pools(_usual(subject))
    first, second = (list(sampler.batches(pools, generator)) for _ in range(2))
    assert not _alike(first, second), "two epochs from one generator are the same: draw their order from it"
    other = list(sampler.batches(pools, _generator(1)))
    assert not _alike(first, other), "with a generator of another seed the epoch is the same: draw its order from it"


def _alike(one: Sequence[Tensor], two: Sequence[Tensor]) -> bool:
    return len(one) == len(two) and all(map(torch.equal, one, two))


@check("sampler")
def resumable(subject: Subject) -> None:
    """From a generator whose state was restored, in a fresh build, an epoch is what it would have been."""
    sampler, generator, pools = subject.value, _generator(3), _pools(_usual(subject))
    sampler.batches(pools, generator)
    state = generator.get_state()
    whole = sampler.batches(pools, generator)
    restored = _generator(77)
    restored.set_state(state)
    again = list(subject.build().batches(pools, restored))
    assert_same(again, list(whole), where="from a restored generator, the epoch")
    assert_same(list(whole), again, where="read a second time, the epoch")
    assert len(whole) == len(again), f"its length is {len(whole)}, and it has {len(again)} batches"


@check("sampler")
def disjoint_across_ranks(subject: Subject) -> None:
    """Processes that train together make the same epoch, so that their parts of a batch are disjoint and complete."""
    usual = _usual(subject)
    expected = _epoch(subject, usual)
    for size in _WORLDS:
        parts = []
        for rank in range(size):
            with other_global_seed(rank):
                random.random()  # noqa: S311 - processes differ in what they have drawn
                parts.append(_dealt(_epoch(subject, usual), World(rank, size)))
        for number, batch in enumerate(expected):
            whole = torch.full_like(batch, -1)
            for rank, part in enumerate(parts):
                assert number < len(part), (
                    f"process {rank} of {size} has {len(part)} batches, one alone {len(expected)}"
                )
                place = torch.arange(len(batch))[World(rank, size).part(len(batch))]
                same = len(part[number]) == len(place)
                assert same, f"in batch {number}, process {rank} of {size} has {len(part[number])} of {len(batch)} rows"
                whole[place] = part[number]
            assert_same(whole, batch, where=f"put together by {size} processes, batch {number}")


def _dealt(batches: Sequence[Tensor], world: World) -> list[Tensor]:
    """Return what a process takes of every batch, as trainers do."""
    return [batch[world.part(len(batch))] for batch in batches]


@check("sampler")
def pools_untouched(subject: Subject) -> None:
    """It does not write into the pools that it is given."""
    pools = _pools(_usual(subject))
    subject.value.batches(pools, _generator())
    assert_same(pools, _pools(_usual(subject)), where="after an epoch, the pools")


@check("sampler", when=lambda subject: hasattr(subject.value, "rebalances"))
def says_what_it_rebalances(subject: Subject) -> None:
    """`rebalances` is a tuple of words that can stand in a sentence."""
    found = subject.value.rebalances
    assert isinstance(found, tuple), f"rebalances: expected a tuple, got {found!r}"
    assert all(isinstance(one, str) and one.strip() for one in found), f"rebalances: expected texts, got {found!r}"


def _told(sizes: Sizes) -> str:
    """Return pools in words."""
    return ", ".join(f"{size} {name}" for name, size in zip(_NAMES, sizes, strict=True)) + " rows"
