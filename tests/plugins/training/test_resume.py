"""A training that is stopped anywhere goes on to the very weights it would have come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch

from tests.training_support import rows, task
from wakekit import Hooks, TrainingState, WakekitError
from wakekit.checkpoints import Checkpoints
from wakekit.history import History
from wakekit.registry import installed
from wakekit_training.ema import Ema
from wakekit_training.standard import Standard

from .test_passes import equal, mined

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Killed(BaseException):
    """What no callback contract catches."""


@attrs.frozen
class Meddling:
    """A callback that is killed at a step, changes gradients from a memory of its own, and adds rows."""

    kill_at: int

    def build(self) -> Hooks:
        """Return the hooks."""
        return _Meddling(self.kill_at)


class _Meddling(Hooks):
    def __init__(self, kill_at: int) -> None:
        self.kill_at, self.scale = kill_at, 1.0

    def gradients_ready(self, state: TrainingState) -> None:
        self.scale *= 0.97
        for parameter in state.model.parameters():
            assert parameter.grad is not None
            parameter.grad.mul_(self.scale)

    def step_ended(self, state: TrainingState) -> None:
        if state.step == self.kill_at:
            raise Killed

    def pass_ended(self, state: TrainingState) -> None:
        if state.pass_number == 0:
            state.add_rows(mined([1, 2, 3]))
            state.record({"added": 3})

    def state_dict(self) -> Mapping[str, Any]:
        return {"scale": self.scale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.scale = state["scale"]


def trained(folder: Path, *, kill_at: int = -1, schedule: str = "cosine", keep: str = "best") -> Any:
    """Train two passes, keeping a checkpoint at every step."""
    components = {
        "optimizer": installed().find("optimizer", "adamw").load()(lr=1e-2),
        "schedule": installed().find("schedule", schedule).load()(),
    }
    history = History(folder / "history.jsonl")
    given = task(
        **components, train=rows(40, 1), callbacks={"ema": Ema(decay=0.9), "meddling": Meddling(kill_at)},
        history=history, folder=folder, checkpoints=Checkpoints(folder / "last.safetensors", seconds=0),
    )  # fmt: skip
    return Standard(epochs=2, passes=2, keep=keep).fit(given), history.rows


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
@pytest.mark.parametrize("kill_at", [0, 1, 2, 3, 5, 6, 8, 11])
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, kill_at: int, schedule: str) -> None:
    """Weights, earlier passes' weights and history are those of a training that was not killed, to the bit."""
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole, rows_whole = trained(tmp_path / "whole", schedule=schedule)
    with pytest.raises(Killed):
        trained(tmp_path / "killed", kill_at=kill_at, schedule=schedule)
    torch.manual_seed(kill_at)
    resumed, rows_resumed = trained(tmp_path / "killed", schedule=schedule)
    assert equal(whole.weights, resumed.weights)
    assert equal(whole.earlier[0], resumed.earlier[0])
    assert rows_whole == rows_resumed
    assert (tmp_path / "whole/history.jsonl").read_text() == (tmp_path / "killed/history.jsonl").read_text()


def test_it_is_gone_on_from_rather_than_repeated(tmp_path: Path) -> None:
    """A resumed training takes only the steps that are left."""
    with pytest.raises(Killed):
        trained(tmp_path, kill_at=7)
    # A kill at the step before the last that was kept does not come again.
    found, _ = trained(tmp_path, kill_at=6)
    assert found.steps == 12


def test_a_checkpoint_of_another_world_is_not_gone_on_from(tmp_path: Path) -> None:
    """Other threads would give other weights, so training starts over."""
    with pytest.raises(Killed):
        trained(tmp_path, kill_at=7)
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.raises(Killed):
            trained(tmp_path, kill_at=6)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("told", ["often", "-1", "nan", "inf"])
def test_a_wrong_interval_is_refused(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    """The variable that sets how often checkpoints are kept takes seconds."""
    monkeypatch.setenv("WAKEKIT_CHECKPOINT_SECONDS", told)
    with pytest.raises(WakekitError, match="WAKEKIT_CHECKPOINT_SECONDS: expected seconds"):
        Checkpoints()
