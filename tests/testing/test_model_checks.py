"""The checks of models: each finds what it is meant for, and a stranger's good models pass all."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs
import pytest
import torch
from torch import Tensor, nn

from tests.testing.support import failures_on, unproved
from wakekit import WakekitError, option

if TYPE_CHECKING:
    from pathlib import Path


class Net(nn.Module):
    """A convolution, its normalization, the mean over time and a linear layer."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_features, 6, 3)
        self.norm = nn.BatchNorm1d(6)
        self.drop = nn.Dropout(0.1)
        self.last = nn.Linear(6, n_classes)

    def hidden(self, features: Tensor) -> Tensor:
        """Return [B, 6, T']."""
        return torch.relu(self.norm(self.conv(features)))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C]."""
        found: Tensor = self.last(self.drop(self.hidden(features).mean(dim=2)))
        return found


class Frames(Net):
    """Logits of frames."""

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C, T']."""
        found: Tensor = self.last(self.hidden(features).transpose(1, 2)).transpose(1, 2)
        return found


@attrs.frozen
class Plain:
    """A good model, of any number of features that is a multiple of 16 and of 60 frames or more."""

    net: ClassVar[type[nn.Module]] = Net

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module."""
        if n_features % 16:
            raise WakekitError("expected a multiple of 16 features")
        return self.net(n_features, n_classes)


@attrs.frozen
class PerFrame:
    """A good model with a score per frame, which an option decides."""

    scores: str = option("frame", choices=("frame", "window"), help="logits of frames, or of the window")

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module."""
        return (Frames if self.scores == "frame" else Net)(n_features, n_classes)


@attrs.frozen
class Unsaid(Plain):
    """Has a score per frame and does not say so."""

    net = Frames


class BatchNet(Net):
    """Takes the batch's own statistics in inference too."""

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C]."""
        return super().forward(features - features.mean(dim=0, keepdim=True))


@attrs.frozen
class OfBatch(Plain):
    """Depends on the batch."""

    net = BatchNet


class NoisyNet(Net):
    """Has dropout in inference."""

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C]."""
        return super().forward(nn.functional.dropout(features, 0.1))


@attrs.frozen
class Noisy(Plain):
    """Draws in inference."""

    net = NoisyNet


class CountingNet(Net):
    """Remembers how often it was asked, beside its state."""

    seen = 0

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C]."""
        self.seen += 1
        return super().forward(features) + self.seen


@attrs.frozen
class Counting(Plain):
    """Remembers."""

    net = CountingNet


class HiddenNet(Net):
    """Keeps statistics in a plain attribute."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__(n_features, n_classes)
        self.level = torch.zeros(())

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C]."""
        if self.training:
            self.level = features.detach().mean()
        return super().forward(features - self.level)


@attrs.frozen
class Hidden(Plain):
    """Has more than its state."""

    net = HiddenNet


class IdleNet(Net):
    """Has a layer that it never asks."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__(n_features, n_classes)
        self.idle = nn.Linear(2, 2)


@attrs.frozen
class Idle(Plain):
    """Trains not all of its weights."""

    net = IdleNet


class FlatNet(Net):
    """Cuts the batch's first row off."""

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [C]."""
        return super().forward(features)[0]


@attrs.frozen
class Flat(Plain):
    """Gives logits of one row."""

    net = FlatNet


class DoubleNet(Net):
    """Keeps a buffer of float64."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__(n_features, n_classes)
        self.register_buffer("scale", torch.ones((), dtype=torch.float64))


@attrs.frozen
class Double(Plain):
    """Is not of float32."""

    net = DoubleNet


class SharedNet(Net):
    """Its copies share their weights."""

    def __deepcopy__(self, memo: object) -> Net:
        return self


@attrs.frozen
class SharedCopy(Plain):
    """Cannot be copied."""

    net = SharedNet


class LazyNet(Net):
    """Learns its shape from the first batch."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__(n_features, n_classes)
        self.conv = nn.LazyConv1d(6, 3)


@attrs.frozen
class Lazy(Plain):
    """Has no weights before it is used."""

    net = LazyNet


class OtherNames(Net):
    """Changes the names of its state at every build."""

    built = 0

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__(n_features, n_classes)
        OtherNames.built += 1
        self.register_buffer(f"extra_{OtherNames.built}", torch.zeros(()))


@attrs.frozen
class Renaming(Plain):
    """Cannot be loaded."""

    net = OtherNames


@attrs.frozen
class Seeding(Plain):
    """Seeds itself."""

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module."""
        torch.manual_seed(0)
        return super().build(n_features, n_classes)


@attrs.frozen
class Misspelt(Plain):
    """Says of its scores what there is not."""

    scores: ClassVar[str] = "frames"


class Shares(Net):
    """Probabilities where logits are asked for."""

    def forward(self, features: Tensor) -> Tensor:
        """Return probabilities [B, C]."""
        return super().forward(features).softmax(dim=1)


class Deaf(Net):
    """Says the same of whatever it is given."""

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C]."""
        return super().forward(0 * features)


class Ramp(Net):
    """Makes a tensor on the CPU, wherever the features are."""

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, C]."""
        return super().forward(features * torch.linspace(0, 1, features.shape[2]))


class Zero(Net):
    """Begins with a last layer of zeros, which is fine."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__(n_features, n_classes)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)


@attrs.frozen
class Certain(Plain):
    """Builds what gives probabilities."""

    net: ClassVar[type[nn.Module]] = Shares


@attrs.frozen
class Unhearing(Plain):
    """Builds what does not listen."""

    net: ClassVar[type[nn.Module]] = Deaf


@attrs.frozen
class Stuck(Plain):
    """Builds what stays on the CPU."""

    net: ClassVar[type[nn.Module]] = Ramp


@attrs.frozen
class FromZero(Plain):
    """Builds what begins with zeros."""

    net: ClassVar[type[nn.Module]] = Zero


@pytest.mark.parametrize("cls", [Plain, PerFrame, FromZero])
def test_a_strangers_model_passes(cls: type, tmp_path: Path) -> None:
    """No check complains of a model that keeps the contract, nor of one that refuses some sizes in words."""
    assert failures_on("model", cls, tmp_path) == {}


BROKEN = [
    (Flat, "logits-of-every-row", "expected logits"),
    (Unsaid, "logits-of-every-row", "its `scores` is window"),
    (Misspelt, "scores-is-stated-right", "got 'frames'"),
    (OfBatch, "rows-independent", "by itself, a row's logits"),
    (Noisy, "inference-changes-nothing", "draws from"),
    (Noisy, "global-state-untouched", "torch"),
    (Counting, "inference-changes-nothing", "a second time"),
    (Hidden, "is-all-in-its-state", "with the same state"),
    (Hidden, "saved-is-loaded", "after loading"),
    (Idle, "gradients-reach-all-weights", "no gradient reaches idle.bias, idle.weight"),
    (Double, "weights-are-float32", "float64 in scale"),
    (Lazy, "weights-are-float32", "conv.weight has no shape"),
    (SharedCopy, "copies", "after its copy changed"),
    (Renaming, "saved-is-loaded", "extra_"),
    (Certain, "listens-to-its-features", "leave softmax and sigmoid out"),
    (Unhearing, "listens-to-its-features", "its logits are the same"),
    (Stuck, "moves-to-a-device", "mixes devices"),
    (Seeding, "weights-from-the-global-generator", "does it seed itself"),
]


@pytest.mark.parametrize(("cls", "check", "words"), BROKEN)
def test_a_broken_model_is_caught(cls: type, check: str, words: str, tmp_path: Path) -> None:
    """The check that is meant for the mistake tells of it."""
    assert words in failures_on("model", cls, tmp_path, only={check}).get(check, "nothing")


def test_every_check_is_proved() -> None:
    """There is no check of models that no broken one above is caught by."""
    assert unproved("model", {check for _, check, _ in BROKEN}) == set()
