"""The `weight-size` callback."""

from typing import Any, ClassVar

import attrs
import torch

from wakekit import Hooks, TrainingState


@attrs.frozen
class WeightSize:
    """Record the largest weight after every epoch."""

    observes: ClassVar[bool] = True

    def build(self) -> Hooks:
        """Return the hooks of one training."""
        return _Watch()


class _Watch(Hooks):
    @torch.no_grad()
    def validated(self, state: TrainingState, row: Any) -> None:
        del row
        largest = max(float(weight.abs().max()) for weight in state.model.parameters())
        state.record({"series": "largest weight", "x": state.step, "y": largest, "x_label": "step"})
