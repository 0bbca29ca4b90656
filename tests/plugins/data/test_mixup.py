"""Mixup blends rows and targets alike, with weights of the Beta distribution that was asked for."""

from __future__ import annotations

import attrs
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta as scipy_beta
from scipy.stats import kstest

from wakekit import Batch, Draws
from wakekit_data.mixup import Mixup, beta

CPU = torch.device("cpu")


def draws(rows: int, seed: int = 0) -> Draws:
    """Return draws at their start."""
    return Draws(torch.Generator().manual_seed(seed), rows, CPU)


def batch(rows: int = 8, seed: int = 0) -> Batch:
    """Return features of noise, one-hot targets and lengths that all differ."""
    features = torch.randn(rows, 5, 7, generator=torch.Generator().manual_seed(seed))
    targets = torch.nn.functional.one_hot(torch.arange(rows) % 3, 3).float()
    return Batch(torch.zeros(rows, 9), torch.arange(rows) + 1, targets, draws(rows, seed), features)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 4.0, 50.0])
def test_weights_follow_the_beta_distribution(alpha: float) -> None:
    """A Kolmogorov–Smirnov test of 20,000 weights against SciPy's distribution finds nothing; moments agree."""
    found = beta(draws(20_000), alpha)
    # Close to 1 small parameters run out of digits, so that each half is tested from its own end where it can be.
    low, high = found[found < 0.5], 1 - found[found >= 0.5]
    assert len(low) / len(found) == pytest.approx(0.5, abs=0.01)
    for half in (low, high) if alpha >= 1 else (low,):
        assert kstest(half.numpy(), lambda values: 2 * scipy_beta.cdf(values, alpha, alpha)).pvalue > 0.01
    assert found.mean().item() == pytest.approx(0.5, abs=0.01)
    assert found.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.04)
    assert found.min() >= 0
    assert found.max() <= 1


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 12), probability=st.sampled_from([0.0, 0.5, 1.0]))
def test_rows_are_blended_as_by_hand(seed: int, rows: int, probability: float) -> None:
    """Row by row: λ of itself, 1 - λ of its partner, in features and targets; partners are a permutation."""
    one = batch(rows, seed)
    assert one.features is not None
    found = Mixup(alpha=0.7, probability=probability).build(None)(one)  # type: ignore[arg-type]
    assert found.features is not None
    again = draws(rows, seed)
    chosen, weight = again.chance(probability), beta(again, 0.7)
    partners = torch.randperm(rows, generator=again.generator)
    for row, partner in enumerate(partners.tolist()):
        share = float(weight[row]) if chosen[row] else 1.0
        for name in ("features", "targets"):
            values = getattr(one, name)
            expected = share * values[row].double() + (1 - share) * values[partner].double()
            torch.testing.assert_close(getattr(found, name)[row].double(), expected, rtol=0, atol=1e-6)
        wanted = max(row, partner) + 1 if chosen[row] else row + 1
        assert found.lengths[row] == wanted
    torch.testing.assert_close(found.targets.sum(dim=1), torch.ones(rows))


def test_the_global_state_and_the_batch_stay_as_they_were() -> None:
    """Equal generators blend equally, others otherwise, and nothing else is drawn from or written to."""
    one, state = batch(), torch.get_rng_state()
    assert one.features is not None
    before, mixup = one.features.clone(), Mixup().build(None)  # type: ignore[arg-type]
    results = [mixup(attrs.evolve(one, draws=draws(8, seed))).features for seed in (1, 1, 2)]
    assert results[0] is not None
    assert torch.equal(results[0], results[1])  # type: ignore[arg-type]
    assert not torch.equal(results[0], results[2])  # type: ignore[arg-type]
    assert torch.equal(one.features, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_rows_left_out_keep_their_bits() -> None:
    """A share of rows is blended, the others are what they were."""
    one = batch(400)
    found = Mixup(alpha=1, probability=0.3).build(None)(one)  # type: ignore[arg-type]
    same = (found.features == one.features).all(dim=2).all(dim=1)
    assert same.float().mean().item() == pytest.approx(0.7, abs=0.06)
    assert torch.equal(found.targets[same], one.targets[same])
