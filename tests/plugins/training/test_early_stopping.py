"""When early stopping stops, and what it does not take for a good model."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.training.test_trainer import Watch, task
from wakekit.history import History
from wakekit_training.early_stopping import EarlyStopping
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit import Hooks, TrainingState


def stops_at(options: EarlyStopping, values: Sequence[float]) -> int | None:
    """Return the epoch after which a pass with these values ends."""
    hooks, state = options.build(), cast("Any", SimpleNamespace(stop=False, pass_epoch=0))
    hooks.pass_started(state)
    for epoch, value in enumerate(values):
        state.pass_epoch = epoch
        hooks.validated(state, {options.measure: value})
        if state.stop:
            return epoch
    return None


def test_a_pass_ends_after_patience_without_a_better_value() -> None:
    """Only a value lower by min_delta is better, and the epochs of the warm-up count neither way."""
    values = [1.0, 0.9, 0.95, 0.899, 0.93, 0.9]
    assert stops_at(EarlyStopping(patience=2), values) == 5
    assert stops_at(EarlyStopping(patience=2, min_delta=0.01), values) == 3
    assert stops_at(EarlyStopping(patience=3), values) is None
    assert stops_at(EarlyStopping(patience=2, warmup=3), [0.1, 0.1, 0.1, 0.9, 0.8, 0.9]) is None
    assert stops_at(EarlyStopping(patience=2), [math.nan, math.nan, 1.0]) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 6))
def test_the_epoch_is_that_of_the_definition(values: list[float], patience: int) -> None:
    """A pass ends at the first epoch that is `patience` after the first lowest value so far."""
    behind = [epoch - values.index(min(values[: epoch + 1])) for epoch in range(len(values))]
    expected = next((epoch for epoch, gone in enumerate(behind) if gone >= patience), None)
    assert stops_at(EarlyStopping(patience=patience), values) == expected


@pytest.mark.parametrize("measure", ["dev_loss", "dev_eer"])
def test_a_model_that_never_fires_does_not_look_best(measure: str) -> None:
    """T9: after its model is spoiled into one that never fires, training stops, as no such epoch is the best."""
    history = History()

    def never_fire(state: TrainingState) -> None:
        if state.pass_epoch >= 2:
            with torch.no_grad():
                for parameter in state.model.parameters():
                    parameter.zero_()
                list(state.model.parameters())[-1].copy_(torch.tensor([30.0, -30.0]))

    callbacks = {"quiet": Watch(never_fire, "epoch_ended"), "stop": EarlyStopping(measure=measure, patience=2)}
    outcome = Standard(epochs=9).fit(task(history=history, callbacks=callbacks))
    values = [row[measure] for row in history.rows]
    assert min(values[2:]) > values[1]
    assert outcome.epochs == values.index(min(values)) + 3


def test_a_training_that_goes_on_remembers_its_patience() -> None:
    """What was waited for before a checkpoint counts after it, and each pass counts anew."""

    def told(hooks: Hooks, values: list[float]) -> Any:
        state = cast("Any", SimpleNamespace(stop=False, pass_epoch=0, folder=Path()))
        for value in values:
            hooks.validated(state, {"dev_loss": value})
        return state

    first, second = EarlyStopping(patience=3).build(), EarlyStopping(patience=3).build()
    first.pass_started(told(first, []))
    told(first, [0.5, 0.6, 0.7])
    second.pass_started(told(second, []))
    second.load_state_dict(first.state_dict())
    assert told(second, [0.55]).stop
    second.pass_started(told(second, []))
    assert not told(second, [0.9]).stop
