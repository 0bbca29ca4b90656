"""The `one-cycle` schedule equals torch's where that works, and works where that does not."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from wakekit import WakekitError
from wakekit_training.one_cycle import OneCycle


def optimizer(*rates: float, adam: bool = False) -> torch.optim.Optimizer:
    """Return an optimizer with a group for each rate."""
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in rates]
    return torch.optim.AdamW(groups) if adam else torch.optim.SGD(groups, lr=1.0, momentum=0.9)


def gone(stepped: torch.optim.Optimizer, schedule: LRScheduler, steps: int) -> list[tuple[float, float]]:
    """Return (rate, momentum) of each group at each step."""
    found = []
    for _ in range(steps):
        found += [(group["lr"], group.get("momentum", group.get("betas", (0,))[0])) for group in stepped.param_groups]
        stepped.step()
        schedule.step()
    return found


@settings(deadline=None, max_examples=30)
@given(
    steps=st.integers(1, 40),
    start=st.floats(0, 1),
    factors=st.tuples(st.floats(1, 100), st.floats(1, 1e5)),
    anneal=st.sampled_from(["cos", "linear"]),
    peak=st.floats(0.1, 5),
    adam=st.booleans(),
)
def test_equals_torch(
    steps: int, start: float, factors: tuple[float, float], anneal: str, peak: float, *, adam: bool
) -> None:
    """Rates and momentum of two groups at every step are those of OneCycleLR with the groups' rates as peaks."""
    turn = start * steps - 1
    assume(abs(turn) > 1e-3)
    assume(abs(turn - (steps - 1)) > 1e-3)
    ours, theirs = optimizer(0.1, 0.02, adam=adam), optimizer(0.1, 0.02, adam=adam)
    options = {"pct_start": start, "div_factor": factors[0], "final_div_factor": factors[1]}
    schedule = OneCycle(max_lr=peak, anneal=anneal, momentum=(0.8, 0.93), **options).build(ours, steps)
    reference = OneCycleLR(
        theirs,
        max_lr=[0.1 * peak, 0.02 * peak],
        total_steps=steps,
        anneal_strategy="cos" if anneal == "cos" else "linear",
        base_momentum=0.8,
        max_momentum=0.93,
        **options,
    )
    expected = torch.tensor(gone(theirs, reference, steps))
    torch.testing.assert_close(torch.tensor(gone(ours, schedule, steps)), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("start", [0.0, 0.1, 0.5, 1.0])
def test_short_phases_do_not_fail(steps: int, start: float) -> None:
    """Phases without steps of their own are left out, also where torch divides by zero; the end is held."""
    stepped = optimizer(0.1)
    schedule = OneCycle(pct_start=start, momentum=(0.85, 0.95)).build(stepped, steps)
    rates = [rate for rate, _ in gone(stepped, schedule, steps + 3)]
    assert all(0 < rate <= 0.1 * (1 + 1e-9) for rate in rates)
    assert rates[steps:] == [rates[steps - 1]] * 3
    peak = rates.index(max(rates))
    assert rates == sorted(rates[:peak]) + sorted(rates[peak:], reverse=True)
    assert rates[steps - 1] == pytest.approx(0.1 if start == 1 else 0.1 / 25 / 1e4)


def test_the_callers_rate_is_the_peak() -> None:
    """A rate set on the optimizer before the schedule is built is the peak, also after another schedule."""
    stepped = optimizer(0.1)
    OneCycle().build(stepped, 10)
    stepped.param_groups[0]["lr"] = 0.4
    schedule = OneCycle(pct_start=0.5).build(stepped, 10)
    rates = [rate for rate, momentum in gone(stepped, schedule, 10) if momentum == 0.9]
    assert len(rates) == 10, "momentum is left alone"
    assert max(rates) == pytest.approx(0.4)
    assert rates[0] == pytest.approx(0.4 / 25)


def test_state_is_plain_and_resumes() -> None:
    """The state passes through JSON; a schedule that takes it up goes on as if it had never stopped."""
    whole, stepped = optimizer(0.1, 0.3), optimizer(0.1, 0.3)
    options = OneCycle(momentum=(0.85, 0.95))
    expected = gone(whole, options.build(whole, 12), 12)
    schedule = options.build(stepped, 12)
    first = gone(stepped, schedule, 5)
    state = json.loads(json.dumps([schedule.state_dict(), stepped.state_dict()["param_groups"]]))
    resumed = optimizer(0.7, 0.7)
    again = options.build(resumed, 12)
    resumed.load_state_dict({"state": {}, "param_groups": state[1]})
    again.load_state_dict(state[0])
    assert first + gone(resumed, again, 7) == expected


def test_momentum_needs_an_optimizer_that_has_it() -> None:
    """Cycling what is not there is an error that says what to leave out; so is a range the wrong way round."""
    plain = torch.optim.Adagrad([torch.zeros(1, requires_grad=True)])
    with pytest.raises(WakekitError, match="Adagrad has no momentum to change; leave `momentum` out"):
        OneCycle(momentum=(0.85, 0.95)).build(plain, 10)
    with pytest.raises(ValueError, match="lower value first"):
        OneCycle(momentum=(0.95, 0.85))
