"""The `bc-resnet` model: broadcasted residual learning (Kim et al., 2021, arXiv:2106.04140).

Most work is one-dimensional, on features averaged over frequency, and its outcome is broadcast back over frequency. The
model halves frequency three times and normalizes sub-bands, which is why the number of features cannot be just any.
"""

from __future__ import annotations

import attrs
import torch
from torch import Tensor, nn
from torch.nn import functional

from wakekit import WakekitError, option
from wakekit_models.layers import ConvNorm

_BASE = 8
_STAGES = ((1.0, 2, 1, 1), (1.5, 2, 2, 2), (2.0, 4, 2, 4), (2.5, 4, 1, 8))
"""Width in units of the base, blocks, stride over frequency and dilation over time: table 1 of the paper."""


@attrs.frozen
class BcResNet:
    """Classify with a BC-ResNet; tau 1, 1.5, 2, 3, 6 and 8 are the networks of the paper (9.2k to 321k parameters)."""

    tau: float = option(1.0, at_least=0.5, help="width of every layer, relative to the smallest network of the paper")
    sub_bands: int = option(5, at_least=1, help="parts of the frequency axis that are normalized by themselves")
    dropout: float = option(0.1, at_least=0, below=1, help="probability of dropping a channel of a block")

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return features [B, F, T] → logits [B, C]; raises WakekitError where F does not divide into sub-bands."""
        self._check(n_features)
        return BcResNetModule(
            base=round(_BASE * self.tau), sub_bands=self.sub_bands, dropout=self.dropout, n_classes=n_classes
        )

    def _check(self, n_features: int) -> None:
        heights = [-(-n_features // divisor) for divisor in (2, 4, 8)]
        if any(height % self.sub_bands for height in heights):
            step = 8 * self.sub_bands
            raise WakekitError(
                f"expected features whose halves, quarters and eighths divide into {self.sub_bands} sub-bands, "
                f"got {n_features} @ model bc-resnet; choose a multiple of {step} features or other sub_bands"
            )


class BcResNetModule(nn.Module):
    """The network: a 5 by 5 head, four stages of blocks, a 5 by 5 depthwise tail and the average over time."""

    def __init__(self, *, base: int, sub_bands: int, dropout: float, n_classes: int) -> None:
        super().__init__()
        width = 2 * base
        self.head = nn.Sequential(
            ConvNorm(nn.Conv2d(1, width, 5, stride=(2, 1), padding=2, bias=False)), nn.ReLU(inplace=True)
        )
        blocks: list[nn.Module] = []
        for factor, count, stride, dilation in _STAGES:
            wider = int(factor * base)
            blocks.append(Transition(width, wider, stride, _temporal(wider, dilation, dropout), sub_bands))
            blocks += [Block(wider, _temporal(wider, dilation, dropout), sub_bands) for _ in range(count - 1)]
            width = wider
        self.blocks = nn.Sequential(*blocks)
        self.tail = nn.Sequential(
            nn.Conv2d(width, width, (sub_bands, 5), padding=(0, 2), groups=width, bias=False),
            ConvNorm(nn.Conv2d(width, 4 * base, 1, bias=False)),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Linear(4 * base, n_classes)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C] of features [B, F, T]."""
        hidden = self.blocks(self.head(features.unsqueeze(1)))
        logits: Tensor = self.classifier(self.tail(hidden).mean(dim=(2, 3)))
        return logits


class Block(nn.Module):
    """Normal block: y = relu(x + f2(x) + broadcast(f1(average over frequency of f2(x)))), all [B, C, F, T]."""

    def __init__(self, channels: int, temporal: nn.Module, sub_bands: int) -> None:
        super().__init__()
        self.frequency = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), groups=channels, bias=False)
        self.norm = SubSpectralNorm(channels, sub_bands)
        self.temporal = temporal

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the block's output, shaped like `hidden` [B, C, F, T]."""
        spectral = self.norm(self.frequency(hidden))
        return functional.relu_((hidden + spectral).add_(self.temporal(spectral.mean(dim=2, keepdim=True))))


class Transition(nn.Module):
    """Transition block: changes the width, may halve frequency, and has no identity shortcut."""

    def __init__(self, channels: int, wider: int, stride: int, temporal: nn.Module, sub_bands: int) -> None:
        super().__init__()
        self.widen = nn.Sequential(ConvNorm(nn.Conv2d(channels, wider, 1, bias=False)), nn.ReLU(inplace=True))
        self.frequency = nn.Conv2d(wider, wider, (3, 1), stride=(stride, 1), padding=(1, 0), groups=wider, bias=False)
        self.norm = SubSpectralNorm(wider, sub_bands)
        self.temporal = temporal

    def forward(self, hidden: Tensor) -> Tensor:
        """Return [B, wider, F / stride, T]."""
        spectral = self.norm(self.frequency(self.widen(hidden)))
        return functional.relu_(spectral + self.temporal(spectral.mean(dim=2, keepdim=True)))


class SubSpectralNorm(nn.Module):
    """Batch normalization of each channel in each sub-band of frequency (Chang et al., 2021, arXiv:2103.13620)."""

    def __init__(self, channels: int, sub_bands: int) -> None:
        super().__init__()
        self.sub_bands = sub_bands
        self.norm = nn.BatchNorm2d(channels * sub_bands)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the normalized [B, C, F, T]; one batch norm over C · sub_bands channels, through a view."""
        rows, channels, height, time = hidden.shape
        split = hidden.reshape(rows, channels * self.sub_bands, height // self.sub_bands, time)
        return torch.reshape(self.norm(split), hidden.shape)


def _temporal(channels: int, dilation: int, dropout: float) -> nn.Module:
    convolution = nn.Conv2d(
        channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation), groups=channels, bias=False
    )
    mix = nn.Conv2d(channels, channels, 1, bias=False)
    return nn.Sequential(ConvNorm(convolution), nn.SiLU(inplace=True), mix, nn.Dropout2d(dropout))
