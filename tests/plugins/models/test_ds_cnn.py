"""The `ds-cnn` model has the size of its closed form and takes any features."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from wakekit_models.ds_cnn import DsCnn


def drawn(*shape: int) -> torch.Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("channels", "blocks", "classes"), [(64, 4, 12), (32, 4, 2), (172, 1, 3), (8, 0, 2)])
def test_has_the_parameters_of_its_closed_form(channels: int, blocks: int, classes: int) -> None:
    """First layer, blocks of depthwise and pointwise layers with their norms, and the classifier."""
    network = DsCnn(channels=channels, blocks=blocks).build(10, classes)
    block = 9 * channels + channels**2 + 4 * channels
    expected = 40 * channels + 2 * channels + blocks * block + (channels + 1) * classes
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize(("n_features", "frames"), [(1, 1), (10, 49), (40, 61), (13, 7)])
def test_takes_any_features(n_features: int, frames: int) -> None:
    """Logits [B, C] whatever the number of features and frames; every parameter learns."""
    network = DsCnn(channels=8, blocks=2).build(n_features, 3)
    logits = network(drawn(4, n_features, frames))
    logits.square().sum().backward()
    assert logits.shape == (4, 3)
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_kernel_and_stride_are_frames_then_features() -> None:
    """The first convolution spans 10 frames and 4 features; strides may differ."""
    network = DsCnn(channels=8, kernel=(10, 4), stride=(3, 1)).build(40, 2)
    first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    assert first.weight.shape == (8, 1, 4, 10)
    assert first(drawn(1, 1, 40, 60)).shape[2:] == (41, 21)


def test_dropout_acts_in_training_alone() -> None:
    """Dropout changes training passes, and no inference."""
    features = drawn(4, 40, 20)
    network = DsCnn(channels=8, dropout=0.5).build(40, 2)
    assert not torch.equal(network(features), network(features))
    network.eval()
    assert torch.equal(network(features), network(features))


def test_rows_do_not_see_each_other_in_inference() -> None:
    """A row's logits do not depend on the batch around it."""
    network, features = DsCnn(channels=8).build(40, 2).eval(), drawn(6, 40, 30)
    torch.testing.assert_close(network(features)[3:4], network(features[3:4]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """Inference is the same on both devices."""
    network, features = DsCnn().build(40, 2).eval(), drawn(4, 40, 60)
    expected = network(features)
    torch.testing.assert_close(network.cuda()(features.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)
