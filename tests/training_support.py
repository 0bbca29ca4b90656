"""A small training task, and a callback that watches it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from wakekit import Hooks, TrainingState
from wakekit.checkpoints import Checkpoints
from wakekit.history import History
from wakekit.prepared import Placed, SplitAudio
from wakekit.progress import Silence
from wakekit.rows import Rows
from wakekit.training import TrainTask
from wakekit_training.adamw import AdamW
from wakekit_training.constant import Constant
from wakekit_training.shuffle import Shuffle

WINDOW = 40


@attrs.frozen
class TinyModel:
    """A model component with BatchNorm and dropout, so that random state and buffers matter."""

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module."""
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(n_features * 4, 8),
            nn.BatchNorm1d(8),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(8, n_classes),
        )


@attrs.frozen
class Mean:
    """A loss component: cross-entropy."""

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return torch's own."""
        return nn.functional.cross_entropy


class Blocks(nn.Module):
    """A frontend: energies of four blocks."""

    def forward(self, audio: Tensor) -> Tensor:
        """Return [B, 1, 4]."""
        return audio.view(len(audio), 1, 4, -1).square().mean(dim=3)


def rows(count: int, seed: int) -> Rows:
    """Return rows of noise whose level tells the class."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    audio = torch.randn(count, WINDOW, generator=generator) * (2000 + 6000 * labels.unsqueeze(1))
    start = torch.arange(count) * WINDOW
    return Rows(
        audio=audio.clamp(-32768, 32767).to(torch.int16).flatten(),
        start=start,
        slack=torch.zeros(count, dtype=torch.int64),
        low=start,
        high=start + WINDOW,
        labels=labels,
        pools={"positive": torch.nonzero(labels)[:, 0], "negative": torch.nonzero(labels == 0)[:, 0]},
        window=WINDOW,
        sample_rate=1000,
    )


def task(**changes: Any) -> TrainTask:
    """Return a small training task."""
    train = rows(90, 1)
    audio = SplitAudio("train", "word", 1000, train.audio, *[Placed((), train.start[:0], train.start[:0])] * 3)
    settled = {
        "train": train, "dev": rows(40, 2), "audio": audio, "network": lambda model: model,
        "frontend": Blocks(), "normalizer": nn.Identity(), "n_features": 1,
        "n_classes": 2, "model": TinyModel(), "loss": Mean(), "optimizer": AdamW(lr=1e-2), "schedule": Constant(),
        "sampler": Shuffle(batch_size=16), "callbacks": {}, "waveform_augmentations": (), "feature_augmentations": (),
        "device": torch.device("cpu"), "precision": "float32", "seed": 0, "progress": Silence(),
        "history": History(), "checkpoints": Checkpoints(), "folder": Path(),
    } | changes  # fmt: skip
    return TrainTask(**settled)


@attrs.frozen
class Watch:
    """A callback component that hands its state to a function at every step."""

    see: Callable[[TrainingState], None]
    when: str = "step_ended"

    def build(self) -> Hooks:
        """Return hooks."""
        hooks = _Watching()
        setattr(hooks, self.when, self.see)
        return hooks


class _Watching(Hooks):
    pass
