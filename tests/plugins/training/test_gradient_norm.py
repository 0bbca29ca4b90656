"""Norms of gradients against torch's own, clipping, and the word on spikes."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.plugins.training.test_trainer import Watch, task
from wakekit.history import History
from wakekit.training import DivergedError
from wakekit_training.gradient_norm import GradientNorm
from wakekit_training.spikes import running_median
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit import TrainingState


def norms(state: TrainingState) -> dict[str, float]:
    """Return the norms of a model's gradients by torch's own function: the total, and each module's."""
    found = {"total": float(nn.utils.get_total_norm([p.grad for p in state.model.parameters() if p.grad is not None]))}
    for name, module in state.model.named_modules():
        own = [p.grad for p in module.parameters(recurse=False) if p.grad is not None]
        if own:
            found[name] = float(nn.utils.get_total_norm(own))
    return found


def lines(history: History) -> dict[str, tuple[list[int], list[float | None]]]:
    """Return every line of the recorded series over all epochs."""
    found: dict[str, tuple[list[int], list[float | None]]] = {}
    for row in history.rows:
        if row.get("series") == "gradient norm":
            x, y = found.setdefault(row["line"], ([], []))
            x += row["x"]
            y += row["y"]
    return found


def test_norms_are_torchs() -> None:
    """Total and per layer, at every step, they are get_total_norm's, and training goes as without looking."""
    seen: list[dict[str, float]] = []
    history = History()
    callbacks = {"norm": GradientNorm(), "see": Watch(lambda state: seen.append(norms(state)), "gradients_ready")}
    found = Standard(epochs=2, passes=2).fit(task(history=history, callbacks=callbacks))
    recorded = lines(history)
    assert list(recorded) == list(seen[0]) == ["total", "1", "2", "5"]
    for name, (x, y) in recorded.items():
        assert x == list(range(24))
        assert y == pytest.approx([row[name] for row in seen], rel=2e-5)
    plain = Standard(epochs=2, passes=2).fit(task()).weights
    assert all(torch.equal(found.weights[name], plain[name]) for name in plain)


def test_clipping_is_torchs() -> None:
    """Clipped gradients are bit for bit those of clip_grad_norm_, and norms are recorded as they were before."""
    before: list[list[torch.Tensor]] = []
    after: list[list[torch.Tensor]] = []

    def keep(where: list[list[torch.Tensor]]) -> Callable[[TrainingState], None]:
        return lambda state: where.append([p.grad.clone() for p in state.model.parameters() if p.grad is not None])

    history = History()
    callbacks = {
        "before": Watch(keep(before), "gradients_ready"),
        "norm": GradientNorm(clip=1.0, every=4, per_layer=False),
        "after": Watch(keep(after), "gradients_ready"),
    }
    Standard(epochs=2).fit(task(history=history, callbacks=callbacks))
    clipped = 0
    for old, new in zip(before, after, strict=True):
        parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in old]
        for parameter, gradient in zip(parameters, old, strict=True):
            parameter.grad = gradient.clone()
        clipped += bool(nn.utils.clip_grad_norm_(parameters, 1.0) > 1.0)
        assert all(torch.equal(cast("torch.Tensor", p.grad), g) for p, g in zip(parameters, new, strict=True))
    assert 0 < clipped < len(before)
    ((name, (x, y)),) = lines(history).items()
    assert (name, x) == ("total", [0, 4, 8])
    assert y == pytest.approx([float(nn.utils.get_total_norm(before[step])) for step in x], rel=2e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_gradients_that_are_not_finite_are_reported_and_not_spread(value: float) -> None:
    """Other gradients stay as they are, the step and the layer are named once, before training says it diverged."""
    history, seen = History(), list[bool]()

    def spoil(state: TrainingState) -> None:
        if state.step >= 8:
            cast("Any", state.model)[5].bias.grad[0] = value

    def see(state: TrainingState) -> None:
        gradient = next(state.model.parameters()).grad
        seen.append(gradient is not None and bool(gradient.isfinite().all()))

    callbacks = {
        "spoil": Watch(spoil, "gradients_ready"),
        "norm": GradientNorm(clip=1.0),
        "see": Watch(see, "gradients_ready"),
    }
    with pytest.raises(DivergedError):
        Standard(epochs=3).fit(task(history=history, callbacks=callbacks))
    assert [row["warning"] for row in history.rows if "warning" in row] == [
        "gradient-norm: gradients are not finite at step 8 in 5; lower the learning rate"
    ]
    assert seen[8]


def test_a_norm_without_a_value_is_no_number_in_the_history() -> None:
    """The history stays JSON: what is not finite is null."""
    history = History()
    spoil = Watch(lambda state: next(state.model.parameters()).grad.fill_(math.inf), "gradients_ready")
    mend = Watch(lambda state: next(state.model.parameters()).grad.zero_(), "gradients_ready")
    Standard(epochs=1).fit(task(history=history, callbacks={"spoil": spoil, "norm": GradientNorm(), "mend": mend}))
    assert lines(history)["total"][1] == lines(history)["1"][1] == [None] * 6
    assert None not in lines(history)["5"][1]


def run_steps(
    options: GradientNorm, values: list[float], *, stop: int | None = None, then: str = "take over"
) -> tuple[list[Any], list[str]]:
    """Hand gradients of these norms to the hooks, in one epoch.

    After `stop` steps others `take over`, or an `epoch` or a `pass` ends.
    """
    model, rows, warnings = nn.Linear(1, 1, bias=False), list[Mapping[str, Any]](), list[str]()
    state = SimpleNamespace(model=model, step=0, epoch=3, epochs=1, record=rows.append, warn=warnings.append)
    given, hooks = cast("TrainingState", state), options.build()
    hooks.pass_started(given)
    for step, value in enumerate(values):
        if step == stop and then != "take over":
            hooks.epoch_ended(given)
            if then == "pass":
                hooks.pass_ended(given)
                hooks.pass_started(given)
        elif step == stop:
            kept, hooks = hooks.state_dict(), options.build()
            hooks.pass_started(given)
            hooks.load_state_dict(kept)
        state.step = step
        model.weight.grad = torch.full((1, 1), value)
        hooks.gradients_ready(given)
        hooks.step_ended(given)
    hooks.epoch_ended(given)
    hooks.pass_ended(given)
    return rows, warnings


def test_spikes_are_named_once_a_pass() -> None:
    """Steps far above the median of those before are named with the largest; a rise that lasts is not."""
    quiet = [1.0 + 0.1 * (step % 3) for step in range(60)]
    values = [*quiet, 9.0, *quiet, 30.0, 7.0, *quiet]
    _, (warning,) = run_steps(GradientNorm(), values)
    assert warning == (
        "gradient-norm: gradients leap at steps 60, 121, 122; the largest, 30 at step 121, is 27 times the "
        "median of the steps before"
    )
    assert run_steps(GradientNorm(spike=40.0), values)[1] == []
    assert run_steps(GradientNorm(), [1.0] * 5 + [99.0])[1] == []
    assert run_steps(GradientNorm(), values, stop=60, then="epoch")[1] == [warning]
    assert run_steps(GradientNorm(), values, stop=118, then="epoch")[1] == [warning]
    (first,) = run_steps(GradientNorm(), values, stop=118, then="pass")[1]
    assert first.endswith("at step 60; the largest, 9 at step 60, is 8 times the median of the steps before")
    assert run_steps(GradientNorm(), values, stop=60, then="pass")[1] == [warning.replace("60, ", "")]
    (lasting,) = run_steps(GradientNorm(), [1.0] * 60 + [8.0] * 300)[1]
    assert "at steps 60, 61, 62, 63, 64 and " in lasting
    assert run_steps(GradientNorm(), values, stop=100)[1] == [warning]


def test_a_leap_from_nothing_is_no_spike() -> None:
    """Where gradients were all zero there is no median to compare with."""

    def silence(state: TrainingState) -> None:
        for parameter in state.model.parameters():
            if state.step < 20 and parameter.grad is not None:
                parameter.grad.zero_()

    history = History()
    callbacks = {"silence": Watch(silence, "gradients_ready"), "norm": GradientNorm()}
    Standard(epochs=4).fit(task(callbacks=callbacks, history=history))
    assert not [row for row in history.rows if "warning" in row]


def test_a_training_that_goes_on_records_every_step_once() -> None:
    """Norms of the epoch so far are kept over a stop, with what spikes are told by."""
    values = [1.0 + 0.1 * (step % 3) for step in range(60)]
    values[40] = 9.0
    assert run_steps(GradientNorm(), values, stop=35) == run_steps(GradientNorm(), values)


def test_lines_of_layers_are_thinned() -> None:
    """A long epoch has all its totals, and of each layer at most 200 points, spread over it."""
    rows, _ = run_steps(GradientNorm(), [1.0] * 950)
    lengths = {row["line"]: len(row["x"]) for row in rows}
    assert lengths["total"] == 950
    assert 150 <= lengths["weight"] <= 200
    assert np.ptp(next(row["x"] for row in rows if row["line"] == "weight")) > 900


@given(st.lists(st.floats(0, 1e6), max_size=150), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_the_running_median_is_that_of_the_values_before(values: list[float], window: int) -> None:
    """Each is the median of at most so many values before it; with fewer than ten there is none."""
    found = running_median(np.array(values), window)
    for place, median in enumerate(found):
        before = values[max(0, place - window) : place]
        assert median == (pytest.approx(statistics.median(before)) if len(before) >= 10 else math.inf)
    assert len(found) == len(values)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_norms_do_not_wait_for_the_device() -> None:
    """On CUDA nothing in the step synchronizes, and the norms are the same as on the CPU."""
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).cuda()
    model(torch.randn(8, 4, device="cuda")).square().sum().backward()
    rows = list[Mapping[str, Any]]()
    state = cast("Any", SimpleNamespace(model=model, step=3, epoch=0, epochs=1, record=rows.append, warn=rows.append))
    hooks = GradientNorm(clip=0.1).build()
    hooks.pass_started(state)
    expected = norms(state)
    hooks.gradients_ready(state)
    torch.cuda.set_sync_debug_mode("error")
    try:
        hooks.gradients_ready(state)
        hooks.step_ended(state)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    hooks.epoch_ended(state)
    assert {row["line"]: row["y"][0] for row in rows} == pytest.approx(expected, rel=1e-4)
