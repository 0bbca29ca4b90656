"""The optimizer `sgd`: stochastic gradient descent with momentum."""

from __future__ import annotations

import attrs
import torch
from torch import nn

from wakekit import option


@attrs.frozen
class SGD:
    """torch.optim.SGD, fused on CUDA."""

    lr: float = option(0.1, above=0, help="learning rate")
    momentum: float = option(0.9, at_least=0, below=1, help="momentum")
    nesterov: bool = option(default=False, help="look ahead along the momentum")
    weight_decay: float = option(0.0, at_least=0, help="L2 penalty")

    def __attrs_post_init__(self) -> None:
        """Refuse what torch would refuse, in the recipe's words."""
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov needs a momentum above 0")

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer of the model's parameters."""
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return torch.optim.SGD(
            parameters,
            lr=self.lr,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            fused=all(parameter.is_cuda for parameter in parameters),
        )
