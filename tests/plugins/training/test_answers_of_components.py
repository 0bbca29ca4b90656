"""What a trainer's components answer wrong ends the training with their name, not with somebody else's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor, nn

from tests.training_support import task
from wakekit.errors import PluginError
from wakekit_training.standard import Standard

if TYPE_CHECKING:
    from collections.abc import Callable


class Answers(SimpleNamespace):
    """A component whose verbs answer whatever they are given to."""


def model(change: Callable[[Tensor], object]) -> Answers:
    """Return a model component that changes right logits."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    module.register_forward_hook(lambda _module, _given, logits: change(logits))
    return Answers(build=lambda _features, _classes: module)


def loss(change: Callable[[Tensor], object]) -> Answers:
    """Return a loss component that changes the right value."""
    return Answers(build=lambda: lambda logits, targets: change(nn.functional.cross_entropy(logits, targets)))


def sampler(*batches: object) -> Answers:
    """Return a sampler component that gives these batches."""
    return Answers(batches=lambda _pools, _generator: batches, batch_size=4)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"model": Answers(build=lambda _features, _classes: None)},
            "model Answers of .*: expected a Module, got None",
        ),
        ({"model": model(lambda logits: logits[:-1])}, r"model Answers of .*float \[\d+, 2\], got float32 \[\d+, 2\]"),
        ({"model": model(lambda logits: logits.repeat(1, 2))}, r"model Answers of .*, got float32 \[\d+, 4\]"),
        ({"model": model(lambda _: "text")}, "model Answers of .*, got 'text'"),
        ({"loss": loss(lambda value: value[None])}, r"loss Answers of .*float \[\], got float32 \[1\]"),
        ({"loss": loss(lambda _: None)}, "loss Answers of .*, got None"),
        ({"optimizer": Answers(build=lambda _: None)}, "optimizer Answers of .*expected an Optimizer, got None"),
        ({"schedule": Answers(build=lambda *_: None)}, "schedule Answers of .*expected a LRScheduler, got None"),
        ({"sampler": Answers(batches=lambda *_: None)}, "sampler Answers of .* failed: TypeError"),
        ({"sampler": sampler(torch.ones(4))}, r"sampler Answers of .*int64 \['any'\], got float32 \[4\]"),
        ({"sampler": sampler(torch.tensor([0, -1]))}, r"sampler Answers of .*rows from 0 to \d+, got -1 to 0"),
        ({"sampler": sampler(torch.tensor([0, 10**6]))}, r"sampler Answers of .*rows from 0 to \d+, got 0 to 1000000"),
        ({"sampler": sampler(torch.zeros(0).long())}, "sampler Answers of .*expected batches of rows, got one without"),
        ({"sampler": sampler()}, "sampler Answers of .*expected batches of rows, got none"),
    ],
)
def test_who_answers_wrong_is_named(changes: dict[str, Any], told: str) -> None:
    """Rows counted from the end or a schedule that is none would train something else without a word."""
    with pytest.raises(PluginError, match=f"^{told}"):
        Standard(epochs=1).fit(task(**changes))
