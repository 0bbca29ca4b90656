"""The `tc-resnet` model has the size and the arithmetic of the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from wakekit_models.tc_resnet import Block, TcResNet

if TYPE_CHECKING:
    from wakekit_models.layers import ConvNorm


def drawn(*shape: int) -> Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def settled(network: nn.Module) -> nn.Module:
    """Return the network in inference, its norms with statistics and weights that are not the initial ones."""
    generator = torch.Generator().manual_seed(1)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).data.copy_(torch.rand(norm.num_features, generator=generator) + 0.2)
    return network.eval()


def convolved(layer: ConvNorm, hidden: Tensor, stride: int) -> Tensor:
    """Return a layer of the network on [B, C, T], as a one-dimensional convolution and its norm written out."""
    norm, weight = layer.norm, layer.conv.weight[:, :, 0]
    plain = functional.conv1d(hidden, weight, stride=stride, padding=weight.shape[2] // 2)
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight / (variance + norm.eps).sqrt()
    return (plain - mean[:, None]) * scale[:, None] + norm.bias[:, None]


@pytest.mark.parametrize(
    ("depth", "width", "trained", "thousands"),
    [(8, 1.0, 65168, 66), (8, 1.5, 144264, 145), (14, 1.0, 135856, 137), (14, 1.5, 303000, 305)],
)
def test_has_the_parameters_of_the_paper(depth: int, width: float, trained: int, thousands: int) -> None:
    """Twelve classes of 40 features give the counts of Choi et al. (2019), who count the norms' statistics too."""
    network = TcResNet(depth=depth, width=width).build(40, 12)
    assert sum(parameter.numel() for parameter in network.parameters()) == trained
    statistics = sum(buffer.numel() for buffer in network.buffers() if buffer.is_floating_point())
    assert round((trained + statistics) / 1000) == thousands


@pytest.mark.parametrize(
    ("depth", "stages"),
    [(8, [(24, 49), (32, 25), (48, 13)]), (14, [(24, 49), (24, 49), (32, 25), (32, 25), (48, 13), (48, 13)])],
)
def test_blocks_halve_time_where_they_widen(depth: int, stages: list[tuple[int, int]]) -> None:
    """98 frames become 49, 25 and 13, as many channels as in figure 2 of the paper."""
    network = TcResNet(depth=depth).build(40, 12)
    hidden, found = drawn(2, 40, 1, 98), []
    for layer in network.layers:
        hidden = layer(hidden)
        if isinstance(layer, Block):
            found.append((hidden.shape[1], hidden.shape[3]))
    assert found == stages


@pytest.mark.parametrize("depth", [8, 14])
def test_equals_convolutions_over_time(depth: int) -> None:
    """The network is one-dimensional convolutions with features as channels, written out layer by layer."""
    network = settled(TcResNet(depth=depth, width=0.5).build(13, 3))
    features = drawn(3, 13, 37)
    head, _, *blocks = network.layers
    hidden = convolved(head, features, 1).relu()
    for block in blocks:
        first, _, second = block.residual
        inner = convolved(second, convolved(first, hidden, block.stride).relu(), 1)
        learnt = not isinstance(block.shortcut, nn.Identity)
        assert learnt == (first.conv.in_channels != first.conv.out_channels)
        hidden = (inner + (convolved(block.shortcut[0], hidden, 2).relu() if learnt else hidden)).relu()
    expected = hidden.mean(dim=2) @ network.classifier.weight.T
    torch.testing.assert_close(network(features), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("n_features", "frames"), [(1, 1), (10, 49), (40, 61), (13, 7)])
def test_takes_any_features(n_features: int, frames: int) -> None:
    """Logits [B, C] whatever the number of features and frames; every parameter learns."""
    network = TcResNet(width=0.25).build(n_features, 3)
    logits = network(drawn(4, n_features, frames))
    logits.square().sum().backward()
    assert logits.shape == (4, 3)
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_dropout_acts_in_training_alone() -> None:
    """Dropout changes training passes, and no inference; rows do not see each other there."""
    features = drawn(4, 40, 20)
    network = TcResNet().build(40, 2)
    assert not torch.equal(network(features), network(features))
    network.eval()
    assert torch.equal(network(features), network(features))
    torch.testing.assert_close(network(features)[3:4], network(features[3:4]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """Inference is the same on both devices."""
    network, features = TcResNet().build(40, 2).eval(), drawn(4, 40, 60)
    expected = network(features)
    torch.testing.assert_close(network.cuda()(features.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)
