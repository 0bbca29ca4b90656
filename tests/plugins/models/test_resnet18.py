"""The `resnet18` model has the layers and the size of ResNet-18 with one input channel."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wakekit_models.resnet18 import Block, ResNet18


def drawn(*shape: int) -> torch.Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def size(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def test_has_the_parameters_of_the_imagenet_network() -> None:
    """11 689 512 for 3 channels and 1000 classes, less two input channels of 7 · 7 · 64 weights."""
    assert size(ResNet18().build(40, 1000)) == 11_689_512 - 2 * 49 * 64
    assert round(size(ResNet18().build(40, 2)) / 1e6, 2) == 11.17


@pytest.mark.parametrize("width", [4, 16])
def test_width_scales_every_layer(width: int) -> None:
    """The closed form: head, four stages and classifier."""
    stage = [(36 * w * w + 8 * w) for w in (width, 2 * width, 4 * width, 8 * width)]
    narrower = [9 * w * w // 2 - w * w // 2 - 2 * w for w in (2 * width, 4 * width, 8 * width)]
    expected = 51 * width + sum(stage) - sum(narrower) + (8 * width + 1) * 2
    assert size(ResNet18(width=width).build(40, 2)) == expected


@pytest.mark.parametrize(("n_features", "frames"), [(40, 61), (13, 9), (1, 1)])
def test_takes_any_features(n_features: int, frames: int) -> None:
    """Logits [B, C] whatever the number of features and frames; every parameter learns."""
    network = ResNet18(width=4).build(n_features, 3)
    logits = network(drawn(3, n_features, frames))
    logits.square().sum().backward()
    assert logits.shape == (3, 3)
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_positions_are_a_thirtysecond() -> None:
    """The head divides both axes by 4, and three stages halve them."""
    network = ResNet18(width=4).build(64, 2)
    assert network.blocks(network.head(drawn(1, 1, 64, 96))).shape == (1, 32, 2, 3)


def test_block_adds_its_shortcut() -> None:
    """A block is relu(residual + shortcut); only a change of shape projects the shortcut."""
    same, hidden = Block(4, 4, 1).eval(), drawn(2, 4, 6, 6)
    torch.testing.assert_close(same(hidden), (same.residual(hidden) + hidden).relu())
    down = Block(4, 8, 2).eval()
    torch.testing.assert_close(down(hidden), (down.residual(hidden) + down.shortcut(hidden[:, :, ::2, ::2])).relu())
    assert isinstance(same.shortcut, nn.Identity)


def test_convolutions_start_with_variance_by_fan_out() -> None:
    """He initialization: the deviation of a layer's weights is sqrt(2 / fan out)."""
    weight = ResNet18(width=32).build(40, 2).blocks[6].residual[0].conv.weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """Inference is the same on both devices."""
    network, features = ResNet18(width=16).build(40, 2).eval(), drawn(4, 40, 60)
    expected = network(features)
    torch.testing.assert_close(network.cuda()(features.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)
