"""The checks of calibrators catch what they are there for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest
import torch
from torch import Tensor, nn

from tests.testing.support import failures_on
from wakekit import option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Module(nn.Module):
    """Log-odds to probabilities by a function, with a bias that fitting learns."""

    def __init__(self, forward: Callable[[Module, Tensor], Tensor], *, saved: bool = True) -> None:
        super().__init__()
        self.map, self.calls = forward, 0
        self.register_buffer("bias", torch.zeros((), dtype=torch.float64), persistent=saved)
        self.bias: Tensor

    def fit(self, scores: Tensor, labels: Tensor) -> None:
        """Learn the bias."""
        self.bias = (2 * labels - 1).mean() - scores.mean() / 10

    def forward(self, scores: Tensor) -> Tensor:
        """Return probabilities."""
        self.calls += 1
        return self.map(self, scores)


def usual(module: Module, scores: Tensor) -> Tensor:
    """Return what a good one does."""
    return torch.sigmoid(scores.double() + module.bias)


@attrs.frozen
class Good:
    """Shift log-odds by a bias that is fitted."""

    monotone: ClassVar[bool] = True
    strength: float = option(1.0, above=0, at_most=10, help="what it is multiplied by")

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(usual)


@attrs.frozen
class Single:
    """Gives float32."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(lambda module, scores: usual(module, scores).float())


@attrs.frozen
class Beyond:
    """Gives more than 1."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(lambda module, scores: 1.5 * usual(module, scores))


@attrs.frozen
class Worded(Good):
    """Says in a word that it is monotone."""

    monotone: ClassVar[str] = "no"


@attrs.frozen
class Falling:
    """Says that it is monotone, and is not."""

    monotone: ClassVar[bool] = True

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(lambda _, scores: torch.sin(scores.double()).abs())


@attrs.frozen
class Relative:
    """Gives the rank of a score among those beside it."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(lambda _, scores: torch.linspace(0, 1, len(scores), dtype=torch.float64))


@attrs.frozen
class Forgetful:
    """Does not save what it learned."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(usual, saved=False)


@attrs.frozen
class Writer:
    """Writes into the scores."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(lambda _, scores: scores.sigmoid_())


class Last(Module):
    """Learns from the last clip."""

    def fit(self, scores: Tensor, labels: Tensor) -> None:
        """Learn the bias."""
        self.bias = labels[-1] - scores[-1]


@attrs.frozen
class Ordered:
    """Depends on the order of the clips."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Last(usual)


class Proud(Module):
    """Cannot do with one class."""

    def fit(self, scores: Tensor, labels: Tensor) -> None:
        """Learn the bias."""
        self.bias = scores[labels == 1].mean() / (labels == 0).double().mean() * 0 + scores[labels == 0].mean() * 0


@attrs.frozen
class OneClass:
    """Gives nan where one class is missing."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Proud(usual)


@attrs.frozen
class Drawn:
    """Draws from the global generator."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(lambda module, scores: usual(module, scores) * (1 - 1e-9 * torch.rand(()).double()))


@attrs.frozen
class Counting:
    """Answers otherwise the second time."""

    def build(self) -> nn.Module:
        """Return the module."""
        COUNT.append(1)
        return Module(lambda module, scores: usual(module, scores) / len(COUNT))


COUNT: list[int] = []


@attrs.frozen
class Undocumented:
    """Has an option without help, and one without a bound."""

    bare: float = option(0.0, at_least=-1)
    free: float = option(0.0, help="without a bound")

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(usual)


@attrs.frozen
class Unbounded:
    """Its default is out of bounds."""

    wide: float = option(3.0, at_most=1, help="how wide")

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(usual)


@attrs.frozen(init=False)
class Careless:
    """Built from Python it takes anything."""

    wide: float = option(0.5, at_most=1, help="how wide")

    def __init__(self, wide: float = 0.5) -> None:
        object.__setattr__(self, "wide", wide)

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(usual)


@attrs.define
class Thawed:
    """Can be changed."""

    shift: float = option(0.0, at_least=-1, at_most=1, help="shift")

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(usual)


@attrs.frozen
class Local:
    """Cannot be sent to another process."""

    inner: Any = option(attrs.Factory(lambda: lambda: 0), help="a function")

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(usual)


@attrs.frozen
class Straight(Good):
    """Fits a line of any slope, and says that it never falls."""

    repairs_prior: ClassVar[bool] = True

    def build(self) -> nn.Module:
        """Return the module."""
        return Line()


class Line(nn.Module):
    """Probabilities along a line through the log-odds, with the least squared error."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("line", torch.tensor([1.0, 0.0], dtype=torch.float64))
        self.line: Tensor

    def fit(self, scores: Tensor, labels: Tensor) -> None:
        """Fit the line."""
        columns = torch.stack([scores, torch.ones_like(scores)], dim=1)
        self.line = torch.linalg.pinv(columns) @ (2 * labels.double() - 1)

    def forward(self, scores: Tensor) -> Tensor:
        """Return probabilities."""
        return torch.sigmoid(self.line[0] * scores + self.line[1])


@attrs.frozen
class Level(Good):
    """Gives all clips one probability."""

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(lambda module, scores: usual(module, 0 * scores))


@attrs.frozen
class Fixed(Good):
    """Says that it undoes shifts, and learns nothing."""

    repairs_prior: ClassVar[bool] = True

    def build(self) -> nn.Module:
        """Return the module."""
        return Module(lambda _, scores: torch.sigmoid(scores))


def test_a_good_one_passes(tmp_path: Path) -> None:
    """No false alarm."""
    assert failures_on("calibrator", Good, tmp_path) == {}


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (Single, "gives-probabilities", "float32"),
        (Beyond, "gives-probabilities", "from 0 to 1"),
        (Worded, "monotone", "monotone: expected True or False, got 'no'"),
        (Falling, "monotone", "probabilities fall after"),
        (Straight, "monotone", "fitted to the opposite, probabilities fall after"),
        (Level, "keeps-what-scores-tell", "keywords a probability of 0.5 on the whole, and others 0.5"),
        (Fixed, "repairs-a-prior", "its `repairs_prior` is True, and fitted"),
        (Relative, "each-score-by-itself", "in pieces"),
        (Forgetful, "saved-is-loaded", "differ"),
        (Writer, "input-untouched", "differ"),
        (Ordered, "order-of-clips-free", "differs by"),
        (OneClass, "one-class-fits", "from 0 to 1"),
        (Drawn, "global-state-untouched", "random state of torch"),
        (Counting, "deterministic", "differ"),
        (Undocumented, "options-documented", "no help"),
        (Unbounded, "defaults-allowed", "at most 1"),
        (Careless, "bounds-hold", "out of bounds and taken"),
        (Thawed, "frozen", "attrs.frozen"),
        (Local, "pickles", "pickle"),
    ],
)
def test_a_broken_one_is_caught(tmp_path: Path, cls: type, check: str, words: str) -> None:
    """Each mistake fails the check that is meant for it."""
    found = failures_on("calibrator", cls, tmp_path, only=[check])
    assert words in found.get(check, "passed"), found
