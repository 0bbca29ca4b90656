"""The `cmvn` normalizer learns what NumPy computes in float64, in any order, from real frames alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import FeatureBatch, WakekitError
from wakekit_features.cmvn import Cmvn
from wakekit_features.none import Identity


def batch(features: torch.Tensor, frames: list[int] | None = None) -> FeatureBatch:
    """Return features with their numbers of real frames, by default all."""
    counts = torch.full((len(features),), features.shape[2]) if frames is None else torch.tensor(frames)
    return FeatureBatch(features, counts)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_agrees_with_numpy_on_a_million_frames_far_from_zero() -> None:
    """A mean of 10 000 costs no digits of the standard deviation."""
    features = drawn(1000, 3, 1000) * torch.tensor([0.5, 1.0, 20.0])[:, None] + 1e4
    module = Cmvn().build(3).fit(batch(part) for part in features.split(64))
    frames = features.double().numpy().transpose(0, 2, 1).reshape(-1, 3)
    assert int(module.count) == 1_000_000
    np.testing.assert_allclose(module.mean.numpy(), frames.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(module.std.numpy(), frames.std(axis=0), rtol=1e-6)


@settings(deadline=None, max_examples=30)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
    offset=st.floats(-1e3, 1e3),
)
def test_order_and_batching_do_not_matter(sizes: list[tuple[int, int]], order: object, offset: float) -> None:
    """Any order of batches, and any way to cut them, gives the same statistics."""
    batches = [batch(drawn(rows, 4, frames, seed=seed) + offset) for seed, (rows, frames) in enumerate(sizes)]
    expected = Cmvn(eps=1e-6).build(4).fit(batches)
    shuffled = list(batches)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    rows = [batch(row[None]) for one in shuffled for row in one.features]
    for other in (Cmvn(eps=1e-6).build(4).fit(shuffled), Cmvn(eps=1e-6).build(4).fit(rows)):
        assert other.count == expected.count
        torch.testing.assert_close(other.mean, expected.mean, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(other.std, expected.std, rtol=1e-5, atol=1e-6)


def test_padding_is_left_out() -> None:
    """Frames after a row's real ones change nothing, whatever they hold; rows without frames are fine."""
    features = drawn(3, 2, 8)
    real = torch.cat([features[0, :, :5], features[1, :, :8]], dim=1)
    features[0, :, 5:] = 1e6
    features[2] = float("nan")
    module = Cmvn().build(2).fit([batch(features, [5, 8, 0])])
    torch.testing.assert_close(module.mean, real.mean(dim=1))
    torch.testing.assert_close(module.std, real.std(dim=1, correction=0))


def test_normalizes_and_inverts() -> None:
    """Train features come out with mean 0 and deviation 1, and `inverse` brings them back."""
    features = drawn(8, 5, 50) * 7 - 3
    module = Cmvn().build(5).fit([batch(features)])
    normalized = module(features)
    torch.testing.assert_close(normalized.mean(dim=(0, 2)), torch.zeros(5), rtol=0, atol=1e-5)
    torch.testing.assert_close(normalized.std(dim=(0, 2), correction=0), torch.ones(5))
    torch.testing.assert_close(module.inverse(normalized), features)


def test_autocast_does_not_reach_it() -> None:
    """Under bfloat16 autocast type and values stay, in both directions."""
    features = drawn(2, 3, 30) + 100
    module = Cmvn().build(3).fit([batch(features)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        normalized, restored = module(features), module.inverse(features)
    assert (normalized.dtype, restored.dtype) == (torch.float32, torch.float32)
    assert torch.equal(normalized, module(features))
    assert torch.equal(restored, module.inverse(features))


def test_constant_features_stay_finite() -> None:
    """A feature that never changes is divided by `eps`."""
    module = Cmvn(eps=0.5).build(1).fit([batch(torch.full((2, 1, 4), 3.0))])
    torch.testing.assert_close(module(torch.full((1, 1, 2), 4.0)), torch.full((1, 1, 2), 2.0))


def test_state_survives_saving() -> None:
    """Loaded weights, and a copy, normalize as the fitted module does."""
    features = drawn(4, 3, 20) + 5
    module = Cmvn().build(3).fit([batch(features)])
    loaded = Cmvn().build(3)
    torch.nn.Sequential(loaded).load_state_dict(torch.nn.Sequential(module).state_dict())
    assert set(module.state_dict()) == {"mean", "std", "count"}
    assert torch.equal(loaded(features), module(features))
    assert torch.equal(copy.deepcopy(module)(features), module(features))


def test_fit_starts_anew() -> None:
    """Fitting again forgets what was learnt before."""
    module = Cmvn().build(2).fit([batch(drawn(4, 2, 9) + 100)])
    again = module.fit([batch(drawn(4, 2, 9, seed=1))])
    fresh = Cmvn().build(2).fit([batch(drawn(4, 2, 9, seed=1))])
    assert torch.equal(again.mean, fresh.mean)
    assert again.count == fresh.count


def test_unfitted_use_is_an_error() -> None:
    """Before `fit`, and after loading unfitted weights, both directions refuse."""
    module = Cmvn().build(2)
    module.load_state_dict(Cmvn().build(2).state_dict())
    for use in (module, module.inverse):
        with pytest.raises(WakekitError, match="unfitted cmvn"):
            use(torch.zeros(1, 2, 3))


@pytest.mark.parametrize("shape", [(2, 7, 5), (2, 5), (1, 2, 5, 7)])
def test_the_axis_is_never_guessed(shape: tuple[int, ...]) -> None:
    """Features of another number or shape are an error in `fit` and in use, even if another axis would match."""
    module = Cmvn().build(5)
    with pytest.raises(WakekitError, match=r"\[batch, 5, time\]"):
        module.fit([FeatureBatch(torch.zeros(shape), torch.ones(shape[0], dtype=torch.int64))])
    module.fit([batch(drawn(2, 5, 6))])
    with pytest.raises(WakekitError, match=r"\[batch, 5, time\]"):
        module(torch.zeros(shape))


def test_nothing_to_learn_from_is_an_error() -> None:
    """No batches, no frames or features that are no numbers are refused."""
    with pytest.raises(WakekitError, match="got none"):
        Cmvn().build(2).fit([])
    with pytest.raises(WakekitError, match="got none"):
        Cmvn().build(2).fit([batch(drawn(1, 2, 3), [0])])
    with pytest.raises(WakekitError, match="finite"):
        Cmvn().build(2).fit([batch(torch.full((1, 2, 3), float("inf")))])


def test_both_normalizers_work_frame_by_frame() -> None:
    """Both share frames between windows (scope `corpus`), and `none` returns what it is given."""
    assert (Cmvn.scope, Identity.scope) == ("corpus", "corpus")
    features = drawn(2, 3, 4)
    assert torch.equal(Identity().build(3)(features), features)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """Statistics and output are the same on both devices."""
    features = drawn(8, 5, 50) * 7 - 3
    cpu = Cmvn().build(5).fit([batch(features)])
    cuda = Cmvn().build(5).cuda().fit([batch(features.cuda())])
    torch.testing.assert_close(cuda(features.cuda()).cpu(), cpu(features), rtol=1e-5, atol=1e-5)
