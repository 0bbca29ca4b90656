"""The `utterance-cmvn` normalizer gives each window what NumPy computes in float64, leaving digital silence out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import WakekitError
from wakekit_features.utterance_cmvn import UtteranceCmvn, UtteranceCmvnModule

SILENCE = torch.tensor([-13.8, -13.5])


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def built(options: UtteranceCmvn | None = None) -> UtteranceCmvnModule:
    """Return a module for two features that knows digital silence."""
    module = (options or UtteranceCmvn()).build(2)
    module.hear_silence(SILENCE)
    return module


@settings(deadline=None, max_examples=40)
@given(
    frames=st.integers(1, 30),
    offset=st.floats(-1e3, 1e3),
    scale=st.floats(0.1, 100),
    share=st.sampled_from([0.0, 0.3, 0.9]),
    variance=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_agrees_with_numpy(
    *, frames: int, offset: float, scale: float, share: float, variance: bool, seed: int
) -> None:
    """Each window's mean and deviation over its frames without silence; silent frames come out as 0."""
    module = built(UtteranceCmvn(variance=variance, eps=0.05))
    features = drawn(3, 2, frames, seed=seed) * scale + offset
    silent = np.random.default_rng(seed).random((3, frames)) < share
    features = torch.where(torch.from_numpy(silent)[:, None], SILENCE[:, None], features)
    normalized = module(features).numpy()
    for row in range(3):
        values = features[row].double().numpy()[:, ~silent[row]]
        if values.size:
            std = np.maximum(values.std(axis=1, keepdims=True), 0.05) if variance else 1.0
            expected = (values - values.mean(axis=1, keepdims=True)) / std
            np.testing.assert_allclose(normalized[row][:, ~silent[row]], expected, rtol=1e-5, atol=1e-5)
        assert (normalized[row][:, silent[row]] == 0).all()


def test_a_large_offset_costs_no_digits() -> None:
    """T19: a window of a million frames around 10 000 has the mean and deviation that NumPy finds in float64."""
    features = drawn(1, 2, 1_000_000) * torch.tensor([0.5, 20.0])[:, None] + 1e4
    values = features[0].double().numpy()
    expected = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    np.testing.assert_allclose(built()(features)[0].numpy(), expected, rtol=1e-6, atol=1e-6)


def test_windows_do_not_see_each_other() -> None:
    """A window gives the same alone and in company."""
    features = drawn(5, 2, 20) * 3
    alone = torch.cat([built()(row[None]) for row in features])
    torch.testing.assert_close(built()(features), alone)


def test_level_and_channel_fall_out() -> None:
    """What is added to every frame of a window, or multiplies it, changes nothing."""
    features = drawn(2, 2, 40)
    shifted = features * torch.tensor([2.0, 3.0])[:, None] + torch.tensor([5.0, -7.0])[:, None]
    torch.testing.assert_close(built()(shifted), built()(features), rtol=1e-4, atol=1e-5)


def test_padding_changes_nothing() -> None:
    """T18: real frames come out the same whether or not silence stands beside them."""
    features = drawn(1, 2, 20)
    padded = torch.cat([SILENCE[None, :, None].expand(1, 2, 30), features], dim=2)
    torch.testing.assert_close(built()(padded)[:, :, 30:], built()(features))


def test_nothing_but_silence_gives_zeros() -> None:
    """A silent, a constant and an empty window are finite."""
    assert torch.equal(built()(SILENCE[None, :, None].expand(3, 2, 5)), torch.zeros(3, 2, 5))
    assert torch.equal(built()(torch.full((1, 2, 5), 3.0)), torch.zeros(1, 2, 5))
    assert built()(torch.zeros(1, 2, 0)).shape == (1, 2, 0)
    assert built()(torch.ones(1, 2, 1)).isfinite().all()


def test_silence_is_saved_with_the_weights() -> None:
    """Loaded weights know silence; before `hear_silence` no frame is one."""
    loaded, silence = UtteranceCmvn().build(2), SILENCE[None, :, None].expand(1, 2, 6)
    mixed = torch.cat([silence, drawn(1, 2, 6)], dim=2)
    assert (loaded(mixed)[:, :, :6] != 0).all()
    loaded.load_state_dict(built().state_dict())
    assert torch.equal(loaded(mixed), built()(mixed))


def test_autocast_does_not_reach_it() -> None:
    """Under bfloat16 autocast type and values stay."""
    features = drawn(2, 2, 30)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        normalized = built()(features)
    assert normalized.dtype is torch.float32
    assert torch.equal(normalized, built()(features))


def test_scope_and_layout() -> None:
    """It sees windows, has nothing to fit, and never guesses the axis."""
    assert UtteranceCmvn.scope == "window"
    assert not hasattr(built(), "fit")
    with pytest.raises(WakekitError, match=r"\[batch, 2, time\], got \[1, 5, 2\] @ normalizer utterance-cmvn"):
        built()(torch.zeros(1, 5, 2))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """The device does not matter."""
    features = drawn(4, 2, 50)
    torch.testing.assert_close(built().cuda()(features.cuda()).cpu(), built()(features), rtol=1e-5, atol=1e-5)
