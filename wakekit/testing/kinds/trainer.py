"""Trainers: what `wakekit.training` asks of them, and that they call callbacks as `wakekit.callbacks` says."""

from __future__ import annotations

import functools
import re
import shutil
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import Tensor, nn

from wakekit.errors import WakekitError
from wakekit.history import History
from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same, other_global_seed
from wakekit.testing.training_task import (
    HOOKS,
    Before,
    Descent,
    KilledError,
    TinyModel,
    Watch,
    built,
    dev_loss,
    evaluated_weights,
    killed_at,
    remembered,
    rows_of,
    split_audio,
    tiny_task,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wakekit.batch import Batch
    from wakekit.callbacks import TrainingState
    from wakekit.testing.subject import Subject
    from wakekit.training import Trained, TrainTask

_CPU = torch.device("cpu")
_LEARNT = 0.9
_KILL = 4
_LETTER = dict(zip(HOOKS, "FPEgsevpf", strict=True))
_ORDER = re.compile("F(P(E(gs)+ev)+p)+f")


def _task(subject: Subject, **changes: Any) -> TrainTask:  # noqa: ANN401
    """Return a task with dropout, batch normalization and an optimizer with a memory, so that all of these matter."""
    usual = {"model": TinyModel(dropout=0.2), "optimizer": Descent(adam=True), "folder": subject.folder}
    return tiny_task(subject.registry, **{**usual, **changes})


def _watched(
    subject: Subject,
    see: Callable[[str, TrainingState], Any],
    **changes: Any,  # noqa: ANN401
) -> tuple[Trained, list[Any]]:
    """Return what a training came to, and what a callback's function of hook and state returned, but for None."""
    found: list[Any] = []

    def call(hook: str, state: TrainingState) -> None:
        one = see(hook, state)
        if one is not None:
            found.append(one)

    task = _task(subject, callbacks={"watch": Watch(call)}, **changes)
    return subject.value.fit(task), found


def _live(hook: str, state: TrainingState) -> dict[str, Any] | None:
    return remembered(state) if hook == "step_ended" else None


@functools.lru_cache(maxsize=4)
def _usual(subject: Subject) -> tuple[Trained, list[Any]]:
    """Return a training and its live weights after every step."""
    return _watched(subject, _live)


@exercise("trainer")
def training(subject: Subject, device: torch.device) -> dict[str, Any]:
    """Return the weights of every pass, without dropout, whose numbers differ between devices."""
    trained = _fit(subject, device)
    return {"weights": [*trained.earlier, trained.weights], "epochs": trained.epochs, "steps": trained.steps}


def _fit(subject: Subject, device: torch.device = _CPU) -> Trained:
    found: Trained = subject.value.fit(_task(subject, model=TinyModel(), optimizer=Descent(), device=device))
    return found


@check("trainer")
def weights_load(subject: Subject) -> None:
    """The weights of every pass are CPU tensors that the model loads, all of them and finite."""
    trained, _ = _usual(subject)
    task = _task(subject)
    for weights in (*trained.earlier, trained.weights):
        built(task.model, task.n_features, task.n_classes).load_state_dict(weights)
        for name, value in weights.items():
            assert value.device.type == "cpu", f"expected weights on the CPU, got {name} on {value.device}"
            assert bool(torch.isfinite(value).all()), f"the weights in {name} are not finite"


@check("trainer")
def learns(subject: Subject) -> None:
    """Chirps that rise and fall are easily told apart: training lowers the loss on those of dev."""
    before: list[float] = []

    def see(hook: str, state: TrainingState) -> None:
        if hook == "fit_started":
            before.append(dev_loss(_task(subject), evaluated_weights(state)))

    trained, _ = _watched(subject, see)
    after = dev_loss(_task(subject), trained.weights)
    assert before, "it does not call fit_started"
    assert after < _LEARNT * before[0], f"the loss on dev is {before[0]:.3f} before training and {after:.3f} after it"


@check("trainer")
def weights_are_those_validated(subject: Subject) -> None:
    """The weights that it returns were validated, as `state.evaluated` had them: not others of the same training."""

    def see(hook: str, state: TrainingState) -> dict[str, Tensor] | None:
        return evaluated_weights(state) if hook == "validated" else None

    trained, validated = _watched(subject, see)
    assert validated, "it does not call validated"
    for weights in (*trained.earlier, trained.weights):
        assert any(_equal(weights, one) for one in validated), "it returns weights that no validation has seen"


def _equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@check("trainer")
def seeded(subject: Subject) -> None:
    """Dropout, batches and first weights come from the task's seed alone: one seed one result, another seed another."""
    with other_global_seed(7):
        usual, _ = _watched(subject, _live)
    with other_global_seed(99):
        again, _ = _watched(subject, _live)
    assert_same(again.weights, usual.weights, where="with the same seed, the weights")
    other, _ = _watched(subject, _live, seed=1)
    assert not _equal(other.weights, usual.weights), "with another seed the weights are the same"


@check("trainer")
def dev_only_validates(subject: Subject) -> None:
    """No step depends on dev: with other audio and labels there the weights after each of a pass are the same."""

    def first_pass(hook: str, state: TrainingState) -> dict[str, Any] | None:
        # The second may begin with the weights that were best on dev.
        return _live(hook, state) if state.pass_number == 0 else None

    _, usual = _usual(subject)
    _, other = _watched(subject, first_pass, dev=rows_of(split_audio("dev", 12, 5, swapped=True)))
    assert other, "it does not call step_ended"
    for step, (one, two) in enumerate(zip(other, usual, strict=False)):
        assert_same(one, two, where=f"with other rows in dev, after step {step} the state")


@check("trainer")
def hooks_in_order(subject: Subject) -> None:
    """Callbacks are told of fit, passes, epochs and steps in the documented order, each in its turn of the recipe."""
    told: list[tuple[str, str]] = []

    def teller(name: str) -> Watch:
        return Watch(lambda hook, _: told.append((name, hook)))

    subject.value.fit(_task(subject, callbacks={"one": teller("one"), "another": teller("another")}))
    for place in range(0, len(told), 2):
        (first, hook), *other = told[place : place + 2]
        assert (first, other) == ("one", [("another", hook)]), f"of two callbacks, {first} is told {hook} out of order"
    letters = "".join(_LETTER[hook] for name, hook in told if name == "one")
    good = _ORDER.fullmatch(letters)
    names = " ".join(hook for name, hook in told if name == "one")
    assert good, f"expected the order of wakekit.callbacks, got {names[:300]}"


@check("trainer")
def counts_right(subject: Subject) -> None:
    """`step` and `epoch` count the training, `pass_step` and `pass_epoch` the pass, and what is returned agrees."""

    def see(hook: str, state: TrainingState) -> tuple[str, list[int]] | None:
        now = [state.step, state.pass_step, state.epoch, state.pass_epoch, state.pass_number]
        return (hook, now) if hook in {"step_ended", "validated", "pass_ended"} else None

    trained, told = _watched(subject, see)
    step = pass_step = epoch = pass_epoch = pass_number = 0
    for hook, now in told:
        if hook == "pass_ended":
            pass_step, pass_epoch, pass_number = 0, 0, pass_number + 1
            continue
        at = step if hook == "step_ended" else now[0]
        expected = [at, pass_step if hook == "step_ended" else now[1], epoch, pass_epoch, pass_number]
        assert now == expected, f"in {hook}, [step, pass_step, epoch, pass_epoch, pass] are {now}, expected {expected}"
        if hook == "step_ended":
            step, pass_step = step + 1, pass_step + 1
        else:
            epoch, pass_epoch = epoch + 1, pass_epoch + 1
    found = (trained.steps, trained.epochs, len(trained.earlier) + 1)
    assert found == (step, epoch, pass_number), f"it returns (steps, epochs, passes) {found}, and made {(step, epoch)}"


@check("trainer")
def stops_when_asked(subject: Subject) -> None:
    """A callback that sets `stop` ends the pass after its epoch."""

    def see(hook: str, state: TrainingState) -> int | None:
        if hook == "step_ended":
            state.stop = True
        return state.pass_number if hook == "validated" else None

    _, epochs = _watched(subject, see)
    assert epochs, "it does not call validated"
    most = max(epochs.count(number) for number in epochs)
    assert most == 1, f"`stop` was set in the first epoch, and a pass has {most}"


@check("trainer")
def callbacks_decide(subject: Subject) -> None:
    """Gradients that a callback sets to zero move no weight, and what it puts in `evaluated` is what is returned."""
    shown: list[dict[str, Tensor]] = []

    def still(hook: str, state: TrainingState) -> dict[str, Tensor] | None:
        if hook == "gradients_ready":
            for weight in state.model.parameters():
                if weight.grad is not None:
                    weight.grad.zero_()
        return evaluated_weights(state) if hook in {"fit_started", "fit_ended"} else None

    _, (first, last) = _watched(subject, still, model=TinyModel())
    assert_same(last, first, where="gradients were set to zero by a callback, and the weights")

    def put(hook: str, state: TrainingState) -> None:
        if hook == "epoch_ended":
            other = built(TinyModel(), 8, 2, seed=5).to(next(state.model.parameters()).device)
            state.evaluated = other
            shown.append(evaluated_weights(state))

    trained, _ = _watched(subject, put, model=TinyModel())
    assert any(_equal(trained.weights, one) for one in shown), "it does not return what a callback put in `evaluated`"


@check("trainer")
def rates_hold(subject: Subject) -> None:
    """The learning rates that callbacks leave in fit_started are those of the training: at 0 no weight moves."""

    def see(hook: str, state: TrainingState) -> dict[str, Tensor] | None:
        if hook == "fit_started":
            for group in state.optimizer.param_groups:
                group["lr"] = 0.0
        return evaluated_weights(state) if hook in {"fit_started", "fit_ended"} else None

    _, (first, last) = _watched(subject, see, model=TinyModel())
    assert_same(last, first, where="learning rates were set to 0 in fit_started, and the weights")


@check("trainer")
def records(subject: Subject) -> None:
    """`history` has a row of every epoch with `dev_loss` and `train_loss`, and what callbacks record."""
    history = History()

    def see(hook: str, state: TrainingState) -> str | None:
        if hook == "fit_started":
            state.record({"mine": 1})
        return hook if hook == "validated" else None

    _, epochs = _watched(subject, see, history=history)
    rows = [row for row in history.rows if "dev_loss" in row and "train_loss" in row]
    assert len(rows) == len(epochs), f"of {len(epochs)} epochs, {len(rows)} have a row with dev_loss and train_loss"
    assert {"mine": 1} in history.rows, "what a callback recorded is not in the history"


@check("trainer")
def augments(subject: Subject) -> None:
    """Every step's batch goes through the augmentations of waveforms, then through those of features."""
    seen: list[str] = []

    def waveforms(batch: Batch) -> Batch:
        assert batch.features is None, "augmentations of waveforms come before the frontend"
        seen.append("waveform")
        return attrs.evolve(batch, audio=torch.zeros_like(batch.audio))

    def features(batch: Batch) -> Batch:
        assert batch.features is not None, "augmentations of features come after the frontend"
        same = bool((batch.features == batch.features[:1]).all())
        assert same, "what an augmentation of waveforms returned is not what the frontend is given"
        seen.append("features")
        return batch

    trained = subject.value.fit(_task(subject, waveform_augmentations=(waveforms,), feature_augmentations=(features,)))
    assert len(seen) >= 2 * trained.steps, f"in {trained.steps} steps augmentations were called {len(seen)} times"
    assert set(seen[::2]) == {"waveform"}, "augmentations of waveforms do not come first"


@attrs.frozen
class _NoNumber:
    """A loss that is no number."""

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return it."""

        def loss(logits: Tensor, targets: Tensor) -> Tensor:
            return nn.functional.cross_entropy(logits, targets) * torch.nan

        return loss


@check("trainer")
def divergence_told(subject: Subject) -> None:
    """A loss that is no number ends the training with a WakekitError, rather than with weights."""
    try:
        subject.value.fit(_task(subject, loss=_NoNumber()))
    except WakekitError:
        return
    raise AssertionError("the loss is not finite, and it returns weights")


@check("trainer")
def failing_callback_named(subject: Subject) -> None:
    """A callback that raises ends the training with an error that names it."""

    def see(hook: str, state: TrainingState) -> None:
        if hook == "step_ended" and state.step == 1:
            raise KeyError("lost")

    told = _raised(subject, Watch(see))
    assert told is not None, "a callback raised, and training went on"
    assert isinstance(told, WakekitError), "what a callback raised comes out as it is: use wakekit.errors.blaming"
    assert "mine" in str(told), f"expected the callback's name, mine, got: {told}"


def _raised(subject: Subject, callback: Watch) -> Exception | None:
    try:
        subject.value.fit(_task(subject, callbacks={"mine": callback}))
    except (WakekitError, KeyError) as error:
        return error
    return None


@check("trainer")
def goes_on_after_a_kill(subject: Subject) -> None:
    """A training that was killed goes on from the task's checkpoint to the same weights and history, to the bit."""
    folder = subject.folder / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    whole = History()
    expected = subject.value.fit(_task(subject, history=whole))
    try:
        _kept(subject, folder, _KILL, {"kill": killed_at(_KILL)})
    except KilledError:
        pass
    else:
        raise AssertionError("a callback raised KeyboardInterrupt or the like, and training went on")
    found, history = _kept(subject, folder, 0, {})
    assert_same(found.weights, expected.weights, where="after a kill, the weights")
    assert_same(history.rows, whole.rows, where="after a kill, the history")


def _kept(subject: Subject, folder: Path, step: int, callbacks: dict[str, Any]) -> tuple[Trained, History]:
    history = History(folder / "history.jsonl")
    task = _task(
        subject, history=history, checkpoints=Before(step, folder / "checkpoint"), callbacks=callbacks, folder=folder
    )
    return subject.value.fit(task), history
