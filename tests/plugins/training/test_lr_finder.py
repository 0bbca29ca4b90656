"""The range test of learning rates, against torch-lr-finder, and that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import copy
import io
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch_lr_finder import LRFinder

from tests.plugins.training.test_trainer import Watch, task
from wakekit.history import History
from wakekit.training import DivergedError
from wakekit_training.cosine import Cosine
from wakekit_training.lr_finder import LrFinder, RateCurve
from wakekit_training.sgd import SGD
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wakekit import TrainingState
    from wakekit.callbacks import Rehearsal

BATCHES, ROWS = 130, 48


class Trial:
    """A state to find rates in: a classifier with dropout and BatchNorm, and batches in a fixed order."""

    def __init__(self, seed: int, optimizer: str) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.x = torch.randn(BATCHES, ROWS, 6, generator=generator)
        self.y = (self.x.sum(dim=2) > 0).long()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 2))
        make: Any = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[optimizer]
        self.optimizer = make(self.model.parameters(), lr=0.01)
        self.rows: list[Mapping[str, Any]] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []

    def state(self) -> TrainingState:
        """Return the state as a callback sees it."""
        return cast(
            "TrainingState",
            SimpleNamespace(
                model=self.model, optimizer=self.optimizer, record=self.rows.append, warn=self.warnings.append,
                rehearse=self.rehearse, step=0, note=self.notes.append,
            ),
        )  # fmt: skip

    @contextlib.contextmanager
    def rehearse(self) -> Iterator[Rehearsal]:
        """Take steps on the batches, one after the other."""
        batches = iter(zip(self.x, self.y, strict=True))

        def step() -> Tensor:
            x, y = next(batches)
            loss = nn.functional.cross_entropy(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            return loss.detach()

        yield step

    def line(self, name: str) -> tuple[list[float], list[float]]:
        """Return a recorded line."""
        (row,) = [row for row in self.rows if row.get("line") == name and "mark" not in row]
        return row["x"], row["y"]


def reference(trial: Trial, options: LrFinder) -> tuple[Mapping[str, list[float]], float]:
    """Return torch-lr-finder's curve and suggestion on the same batches from the same weights."""
    batches = TensorDataset(trial.x.flatten(0, 1), trial.y.flatten())
    finder = LRFinder(trial.model, trial.optimizer, nn.CrossEntropyLoss(), device="cpu")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        finder.range_test(
            DataLoader(batches, batch_size=ROWS), start_lr=options.start, end_lr=options.end, num_iter=options.steps,
            step_mode="exp" if options.spacing == "exponential" else "linear", smooth_f=options.smooth,
            diverge_th=options.diverge,
        )  # fmt: skip
        _, rate = finder.plot(ax=Figure().add_subplot())
    return finder.history, rate


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        ("sgd", LrFinder(start=1e-4, end=30.0, steps=100)),
        ("adamw", LrFinder(start=1e-5, end=1.0, steps=120, smooth=0.1)),
        ("sgd", LrFinder(start=1e-2, end=2.0, steps=60, spacing="linear", smooth=0.2)),
        ("sgd", LrFinder(start=1e-3, end=1e6, steps=80, diverge=2.0)),
    ],
)
def test_the_curve_is_that_of_torch_lr_finder(optimizer: str, options: LrFinder) -> None:
    """Rates, smoothed losses, where it stops and the suggestion are those of torch-lr-finder.

    Where that suggests a rate beyond the lowest loss, on the way down from a spike, ours lies before.
    """
    agreed = 0
    for seed in range(3):
        ours = Trial(seed, optimizer)
        theirs = copy.deepcopy(ours)
        options.build().fit_started(ours.state())
        curve, rate = reference(theirs, options)
        rates, smoothed = ours.line("smoothed")
        assert rates == pytest.approx(curve["lr"], rel=1e-9)
        assert smoothed == pytest.approx(curve["loss"], rel=1e-5)
        assert len(ours.line("single steps")[0]) == len(rates)
        (mark,) = [row for row in ours.rows if row.get("mark")]
        lowest = rates[10 + int(np.argmin(smoothed[10:-5]))]
        if rate <= lowest * (1 + 1e-9):
            agreed += 1
            assert mark["x"] == pytest.approx(rate, rel=1e-9)
        assert mark["x"] <= lowest
        (told,) = ours.notes
        assert told.startswith(f"lr-finder: suggests a learning rate of {mark['x']:.3g}, the optimizer's is ")
        assert told.endswith("; training keeps it, apply = true takes the other")
        assert mark["y"] == smoothed[rates.index(mark["x"])]
        assert {(row["series"], row["x_label"], row["x_log"]) for row in ours.rows} == {
            ("learning rate finder", "learning rate", True)
        }
    assert agreed >= 2


def everything(state: TrainingState) -> list[Any]:
    """Return copies of all that a trial must put back."""
    tensors = [*state.model.parameters(), *state.model.buffers()]
    modes = [module.training for module in state.model.modules()]
    options = copy.deepcopy(state.optimizer.state_dict())
    return [*[tensor.detach().clone() for tensor in tensors], modes, options, torch.get_rng_state()]


@pytest.mark.parametrize("optimizer", [None, SGD(lr=0.05, nesterov=True)])
def test_a_trial_leaves_nothing_behind(optimizer: SGD | None) -> None:
    """T23: model, BatchNorm, optimizer, modes and random state are as before to the bit, and training goes as without.

    The batches and dropout of the training are the same too, which its weights would show.
    """
    seen: list[list[Any]] = []
    see = Watch(lambda state: seen.append(everything(state)), "fit_started")
    changes = {"optimizer": optimizer} if optimizer else {}
    callbacks = {"before": see, "finder": LrFinder(steps=30), "after": see}
    found = Standard(epochs=2).fit(task(callbacks=callbacks, **changes)).weights
    plain = Standard(epochs=2).fit(task(**changes)).weights
    assert all(torch.equal(found[name], plain[name]) for name in plain)
    before, after = seen
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old, new) if isinstance(old, Tensor) else old == new


@attrs.frozen
class TwoRates:
    """An optimizer component with two groups of different rates."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return it."""
        first, *rest = model.parameters()
        return torch.optim.SGD([{"params": [first], "lr": 0.02}, {"params": rest, "lr": 0.1}])


def test_an_applied_rate_is_the_runs() -> None:
    """With `apply` every pass trains at the suggested rate, groups in their ratio, the schedule starting there."""
    rates: dict[int, list[float]] = {}
    history = History()

    def see(state: TrainingState) -> None:
        rates.setdefault(state.pass_number, []).append(state.optimizer.param_groups[1]["lr"])
        assert state.optimizer.param_groups[0]["lr"] == pytest.approx(state.optimizer.param_groups[1]["lr"] / 5)

    finder = LrFinder(start=1e-4, end=10.0, steps=100, apply=True)
    callbacks = {"finder": finder, "see": Watch(see, "gradients_ready")}
    given = task(callbacks=callbacks, optimizer=TwoRates(), schedule=Cosine(warmup=0.0), history=history)
    Standard(epochs=1, passes=2).fit(given)
    (suggested,) = [row["x"] for row in history.rows if row.get("mark")]
    assert suggested != pytest.approx(0.1)
    assert rates[0][0] == rates[1][0] == pytest.approx(suggested)
    assert rates[0][-1] < suggested / 2
    assert not [row for row in history.rows if "warning" in row]


def curved(losses: list[float], smooth: float = 0.05) -> RateCurve:
    """Return a curve with its running mean."""
    smoothed = losses[:1]
    for loss in losses[1:]:
        smoothed.append(smooth * loss + (1 - smooth) * smoothed[-1])
    return RateCurve(np.geomspace(1e-6, 1, len(losses)), np.array(losses), np.array(smoothed), smooth)


@given(st.integers(0, 2**32 - 1), st.integers(60, 200))
@settings(max_examples=60, deadline=None)
def test_the_suggestion_lies_on_the_fall(seed: int, count: int) -> None:
    """A loss that falls in one place, under noise, is found there or just behind, as the running mean lags."""
    rng = np.random.default_rng(seed)
    at = count * rng.uniform(0.3, 0.6)
    losses = 0.7 - 0.5 / (1 + np.exp(-(np.arange(count) - at))) + rng.normal(size=count) * 0.02
    found = curved(losses.tolist()).suggestion()
    assert found is not None
    assert at - 6 <= found <= at + 20


def test_a_curve_that_does_not_fall_has_no_suggestion() -> None:
    """A level, rising or very short curve has none; noise alone almost never; nor is the way down from a spike one."""
    assert curved([0.7] * 100).suggestion() is None
    assert curved(np.linspace(0.7, 2, 100).tolist()).suggestion() is None
    assert curved([0.7, 0.6, 9.0]).suggestion() is None
    rng = np.random.default_rng(0)
    noise = [curved((0.7 + rng.normal(size=100) * 0.1).tolist()).suggestion() for _ in range(300)]
    assert sum(found is not None for found in noise) <= 9
    falling = np.linspace(0.7, 0.3, 60).tolist()
    found = curved([*falling, 40.0, *[0.6] * 39]).suggestion()
    assert found is not None
    assert found < 60


def test_no_suggestion_is_said_and_nothing_applied() -> None:
    """Where the loss falls at no rate the run says so and keeps the optimizer's rate."""
    trial = Trial(0, "sgd")
    trial.y = torch.randint(0, 2, trial.y.shape, generator=torch.Generator().manual_seed(1))
    LrFinder(start=1e-9, end=1e-7, apply=True).build().fit_started(trial.state())
    (warning,) = trial.warnings
    assert "the loss does not fall anywhere from rate 1e-09 to 1e-07" in warning
    assert "training keeps the optimizer's rate" in warning
    assert not [row for row in trial.rows if row.get("mark")]


def test_a_loss_that_is_no_number_ends_the_trial() -> None:
    """What comes before it is drawn, even where that is nothing, and training says itself that it diverged."""
    trial = Trial(0, "sgd")
    trial.x[40] = math.nan
    LrFinder(start=1e-4, end=1.0).build().fit_started(trial.state())
    assert len(trial.line("smoothed")[0]) == 40
    trial = Trial(0, "sgd")
    trial.x[0] = math.nan
    LrFinder().build().fit_started(trial.state())
    assert trial.line("smoothed") == ([], [])
    assert len(trial.warnings) == 1
    poison = Watch(lambda state: next(state.model.parameters()).data.fill_(math.nan), "fit_started")
    with pytest.raises(DivergedError):
        Standard(epochs=1).fit(task(callbacks={"poison": poison, "finder": LrFinder()}))


def test_a_training_that_goes_on_is_not_tested_again() -> None:
    """After the first step the finder does nothing."""
    trial = Trial(0, "sgd")
    state: Any = trial.state()
    state.step = 1
    LrFinder(apply=True).build().fit_started(state)
    assert (trial.rows, trial.warnings) == ([], [])
    with pytest.raises(ValueError, match=r"end: expected a value above start, 0\.1, got 0\.01"):
        LrFinder(start=0.1, end=0.01)
