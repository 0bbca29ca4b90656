"""The callback `early-stopping`: a pass ends when its model has not got better for some epochs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from wakekit import Hooks, TrainingState, option

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class EarlyStopping:
    """End a pass after `patience` epochs without a lower dev loss or equal error rate (Prechelt, 1998).

    Both measures are two-sided: misses and false accepts count, so that a model that never fires is never the best.
    Which weights are kept is the trainer's business (`train.keep`).
    """

    measure: str = option("dev_loss", choices=("dev_loss", "dev_eer"), help="what must fall")
    patience: int = option(5, at_least=1, help="epochs without a better value before the pass ends")
    min_delta: float = option(0.0, at_least=0, help="by how much a value must be lower to be better")
    warmup: int = option(0, at_least=0, help="epochs at the start of a pass that do not count")

    def build(self) -> Hooks:
        """Return the hooks of one training."""
        return _Waiting(self)


class _Waiting(Hooks):
    def __init__(self, options: EarlyStopping) -> None:
        self.options = options
        self.best, self.waited = math.inf, 0

    def pass_started(self, state: TrainingState) -> None:
        """Forget the pass before."""
        del state
        self.best, self.waited = math.inf, 0

    def validated(self, state: TrainingState, row: Mapping[str, float]) -> None:
        """Count the epochs since the best; a measure that is missing or no number is not better."""
        if state.pass_epoch < self.options.warmup:
            return
        value = row.get(self.options.measure, math.nan)
        if value < self.best - self.options.min_delta:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited >= self.options.patience:
            state.stop = True

    def state_dict(self) -> Mapping[str, Any]:
        """Return the best value and the epochs since."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take both back."""
        self.best, self.waited = state["best"], state["waited"]
