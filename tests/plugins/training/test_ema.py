"""The moving average of the weights, against torch's own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tests.plugins.training.test_trainer import TinyModel, Watch, task
from wakekit import Component, WakekitError
from wakekit.history import History
from wakekit_training import wakekit_components
from wakekit_training.averages import move
from wakekit_training.checkpoint_averaging import CheckpointAveraging
from wakekit_training.ema import Ema
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from wakekit import TrainingState


def net() -> nn.Sequential:
    """Return a network with weights, running statistics and a counter."""
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 2))


@torch.no_grad()
def stir(model: nn.Module, generator: torch.Generator) -> None:
    """Change weights and buffers as a step of training would."""
    for parameter in model.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator))
    model.train()(torch.randn(9, 5, generator=generator) * 3 + 1)


@given(st.floats(0, 0.9999), st.integers(1, 30), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_the_average_is_torchs(decay: float, steps: int, seed: int) -> None:
    """T24: after any number of steps weights and BatchNorm's statistics are those of swa_utils to 1e-6."""
    generator, live = torch.Generator().manual_seed(seed), net()
    ours = copy.deepcopy(live)
    theirs = AveragedModel(live, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    theirs.n_averaged += 1  # so that it starts from the weights it was made with
    for _ in range(steps):
        stir(live, generator)
        move(ours, live, 1 - decay)
        theirs.update_parameters(live)
    for (name, value), other in zip(ours.state_dict().items(), theirs.module.state_dict().values(), strict=True):
        if value.is_floating_point():
            torch.testing.assert_close(value, other, atol=1e-6, rtol=1e-6)
        else:
            assert torch.equal(value, live.state_dict()[name])


def test_a_trainings_average_is_torchs() -> None:
    """T24: what a whole training saves is torch's average of its steps, a late switch to another decay included."""
    reference: list[AveragedModel] = []

    def start(state: TrainingState) -> None:
        reference.append(AveragedModel(state.model, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True))
        reference[0].n_averaged += 1

    def step(state: TrainingState) -> None:
        # 18 steps; two thirds of them are 12.
        reference[0].multi_avg_fn = get_ema_multi_avg_fn(0.95 if state.pass_step >= 12 else 0.8)
        reference[0].update_parameters(state.model)

    ema = Ema(decay=0.8, warmup=False, late_decay=0.95, late_from=2 / 3)
    callbacks = {"a": Watch(start, "pass_started"), "b": Watch(step), "ema": ema}
    found = Standard(epochs=3).fit(task(callbacks=callbacks)).weights
    for name, value in reference[0].module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(found[name], value, atol=1e-6, rtol=1e-6)


def test_validation_uses_the_weights_that_are_saved() -> None:
    """T25: the dev loss of an epoch is that of the averaged weights, in inference, and the live ones do otherwise."""
    history, live = History(), dict[str, torch.Tensor]()
    given = task(
        history=history,
        callbacks={"ema": Ema(decay=0.9), "see": Watch(lambda state: live.update(state.model.state_dict()))},
    )
    found = Standard(epochs=2).fit(given).weights

    def dev_loss(weights: dict[str, torch.Tensor]) -> float:
        model = TinyModel().build(1, 2).eval()
        model.load_state_dict(weights)
        audio = given.dev.audio.view(len(given.dev), -1).float() / 32768
        with torch.no_grad():
            return float(nn.functional.cross_entropy(model(given.features(audio)), given.dev.labels))

    assert history.rows[-1]["dev_loss"] == pytest.approx(dev_loss(found), rel=1e-5)
    assert history.rows[-1]["dev_loss"] != pytest.approx(dev_loss(live), rel=1e-3)


def test_the_decay_warms_up_and_switches_late() -> None:
    """Warm-up bounds the decay early and not the late one, which holds from its share of the steps on."""
    ema = Ema(decay=0.99, late_decay=0.999, late_from=0.5)
    assert [ema.decay_at(step, 100) for step in (0, 8, 49, 50, 99)] == [0.1, 0.5, 50 / 59, 0.999, 0.999]
    assert Ema(decay=0.9).decay_at(1000, 2000) == 0.9
    assert Ema(decay=0.9, warmup=False).decay_at(0, 2000) == 0.9
    with pytest.raises(ValueError, match=r"late_decay: expected a value above decay, 0.99, got 0.9"):
        Ema(decay=0.99, late_decay=0.9)


def test_every_pass_has_an_average_of_its_own() -> None:
    """The average of the second pass starts from the weights it begins with, and nothing is left of the first."""
    starts: list[bool] = []

    def see(state: TrainingState) -> None:
        starts.append(state.evaluated is not state.model)
        pairs = zip(state.evaluated.state_dict().values(), state.model.state_dict().values(), strict=True)
        starts.append(all(torch.equal(kept, now) for kept, now in pairs))

    callbacks = {"ema": Ema(decay=0.9), "see": Watch(see, "pass_started")}
    Standard(epochs=1, passes=2).fit(task(callbacks=callbacks))
    assert starts == [True] * 4


@pytest.mark.parametrize("first", ["ema", "mean"])
def test_two_averages_are_one_too_many(first: str) -> None:
    """Two callbacks that decide what is validated are an error before the first step, in either order."""
    both = {"ema": Ema(), "mean": CheckpointAveraging()}
    callbacks = {name: both[name] for name in sorted(both, key=first.__ne__)}
    with pytest.raises(WakekitError, match="another callback already decides which weights are validated"):
        Standard(epochs=1).fit(task(callbacks=callbacks))


def test_callbacks_are_listed() -> None:
    """The plugin offers its callbacks by name."""
    found = {component.name for component in wakekit_components() if component.kind == "callback"}
    assert found >= {
        "ema", "checkpoint-averaging", "lr-finder", "gradient-norm", "early-stopping", "tensorboard",
    }  # fmt: skip
    assert all(isinstance(component, Component) for component in wakekit_components())
