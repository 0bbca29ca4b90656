"""The layer that all architectures here share: a convolution with its batch normalization.

In inference both are one convolution, which on a CPU saves a pass over memory for every layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ConvNorm(nn.Module):
    """Batch normalization of a convolution that has no bias; [B, C, F, T] → [B, C', F', T']."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the normalized convolution, with the running statistics folded into its weights in inference."""
        if self.training:
            normalized: Tensor = self.norm(self.conv(hidden))
            return normalized
        weight, bias = self._folded()
        conv = self.conv
        return functional.conv2d(hidden, weight, bias, conv.stride, conv.padding, conv.dilation, conv.groups)

    def _folded(self) -> tuple[Tensor, Tensor]:
        norm = self.norm
        scale = norm.weight * torch.rsqrt(norm.get_buffer("running_var") + norm.eps)
        return self.conv.weight * scale[:, None, None, None], norm.bias - norm.get_buffer("running_mean") * scale
