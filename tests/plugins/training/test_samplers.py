"""Samplers: the ratio in every batch, every row in every epoch, and no epoch that is empty."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import WeightedRandomSampler

from wakekit import WakekitError
from wakekit_training.balanced import Balanced
from wakekit_training.shuffle import Shuffle
from wakekit_training.weighted import Weighted

SIZES = st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(0, 300))


def pools(positive: int, negative: int, hard: int) -> dict[str, torch.Tensor]:
    """Return pools of the given sizes over consecutive rows."""
    rows = torch.arange(positive + negative + hard)
    return {
        "positive": rows[:positive],
        "negative": rows[positive : positive + negative],
        "hard": rows[positive + negative :],
    }


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=150)
@given(
    sizes=st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(0, 300)),
    ratio=st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 5)),
    batch_size=st.integers(16, 128),
)
def test_balanced_keeps_its_promises(sizes: tuple[int, int, int], ratio: tuple[int, int, int], batch_size: int) -> None:
    """T21: each batch holds the ratio, each wanted row is seen, and the epoch is as long as the slowest pool needs."""
    found = pools(*sizes)
    shares = [float(part) for part in ratio]
    if not sizes[2]:
        shares[1], shares[2] = shares[1] + shares[2], 0.0
    batches = Balanced(ratio=tuple(map(float, ratio)), batch_size=batch_size).batches(found, generator())
    owner = {int(row): pool for pool, rows in found.items() for row in rows}
    for batch in batches:
        assert len(batch) == batch_size
        counts = Counter(owner[int(row)] for row in batch)
        for pool, share in zip(found, shares, strict=True):
            assert abs(counts[pool] - share / sum(shares) * batch_size) < 1
    seen = Counter(int(row) for batch in batches for row in batch)
    for pool, share in zip(found, shares, strict=True):
        visits = [seen[int(row)] for row in found[pool]]
        if share and visits:
            assert min(visits) >= 1
            assert max(visits) - min(visits) <= 1, "rows of a pool take turns"
        else:
            assert not any(visits)
    first = Counter(owner[int(row)] for row in batches[0])
    assert len(batches) == max(math.ceil(len(found[pool]) / count) for pool, count in first.items())


def test_an_empty_pool_is_redistributed_or_an_error() -> None:
    """T21: no hard negatives, or only hard ones, is no empty epoch; no positives is an error that says so."""
    assert len(Balanced(batch_size=30).batches(pools(10, 100, 0), generator())) == 5
    assert len(Balanced(batch_size=30).batches(pools(10, 0, 100), generator())) == 5
    for sizes, words in (((0, 5, 5), "no positives"), ((5, 0, 0), "no negatives")):
        with pytest.raises(WakekitError, match=words):
            Balanced().batches(pools(*sizes), generator())
    with pytest.raises(WakekitError, match="larger batches"):
        Balanced(ratio=(1.0, 99.0, 0.0), batch_size=16).batches(pools(5, 5, 0), generator())
    with pytest.raises(ValueError, match="ratio"):
        Balanced(ratio=(0.0, 1.0, 1.0))


@settings(deadline=None)
@given(sizes=SIZES, added=st.integers(1, 400), batch_size=st.integers(3, 96))
def test_a_growing_hard_pool_is_taken_up(sizes: tuple[int, int, int], added: int, batch_size: int) -> None:
    """T21: rows added between passes are all visited in the next epoch, and so are the rows that were there."""
    sampler = Balanced(batch_size=batch_size)
    grown = (*sizes[:2], sizes[2] + added)
    before = torch.cat(list(sampler.batches(pools(*sizes), generator()))).tolist()
    after = torch.cat(list(sampler.batches(pools(*grown), generator()))).tolist()
    assert set(before) == set(range(sum(sizes)))
    assert set(after) == set(range(sum(grown)))


@settings(deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 3000), st.integers(0, 40)),
    ratio=st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(1, 9)),
)
def test_pools_of_any_sizes_balance(sizes: tuple[int, int, int], ratio: tuple[int, int, int]) -> None:
    """T21: a pool a thousand times another's size makes no short epoch; counted over it, the ratio holds."""
    found = pools(*sizes)
    batches = list(Balanced(ratio=tuple(map(float, ratio)), batch_size=90).batches(found, generator()))
    shares = dict(zip(found, ratio, strict=True))
    if not sizes[2]:
        shares["negative"], shares["hard"] = shares["negative"] + shares["hard"], 0
    seen = Counter(torch.cat(batches).tolist())
    for pool, rows in found.items():
        visits = [seen[row] for row in rows.tolist()]
        assert abs(sum(visits) - shares[pool] / sum(shares.values()) * 90 * len(batches)) < len(batches)
        assert not shares[pool] or all(visits)


@settings(deadline=None)
@given(sizes=SIZES, seed=st.integers(0, 2**40), place=st.floats(0, 1), kind=st.sampled_from(["b", "s", "w"]))
def test_an_epoch_resumes_at_any_batch(sizes: tuple[int, int, int], seed: int, place: float, kind: str) -> None:
    """T22: computed again from its seed, an epoch has the same batches from any one on, whatever was drawn between."""
    sampler = {"b": Balanced(batch_size=32), "s": Shuffle(batch_size=32), "w": Weighted(hard=3.0, batch_size=32)}[kind]
    found = pools(*sizes)
    whole = list(sampler.batches(found, generator(seed)))
    first = round(place * (len(whole) - 1))
    torch.rand(3)
    again = list(sampler.batches(found, generator(seed)))[first:]
    assert [rows.tolist() for rows in again] == [rows.tolist() for rows in whole[first:]]
    assert all(rows.dtype is torch.int64 for rows in again)


@pytest.mark.parametrize("sampler", [Balanced(batch_size=20), Shuffle(batch_size=20), Weighted(batch_size=20)])
def test_epochs_come_from_their_generator_alone(sampler: Balanced | Shuffle | Weighted) -> None:
    """T22: the same generator gives the same epoch, another gives another, and the global state is untouched."""
    before = torch.get_rng_state()
    one, two, other = (sampler.batches(pools(30, 50, 20), generator(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert torch.equal(before, torch.get_rng_state())


@settings(deadline=None)
@given(sizes=st.tuples(st.integers(1, 90), st.integers(0, 90), st.integers(0, 90)), batch_size=st.integers(1, 40))
def test_shuffle_visits_every_row_once(sizes: tuple[int, int, int], batch_size: int) -> None:
    """An epoch is a permutation, and no batch but an only one has a single row unless batches do."""
    batches = Shuffle(batch_size=batch_size).batches(pools(*sizes), generator())
    assert sorted(torch.cat(list(batches)).tolist()) == list(range(sum(sizes)))
    if batch_size > 1 and len(batches) > 1:
        assert min(map(len, batches)) > 1


def test_shuffle_refuses_an_empty_split() -> None:
    """Nothing to visit is an error, not an empty epoch."""
    with pytest.raises(WakekitError, match="no rows"):
        Shuffle().batches(pools(0, 0, 0), generator())


@settings(deadline=None, max_examples=40)
@given(
    sizes=SIZES, weights=st.tuples(st.floats(0.1, 9), st.floats(0.1, 9), st.floats(0, 9)), seed=st.integers(0, 2**40)
)
def test_weighted_draws_as_torch_does(
    sizes: tuple[int, int, int], weights: tuple[float, float, float], seed: int
) -> None:
    """Pools are drawn as often as WeightedRandomSampler draws them with a weight per row, within six sigma."""
    found = pools(*sizes)
    sampler = Weighted(positive=weights[0], negative=weights[1], hard=weights[2], draws=20000, batch_size=500)
    rows = torch.cat(list(sampler.batches(found, generator(seed))))
    each = torch.cat([torch.full((size,), weight) for size, weight in zip(sizes, weights, strict=True)])
    theirs = torch.tensor(list(WeightedRandomSampler(each.tolist(), 20000, generator=generator(seed + 1))))
    for pool, size, weight in zip(found.values(), sizes, weights, strict=True):
        share = size * weight / float(each.double().sum())
        sigma = math.sqrt(20000 * share * (1 - share)) + 1
        ours, reference = (int(torch.isin(drawn, pool).sum()) for drawn in (rows, theirs))
        assert abs(ours - 20000 * share) <= 6 * sigma
        assert abs(ours - reference) <= 6 * sigma * math.sqrt(2)


def test_weighted_rows_of_a_pool_are_alike() -> None:
    """Within a pool every row is as likely as another: chi-square of the counts below its 99.9 % point."""
    sampler = Weighted(positive=5.0, negative=1.0, hard=0.5, draws=400_000)
    seen = Counter(torch.cat(list(sampler.batches(pools(7, 50, 20), generator()))).tolist())
    for rows, bound in ((range(7), 22.5), (range(7, 57), 85.4), (range(57, 77), 43.8)):
        counts = [seen[row] for row in rows]
        mean = sum(counts) / len(counts)
        assert sum((count - mean) ** 2 / mean for count in counts) < bound


def test_weighted_epochs_are_as_long_as_asked() -> None:
    """As many draws as rows of pools with a weight, or as many as stated; a pool of weight 0 is never drawn."""
    found = pools(10, 50, 41)
    batches = Weighted(hard=0.0, batch_size=20).batches(found, generator())
    assert [len(batch) for batch in batches] == [20, 20, 20]
    assert torch.cat(list(batches)).max() < 60
    assert [len(batch) for batch in Weighted(draws=41, batch_size=20).batches(found, generator())] == [20, 21]


def test_weighted_refuses_one_sided_data() -> None:
    """T21: no positives, no negatives, or weights that leave none, are errors; no hard negatives are none."""
    assert Weighted().batches(pools(5, 5, 0), generator())
    assert Weighted().batches(pools(5, 0, 5), generator())
    for sampler, sizes, words in (
        (Weighted(), (0, 5, 5), "no positives"),
        (Weighted(), (5, 0, 0), "no negatives"),
        (Weighted(negative=0.0), (5, 5, 0), "no negatives with a weight above 0"),
    ):
        with pytest.raises(WakekitError, match=f"sampler weighted: the train split has {words}"):
            sampler.batches(pools(*sizes), generator())
    with pytest.raises(ValueError, match="negative, hard"):
        Weighted(negative=0.0, hard=0.0)


def test_weighted_says_when_it_rebalances() -> None:
    """T28: unequal weights are named, equal ones are not."""
    assert Weighted(positive=2.0).rebalances == ("weighted sampling",)
    assert Weighted(positive=2.0, negative=2.0, hard=2.0).rebalances == ()
