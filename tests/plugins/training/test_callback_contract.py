"""What a stranger's callback may do by the contract, and that it comes to what the contract says."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
import torch

from tests.training_support import WINDOW, Watch, rows, task
from wakekit import ExtraRows, Hooks, TrainingState
from wakekit.checkpoints import Checkpoints
from wakekit.errors import PluginError
from wakekit.history import History
from wakekit.training import DivergedError
from wakekit_training.cosine import Cosine
from wakekit_training.ema import Ema
from wakekit_training.standard import Standard

from .test_callbacks_go_on import Before, KilledError, kill
from .test_passes import equal, mined

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@attrs.frozen
class Remembering:
    """A callback component whose hooks fail at one thing."""

    hook: str

    def build(self) -> Hooks:
        """Return the hooks, or fail."""
        if self.hook == "build":
            raise KeyError("lost")
        return _Remembering(self.hook)


class _Remembering(Hooks):
    def __init__(self, hook: str) -> None:
        self.hook = hook

    def state_dict(self) -> Mapping[str, Any]:
        if self.hook == "state_dict":
            raise KeyError("lost")
        return {}


@pytest.mark.parametrize("hook", ["build", "state_dict"])
def test_a_callback_that_fails_outside_its_hooks_is_named_too(hook: str, tmp_path: Path) -> None:
    """Its name and line are told where it cannot be built or gives no state."""
    kept = Checkpoints(tmp_path / "checkpoint", seconds=0)
    with pytest.raises(PluginError, match=r"callback mine \(.*\) failed: KeyError: 'lost' @ .*contract.py:\d+"):
        Standard(epochs=1).fit(task(callbacks={"mine": Remembering(hook)}, checkpoints=kept))


def test_a_pass_has_an_epoch_whenever_it_is_stopped() -> None:
    """A pass that is to stop before it has begun ends after its first epoch."""

    def stop(state: TrainingState) -> None:
        state.stop = True

    assert Standard(epochs=3).fit(task(callbacks={"stop": Watch(stop, "pass_started")})).epochs == 1


@pytest.mark.parametrize("asked", ["stop", "restart"])
def test_what_was_asked_for_before_a_kill_holds_after_it(asked: str, tmp_path: Path) -> None:
    """A wish of a step before the checkpoint, to end the pass or to begin the next anew, is not forgotten."""

    def ask(state: TrainingState) -> None:
        if state.step == 1:
            setattr(state, asked, True)

    def fit(kept: Checkpoints, at: int) -> Any:
        callbacks = {"ask": Watch(ask), "kill": Watch(lambda state: kill(at, state))}
        return Standard(epochs=2, passes=2).fit(task(callbacks=callbacks, checkpoints=kept))

    with pytest.raises(KilledError):
        fit(Before(4, tmp_path / "checkpoint"), 4)
    again, whole = fit(Before(0, tmp_path / "checkpoint"), -1), fit(Checkpoints(), -1)
    assert again.epochs == whole.epochs
    assert equal(again.weights, whole.weights)


def test_the_last_loss_is_there_after_a_kill(tmp_path: Path) -> None:
    """`loss` is that of the step before, also in the first step after going on."""
    seen: dict[int, float | None] = {}

    def see(state: TrainingState) -> None:
        found = None if state.loss is None else float(state.loss)
        assert seen.setdefault(state.step, found) == found

    for place, at in ((Before(4, tmp_path / "checkpoint"), 4), (Before(0, tmp_path / "checkpoint"), -1)):
        callbacks = {"see": Watch(see, "gradients_ready"), "kill": Watch(lambda state, at=at: kill(at, state))}
        try:
            Standard(epochs=1).fit(task(callbacks=callbacks, checkpoints=place))
        except KilledError:
            seen = {step: loss for step, loss in seen.items() if step <= 4}
    assert len(seen) == 6
    assert None not in list(seen.values())[1:]


def adding(state: TrainingState) -> None:
    """Add rows in the first pass, at its third step."""
    if state.step == 2:
        state.add_rows(mined([3, 5, 7]))


def test_rows_added_within_a_pass_wait_for_the_next(tmp_path: Path) -> None:
    """The pass they are added in goes on as if they were not there, also after a kill."""
    sizes: list[tuple[int, int]] = []

    def fit(folder: Path, kept: Checkpoints, at: int) -> Any:
        folder.mkdir(exist_ok=True)
        callbacks = {
            "add": Watch(adding),
            "see": Watch(lambda state: sizes.append((state.pass_number, state.steps)), "pass_started"),
            "kill": Watch(lambda state: kill(at, state)),
        }
        given = task(train=rows(47, 1), callbacks=callbacks, checkpoints=kept, folder=folder, schedule=Cosine())
        return Standard(epochs=3, passes=2).fit(given)

    whole = fit(tmp_path / "whole", Checkpoints(), -1)
    assert sizes == [(0, 9), (1, 12)]
    assert whole.steps == 21
    for step in (2, 5, 11):
        folder = tmp_path / str(step)
        with pytest.raises(KilledError):
            fit(folder, Before(step, folder / "checkpoint"), step)
        again = fit(folder, Before(0, folder / "checkpoint"), -1)
        assert equal(again.weights, whole.weights)
        assert equal(again.earlier[0], whole.earlier[0])
        assert (folder / "added_rows.jsonl").read_text() == (tmp_path / "whole" / "added_rows.jsonl").read_text()


def test_rows_added_on_the_way_back_do_not_count_again(tmp_path: Path) -> None:
    """A callback that adds rows before training begins has added them once, also after a kill."""
    found = {}
    for at in (-1, 4):
        folder, start = tmp_path / str(at), Watch(lambda state: state.add_rows(mined([3, 5, 7])), "fit_started")
        folder.mkdir()
        for place, end in ((Before(at, folder / "checkpoint"), at), (Before(0, folder / "checkpoint"), -1)):
            callbacks = {"add": start, "kill": Watch(lambda state, end=end: kill(end, state))}
            try:
                given = task(callbacks=callbacks, checkpoints=place, folder=folder)
                found[at] = Standard(epochs=1, passes=2).fit(given)
            except KilledError:
                continue
        assert len((folder / "added_rows.jsonl").read_text().splitlines()) == 3
    assert equal(found[-1].weights, found[4].weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"slack": torch.zeros(3)}, r"slack: expected int64 \[n\] on the CPU, got torch.float32 \[3\]"),
        ({"low": torch.zeros(2, dtype=torch.int64)}, "expected as many of each"),
        ({"provenance": ()}, "expected as many of each"),
        ({"high": torch.tensor([9, 9, 10**9])}, "low, high: expected positions from 0 to"),
    ],
)
def test_rows_that_make_no_sense_are_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """They are refused where they are added, with the callback's name."""

    def add(state: TrainingState) -> None:
        given = mined([3, 5, 7])
        fields = {field.name: getattr(given, field.name) for field in attrs.fields(ExtraRows)}
        state.add_rows(ExtraRows(**{**fields, **change}))

    with pytest.raises(PluginError, match=rf"callback mine \(.*\) failed: .*{message}"):
        Standard(epochs=1).fit(task(callbacks={"mine": Watch(add, "pass_ended")}, folder=tmp_path))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda state: state.warn(None), "failed: TypeError: expected a sentence to tell, got None @ "),
        (lambda state: state.note(3), "failed: TypeError: expected a sentence to tell, got 3 @ "),
        (lambda state: setattr(state, "evaluated", "weights"), "`state.evaluated`: expected a Module, got 'weights'"),
        (lambda state: setattr(state, "model", copy.deepcopy(state.model)), "expected it to leave `state.model`"),
    ],
)
def test_what_no_callback_may_say_or_set_is_refused(mistake: Any, message: str, tmp_path: Path) -> None:
    """At once and by the callback's name, not where the trainer stumbles over it later."""
    history = History(tmp_path / "history.jsonl")
    with pytest.raises(PluginError, match=rf"^callback mine \(Watch of .*\):? .*{message}"):
        Standard(epochs=1).fit(task(callbacks={"mine": Watch(mistake, "step_ended")}, history=history))
    assert not any("warning" in row for row in history.rows)


@pytest.mark.parametrize("hook", ["fit_started", "pass_started", "epoch_started", "step_ended", "epoch_ended"])
def test_a_look_through_the_network_changes_nothing(hook: str) -> None:
    """The network is in inference, and training goes on with dropout and BatchNorm as without it."""

    def look(state: TrainingState) -> None:
        state.network()

    given = task(network=lambda model: model.eval(), callbacks={"look": Watch(look, hook)})
    assert equal(Standard(epochs=2).fit(given).weights, Standard(epochs=2).fit(task()).weights)


@pytest.mark.parametrize("hook", ["fit_started", "pass_started", "epoch_started"])
def test_a_rehearsal_before_the_first_step_does_not_move_the_schedule(hook: str) -> None:
    """Whichever hook rehearses, rates set in it hold in it, and training is as without."""
    rates: list[float] = []

    def rehearse(state: TrainingState) -> None:
        if not state.step:
            with state.rehearse() as step:
                for _ in range(5):
                    state.optimizer.param_groups[0]["lr"] = 0.5
                    step()
                    rates.append(state.optimizer.param_groups[0]["lr"])

    given = task(callbacks={"rehearse": Watch(rehearse, hook)}, schedule=Cosine())
    assert equal(Standard(epochs=2).fit(given).weights, Standard(epochs=2).fit(task(schedule=Cosine())).weights)
    assert rates == [0.5] * 5


def test_divergence_in_a_later_pass_leaves_the_weights_of_the_pass_before() -> None:
    """They are the last good ones."""

    def spoil(state: TrainingState) -> None:
        if state.pass_number == 1:
            for parameter in state.model.parameters():
                parameter.data.fill_(float("nan"))

    with pytest.raises(DivergedError) as caught:
        Standard(epochs=2, passes=2).fit(task(callbacks={"spoil": Watch(spoil)}))
    assert caught.value.weights is not None
    assert equal(caught.value.weights, Standard(epochs=2).fit(task()).weights)


def test_fresh_weights_are_those_that_training_began_with(tmp_path: Path) -> None:
    """Weights that a callback sets before the first pass are what a restart comes back to, also after a kill."""
    seen: list[dict[str, torch.Tensor]] = []

    def load(state: TrainingState) -> None:
        for parameter in state.model.parameters():
            parameter.data.fill_(0.125 if not state.step else 3.0)

    def end(state: TrainingState) -> None:
        state.restart = True

    def fit(kept: Checkpoints, at: int) -> None:
        callbacks = {
            "load": Watch(load, "fit_started"), "end": Watch(end, "pass_ended"),
            "start": Watch(lambda state: seen.append(copy.deepcopy(state.model.state_dict())), "pass_started"),
            "kill": Watch(lambda state: kill(at, state)),
        }  # fmt: skip
        Standard(epochs=1, passes=2).fit(task(callbacks=callbacks, checkpoints=kept))

    fit(Checkpoints(), -1)
    assert equal(seen[0], seen[1])
    with pytest.raises(KilledError):
        fit(Before(4, tmp_path / "checkpoint"), 4)
    fit(Before(0, tmp_path / "checkpoint"), -1)
    assert equal(seen[0], seen[-1])


def test_the_next_pass_begins_with_the_weights_the_last_was_judged_by() -> None:
    """Where averaged weights are validated and saved, they are also what the next pass starts from."""
    starts: list[dict[str, torch.Tensor]] = []
    see = Watch(lambda state: starts.append(copy.deepcopy(state.model.state_dict())), "pass_started")
    found = Standard(epochs=2, passes=2).fit(task(callbacks={"ema": Ema(decay=0.9), "see": see}))
    assert equal(starts[1], found.earlier[0])


def test_odd_rows_of_history_are_json(tmp_path: Path) -> None:
    """No NaN reaches the file, scalars and arrays become numbers, and a row is kept as it was when recorded."""
    history, row = History(tmp_path / "history.jsonl"), {"x": [1], "y": [float("nan")]}
    history.record(row)
    row["x"].append(2)
    history.record({"a": np.float32(0.5), "b": np.arange(2), "c": torch.tensor([1.0, -torch.inf]), "d": (True, None)})
    history.record({"e": {"f": np.int64(3)}, "g": torch.tensor(2.5)})
    wanted: list[Any] = [
        {"x": [1], "y": [None]}, {"a": 0.5, "b": [0, 1], "c": [1.0, None], "d": [True, None]}, {"e": {"f": 3}, "g": 2.5}
    ]  # fmt: skip
    assert history.rows == wanted
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [json.loads(line, parse_constant=pytest.fail) for line in lines] == wanted
    with pytest.raises(TypeError, match=r"expected numbers, texts, lists and dicts to record, got object @ y.1"):
        history.record({"y": [0, object()]})
    assert len(history.rows) == 3


def test_windows_lie_in_the_audio() -> None:
    """A row that is wholly beyond its recording does not move the audio of those after it, on another device either."""
    start = torch.tensor([50 * WINDOW, 3 * WINDOW])
    low = torch.tensor([0, 3 * WINDOW])
    extra = ExtraRows(start=start, slack=start * 0, low=low, high=low + WINDOW, provenance=({}, {}))
    given = task()
    apart = attrs.evolve(given.train, audio=given.train.audio.clone()).extended(extra, given.audio)
    found, _ = apart.crop(torch.tensor([len(given.train) + 1]), torch.zeros(1))
    assert torch.equal(found, given.train.crop(torch.tensor([3]), torch.zeros(1))[0])
