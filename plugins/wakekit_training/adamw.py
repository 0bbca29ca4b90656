"""The optimizer `adamw`: Adam with decoupled weight decay (Loshchilov and Hutter, 2019)."""

from __future__ import annotations

import attrs
import torch
from torch import nn

from wakekit import option


@attrs.frozen
class AdamW:
    """torch.optim.AdamW, fused on CUDA; biases and normalization weights are not decayed."""

    lr: float = option(1e-3, above=0, help="learning rate")
    weight_decay: float = option(0.01, at_least=0, help="decoupled weight decay")
    betas: tuple[float, float] = option((0.9, 0.999), at_least=0, below=1, help="decay of the two moments")
    eps: float = option(1e-8, above=0, help="added to the denominator")

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of the model's parameters."""
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        groups = [
            {
                "params": [parameter for parameter in parameters if parameter.ndim > 1],
                "weight_decay": self.weight_decay,
            },
            {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
        ]
        fused = all(parameter.is_cuda for parameter in parameters)
        used = [group for group in groups if group["params"]]
        return torch.optim.AdamW(used, lr=self.lr, betas=self.betas, eps=self.eps, fused=fused)
