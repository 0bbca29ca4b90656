"""The checks of callbacks: each finds what it is meant for, and a stranger's good callbacks pass all."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import pytest
import torch
from torch import nn

from tests.testing.support import failures_on, unproved
from wakekit import Hooks, TrainingState, option
from wakekit_training.gradient_norm import GradientNorm
from wakekit_training.lr_finder import LrFinder

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen
class Noise:
    """The example of the contract: noise on every weight, from a generator of its own."""

    scale: float = option(1e-3, at_least=0, at_most=1, help="standard deviation of the noise")

    def build(self) -> Hooks:
        """Return the hooks."""
        return AddNoise(self.scale)


class AddNoise(Hooks):
    """Hooks that draw, and remember what they have drawn."""

    def __init__(self, scale: float) -> None:
        self.scale, self.total = scale, 0.0
        self.generator = torch.Generator().manual_seed(0)

    @torch.no_grad()
    def step_ended(self, state: TrainingState) -> None:
        """Add the noise."""
        for weight in state.model.parameters():
            noise = torch.randn(weight.shape, generator=self.generator) * self.scale
            weight.add_(noise.to(weight.device))
            self.total += float(noise.abs().mean())

    def validated(self, state: TrainingState, row: Mapping[str, float]) -> None:
        """Record it."""
        del row
        state.record({"series": "noise added", "x": state.step, "y": self.total, "x_label": "step"})

    def state_dict(self) -> Mapping[str, Any]:
        """Return what a checkpoint needs."""
        return {"total": self.total, "generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.total = state["total"]
        self.generator.set_state(state["generator"])


@attrs.frozen
class Losses:
    """Writes losses to a file and changes nothing."""

    observes: ClassVar[bool] = True

    def build(self) -> Hooks:
        """Return the hooks."""
        return WriteLosses()


class WriteLosses(Hooks):
    """Hooks that only look."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def step_ended(self, state: TrainingState) -> None:
        """Keep the loss."""
        assert state.loss is not None
        self.losses.append(float(state.loss))
        (state.folder / "losses.txt").write_text(repr(self.losses))

    def state_dict(self) -> Mapping[str, Any]:
        """Return the losses."""
        return {"losses": self.losses}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.losses = list(state["losses"])


def callback(hooks: type[Hooks], *, observes: bool | None = None) -> type:
    """Return a component class around hooks."""
    claim = {} if observes is None else {"observes": observes, "__annotations__": {"observes": "ClassVar[bool]"}}
    body = {"__doc__": "A callback.", "build": lambda _: hooks(), "__module__": __name__, **claim}
    return attrs.frozen(type(hooks.__name__.removesuffix("Hooks"), (), body))


class NudgingHooks(Hooks):
    """Changes a weight by very little, once."""

    @torch.no_grad()
    def step_ended(self, state: TrainingState) -> None:
        """Nudge."""
        if state.step == 9:
            next(state.model.parameters()).mul_(1 + 1e-6)


Nudging = callback(NudgingHooks, observes=True)


class StoppingHooks(Hooks):
    """Ends a pass."""

    def validated(self, state: TrainingState, row: Mapping[str, float]) -> None:
        """Ask for it."""
        del row
        state.stop = True


Stopping = callback(StoppingHooks, observes=True)


class DrawingHooks(Hooks):
    """Draws from torch's global generator and does nothing with it."""

    def step_ended(self, state: TrainingState) -> None:
        """Draw."""
        del state
        torch.rand(1)


Drawing = callback(DrawingHooks, observes=True)


class LegacyHooks(Hooks):
    """Draws from NumPy's global generator."""

    def epoch_ended(self, state: TrainingState) -> None:
        """Draw."""
        state.record({"series": "chance", "x": state.step, "y": float(np.random.rand())})  # noqa: NPY002


Legacy = callback(LegacyHooks)


class MeddlingHooks(Hooks):
    """Makes a pass longer."""

    def pass_started(self, state: TrainingState) -> None:
        """Meddle."""
        state.epochs += 1


Meddling = callback(MeddlingHooks)


class DecayingHooks(Hooks):
    """Changes what is not a learning rate."""

    def pass_started(self, state: TrainingState) -> None:
        """Meddle."""
        for group in state.optimizer.param_groups:
            group["weight_decay"] = 0.5


Decaying = callback(DecayingHooks)


class DeafeningHooks(Hooks):
    """Writes into the audio."""

    def fit_started(self, state: TrainingState) -> None:
        """Mute it."""
        state.audio.audio[:10] = 0


Deafening = callback(DeafeningHooks)


class MisfittingHooks(Hooks):
    """Puts up a module of another shape."""

    def fit_ended(self, state: TrainingState) -> None:
        """Put it up."""
        state.evaluated = nn.Linear(2, 2)


Misfitting = callback(MisfittingHooks)


class ForgettingHooks(AddNoise):
    """Draws again, after a kill, what it has drawn before."""

    def __init__(self) -> None:
        super().__init__(1e-3)

    def state_dict(self) -> Mapping[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take nothing."""


Forgetting = callback(ForgettingHooks)


class HalfHooks(AddNoise):
    """Takes back half of what it gives."""

    def __init__(self) -> None:
        super().__init__(1e-3)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the generator alone."""
        self.generator.set_state(state["generator"])


Half = callback(HalfHooks)


class ArraysHooks(Hooks):
    """Gives what no file can keep."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return a set."""
        return {"seen": {1, 2}}


Arrays = callback(ArraysHooks)


class LitteringHooks(Hooks):
    """Writes into the folder that it finds itself in."""

    def fit_ended(self, state: TrainingState) -> None:
        """Write."""
        Path("litter.txt").write_text(str(state.step))


Littering = callback(LitteringHooks)


class TimingHooks(Hooks):
    """Records the time."""

    def epoch_ended(self, state: TrainingState) -> None:
        """Record it."""
        state.record({"series": "seconds", "x": state.epoch, "y": time.perf_counter()})


Timing = callback(TimingHooks)


class ExplodingHooks(Hooks):
    """Makes weights infinite at the very end."""

    @torch.no_grad()
    def fit_started(self, state: TrainingState) -> None:
        """Put up an average that is none."""
        average = copy.deepcopy(state.model)
        for weight in average.parameters():
            weight.fill_(torch.inf)
        self.average = average

    def epoch_ended(self, state: TrainingState) -> None:
        """Put it up."""
        state.evaluated = self.average


Exploding = callback(ExplodingHooks)


@attrs.frozen
class Incomplete:
    """Hooks that are no Hooks."""

    def build(self) -> object:
        """Return them."""
        return object()


_ONE = WriteLosses()


@attrs.frozen
class Shared:
    """The same hooks for every training."""

    def build(self) -> Hooks:
        """Return them."""
        return _ONE


@attrs.frozen
class Undecided:
    """Says of itself what is neither yes nor no."""

    observes: ClassVar[str] = "mostly"

    def build(self) -> Hooks:
        """Return the hooks."""
        return WriteLosses()


def test_first_party_callbacks_observe_unless_they_act() -> None:
    """What an option makes a callback change, it no longer only observes."""
    assert [GradientNorm().observes, GradientNorm(clip=1.0).observes] == [True, False]
    assert [LrFinder().observes, LrFinder(apply=True).observes] == [True, False]


@pytest.mark.parametrize("cls", [Noise, Losses])
def test_a_strangers_callback_passes(cls: type, tmp_path: Path) -> None:
    """No check complains of the contract's own example, nor of one that watches and writes a file."""
    assert failures_on("callback", cls, tmp_path) == {}


@attrs.frozen
class Stale:
    """Averages weights, and leaves the statistics of BatchNorm behind (T24)."""

    def build(self) -> Hooks:
        """Return the hooks."""
        return StaleHooks()


class StaleHooks(Hooks):
    """Hooks that put an average up."""

    def __init__(self) -> None:
        self.average: nn.Module

    def pass_started(self, state: TrainingState) -> None:
        """Begin with the weights as they are."""
        self.average = state.evaluated = copy.deepcopy(state.model)

    @torch.no_grad()
    def step_ended(self, state: TrainingState) -> None:
        """Move the weights alone."""
        for mean, weight in zip(self.average.parameters(), state.model.parameters(), strict=True):
            mean.lerp_(weight, 0.1)

    def state_dict(self) -> Mapping[str, Any]:
        """Return the average."""
        return {"average": self.average.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.average.load_state_dict(state["average"])


BROKEN = [
    (Stale, "evaluated-has-its-statistics", "running_mean of state.evaluated stays as the pass began"),
    (Nudging, "only-observes", "after step 9 the state.model"),
    (Stopping, "only-observes", "makes 12 steps of 24"),
    (Drawing, "only-observes", "`observes` is True"),
    (Drawing, "no-global-draws", "step_ended draws from"),
    (Legacy, "no-global-draws", "numpy.random"),
    (Legacy, "global-state-untouched", "numpy.random"),
    (Meddling, "changes-only-what-it-may", "after pass_started, state.epochs"),
    (Decaying, "changes-only-what-it-may", "param_groups"),
    (Deafening, "changes-only-what-it-may", "samples of state.audio"),
    (Misfitting, "evaluated-fits", "the shapes of state.evaluated"),
    (Forgetting, "goes-on-after-a-kill", "the weights"),
    (Half, "remembers-through-a-file", "after load_state_dict"),
    (Arrays, "remembers-through-a-file", "got set"),
    (Littering, "writes-into-its-folder-alone", "working/litter.txt"),
    (Timing, "second-training-as-first", "the history"),
    (Exploding, "trains", "not finite"),
    (Incomplete, "hooks-complete", "have no fit_started"),
    (Shared, "hooks-complete", "the same hooks for two trainings"),
    (Undecided, "observes-is-yes-or-no", "got 'mostly'"),
]


@pytest.mark.parametrize(("cls", "check", "words"), BROKEN)
def test_a_broken_callback_is_caught(cls: type, check: str, words: str, tmp_path: Path) -> None:
    """The check that is meant for the mistake tells of it."""
    assert words in failures_on("callback", cls, tmp_path, only={check}).get(check, "nothing")


def test_every_check_is_proved() -> None:
    """There is no check of callbacks that no broken one above is caught by."""
    assert unproved("callback", {check for _, check, _ in BROKEN}) == set()
