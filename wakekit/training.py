"""The training contract: what a trainer is given and returns. Callbacks have theirs in `wakekit.callbacks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import torch
from torch import Tensor, nn

from wakekit.batch import Batch
from wakekit.checkpoints import Checkpoints
from wakekit.errors import WakekitError
from wakekit.history import History
from wakekit.kinds import Callback, Loss, Model, Optimizer, Sampler, Schedule
from wakekit.network import Network
from wakekit.prepared import SplitAudio
from wakekit.progress import Progress
from wakekit.rows import Rows


@attrs.frozen(eq=False, kw_only=True)
class TrainTask:
    """Everything a trainer needs.

    `audio` is the train split that the rows of `train` lie in. `waveform_augmentations` and `feature_augmentations` are
    built and apply in order. `frontend` and `normalizer` are modules on `device`; the normalizer is fitted, and the
    first `context_frames` of what it gives are dropped. `network` puts both and a model together. `precision` is
    `float32` or `bfloat16` (autocast). Callbacks' files go to `folder`, the rows of history to `history`.
    """

    train: Rows
    dev: Rows
    audio: SplitAudio
    frontend: nn.Module
    normalizer: nn.Module
    network: Callable[[nn.Module], Network]
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
    history: History
    checkpoints: Checkpoints
    folder: Path
    context_frames: int = 0

    def features(self, audio: Tensor) -> Tensor:
        """Return normalized features [B, F, T] of windows with their context, audio [B, context + S]."""
        normalized: Tensor = self.normalizer(self.frontend(audio))
        return normalized[..., self.context_frames :]


@attrs.frozen(eq=False)
class Trained:
    """The outcome of a training: weights of the model (CPU tensors) that were also the ones last validated.

    `earlier` are those of the passes before the last.
    """

    weights: dict[str, Tensor]
    epochs: int
    steps: int
    earlier: tuple[dict[str, Tensor], ...] = ()


class DivergedError(WakekitError):
    """The loss is no longer a number; `weights` are the last good ones, None where there were none."""

    def __init__(self, epoch: int, step: int, weights: dict[str, Tensor] | None) -> None:
        super().__init__(
            f"training diverged: the loss is not finite at epoch {epoch}, step {step}; "
            "lower the learning rate, add warm-up or clip gradients"
        )
        self.weights = weights
