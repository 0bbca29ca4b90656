"""The checks of losses: each finds what it is meant for, and a stranger's good losses pass all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest
import torch
from torch import Tensor, nn

from tests.testing.support import failures_on, unproved
from wakekit import option

if TYPE_CHECKING:
    from pathlib import Path


@attrs.frozen
class Hinge:
    """The multi-class hinge: flat where the margin is kept, with kinks."""

    margin: float = option(1.0, above=0, at_most=10, help="by how much the right logit is to be higher")

    def build(self) -> Any:
        """Return the loss."""
        return self.value

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over rows."""
        gap = logits[:, 1] - logits[:, 0]
        sides = torch.stack([self.margin + gap, self.margin - gap], dim=1)
        return (targets * sides.relu()).sum(dim=1).mean()


@attrs.frozen
class FrameMean:
    """Cross-entropy of all frames alike."""

    per_frame: ClassVar[bool] = True
    class_weights: tuple[float, float] = option((1.0, 2.0), above=0, help="weights of the classes")

    @property
    def rebalances(self) -> tuple[str, ...]:
        """What counts for more."""
        return ("class weights",) if len(set(self.class_weights)) > 1 else ()

    def build(self) -> Any:
        """Return the loss."""

        def loss(logits: Tensor, targets: Tensor) -> Tensor:
            each = -logits.flatten(2).log_softmax(dim=1) if logits.dim() > 2 else -logits.log_softmax(dim=1)[..., None]
            weights = torch.tensor(self.class_weights, device=logits.device)
            return (each.mean(dim=2) * targets * weights).sum(dim=1).mean()

        return loss


@attrs.frozen
class Naive(Hinge):
    """The logarithm of a softmax: it overflows."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over rows."""
        return -(targets * logits.softmax(dim=1).log()).sum(dim=1).mean()


@attrs.frozen
class Ratio(Hinge):
    """Divides by the number of keywords, of which there may be none."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the mean over keywords."""
        each = -(targets * logits.log_softmax(dim=1)).sum(dim=1)
        return (each * targets[:, 1]).sum() / targets[:, 1].sum() + each.mean()


@attrs.frozen
class Each(Hinge):
    """Gives one value for every row."""

    def build(self) -> Any:
        """Return the loss."""
        return nn.functional.cross_entropy

    @staticmethod
    def rows(logits: Tensor, targets: Tensor) -> Tensor:
        """Return [1]."""
        return nn.functional.cross_entropy(logits, targets)[None]


@attrs.frozen
class OneRow(Each):
    """Gives [1] instead of a scalar."""

    def build(self) -> Any:
        """Return the loss."""
        return self.rows


@attrs.frozen
class Summed(Hinge):
    """The sum over rows."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the sum."""
        return nn.functional.cross_entropy(logits, targets, reduction="sum")


@attrs.frozen
class Ordered(Hinge):
    """Later rows weigh more."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted mean."""
        each = nn.functional.cross_entropy(logits, targets, reduction="none")
        return (each * torch.linspace(0.5, 1.5, len(each))).mean()


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        del ctx
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        return 2 * gradients[0]


@attrs.frozen
class WrongSlope(Hinge):
    """Its gradient is twice what it should be."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        found: Tensor = _Doubled.apply(nn.functional.cross_entropy(logits, targets))  # type: ignore[no-untyped-call]
        return found


@attrs.frozen
class Upside(Hinge):
    """Rewards the wrong class."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        return nn.functional.cross_entropy(-logits, targets)


@attrs.frozen
class Writing(Hinge):
    """Smooths the targets in place."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        return nn.functional.cross_entropy(logits, targets.mul_(0.9).add_(0.05))


_SEEN: list[float] = []


@attrs.frozen
class Running(Hinge):
    """Scaled by how many batches there were."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        _SEEN.append(1.0)
        return nn.functional.cross_entropy(logits, targets) * len(_SEEN)


@attrs.frozen
class Claiming(Hinge):
    """Says that it takes frames, and leaves them alone."""

    per_frame: ClassVar[bool] = True

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        if logits.dim() == 3:
            return (logits * 0).sum()
        return nn.functional.cross_entropy(logits, targets)


@attrs.frozen
class Unsaid(Hinge):
    """Weighs classes without a word."""

    class_weights: tuple[float, ...] = option((1.0, 3.0), above=0, help="weights")


@attrs.frozen
class Wordy(Hinge):
    """Says what it rebalances in one text."""

    rebalances: ClassVar[str] = "hard rows"


@pytest.mark.parametrize("cls", [Hinge, FrameMean])
def test_a_strangers_loss_passes(cls: type, tmp_path: Path) -> None:
    """No check complains of a loss with kinks, nor of one of frames with class weights."""
    assert failures_on("loss", cls, tmp_path) == {}


@attrs.frozen
class Largest(Hinge):
    """Takes the class of the largest share for the whole target."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        return nn.functional.cross_entropy(logits, targets.argmax(dim=1))


@attrs.frozen
class Lopsided(Hinge):
    """Makes the keyword cost ten times as much, without a word."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        return (targets * torch.tensor([1.0, 10.0]).to(logits.device) * -logits.log_softmax(dim=1)).sum(dim=1).mean()


@attrs.frozen
class Stuck(Hinge):
    """Makes a tensor on the CPU, wherever the logits are."""

    def value(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss."""
        return (targets * torch.ones(2) * -logits.log_softmax(dim=1)).sum(dim=1).mean()


BROKEN = [
    (Largest, "mixed-targets-count", "use the shares in the targets"),
    (Lopsided, "unequal-classes-are-said", "a row of class 0 costs 0.6931 and one of class 1 6.931"),
    (Stuck, "stays-on-the-device", "mixes devices"),
    (Naive, "finite", "with logits of"),
    (Ratio, "finite", "without the keyword"),
    (OneRow, "scalar", "expected a scalar, got [1]"),
    (Summed, "mean-over-rows", "the loss of a batch"),
    (Ordered, "order-of-rows-free", "in another order"),
    (WrongSlope, "gradient-is-the-slope", "where its gradient says"),
    (Upside, "falls-as-the-right-logit-rises", "rises as its own logit rises"),
    (Writing, "arguments-untouched", "after it"),
    (Running, "batch-by-itself", "after others"),
    (Claiming, "takes-frames", "have no gradient"),
    (Unsaid, "class-weights-stated-right", "rebalances names nothing"),
    (Wordy, "says-what-it-rebalances", "expected a tuple"),
]


@pytest.mark.parametrize(("cls", "check", "words"), BROKEN)
def test_a_broken_loss_is_caught(cls: type, check: str, words: str, tmp_path: Path) -> None:
    """The check that is meant for the mistake tells of it."""
    assert words in failures_on("loss", cls, tmp_path, only={check}).get(check, "nothing")


def test_every_check_is_proved() -> None:
    """There is no check of losss that no broken one above is caught by."""
    assert unproved("loss", {check for _, check, _ in BROKEN}) == set()
