"""Each check of frontends catches the mistake that it is meant for, and an honest frontend passes them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import pytest
import torch
from torch import Tensor, nn

from tests.testing.support import failures_on, own_checks
from wakekit import WakekitError, option

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = {
    "one frame too few": "hop-and-shape-as-declared",
    "centred": "hop-and-shape-as-declared",
    "float64": "hop-and-shape-as-declared",
    "another F": "hop-and-shape-as-declared",
    "mean of the clip": "frames-do-not-depend-on-the-start",
    "dependent on parity": "frames-do-not-depend-on-the-start",
    "context too short": "frames-do-not-depend-on-the-start",
    "peeks ahead": "frame-sees-its-own-samples-only",
    "looks back": "frame-sees-its-own-samples-only",
    "level of the batch": "row-by-row",
    "logarithm of zero": "finite-features",
    "deaf": "sounds-differ",
    "tensor as attribute": "moves-to-a-device",
    "scales in place": "input-untouched",
    "remembers": "same-after-use",
    "negative context": "context-is-a-length",
}


@attrs.frozen
class Energies:
    """Log energies of two bands of uncentred frames, of which each holds that of the frame before too."""

    fault: str = option("", help="what is wrong with it")
    frame_seconds: float = option(0.02, above=0, help="length of a frame")
    hop_seconds: float = option(0.01, above=0, help="distance between frames")

    @property
    def n_features(self) -> int:
        """Number of features."""
        return 3 if self.fault == "another F" else 2

    @property
    def context_seconds(self) -> float:
        """How far back a frame sees."""
        return -0.01 if self.fault == "negative context" else 0.01

    def build(self, sample_rate: int) -> nn.Module:
        """Return the module; it knows rates of whole milliseconds only."""
        if sample_rate % 1000 or self.fault == "no rate":
            raise WakekitError(f"expected another rate, got {sample_rate} Hz")
        return EnergiesModule(self, sample_rate // 1000)


class EnergiesModule(nn.Module):
    """Audio [B, context + S] → [B, 2, T]."""

    def __init__(self, options: Energies, samples: int) -> None:
        super().__init__()
        self.fault = options.fault
        self.frame, self.hop = (
            round(1000 * options.frame_seconds) * samples,
            round(1000 * options.hop_seconds) * samples,
        )
        window = torch.hann_window(self.frame)
        if self.fault == "tensor as attribute":
            self.window = window
        else:
            self.register_buffer("window", window, persistent=False)
        self.last = torch.zeros(())

    def forward(self, audio: Tensor) -> Tensor:
        """Return the features."""
        if self.fault == "scales in place":
            audio *= 0.5
        before = nn.functional.pad(audio, (self.hop, 0))[:, : audio.shape[1]] if self.fault == "looks back" else audio
        ahead = (
            nn.functional.pad(audio, (0, self.hop))[:, self.hop // 4 :][:, : audio.shape[1]]
            if self.fault == "peeks ahead"
            else before
        )
        if self.fault == "centred":
            ahead = nn.functional.pad(ahead, (self.frame // 2, self.frame // 2))
        frames = ahead.unfold(1, self.frame, self.hop) * self.window
        floor = 0.0 if self.fault == "logarithm of zero" else 1e-6
        features = torch.stack([(floor + part.square().mean(dim=2)).log() for part in frames.chunk(2, dim=2)], dim=1)
        features = 0.5 * features[:, :, 1:] + 0.5 * features[:, :, :-1]
        return self.wronged(features)

    def wronged(self, features: Tensor) -> Tensor:
        """Return the features with what is wrong."""
        if self.fault == "remembers":
            self.last, features = features.mean(), features + self.last
        faults = {
            "context too short": lambda: features + nn.functional.pad(features, (1, 0))[:, :, :-1],
            "one frame too few": lambda: features[:, :, 1:],
            "float64": features.double,
            "mean of the clip": lambda: features - features.mean(dim=2, keepdim=True),
            "dependent on parity": lambda: features + torch.arange(features.shape[2]) % 2,
            "level of the batch": lambda: features - features.amax(dim=0, keepdim=True),
            "deaf": lambda: torch.zeros_like(features),
        }
        return faults.get(self.fault, lambda: features)()


@pytest.mark.parametrize(("fault", "check"), FAULTS.items())
def test_a_mistake_is_caught_by_the_check_meant_for_it(fault: str, check: str, tmp_path: Path) -> None:
    """The check fails on a component that makes the mistake."""
    assert check in failures_on("frontend", Energies, tmp_path, options={"fault": fault}, only={check})


def test_an_honest_one_passes(tmp_path: Path) -> None:
    """A stranger's frontend that keeps the contract fails nothing."""
    assert failures_on("frontend", Energies, tmp_path) == {}


def test_every_check_is_proved() -> None:
    """There is a mistake for each check of the kind."""
    assert own_checks("frontend") == set(FAULTS.values())


def test_a_frontend_for_no_rate_at_all_is_told_so(tmp_path: Path) -> None:
    """One that refuses every rate fails with its own sentences."""
    found = failures_on("frontend", Energies, tmp_path, options={"fault": "no rate"}, only={"sounds-differ"})
    assert "expected another rate, got 16000 Hz" in found["sounds-differ"]
