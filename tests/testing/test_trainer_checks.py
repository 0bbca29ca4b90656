"""The checks of trainers: each finds what it is meant for, in a good trainer that one thing was done to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch

from tests.testing.support import failures_on, unproved
from wakekit import Hooks, TrainingState
from wakekit.checkpoints import Checkpoints
from wakekit.errors import WakekitError
from wakekit.history import History
from wakekit.training import DivergedError, Trained, TrainTask
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from pathlib import Path


@attrs.frozen
class Good:
    """Trains as the first-party trainer does, for one pass."""

    def fit(self, task: TrainTask) -> Trained:
        """Train."""
        return Standard(epochs=2).fit(self.given(task))

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task that is carried out."""
        return task


class _Meddling(Hooks):
    """The hooks of another callback, between whose calls something is done to the state."""

    def __init__(self, name: str, value: Any) -> None:
        self.name, self.value = name, value

    def step_ended(self, state: TrainingState) -> None:
        setattr(state, self.name, self.value(state))

    epoch_ended = step_ended


@attrs.frozen(eq=False)
class Meddler:
    """A callback that sets something after every step and epoch."""

    name: str
    value: Any

    def build(self) -> Hooks:
        """Return the hooks."""
        return _Meddling(self.name, self.value)


@attrs.frozen
class Renamed(Good):
    """Returns weights under other names."""

    def fit(self, task: TrainTask) -> Trained:
        """Train."""
        trained = super().fit(task)
        return attrs.evolve(trained, weights={f"model.{name}": value for name, value in trained.weights.items()})


@attrs.frozen
class Rounding(Good):
    """Returns weights that are not those validated, but nearly."""

    def fit(self, task: TrainTask) -> Trained:
        """Train."""
        trained = super().fit(task)
        return attrs.evolve(trained, weights={name: value * (1 + 1e-6) for name, value in trained.weights.items()})


@attrs.frozen
class Idle(Good):
    """Does not learn."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task with a rate of next to nothing."""
        return attrs.evolve(task, optimizer=attrs.evolve(task.optimizer, lr=1e-9))


@attrs.frozen
class OneSeed(Good):
    """Trains with a seed of its own."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, seed=5)


@attrs.frozen
class CallersSeed(Good):
    """Trains with the seed that the caller's random state has."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, seed=torch.initial_seed() % 1000)


@attrs.frozen
class Greedy(Good):
    """Trains on dev too."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, train=task.dev)


@attrs.frozen
class Backwards(Good):
    """Calls callbacks from the last to the first."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, callbacks=dict(reversed(task.callbacks.items())))


@attrs.frozen(eq=False)
class Mute:
    """A callback of which one hook is not called."""

    inner: Any
    hook: str

    def build(self) -> Hooks:
        """Return the hooks."""
        hooks: Hooks = self.inner.build()
        setattr(hooks, self.hook, lambda *_: None)
        return hooks


@attrs.frozen
class Forgetful(Good):
    """Does not call epoch_ended."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, callbacks={name: Mute(one, "epoch_ended") for name, one in task.callbacks.items()})


@attrs.frozen
class Miscounting(Good):
    """Returns a step more than it took."""

    def fit(self, task: TrainTask) -> Trained:
        """Train."""
        trained = super().fit(task)
        return attrs.evolve(trained, steps=trained.steps + 1)


@attrs.frozen
class Stubborn(Good):
    """Does not stop."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, callbacks={**task.callbacks, "on": Meddler("stop", lambda _: False)})


@attrs.frozen
class Live(Good):
    """Validates and returns the live weights, whatever callbacks put up."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, callbacks={**task.callbacks, "live": Meddler("evaluated", lambda state: state.model)})


class _Resetting(Hooks):
    def pass_started(self, state: TrainingState) -> None:
        for group in state.optimizer.param_groups:
            group["lr"] = 0.01


@attrs.frozen
class Reset:
    """A callback that sets the rate of every pass."""

    def build(self) -> Hooks:
        """Return the hooks."""
        return _Resetting()


@attrs.frozen
class Own(Good):
    """Trains with a rate of its own."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, callbacks={**task.callbacks, "rate": Reset()}, schedule=NoSchedule())


@attrs.frozen
class NoSchedule:
    """A schedule that leaves rates alone."""

    def build(self, optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
        """Return the scheduler."""
        del steps
        return torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda _: 1.0)


@attrs.frozen
class Secretive(Good):
    """Keeps its history to itself."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, history=History())


@attrs.frozen
class Dry(Good):
    """Leaves augmentations of waveforms out."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        return attrs.evolve(task, waveform_augmentations=())


@attrs.frozen
class Brave(Good):
    """Returns zeros where training diverges."""

    def fit(self, task: TrainTask) -> Trained:
        """Train."""
        try:
            return super().fit(task)
        except DivergedError:
            return Trained({}, 1, 1)


@attrs.frozen
class Careless(Good):
    """Goes on where a callback fails."""

    def fit(self, task: TrainTask) -> Trained:
        """Train."""
        try:
            return super().fit(task)
        except WakekitError:
            return super().fit(attrs.evolve(task, callbacks={}))


@attrs.frozen
class Anew(Good):
    """Goes on with another seed after a kill."""

    def given(self, task: TrainTask) -> TrainTask:
        """Return the task."""
        if task.checkpoints.load() is None:
            return task
        return attrs.evolve(task, checkpoints=Checkpoints(), seed=task.seed + 1)


@attrs.frozen
class Loud(Good):
    """Seeds the caller's random state."""

    def fit(self, task: TrainTask) -> Trained:
        """Train."""
        torch.manual_seed(task.seed)
        return super().fit(task)


def test_a_good_trainer_passes(tmp_path: Path) -> None:
    """No check complains of a trainer that keeps the contract."""
    assert failures_on("trainer", Good, tmp_path) == {}


BROKEN = [
    (Renamed, "weights-load", "model.1.weight"),
    (Idle, "learns", "before training and"),
    (Rounding, "weights-are-those-validated", "no validation has seen"),
    (OneSeed, "seeded", "with another seed the weights are the same"),
    (CallersSeed, "seeded", "with the same seed"),
    (Greedy, "dev-only-validates", "with other rows in dev"),
    (Backwards, "hooks-in-order", "another is told fit_started out of order"),
    (Forgetful, "hooks-in-order", "expected the order of wakekit.callbacks"),
    (Miscounting, "counts-right", "it returns (steps, epochs, passes) (13, 2, 1)"),
    (Stubborn, "stops-when-asked", "a pass has 2"),
    (Live, "callbacks-decide", "what a callback put in `evaluated`"),
    (Own, "rates-hold", "learning rates were set to 0"),
    (Secretive, "records", "have a row with dev_loss"),
    (Dry, "augments", "what an augmentation of waveforms returned"),
    (Brave, "divergence-told", "it returns weights"),
    (Careless, "failing-callback-named", "training went on"),
    (Anew, "goes-on-after-a-kill", "after a kill, the weights"),
    (Loud, "global-state-untouched", "torch"),
]


@pytest.mark.parametrize(("cls", "check", "words"), BROKEN)
def test_a_broken_trainer_is_caught(cls: type, check: str, words: str, tmp_path: Path) -> None:
    """The check that is meant for the mistake tells of it."""
    assert words in failures_on("trainer", cls, tmp_path, only={check}).get(check, "nothing")


def test_every_check_is_proved() -> None:
    """There is no check of trainers that no broken one above is caught by."""
    assert unproved("trainer", {check for _, check, _ in BROKEN}) == set()
