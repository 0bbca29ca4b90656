"""Each check of normalizers catches the mistake that it is meant for, and honest normalizers pass them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest
import torch
from torch import Tensor, nn

from tests.testing.support import failures_on, own_checks
from wakekit import option
from wakekit.testing.kinds.normalizer import _batches, _fit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from wakekit import FeatureBatch


@attrs.frozen
class Standard:
    """Zero mean and unit variance over the train split, or what a fault makes of it."""

    scope: ClassVar[str] = "corpus"
    fault: str = option("", help="what is wrong with it")

    def build(self, n_features: int) -> nn.Module:
        """Return the module."""
        return StandardModule(n_features, self.fault)


@attrs.frozen
class Windowed(Standard):
    """Subtracts the mean of the window."""

    scope: ClassVar[str] = "window"

    def build(self, n_features: int) -> nn.Module:  # noqa: ARG002
        """Return the module."""
        return WindowedModule(self.fault)


@attrs.frozen
class Running(Standard):
    """Subtracts the mean of the last frames."""

    scope: ClassVar[str] = "running"

    def build(self, n_features: int) -> nn.Module:  # noqa: ARG002
        """Return the module."""
        return RunningModule(self.fault)


@attrs.frozen
class Oddly(Standard):
    """Says that its scope is one that there is not."""

    scope: ClassVar[str] = "sentence"


class StandardModule(nn.Module):
    """Features [B, F, T] → (features - mean) / std."""

    def __init__(self, n_features: int, fault: str) -> None:
        super().__init__()
        self.fault = fault
        for name, value in (("mean", torch.zeros(n_features)), ("std", torch.ones(n_features))):
            if fault == "not saved":
                self.register_buffer(name, value, persistent=False)
            elif fault == "tensors as attributes":
                setattr(self, name, value)
            else:
                self.register_buffer(name, value)
        self.mean: Tensor
        self.std: Tensor
        self.frames: Tensor | None = None

    def fit(self, batches: Iterable[FeatureBatch]) -> None:
        """Learn mean and standard deviation."""
        kept = []
        for batch in batches:
            if self.fault == "writes into what it learns from":
                batch.features.mul_(0.5)
            real = torch.arange(batch.features.shape[2]) < batch.frames[:, None]
            part = batch.features.transpose(1, 2)
            kept.append(part.flatten(0, 1) if self.fault == "learns padding" else part[real])
        self.learn(kept)

    def learn(self, kept: list[Tensor]) -> None:
        """Learn from frames [n, F], batch by batch."""
        frames = torch.cat(kept[-1:] if self.fault == "last batch alone" else kept)
        if self.fault == "goes on learning" and self.frames is not None:
            frames = torch.cat([self.frames, frames])
        self.frames = frames if self.fault == "goes on learning" else None
        mean = frames.mean(dim=0)
        if self.fault == "squares that cancel":
            variance = (frames.square().mean(dim=0) - mean.square()).clamp(min=1e-6)
        else:
            variance = (frames.double() - mean.double()).square().mean(dim=0).to(mean.dtype)
        floor = 0.0 if self.fault == "divides by zero" else 1e-3
        self.mean, self.std = mean, variance.sqrt().clamp(min=floor)

    def forward(self, features: Tensor) -> Tensor:
        """Return normalized features."""
        if self.fault == "writes into what it is given":
            features.add_(1)
        if self.fault == "learns in training" and self.training:
            self.mean = 0.9 * self.mean + 0.1 * features.mean(dim=(0, 2))
        found = (features - self.mean[:, None]) / self.std[:, None]
        wrong: dict[str, Any] = {
            "drops a frame": lambda: found[:, :, 1:],
            "float64": found.double,
            "looks at the window": lambda: found - found.mean(dim=2, keepdim=True),
            "looks at the batch": lambda: found - found.mean(dim=0, keepdim=True),
        }
        return wrong.get(self.fault, lambda: found)()  # type: ignore[no-any-return]


class WindowedModule(nn.Module):
    """Features less the mean of their window, or of the whole batch."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.over = (0, 2) if fault == "mean of the batch" else (2,)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features."""
        return features - features.mean(dim=self.over, keepdim=True)


class RunningModule(nn.Module):
    """Features less the mean of the last ten frames."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.size = 10
        if fault != "says no context":
            self.context_frames = 5 if fault == "too little context" else 9

    def forward(self, features: Tensor) -> Tensor:
        """Return the features."""
        return features - nn.functional.pad(features, (self.size - 1, 0)).unfold(2, self.size, 1).mean(dim=3)


FAULTS = [
    (Standard, "drops a frame", "shape-kept"),
    (Standard, "float64", "shape-kept"),
    (Oddly, "", "known-scope"),
    (Running, "says no context", "known-scope"),
    (Standard, "learns padding", "padding-left-out"),
    (Standard, "last batch alone", "cuts-into-batches-free"),
    (Standard, "goes on learning", "fitted-anew"),
    (Standard, "looks at the window", "frame-by-frame"),
    (Running, "too little context", "stream-in-pieces"),
    (Windowed, "mean of the batch", "each-window-by-itself"),
    (Standard, "looks at the batch", "each-window-by-itself"),
    (Standard, "learns in training", "same-after-use"),
    (Standard, "not saved", "saved-is-loaded"),
    (Standard, "divides by zero", "finite-features"),
    (Standard, "squares that cancel", "large-mean-small-spread"),
    (Standard, "tensors as attributes", "moves-to-a-device"),
    (Standard, "writes into what it learns from", "input-untouched"),
    (Standard, "writes into what it is given", "input-untouched"),
]


@pytest.mark.parametrize(("cls", "fault", "check"), FAULTS)
def test_a_mistake_is_caught_by_the_check_meant_for_it(cls: type, fault: str, check: str, tmp_path: Path) -> None:
    """The check fails on a component that makes the mistake."""
    assert check in failures_on("normalizer", cls, tmp_path, options={"fault": fault}, only={check})


@pytest.mark.parametrize("cls", [Standard, Windowed, Running])
def test_honest_ones_pass(cls: type, tmp_path: Path) -> None:
    """A stranger's normalizer of any scope that keeps the contract fails nothing."""
    assert failures_on("normalizer", cls, tmp_path) == {}


def test_every_check_is_proved() -> None:
    """There is a mistake for each check of the kind."""
    assert own_checks("normalizer") == {check for *_, check in FAULTS}


def test_features_and_lengths_are_on_the_device() -> None:
    """A normalizer is fitted as training does it: with features and their lengths on the device of its module."""
    seen = []

    class Fitted(nn.Module):
        def fit(self, batches: Iterable[FeatureBatch]) -> None:
            seen.extend((batch.features.device.type, batch.frames.device.type) for batch in batches)

    _fit(Fitted(), _batches(), torch.device("meta"))
    assert set(seen) == {("meta", "meta")}
