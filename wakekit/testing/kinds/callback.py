"""Callbacks: what `wakekit.callbacks` lets them read and change, and that a killed training goes on with them.

A callback whose `observes` is True promises that training comes to the same with it as without it.
"""

from __future__ import annotations

import copy
import functools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import Tensor

from wakekit.callbacks import Hooks, TrainingState
from wakekit.errors import WakekitError
from wakekit.history import History
from wakekit.kinds import Callback
from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same, untouched
from wakekit.testing.training_task import (
    HOOKS,
    Before,
    Descent,
    KilledError,
    TinyModel,
    Watch,
    evaluated_weights,
    killed_at,
    neutral,
    remembered,
    tiny_task,
)
from wakekit.tree import load_tree, save_tree

if TYPE_CHECKING:
    from wakekit.testing.subject import Subject

_CPU = torch.device("cpu")
_EPOCHS, _PASSES = 2, 2
_STEPS = 24
# In the first epoch, at the start of the second, and in the second pass.
_KILLS = (2, 7, 15)
_FIXED = (
    "passes",
    "epochs",
    "steps",
    "window",
    "folder",
    "pass_number",
    "epoch",
    "step",
    "pass_epoch",
    "pass_step",
)
_SAME_OBJECTS = ("model", "optimizer", "audio", "loss")


@attrs.frozen(eq=False)
class _Training:
    """What a training of two passes came to: weights of each, rows of history, and whatever was watched."""

    weights: list[dict[str, Tensor]]
    rows: list[Mapping[str, Any]]
    epochs: int
    steps: int
    seen: list[Any]


def _train(
    subject: Subject,
    callback: Callback | None,
    folder: Path,
    *,
    watch: Callable[[str, TrainingState], Any] | None = None,
    plain: bool = False,
    **changes: Any,  # noqa: ANN401
) -> _Training:
    """Train with a callback, and behind it a watch, whose answers that are not None are kept.

    A `plain` training has no dropout, nor anything else whose numbers differ between devices.
    """
    seen: list[Any] = []

    def see(hook: str, state: TrainingState) -> None:
        found = watch(hook, state) if watch is not None else None
        if found is not None:
            seen.append(found)

    callbacks = {"tried": callback} if callback is not None else {}
    model, optimizer = (TinyModel(), Descent()) if plain else (TinyModel(dropout=0.2), Descent(adam=True))
    task = tiny_task(
        subject.registry,
        model=model,
        optimizer=optimizer,
        folder=folder,
        callbacks={**callbacks, "watch": Watch(see), **changes.pop("after", {})},
        **{"history": History(), **changes},
    )
    if task.checkpoints.load() is None:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    trained = neutral(subject.registry, "trainer", epochs=_EPOCHS, passes=_PASSES).fit(task)
    weights = [*trained.earlier, trained.weights]
    return _Training(weights, list(task.history.rows), trained.epochs, trained.steps, seen)


@functools.lru_cache(maxsize=4)
def _whole(subject: Subject) -> _Training:
    """Return a training with the callback, watched at every step."""
    return _train(subject, subject.value, subject.folder / "whole", watch=_live)


def _live(hook: str, state: TrainingState) -> dict[str, Any] | None:
    return remembered(state) if hook == "step_ended" else None


@exercise("callback")
def training(subject: Subject, device: torch.device) -> dict[str, Any]:
    """Return the weights of both passes, what was validated after each epoch, and how long they were."""

    def see(hook: str, state: TrainingState) -> dict[str, Tensor] | None:
        return evaluated_weights(state) if hook == "epoch_ended" else None

    found = _train(subject, subject.value, subject.folder / device.type, watch=see, plain=True, device=device)
    return {"weights": found.weights, "validated": found.seen, "steps": found.steps, "epochs": found.epochs}


class _Guard(Hooks):
    """Hooks that let others act and complain of what these may not do."""

    def __init__(self, hooks: Hooks, forbid: Callable[[str, TrainingState], Any]) -> None:
        self.hooks, self.forbid = hooks, forbid
        for name in HOOKS:
            setattr(self, name, functools.partial(self._call, name))

    def _call(self, name: str, state: TrainingState, *more: object) -> None:
        with self.forbid(name, state):
            getattr(self.hooks, name)(state, *more)

    def state_dict(self) -> Mapping[str, Any]:
        """Return what the hooks remember."""
        return self.hooks.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Give it back to them."""
        self.hooks.load_state_dict(state)


@attrs.frozen(eq=False)
class _Guarded:
    """A callback whose hooks are watched closely."""

    value: Callback
    forbid: Callable[[str, TrainingState], Any]
    guard: type[_Guard] = _Guard

    def build(self) -> Hooks:
        """Return the hooks."""
        return self.guard(self.value.build(), self.forbid)


@contextmanager
def _said() -> Iterator[None]:
    """Let what a check says pass through a trainer, which would else wrap it in words of its own."""
    try:
        yield
    except AssertionError as error:
        raise WakekitError(str(error)) from error


@check("callback")
def hooks_complete(subject: Subject) -> None:
    """`build` returns hooks of its own for every training, with all that the contract lists."""
    value = subject.value
    hooks, others = value.build(), value.build()
    missing = [name for name in (*HOOKS, "state_dict", "load_state_dict") if not callable(getattr(hooks, name, None))]
    assert not missing, f"its hooks have no {', '.join(missing)}: derive their class from wakekit.Hooks"
    assert hooks is not others, "build returns the same hooks for two trainings"


@check("callback")
def trains(subject: Subject) -> None:
    """A training with it ends with finite weights."""
    for weights in _whole(subject).weights:
        for name, value in weights.items():
            assert bool(torch.isfinite(value).all()), (
                f"with it, training ends with weights in {name} that are not finite"
            )


@check("callback")
def second_training_as_first(subject: Subject) -> None:
    """Of two trainings with one component both come to the same: weights, history, everything recorded."""
    value, folder = subject.value, subject.folder
    found = [_train(subject, value, folder / name) for name in ("first", "second")]
    assert_same(found[1].weights, found[0].weights, where="in a second training, the weights")
    assert_same(found[1].rows, found[0].rows, where="in a second training, the history")


@check("callback")
def no_global_draws(subject: Subject) -> None:
    """No hook draws from the global random state or seeds it: with it dropout would draw other numbers than without."""

    @contextmanager
    def forbid(hook: str, state: TrainingState) -> Iterator[None]:
        del state
        watched = untouched(hook)
        watched.__enter__()
        yield
        with _said():
            watched.__exit__(None, None, None)

    with untouched("build"):
        subject.value.build()
    _train(subject, _Guarded(subject.value, forbid), subject.folder / "draws")


@check("callback")
def changes_only_what_it_may(subject: Subject) -> None:
    """Of `state` no hook sets anything but `evaluated`, `stop` and `restart`; of the optimizer only learning rates."""

    @contextmanager
    def forbid(hook: str, state: TrainingState) -> Iterator[None]:
        before, objects = _fixed(state), [getattr(state, name) for name in _SAME_OBJECTS]
        yield
        with _said():
            assert_same(_fixed(state), before, where=f"after {hook}, state")
            for name, was in zip(_SAME_OBJECTS, objects, strict=True):
                assert getattr(state, name) is was, f"{hook} puts another {name} into state"

    audio = tiny_task(subject.registry).audio.audio
    found = _train(subject, _Guarded(subject.value, forbid), subject.folder / "may", watch=_audio)
    assert_same(found.seen[-1], audio, where="after training, the samples of state.audio")


def _fixed(state: TrainingState) -> dict[str, Any]:
    groups = [
        {key: value for key, value in group.items() if key not in {"lr", "params"}}
        for group in state.optimizer.param_groups
    ]
    return {**{name: getattr(state, name) for name in _FIXED}, "optimizer.param_groups": copy.deepcopy(groups)}


def _audio(hook: str, state: TrainingState) -> Tensor | None:
    return state.audio.audio.clone() if hook == "fit_ended" else None


@check("callback")
def evaluated_fits(subject: Subject) -> None:
    """What it puts up for validation has weights and buffers of the model's names and shapes."""

    def see(hook: str, state: TrainingState) -> None:
        del hook
        with _said():
            shapes = [
                {name: list(value.shape) for name, value in module.state_dict().items()}
                for module in (state.evaluated, state.model)
            ]
            assert_same(*shapes, where="the shapes of state.evaluated")

    _train(subject, subject.value, subject.folder / "evaluated", watch=see)


@check("callback")
def evaluated_has_its_statistics(subject: Subject) -> None:
    """Where the weights that it puts up for validation move with the model's, so do buffers, as BatchNorm's are."""
    begun: list[dict[str, Tensor]] = []

    def see(hook: str, state: TrainingState) -> None:
        if state.evaluated is state.model or hook not in {"pass_started", "validated"}:
            return
        if hook == "pass_started":
            begun[:] = [evaluated_weights(state)]
            return
        now, weights = evaluated_weights(state), {name for name, _ in state.evaluated.named_parameters()}
        moved = {name for name, value in now.items() if begun and not torch.equal(value, begun[0][name])}
        still = {name for name in now.keys() - weights - moved if now[name].is_floating_point()}
        live = {name for name in still if not torch.equal(state.model.state_dict()[name].cpu(), now[name])}
        with _said():
            assert not (moved & weights and live), f"{min(live)} of state.evaluated stays as the pass began with it"

    _train(subject, subject.value, subject.folder / "statistics", watch=see)


@check("callback", when=lambda subject: bool(getattr(subject.value, "observes", False)))
def only_observes(subject: Subject) -> None:
    """It says that it only observes, and so weights, optimizer and validation are the same to the bit without it."""
    without, found = _train(subject, None, subject.folder / "without", watch=_live), _whole(subject)
    assert found.steps == without.steps, f"`observes` is True, and it makes {found.steps} steps of {without.steps}"
    for step, (one, two) in enumerate(zip(found.seen, without.seen, strict=True)):
        assert_same(one, two, where=f"`observes` is True, and after step {step} the state")
    assert_same(found.weights, without.weights, where="`observes` is True, and the weights")
    rows = iter(found.rows)
    for row in without.rows:
        assert row in rows, f"`observes` is True, and the history has not the row {row} that it has without"


@check("callback")
def observes_is_yes_or_no(subject: Subject) -> None:
    """`observes`, where it is stated, is True or False, whatever the options."""
    for value in [subject.value, *subject.drawn(4)]:
        found = getattr(value, "observes", False)
        assert isinstance(found, bool), f"observes: expected True or False, got {found!r}"


@check("callback")
def remembers_through_a_file(subject: Subject) -> None:
    """What `state_dict` gives can be kept in a file, and hooks that took it back give the same again."""
    given: list[Any] = []

    class Keeping(_Guard):
        def load_state_dict(self, state: Mapping[str, Any]) -> None:
            super().load_state_dict(copy.deepcopy(state))
            given.append(state)
            with _said():
                assert_same(self.state_dict(), state, where="after load_state_dict, what state_dict gives")

    for step in _KILLS:
        _go_on(subject, step, "file", lambda value: _Guarded(value, _nothing, Keeping))
    assert given, "no training was killed: it ends before its third step"
    for number, state in enumerate(given):
        path = subject.folder / f"state_{number}"
        save_tree(path, dict(state))
        assert_same(load_tree(path), state, where="from a file, the state")


@contextmanager
def _nothing(hook: str, state: TrainingState) -> Iterator[None]:
    del hook, state
    yield


@check("callback")
def goes_on_after_a_kill(subject: Subject) -> None:
    """A training that was killed goes on with it to the same weights and history, to the bit."""
    whole = _whole(subject)
    for step in _KILLS:
        found = _go_on(subject, step, "killed", lambda value: value)
        if found is None:
            continue
        assert_same(found.weights, whole.weights, where=f"killed after step {step}, the weights")
        assert_same(found.rows, whole.rows, where=f"killed after step {step}, the history")


def _go_on(subject: Subject, step: int, name: str, wrap: Callable[[Any], Any]) -> _Training | None:
    """Kill a training in a step, which is the one after its checkpoint, and return the one that goes on."""
    folder = subject.folder / f"{name}_{step}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path, history = folder / "checkpoint", folder / "history.jsonl"
    own = folder / "training"
    try:
        _train(
            subject,
            wrap(subject.build()),
            own,
            after={"kill": killed_at(step)},
            checkpoints=Before(step, path),
            history=History(history),
        )
    except KilledError:
        pass
    else:
        return None
    return _train(subject, wrap(subject.build()), own, checkpoints=Before(0, path), history=History(history))


@check("callback")
def writes_into_its_folder_alone(subject: Subject) -> None:
    """It writes no file outside `state.folder`, such as into the folder that the command was started in."""
    home, here = subject.folder / "elsewhere", Path.cwd()
    own, working = home / "training", home / "working"
    own.mkdir(parents=True, exist_ok=True)
    working.mkdir(exist_ok=True)
    os.chdir(working)
    try:
        _train(subject, subject.value, own)
    finally:
        os.chdir(here)
    strays = [path for path in home.rglob("*") if path not in {own, working} and own not in path.parents]
    assert not strays, f"it writes {strays[0].relative_to(home)}, outside of state.folder"
