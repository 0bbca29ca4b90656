"""The training contract: what a trainer is given and returns, and what callbacks see and may change.

Callbacks are called in the order of the recipe. Each may read the whole `TrainingState`, add rows to the history with
`record`, and change: the learning rate and gradients through `optimizer` and `model`, `evaluated` (the module that is
validated and saved), and `stop`. It
never sees a detector, calibrator or operating point. A callback that raises ends the training with its error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import attrs
import torch
from torch import Tensor, nn

from wakekit.batch import Batch
from wakekit.errors import WakekitError
from wakekit.kinds import Callback, Loss, Model, Optimizer, Sampler, Schedule
from wakekit.progress import Progress
from wakekit.rows import Rows


@attrs.frozen(eq=False, kw_only=True)
class TrainTask:
    """Everything a trainer needs.

    `waveform_augmentations` and `feature_augmentations` are built and apply in order. `frontend` and `normalizer` are
    modules on `device`; the normalizer is fitted. `record` takes one JSON-ready row of history at a time. `precision`
    is `float32` or `bfloat16` (autocast).
    """

    train: Rows
    dev: Rows
    frontend: nn.Module
    normalizer: nn.Module
    n_features: int
    n_classes: int
    model: Model
    loss: Loss
    optimizer: Optimizer
    schedule: Schedule
    sampler: Sampler
    callbacks: Mapping[str, Callback]
    waveform_augmentations: tuple[Callable[[Batch], Batch], ...]
    feature_augmentations: tuple[Callable[[Batch], Batch], ...]
    device: torch.device
    precision: str
    seed: int
    progress: Progress
    record: Callable[[Mapping[str, Any]], None]


@attrs.define(eq=False)
class TrainingState:
    """Training as callbacks see it; `epoch` and `step` count from 0, `step` over the whole training.

    `evaluated` is the module that is validated and saved: the model itself unless a callback puts another there.
    `record` adds a row to `history.jsonl`; the points of a curve that the report shall draw have the keys `series` (its
    name), `x`, `y`, and where wanted `x_label`, `x_log` (true for a logarithmic axis) and `mark` (true for a point to
    mark).
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    evaluated: nn.Module
    epochs: int
    steps: int
    record: Callable[[Mapping[str, Any]], None]
    epoch: int = 0
    step: int = 0
    loss: Tensor | None = None
    stop: bool = False


class Hooks(Protocol):
    """What a callback is told; derive from it and write the hooks you need, the others do nothing."""

    def fit_started(self, state: TrainingState) -> None:
        """Training is about to begin: model and optimizer exist."""
        return

    def step_ended(self, state: TrainingState) -> None:
        """The optimizer has stepped."""
        return

    def epoch_ended(self, state: TrainingState) -> None:
        """An epoch is over and has not been validated yet."""
        return

    def fit_ended(self, state: TrainingState) -> None:
        """Training is over."""
        return


@attrs.frozen(eq=False)
class Trained:
    """The outcome of a training: weights of the model (CPU tensors) that were also the ones last validated."""

    weights: dict[str, Tensor]
    epochs: int
    steps: int


class DivergedError(WakekitError):
    """The loss is no longer a number; `weights` are the last good ones, None where there were none."""

    def __init__(self, epoch: int, step: int, weights: dict[str, Tensor] | None) -> None:
        super().__init__(
            f"training diverged: the loss is not finite at epoch {epoch}, step {step}; "
            "lower the learning rate, add warm-up or clip gradients"
        )
        self.weights = weights
