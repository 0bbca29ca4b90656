"""The plain scorer: every window is scored once, as it is.

It is what a device does, so nothing has to be argued about at run time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from torch import Tensor

    from wakekit.network import Network


@attrs.frozen
class Plain:
    """Score every window with the network, and nothing else."""

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return the log-odds [B, n] of the windows of `audio` [B, S], one every `hop` samples."""
        return network.score_windows(audio, hop)
