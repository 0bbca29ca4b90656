"""The `tc-resnet` model: temporal convolutions (Choi et al., 2019, arXiv:1904.03814).

The features of a frame are the channels of one-dimensional convolutions over time, so that already the first layer sees
all frequencies, and there is far less to compute than on two-dimensional maps.
"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor, nn

from wakekit import option
from wakekit_models.layers import ConvNorm

_FIRST = 16
_BLOCKS = {8: (24, 32, 48), 14: (24, 24, 32, 32, 48, 48)}
"""Channels of each residual block, by the depth that the paper names the network after."""


@attrs.frozen
class TcResNet:
    """Classify with TC-ResNet8, TC-ResNet14 or, at width 1.5, TC-ResNet8-1.5 and TC-ResNet14-1.5 of the paper."""

    depth: int = option(8, choices=tuple(_BLOCKS), help="layers: three residual blocks, or six")
    width: float = option(1.0, at_least=0.1, help="channels of every layer, relative to the paper's smaller networks")
    dropout: float = option(0.5, at_least=0, below=1, help="probability of dropping a pooled channel")

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return features [B, F, T] → logits [B, C]."""
        first, *others = (max(1, int(self.width * channels)) for channels in (_FIRST, *_BLOCKS[self.depth]))
        head = ConvNorm(nn.Conv2d(n_features, first, (1, 3), padding=(0, 1), bias=False))
        layers: list[nn.Module] = [head, nn.ReLU(inplace=True)]
        for narrow, wide in zip((first, *others), others, strict=False):
            layers.append(Block(narrow, wide))
        classifier = nn.Linear(others[-1], n_classes, bias=False)
        return TcResNetModule(nn.Sequential(*layers), nn.Dropout(self.dropout), classifier)


class TcResNetModule(nn.Module):
    """A head of 3 frames, residual blocks, the average over time, dropout and a linear classifier without bias."""

    def __init__(self, layers: nn.Module, dropout: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        self.dropout = dropout
        self.classifier = classifier

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C] of features [B, F, T]."""
        hidden = self.layers(features.unsqueeze(2))
        logits: Tensor = self.classifier(self.dropout(hidden.mean(dim=(2, 3))))
        return logits


class Block(nn.Module):
    """Two convolutions of 9 frames beside a shortcut; where the width changes, time is halved and the shortcut learns.

    The learnt shortcut has a ReLU of its own, as in the authors' networks.
    """

    def __init__(self, narrow: int, wide: int) -> None:
        super().__init__()
        self.stride = 1 if narrow == wide else 2
        self.residual = nn.Sequential(
            ConvNorm(nn.Conv2d(narrow, wide, (1, 9), stride=(1, self.stride), padding=(0, 4), bias=False)),
            nn.ReLU(inplace=True),
            ConvNorm(nn.Conv2d(wide, wide, (1, 9), padding=(0, 4), bias=False)),
        )
        self.shortcut: nn.Module = nn.Identity()
        if narrow != wide:
            self.shortcut = nn.Sequential(ConvNorm(nn.Conv2d(narrow, wide, 1, bias=False)), nn.ReLU(inplace=True))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return [B, wide, 1, T'] of `hidden` [B, narrow, 1, T]; T' is T, or half of it rounded up."""
        # Frames are picked before the 1 by 1 convolution: some CPUs' backward pass of a strided one is wrong.
        return torch.relu_(self.residual(hidden) + self.shortcut(hidden[..., :: self.stride]))
