"""What the callback `tensorboard` writes, read back with TensorBoard's own reader."""

from __future__ import annotations

import builtins
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.plugins.training.test_trainer import Watch, task
from wakekit import WakekitError
from wakekit.history import History
from wakekit_training.cosine import Cosine
from wakekit_training.standard import Standard
from wakekit_training.tensorboard import TensorBoard

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit import TrainingState


def read(folder: Path) -> dict[str, dict[int, float]]:
    """Return the scalars of a folder of event files by tag and step."""
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


def test_scalars_read_back(tmp_path: Path) -> None:
    """Numbers of an epoch stand at the number of steps so far, and the learning rate at the steps that used it."""
    rates: dict[int, float] = {}

    def see(state: TrainingState) -> None:
        rates[state.step] = state.optimizer.param_groups[0]["lr"]

    history = History()
    callbacks = {"board": TensorBoard(rate_every=5), "see": Watch(see, "gradients_ready")}
    Standard(epochs=2).fit(task(callbacks=callbacks, folder=tmp_path, history=history, schedule=Cosine()))
    found = read(tmp_path)
    epochs = [row for row in history.rows if "epoch" in row]
    for name in ("train_loss", "dev_loss", "dev_eer", "dev_accuracy"):
        assert found[f"epoch/{name}"] == pytest.approx({6: epochs[0][name], 12: epochs[1][name]}, rel=1e-6)
    assert found["learning_rate/group_0"] == pytest.approx({step: rates[step] for step in (0, 5, 10)}, rel=1e-6)
    assert len(set(rates.values())) > 6


def test_going_on_from_a_checkpoint_drops_what_came_after_it(tmp_path: Path) -> None:
    """Events at and after the step that training goes on from are void, those before stay.

    An epoch's numbers are written again where training goes on from between its last step and its validation.
    """
    groups = SimpleNamespace(param_groups=[{"lr": 0.5}])
    state = SimpleNamespace(step=0, folder=tmp_path, optimizer=groups)
    given = cast("TrainingState", state)
    for first, last, rate in ((0, 20, 0.5), (10, 14, 0.25)):
        state.step, groups.param_groups[0]["lr"] = first, rate
        hooks: Any = TensorBoard(rate_every=1).build()
        hooks.fit_started(given)
        if first:
            hooks.validated(given, {"dev_loss": 0.125})
        for step in range(first, last):
            state.step = step
            hooks.gradients_ready(given)
            if step in {4, 9}:
                state.step = step + 1
                hooks.validated(given, {"dev_loss": 0.75, "note": float("nan")})
        hooks.fit_ended(given)
    found = read(tmp_path)
    assert found["learning_rate/group_0"] == {step: 0.5 if step < 10 else 0.25 for step in range(14)}
    assert found["epoch/dev_loss"] == {5: 0.75, 10: 0.125}
    assert "epoch/note" not in found


def test_nothing_from_before_a_checkpoint_is_lost(tmp_path: Path) -> None:
    """What waits in memory when a checkpoint is written is on disk after it, should the process be killed."""
    state = SimpleNamespace(step=0, folder=tmp_path, optimizer=SimpleNamespace(param_groups=[{"lr": 0.5}]))
    hooks: Any = TensorBoard().build()
    hooks.fit_started(cast("TrainingState", state))
    hooks.gradients_ready(cast("TrainingState", state))
    assert hooks.state_dict() == {}
    assert read(tmp_path)["learning_rate/group_0"] == {0: 0.5}
    hooks.fit_ended(cast("TrainingState", state))


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named before training begins."""
    found = builtins.__import__

    def without(name: str, *more: Any, **named: Any) -> Any:
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return found(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(WakekitError, match=r"pip install 'wakekit\[tensorboard\]'"):
        TensorBoard().build()
