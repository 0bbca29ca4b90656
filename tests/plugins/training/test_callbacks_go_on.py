"""A training that was killed goes on with its callbacks as if nothing had happened."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.plugins.training.test_trainer import Watch, task
from wakekit.checkpoints import Checkpoints
from wakekit.history import History
from wakekit_training.checkpoint_averaging import CheckpointAveraging
from wakekit_training.early_stopping import EarlyStopping
from wakekit_training.ema import Ema
from wakekit_training.gradient_norm import GradientNorm
from wakekit_training.lr_finder import LrFinder
from wakekit_training.standard import Standard
from wakekit_training.tensorboard import TensorBoard

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit import TrainingState

CALLBACKS: dict[str, Any] = {
    "ema": Ema(decay=0.8, late_decay=0.95, late_from=0.5),
    "checkpoint-averaging": CheckpointAveraging(last=2),
    "gradient-norm": GradientNorm(clip=0.5, spike=1.5),
    "early-stopping": EarlyStopping(measure="dev_eer", patience=2),
    "lr-finder": LrFinder(steps=40, apply=True),
    "tensorboard": TensorBoard(),
}


class KilledError(BaseException):
    """Stands for a kill, which no code gets to see."""


class Before(Checkpoints):
    """One checkpoint, right before a step."""

    def __init__(self, step: int, path: Path) -> None:
        super().__init__(path)
        self.step, self.steps = step, 0

    def due(self) -> bool:
        """Say whether the step is next."""
        self.steps += 1
        return self.steps == self.step


# At the start, between epochs, in the last epoch of a pass, and in that of the second pass.
KILLS = (1, 12, 15, 33)


@pytest.mark.parametrize("name", CALLBACKS)
def test_a_killed_training_goes_on_with_its_callback(name: str, tmp_path: Path) -> None:
    """Wherever it was killed, the weights of every pass and the history are those of a training that was not."""

    def fit(path: Path, kept: Checkpoints, see: Watch) -> tuple[list[dict[str, torch.Tensor]], str]:
        path.mkdir(exist_ok=True)
        given = task(
            history=History(path / "history.jsonl"),
            checkpoints=kept,
            folder=path,
            callbacks={name: CALLBACKS[name], "see": see},
        )
        trained = Standard(epochs=3, passes=2).fit(given)
        return [trained.weights, *trained.earlier], json.dumps(given.history.rows)

    weights, rows = fit(tmp_path / "whole", Checkpoints(), Watch(lambda _: None))
    for step in KILLS:
        folder = tmp_path / str(step)
        with pytest.raises(KilledError):
            fit(folder, Before(step, folder / "checkpoint"), Watch(partial(kill, step)))
        found, again = fit(folder, Before(0, folder / "checkpoint"), Watch(lambda _: None))
        assert again == rows
        for one, two in zip(weights, found, strict=True):
            assert all(torch.equal(one[key], two[key]) for key in one)


def kill(step: int, state: TrainingState) -> None:
    """End the training at a step."""
    if state.step == step:
        raise KilledError
