"""What an exporter is given: the trained detector's score as one module, and what a device must know to use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from wakekit.network import Network


@attrs.frozen(kw_only=True)
class Facts:
    """What a device must know beside the weights; lengths are in samples.

    A window of `window` samples is judged every `hop`, and is preceded by `context`, what frontend and normalizer must
    have heard before it: silence at the start of a stream. `threshold` is the operating point that was chosen on dev,
    for probabilities of the `detector`, a table as recipes write it, with the settings chosen there. `fingerprint` is
    that of the stage `calibrate`, which covers data, training and operating point.
    """

    keyword: str
    sample_rate: int
    window: int
    context: int
    hop: int
    threshold: float
    detector: Mapping[str, Any]
    fingerprint: str

    @property
    def samples(self) -> int:
        """Samples of a row of audio, S: the context and the window."""
        return self.context + self.window


class Shipped(nn.Module):
    """Frontend, normalizer, model and calibrator: audio float32 [B, S] in [-1, 1) to probabilities float64 [B].

    S is `facts.samples`. It is on the CPU and in inference; nothing of it can be trained.
    """

    def __init__(self, network: Network, calibrator: nn.Module, facts: Facts) -> None:
        super().__init__()
        self.network = network
        self.calibrator = calibrator
        self.facts = facts
        self.to("cpu").eval().requires_grad_(requires_grad=False)
        # A network with a score per frame counts its frames once, which must not happen while it is traced.
        self.probabilities(torch.zeros(1, facts.samples))

    def forward(self, audio: Tensor) -> Tensor:
        """Return the probability that each row ends with the keyword, as the detector's threshold reads it."""
        probabilities: Tensor = self.calibrator(self.network.score_each(audio, self.facts.hop).double())
        return probabilities

    @torch.no_grad()
    def probabilities(self, audio: Tensor, *, at_once: int = 64) -> Tensor:
        """Return what `forward` does, for any number of rows."""
        return torch.cat([self(rows) for rows in audio.split(at_once)])
