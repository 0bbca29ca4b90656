"""Each check of scorers catches the mistake that it is meant for, and honest scorers pass them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
import torch
from torch import Tensor

from tests.testing.support import failures_on, own_checks
from wakekit import option

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.network import Network


@attrs.frozen
class Single:
    """Scores every window once, or what a fault makes of it."""

    fault: str = option("", help="what is wrong with it")

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return the log-odds."""
        if self.fault == "in training":
            network.train()
        if self.fault == "in place":
            audio.mul_(0.5)
        if self.fault == "level of the whole":
            audio = audio / (1e-3 + audio.abs().amax(dim=1, keepdim=True))
        if self.fault == "level of the batch":
            audio = audio / (1e-3 + audio.abs().amax())
        if self.fault == "level by zero":
            audio = audio / audio.abs().amax(dim=1, keepdim=True)
        found = network.score_windows(audio, hop)
        wrong: dict[str, Any] = {
            "no last score": lambda: found[:, :-1],
            "one row": lambda: found[0],
            "looks ahead": lambda: torch.cat([found[:, 1:], found[:, -1:]], dim=1),
            "smooths from the start": lambda: found.cumsum(dim=1),
            "probabilities": found.sigmoid,
            "of the other class": lambda: -found,
            "deaf": lambda: torch.zeros_like(found),
            "level of the audio": lambda: audio.abs().mean() + torch.zeros_like(found),
        }
        return wrong.get(self.fault, lambda: found)()  # type: ignore[no-any-return]


@attrs.frozen
class Delayed:
    """The mean of a window's score and of the one that ended some seconds earlier."""

    fault: str = option("", help="what is wrong with it")
    seconds: float = option(0.02, above=0, at_most=1, help="how much earlier")

    @property
    def context_seconds(self) -> float:
        """How far back it hears."""
        return self.seconds / 2 if self.fault == "half the context" else self.seconds

    @property
    def earlier_seconds(self) -> tuple[float, ...]:
        """How much earlier the windows end that it hears."""
        return (0.0, self.seconds)

    @property
    def latency_seconds(self) -> float:
        """How much later it comes."""
        return -1.0 if self.fault == "comes before" else self.seconds / 2

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return the log-odds."""
        back = round(self.context_seconds * network.sample_rate)
        now = network.score_windows(audio[:, back:], hop)
        before = network.score_windows(audio[:, : audio.shape[1] - back], hop)
        return (now + before) / 2


FAULTS = [
    (Single, "no last score", "a-score-every-hop"),
    (Single, "one row", "a-score-every-hop"),
    (Single, "level of the whole", "stream-in-pieces"),
    (Single, "smooths from the start", "stream-in-pieces"),
    (Single, "looks ahead", "nothing-from-outside-the-window"),
    (Single, "level of the whole", "nothing-from-outside-the-window"),
    (Single, "one row", "streams-as-a-whole"),
    (Single, "level of the batch", "row-by-row"),
    (Single, "level by zero", "finite-scores"),
    (Single, "deaf", "listens-to-the-network"),
    (Single, "level of the audio", "listens-to-the-network"),
    (Single, "probabilities", "listens-to-the-network"),
    (Single, "of the other class", "listens-to-the-network"),
    (Single, "in training", "network-untouched"),
    (Single, "in place", "network-untouched"),
    (Delayed, "half the context", "promises-fit-together"),
    (Delayed, "comes before", "promises-fit-together"),
]


@pytest.mark.parametrize(("cls", "fault", "check"), FAULTS)
def test_a_mistake_is_caught_by_the_check_meant_for_it(cls: type, fault: str, check: str, tmp_path: Path) -> None:
    """The check fails on a component that makes the mistake."""
    assert check in failures_on("scorer", cls, tmp_path, options={"fault": fault}, only={check})


@pytest.mark.parametrize("cls", [Single, Delayed])
def test_honest_ones_pass(cls: type, tmp_path: Path) -> None:
    """A stranger's scorer that keeps the contract fails nothing."""
    assert failures_on("scorer", cls, tmp_path) == {}


def test_every_check_is_proved() -> None:
    """There is a mistake for each check of the kind."""
    assert own_checks("scorer") == {check for *_, check in FAULTS}
