"""Samplers: the ratio in every batch, every row in every epoch, and no epoch that is empty."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import WakekitError
from wakekit_training.balanced import Balanced
from wakekit_training.shuffle import Shuffle


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


def test_a_growing_hard_pool_is_taken_up() -> None:
    """Rows added between passes are visited in the next epoch."""
    before = torch.cat(list(Balanced(batch_size=30).batches(pools(20, 20, 5), generator())))
    after = torch.cat(list(Balanced(batch_size=30).batches(pools(20, 20, 50), generator())))
    assert before.max() == 44
    assert set(range(40, 90)) <= set(after.tolist())


@pytest.mark.parametrize("sampler", [Balanced(batch_size=20), Shuffle(batch_size=20)])
def test_epochs_come_from_their_generator_alone(sampler: Balanced | Shuffle) -> None:
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
