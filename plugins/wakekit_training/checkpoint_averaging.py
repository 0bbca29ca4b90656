"""The callback `checkpoint-averaging`: the mean of the weights after each of the last epochs is validated and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from wakekit import Hooks, TrainingState, option
from wakekit_training.averages import move, put_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn


@attrs.frozen
class CheckpointAveraging:
    """Average the weights after each of the last epochs of a pass, all counting alike (Izmailov et al., 2018).

    Until then the live weights are validated. Buffers of floating point, as BatchNorm's, are averaged too. Validation
    sees the mean of the epochs so far; where a pass is stopped before its last epochs there is no mean, and the run
    says so.
    """

    last: int = option(3, at_least=1, help="epochs at the end of a pass whose weights are averaged")

    def build(self) -> Hooks:
        """Return the hooks of one training."""
        return _Averaging(self.last)


class _Averaging(Hooks):
    def __init__(self, last: int) -> None:
        self.last, self.count = last, 0
        self.average: nn.Module

    def pass_started(self, state: TrainingState) -> None:
        """Put a copy of the weights up for validation and saving."""
        self.average, self.count = put_up(state, "checkpoint-averaging"), 0

    def epoch_ended(self, state: TrainingState) -> None:
        """Copy the live weights, or take them into the mean."""
        if state.pass_epoch >= state.epochs - self.last:
            self.count += 1
        move(self.average, state.model, 1 / max(1, self.count))

    def pass_ended(self, state: TrainingState) -> None:
        """Say so where fewer epochs were averaged than asked for."""
        if self.count < min(self.last, state.epochs):
            state.warn(
                f"checkpoint-averaging: the pass was stopped before its last {self.last} epochs were over, so that "
                f"{self.count} of them are averaged; lower last or the number of epochs"
            )

    def state_dict(self) -> Mapping[str, Any]:
        """Return the mean and how many epochs it is of."""
        return {"average": self.average.state_dict(), "count": self.count}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take both back."""
        self.average.load_state_dict(state["average"])
        self.count = state["count"]
