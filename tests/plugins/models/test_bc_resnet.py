"""The `bc-resnet` model has the size and the arithmetic of the paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wakekit import WakekitError
from wakekit_models.bc_resnet import BcResNet, Block, SubSpectralNorm, Transition


def size(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def drawn(*shape: int) -> torch.Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("tau", "thousands"), [(1, 9.2), (1.5, 17.2), (2, 27.3), (3, 54.2), (6, 188), (8, 321)])
def test_has_the_parameters_of_the_paper(tau: float, thousands: float) -> None:
    """Twelve classes give the parameter counts of Kim et al. (2021), table 2."""
    digits = 1 if thousands < 100 else 0
    assert round(size(BcResNet(tau=tau).build(40, 12)) / 1000, digits) == thousands


def test_smallest_networks_have_the_published_size() -> None:
    """Exact counts published for tau = 1 and 0.625."""
    assert size(BcResNet(tau=1).build(40, 12)) == 9232
    assert size(BcResNet(tau=0.625).build(40, 12)) == 4585


def test_stages_halve_frequency_and_dilate_time() -> None:
    """Two, two, four and four blocks, frequency 20, 10, 5, 5, dilations 1, 2, 4, 8, and time kept."""
    network = BcResNet().build(40, 2)
    hidden = network.head(drawn(1, 1, 40, 30))
    shapes = [tuple(hidden.shape[1:])]
    for block in network.blocks:
        hidden = block(hidden)
        shapes.append(tuple(hidden.shape[1:]))
    stages = [(8, 20, 30)] * 2 + [(12, 10, 30)] * 2 + [(16, 5, 30)] * 4 + [(20, 5, 30)] * 4
    assert shapes == [(16, 20, 30), *stages]
    assert [block.temporal[0].conv.dilation[1] for block in network.blocks] == [1, 1, 2, 2, *[4] * 4, *[8] * 4]


def test_sub_spectral_norm_is_one_batch_norm_per_band() -> None:
    """Each band of each channel comes out as its own batch norm over rows, its frequencies and time."""
    hidden = drawn(4, 3, 10, 7) * 3 + 2
    bands = SubSpectralNorm(3, 5)(hidden).view(4, 3, 5, 2, 7)
    torch.testing.assert_close(bands.mean(dim=(0, 3, 4)), torch.zeros(3, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(bands.var(dim=(0, 3, 4), correction=0), torch.ones(3, 5), rtol=1e-4, atol=1e-4)
    norm = SubSpectralNorm(3, 5).eval()
    norm.norm.running_mean.copy_(torch.arange(15.0))
    shift = torch.arange(15.0).view(3, 5).repeat_interleave(2, dim=1)[None, :, :, None]
    torch.testing.assert_close(norm(hidden), (hidden - shift) / (1 + 1e-5) ** 0.5)


def test_blocks_broadcast_over_frequency() -> None:
    """A block is relu(x + f2(x) + f1(mean of f2(x))), a transition the same without x."""
    temporal = nn.Conv2d(10, 10, 1)
    block, hidden = Block(10, temporal, 5).eval(), drawn(2, 10, 5, 6)
    spectral = block.norm(block.frequency(hidden))
    expected = (hidden + spectral + temporal(spectral.mean(dim=2, keepdim=True))).relu()
    torch.testing.assert_close(block(hidden), expected)
    transition, hidden = Transition(4, 10, 2, temporal, 5).eval(), drawn(2, 4, 10, 6)
    spectral = transition.norm(transition.frequency(transition.widen(hidden)))
    expected = (spectral + temporal(spectral.mean(dim=2, keepdim=True))).relu()
    torch.testing.assert_close(transition(hidden), expected)
    assert transition(hidden).shape == (2, 10, 5, 6)


@pytest.mark.parametrize(
    ("n_features", "sub_bands", "frames"), [(40, 5, 61), (39, 5, 1), (80, 5, 8), (32, 4, 9), (23, 1, 9)]
)
def test_takes_features_that_divide_into_bands(n_features: int, sub_bands: int, frames: int) -> None:
    """Logits [B, C] for any time, wherever the sub-bands divide frequency; every parameter learns."""
    network = BcResNet(tau=0.5, sub_bands=sub_bands).build(n_features, 3)
    logits = network(drawn(2, n_features, frames))
    logits.square().sum().backward()
    assert logits.shape == (2, 3)
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("n_features", [13, 41, 64, 60])
def test_other_features_are_an_error(n_features: int) -> None:
    """Features that do not divide into sub-bands are refused, with what would fit."""
    with pytest.raises(WakekitError, match=f"got {n_features} @ model bc-resnet; .* multiple of 40"):
        BcResNet().build(n_features, 2)


def test_dropout_drops_whole_channels_in_training_alone() -> None:
    """Dropout changes training passes, and no inference."""
    features = drawn(4, 40, 20)
    network = BcResNet(dropout=0.5).build(40, 2)
    assert not torch.equal(network(features), network(features))
    network.eval()
    assert torch.equal(network(features), network(features))
    assert sum(layer.p == 0.5 for layer in network.modules() if isinstance(layer, nn.Dropout2d)) == 12


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """Inference is the same on both devices."""
    network, features = BcResNet().build(40, 2).eval(), drawn(4, 40, 60)
    expected = network(features)
    torch.testing.assert_close(network.cuda()(features.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)
