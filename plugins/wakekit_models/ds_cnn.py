"""The `ds-cnn` model: depthwise separable convolutions for keyword spotting (Zhang et al., 2017, arXiv:1711.07128).

The first convolution takes large strides, so everything after it works on a quarter of the positions: the model to
train on a CPU. It takes any number of features and frames.
"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor, nn

from wakekit import option
from wakekit_models.layers import ConvNorm


@attrs.frozen
class DsCnn:
    """Classify with a DS-CNN; the defaults are the smallest network of the paper."""

    channels: int = option(64, at_least=1, help="width of every layer")
    blocks: int = option(4, at_least=0, help="number of depthwise separable blocks")
    kernel: tuple[int, int] = option((10, 4), at_least=1, help="frames and features that the first convolution sees")
    stride: tuple[int, int] = option((2, 2), at_least=1, help="its steps over frames and features")
    dropout: float = option(0.1, at_least=0, below=1, help="probability of dropping a pooled channel")

    def build(self, n_features: int, n_classes: int) -> nn.Module:  # noqa: ARG002
        """Return features [B, F, T] → logits [B, C]."""
        head = nn.Conv2d(1, self.channels, self.kernel[::-1], self.stride[::-1], _half(self.kernel), bias=False)
        layers: list[nn.Module] = [ConvNorm(head), nn.ReLU(inplace=True)]
        for _ in range(self.blocks):
            layers += _separable(self.channels)
        module = DsCnnModule(nn.Sequential(*layers), nn.Dropout(self.dropout), nn.Linear(self.channels, n_classes))
        return module.to(memory_format=torch.channels_last)


def _half(kernel: tuple[int, int]) -> tuple[int, int]:
    return kernel[1] // 2, kernel[0] // 2


def _separable(channels: int) -> list[nn.Module]:
    depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    pointwise = nn.Conv2d(channels, channels, 1, bias=False)
    return [ConvNorm(depthwise), nn.ReLU(inplace=True), ConvNorm(pointwise), nn.ReLU(inplace=True)]


class DsCnnModule(nn.Module):
    """Convolutions, the average over frequency and time, dropout and a linear classifier."""

    def __init__(self, layers: nn.Module, dropout: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.dropout = dropout
        self.classifier = classifier

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C] of features [B, F, T]."""
        images = features.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.classifier(self.dropout(self.layers(images).mean(dim=(2, 3))))
        return logits
