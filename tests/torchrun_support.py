"""Small trainings to be carried out by one process and by several; as a script, by those that torchrun starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import nn

from tests.training_support import WINDOW, TinyModel, rows, task
from wakekit import ExtraRows, Hooks, TrainingState
from wakekit.batch import AudioTable, Sources
from wakekit.checkpoints import Checkpoints
from wakekit.distributed import joined, take_device, world
from wakekit.history import History
from wakekit_data.gain import Gain
from wakekit_data.mixup import Mixup
from wakekit_data.noise import Noise
from wakekit_data.shift import Shift
from wakekit_data.spec_augment import SpecAugment
from wakekit_training.cosine import Cosine
from wakekit_training.early_stopping import EarlyStopping
from wakekit_training.ema import Ema
from wakekit_training.gradient_norm import GradientNorm
from wakekit_training.lr_finder import LrFinder
from wakekit_training.shuffle import Shuffle
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from wakekit.training import Trained


_CPU = torch.device("cpu")


@attrs.frozen
class Normalized:
    """A model component with BatchNorm and without dropout, which GPUs draw as they like."""

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module."""
        layers = nn.Flatten(), nn.Linear(n_features * 4, 8), nn.BatchNorm1d(8), nn.Tanh()
        return nn.Sequential(*layers, nn.Linear(8, n_classes))


@attrs.frozen
class Plain:
    """A model component without BatchNorm; with dropout of elements and of channels, and a layer that is not used."""

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module."""
        return _Plain(n_features * 4, n_classes)


class _Plain(nn.Module):
    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.front = nn.Sequential(nn.Flatten(), nn.Linear(n_features, 8), nn.Tanh(), nn.Dropout(0.2))
        self.channels, self.back, self.unused = nn.Dropout1d(0.2), nn.Linear(8, n_classes), nn.Linear(2, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits."""
        hidden = self.front(features).view(-1, 4, 2)
        logits: Tensor = self.back(self.channels(hidden).flatten(1))
        return logits


@attrs.frozen
class MoreRows:
    """A callback component that adds rows after the first pass: others in each process, as if GPUs disagreed."""

    def build(self) -> Hooks:
        """Return the hooks."""
        return _MoreRows()


class _MoreRows(Hooks):
    def pass_ended(self, state: TrainingState) -> None:
        """Add three rows, and begin anew where this is the first process."""
        if state.pass_number == 0:
            start = (torch.tensor([3, 5, 8]) + world().rank) * WINDOW
            found = {"slack": torch.zeros_like(start), "low": start, "high": start + WINDOW}
            state.add_rows(ExtraRows(start=start, **found, provenance=({}, {}, {})))
            state.restart = world().first


@attrs.frozen
class Killed(Hooks):
    """A callback component, and its hooks, that raises at a step."""

    at: int

    def build(self) -> Hooks:
        """Return the hooks."""
        return self

    def step_ended(self, state: TrainingState) -> None:
        """Raise in every process."""
        if state.step == self.at:
            raise KeyboardInterrupt


def _augmentations() -> dict[str, Any]:
    noise = rows(12, 5)
    table = AudioTable(noise.audio, noise.start, torch.full_like(noise.start, WINDOW), 1000)
    sources = Sources(table, table, 1000)
    waveform = (Noise(probability=0.7), Gain(), Shift(seconds=(-0.01, 0.01)))
    return {
        "waveform_augmentations": tuple(each.build(sources) for each in waveform),
        "feature_augmentations": tuple(
            each.build(sources) for each in (SpecAugment(time_frames=2, time_share=0.5, frequency_bands=0), Mixup())
        ),
    }


def trainings() -> dict[str, tuple[Standard, dict[str, Any]]]:
    """Return each training by name: its trainer, and what its task has that others have not."""
    watchers = {
        "ema": Ema(decay=0.8), "norm": GradientNorm(clip=0.5), "stop": EarlyStopping(patience=1, min_delta=0.02),
        "rates": LrFinder(start=1e-4, end=0.3, steps=30, apply=True),
    }  # fmt: skip
    return {
        "uneven": (Standard(epochs=3), {"sampler": Shuffle(batch_size=17), "schedule": Cosine()}),
        "accumulated": (Standard(epochs=2, accumulate=3), {"sampler": Shuffle(batch_size=7)}),
        "augmented": (Standard(epochs=3), {"sampler": Shuffle(batch_size=13), **_augmentations()}),
        "idle": (Standard(epochs=2), {"train": rows(7, 1), "sampler": Shuffle(batch_size=1), **_augmentations()}),
        "watched": (Standard(epochs=6, keep="best"), {"callbacks": watchers}),
        "passes": (Standard(epochs=2, passes=2), {"callbacks": {"more": MoreRows()}}),
        "scheduled": (Standard(epochs=3), {"sampler": Shuffle(batch_size=17), "schedule": Cosine()}),
        "synchronized": (Standard(epochs=2), {"model": Normalized(), "sampler": Shuffle(batch_size=17)}),
        "one step": (
            Standard(epochs=1),
            {"train": rows(17, 1), "model": TinyModel(), "sampler": Shuffle(batch_size=17)},
        ),
        "normalized": (Standard(epochs=2), {"model": TinyModel(), "sampler": Shuffle(batch_size=17)}),
    }


def fit(name: str, folder: Path, device: torch.device = _CPU) -> tuple[Trained, list[Mapping[str, Any]]]:
    """Carry out a training; return its outcome and its history."""
    trainer, changes = trainings()[name]
    folder.mkdir(parents=True, exist_ok=True)
    history = History()
    given = task(
        **{"train": rows(91, 1), "model": Plain(), "history": history, "folder": folder, "device": device, **changes}
    )
    return trainer.fit(given), history.rows


def resumed(folder: Path) -> tuple[Trained, list[Mapping[str, Any]]]:
    """Carry out a training that is interrupted once and goes on."""
    shared, own = folder / "shared", folder / f"own-{world().rank}"
    for each in (shared, own):
        each.mkdir(parents=True, exist_ok=True)
    for at in (9, -1):
        history = History(own / "history.jsonl")
        given = task(
            train=rows(91, 1), model=Plain(), sampler=Shuffle(batch_size=17), schedule=Cosine(), history=history,
            callbacks={"kill": Killed(at)}, folder=own, checkpoints=Checkpoints(shared / "checkpoint", seconds=0),
        )  # fmt: skip
        try:
            return Standard(epochs=3).fit(given), history.rows
        except KeyboardInterrupt:
            continue
    raise AssertionError


def main(out: Path, device: torch.device) -> None:
    """Carry out all trainings and leave each one's weights and history, of every process."""
    torch.set_num_threads(1)
    with joined() as here:
        take_device(device)
        for name in trainings():
            trained, history = fit(name, out / f"{name}-{here.rank}", device)
            _leave(out / f"{name}-{here.rank}.pt", trained, history)
        _leave(out / f"resumed-{here.rank}.pt", *resumed(out / "resumed"))


def _leave(path: Path, trained: Trained, history: list[Mapping[str, Any]]) -> None:
    torch.save({"weights": trained.weights, "steps": trained.steps, "history": json.dumps(history)}, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), torch.device(sys.argv[2] if len(sys.argv) > 2 else "cpu"))
