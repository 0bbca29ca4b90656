"""The `resnet18` model: ResNet-18 (He et al., 2016, arXiv:1512.03385) on spectrograms as images of one channel.

At width 64 it is the ImageNet network but for its first and last layer: large for a wake word, and a strong reference.
"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor, nn

from wakekit import option
from wakekit_models.layers import ConvNorm


@attrs.frozen
class ResNet18:
    """Classify with a ResNet-18."""

    width: int = option(64, at_least=1, help="channels of the first stage; each of the three others doubles them")

    def build(self, n_features: int, n_classes: int) -> nn.Module:  # noqa: ARG002
        """Return features [B, F, T] → logits [B, C]."""
        module = ResNet18Module(self.width, n_classes)
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        return module.to(memory_format=torch.channels_last)


class ResNet18Module(nn.Module):
    """A 7 by 7 head, four stages of two blocks, the average over frequency and time and a linear classifier."""

    def __init__(self, width: int, n_classes: int) -> None:
        super().__init__()
        self.head = nn.Sequential(
            ConvNorm(nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        blocks: list[nn.Module] = [Block(width, width, 1), Block(width, width, 1)]
        for stage in range(3):
            narrow = width * 2**stage
            blocks += [Block(narrow, 2 * narrow, 2), Block(2 * narrow, 2 * narrow, 1)]
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(8 * width, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C] of features [B, F, T]."""
        images = features.unsqueeze(1).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.classifier(self.blocks(self.head(images)).mean(dim=(2, 3)))
        return logits


class Block(nn.Module):
    """Basic block: two 3 by 3 convolutions beside a shortcut, which is projected where the shape changes."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            ConvNorm(nn.Conv2d(narrow, wide, 3, stride=stride, padding=1, bias=False)),
            nn.ReLU(inplace=True),
            ConvNorm(nn.Conv2d(wide, wide, 3, padding=1, bias=False)),
        )
        self.shortcut: nn.Module = nn.Identity()
        if narrow != wide or stride != 1:
            self.shortcut = ConvNorm(nn.Conv2d(narrow, wide, 1, bias=False))
        self.stride = stride

    def forward(self, hidden: Tensor) -> Tensor:
        """Return [B, wide, F / stride, T / stride]."""
        # Positions are picked before the 1 by 1 convolution, not by its stride: the backward pass of a strided one
        # writes outside its memory on CPUs (oneDNN 3.12, channels last, 8 channels or fewer).
        picked = hidden if self.stride == 1 else hidden[:, :, :: self.stride, :: self.stride]
        return torch.relu_(self.residual(hidden) + self.shortcut(picked))
