"""What components answer: taken where it is what their contracts say, else refused by their name."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from wakekit.answers import as_module, as_one, as_tensor
from wakekit.errors import PluginError, abridged, who
from wakekit.judge_stage import probabilities
from wakekit.streams import scored


def test_who_is_named_by_kind_class_and_module() -> None:
    """So that of two packages' classes of one name the right one is looked at."""
    assert who("scorer", Fraction(1)) == "scorer Fraction of fractions"
    assert who("metric", Fraction(1), "half") == "metric half (Fraction of fractions)"


class Mute:
    """What cannot say what it is."""

    def __repr__(self) -> str:
        raise RuntimeError


def test_a_wrong_answer_is_told_on_one_line() -> None:
    """Whatever its text holds and however long it is, also where it has none."""
    assert abridged(np.zeros((2, 2))) == "array([[0., 0.], [0., 0.]])"
    assert len(abridged("x" * 999)) == 80
    assert abridged("\x1b[2J") == "'\\x1b[2J'"
    assert abridged(Mute()) == "a Mute"


def test_what_fits_is_taken_as_it_is() -> None:
    """The very same object comes back."""
    found, module = torch.ones(2, 3), nn.Identity()
    assert as_tensor(found, (2, -1), "x", dtype=torch.float32, finite=True) is found
    assert as_tensor(found.double(), (2, 3), "x").dtype == torch.float64
    assert as_module(module, "x") is module
    assert as_one(3, int, "x") == 3


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "got None"),
        ([1.0, 2.0], "got [1.0, 2.0]"),
        (torch.ones(2, 4), "got float32 [2, 4]"),
        (torch.ones(2, 3, 1), "got float32 [2, 3, 1]"),
        (torch.ones(()), "got float32 []"),
        (torch.ones(2, 3).double(), "got float64 [2, 3]"),
        (torch.ones(2, 3).long(), "got int64 [2, 3]"),
    ],
)
def test_other_shapes_and_types_are_refused(found: Any, words: str) -> None:
    """The sentence holds what was expected and what came."""
    with pytest.raises(PluginError, match=rf"^model M: expected a tensor float32 \[2, 3\], {re.escape(words)}$"):
        as_tensor(found, (2, 3), "model M", dtype=torch.float32)


def test_numbers_that_are_not_finite_are_counted() -> None:
    """NaN and infinity alike, where they are asked for."""
    found = torch.tensor([1.0, float("nan"), float("inf")])
    as_tensor(found, (3,), "x")
    with pytest.raises(PluginError, match=r"^x: expected finite numbers, got 2 that are not$"):
        as_tensor(found, (3,), "x", finite=True)


@pytest.mark.parametrize("cls", [nn.Module, int])
def test_an_instance_of_something_else_is_refused(cls: type) -> None:
    """Most often None, from a verb without a return."""
    with pytest.raises(PluginError, match=f"^x: expected an? {cls.__name__}, got None$"):
        as_one(None, cls, "x")


class Says(nn.Module):
    """A calibrator that answers with what it is given."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def forward(self, scores: torch.Tensor) -> Any:
        """Return the answer."""
        return self.change(scores)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: None, "expected a tensor float64 [3], got None"),
        (lambda scores: scores.float(), "got float32 [3]"),
        (lambda scores: scores[:-1], "got float64 [2]"),
        (lambda scores: scores * torch.nan, "expected finite numbers, got 3 that are not"),
        (lambda scores: scores * 0 - 0.5, "expected probabilities, got -0.5 to -0.5"),
        (lambda scores: scores * 0 + 1.5, "expected probabilities, got 1.5 to 1.5"),
    ],
)
def test_a_calibrator_gives_a_probability_for_each_score(change: Any, words: str) -> None:
    """Anything else would move the threshold, or leave scores out, without a word."""
    with pytest.raises(PluginError, match=f"^calibrator Says of .*{re.escape(words)}$"):
        probabilities(Says(change), np.zeros(3))
    assert probabilities(Says(torch.sigmoid), np.zeros(3)).tolist() == [0.5] * 3
    assert not len(probabilities(Says(torch.sigmoid), np.zeros(0)))


class Scores:
    """A scorer that answers with what it is given."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def score(self, network: Any, audio: torch.Tensor, hop: int) -> Any:
        """Return the answer."""
        assert (network, len(audio), hop) is not None
        return self.answer


class Ten:
    """A network whose windows are of ten samples."""

    window, context, sample_rate = 10, 0, 100


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "got None"),
        (torch.zeros(2, 4), "got float32 [2, 4]"),
        (torch.zeros(3, 3), "got float32 [3, 3]"),
        (torch.zeros(2, 3).long(), "got int64 [2, 3]"),
        (torch.full((2, 3), torch.nan), "expected finite numbers, got 6 that are not"),
    ],
)
def test_a_scorer_gives_a_number_for_each_window(answer: Any, words: str) -> None:
    """Twenty samples hold three windows of ten, one every five."""
    network: Any = Ten()
    with pytest.raises(PluginError, match=f"^scorer Scores of .*{re.escape(words)}$"):
        scored(network, Scores(answer), torch.zeros(2, 20), 5)
    right = torch.zeros(2, 3)
    assert scored(network, Scores(right), torch.zeros(2, 20), 5) is right
