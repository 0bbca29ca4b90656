"""The checks of optimizers: each finds what it is meant for, and a stranger's good optimizer passes all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
from torch import nn

from tests.testing.support import failures_on, unproved
from wakekit import option

if TYPE_CHECKING:
    from pathlib import Path


class Lion(torch.optim.Optimizer):
    """Steps along the sign of a moving average (Chen et al., 2023)."""

    def __init__(self, weights: Any, lr: float) -> None:
        super().__init__(weights, {"lr": lr})

    def change(self, group: dict[str, Any], weight: torch.Tensor, average: torch.Tensor) -> None:
        """Move a weight."""
        weight.add_(average.mul(0.9).add(weight.grad, alpha=0.1).sign(), alpha=-group["lr"])

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take a step."""
        del closure
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    state = self.state[weight]
                    average = state.setdefault("average", torch.zeros_like(weight))
                    self.change(group, weight, average)
                    average.lerp_(weight.grad, 0.01)


@attrs.frozen
class Signs:
    """A good optimizer, written anew."""

    lr: float = option(1e-2, above=0, at_most=1, help="learning rate")

    def weights(self, model: nn.Module) -> list[nn.Parameter]:
        """Return what is to be trained."""
        return [weight for weight in model.parameters() if weight.requires_grad]

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return Lion(self.weights(model), self.lr)


@attrs.frozen
class Partial(Signs):
    """Leaves biases out."""

    def weights(self, model: nn.Module) -> list[nn.Parameter]:
        """Return what has several dimensions."""
        return [weight for weight in super().weights(model) if weight.ndim > 1]


@attrs.frozen
class NoOptimizer(Signs):
    """Builds something else."""

    def build(self, model: nn.Module) -> Any:
        """Return weights."""
        return self.weights(model)


class _Climbing(Lion):
    def change(self, group: dict[str, Any], weight: torch.Tensor, average: torch.Tensor) -> None:
        super().change({"lr": -group["lr"]}, weight, average)


@attrs.frozen
class Climbing(Signs):
    """Goes the wrong way."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return _Climbing(self.weights(model), self.lr)


class _Shrinking(Lion):
    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure)
        for group in self.param_groups:
            for weight in group["params"]:
                weight.mul_(1 - 1e-4)


@attrs.frozen
class Shrinking(Signs):
    """Decays what has no gradient, whatever the rate."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return _Shrinking(self.weights(model), self.lr)


class _Forgetting(Lion):
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "state": {}}


@attrs.frozen
class Forgetting(Signs):
    """Does not keep its averages."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return _Forgetting(self.weights(model), self.lr)


@attrs.frozen
class Searching(Signs):
    """Needs a closure."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return torch.optim.LBFGS(self.weights(model), lr=self.lr)


_BUILT: list[int] = []


@attrs.frozen
class Tiring(Signs):
    """Is slower at every build."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer."""
        _BUILT.append(1)
        return Lion(self.weights(model), self.lr / len(_BUILT))


def test_a_strangers_optimizer_passes(tmp_path: Path) -> None:
    """No check complains of an optimizer that was written from scratch."""
    assert failures_on("optimizer", Signs, tmp_path) == {}


class _Resting(Lion):
    turn = 0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.turn += 1
        if self.turn % 2:
            super().step(closure)


@attrs.frozen
class Resting(Signs):
    """Rests in every other step, and does not save which it is."""

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer."""
        return _Resting(self.weights(model), self.lr)


BROKEN = [
    (Resting, "goes-on-from-its-state", "from its state after 9 steps"),
    (NoOptimizer, "is-an-optimizer", "expected a torch.optim.Optimizer"),
    (Partial, "is-an-optimizer", "it leaves out scale, bias"),
    (Partial, "steps-all-weights", "scale, bias have gradients and do not move"),
    (Climbing, "lowers-a-quadratic", "on a bowl"),
    (Shrinking, "frozen-stay", "a weight that no gradient reached moves"),
    (Shrinking, "obeys-the-rate", "at a learning rate of 0"),
    (Forgetting, "goes-on-from-its-state", "from its state"),
    (Searching, "gradients-only", "without arguments fails"),
    (Tiring, "rebuilt-afresh", "of a second build"),
]


@pytest.mark.parametrize(("cls", "check", "words"), BROKEN)
def test_a_broken_optimizer_is_caught(cls: type, check: str, words: str, tmp_path: Path) -> None:
    """The check that is meant for the mistake tells of it."""
    assert words in failures_on("optimizer", cls, tmp_path, only={check}).get(check, "nothing")


def test_every_check_is_proved() -> None:
    """There is no check of optimizers that no broken one above is caught by."""
    assert unproved("optimizer", {check for _, check, _ in BROKEN}) == set()
