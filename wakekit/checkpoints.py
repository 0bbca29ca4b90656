"""Where a training keeps its state from time to time, so that it goes on from there after a kill.

When that happens depends on the clock, and nothing that is computed does. A checkpoint of other software, another
device or another number of threads or processes is not gone on from, because it would not give the same weights. Where
several processes train together the first one writes, and all go on from it or none.
"""

from __future__ import annotations

import math
import os
import platform
import time
from typing import TYPE_CHECKING, Any

import torch

from wakekit.artifacts import replacing
from wakekit.distributed import everywhere, world
from wakekit.errors import WakekitError
from wakekit.tree import load_tree, save_tree

if TYPE_CHECKING:
    from pathlib import Path

_FORMAT = 2
_SECONDS = "WAKEKIT_CHECKPOINT_SECONDS"
# No more than this share of the time goes into writing.
_COST = 0.02


class Checkpoints:
    """The last checkpoint of one training, in the file `path`; None keeps nothing."""

    def __init__(self, path: Path | None = None, *, device: torch.device | None = None, seconds: float = 20.0) -> None:
        self._path = path
        software = [_FORMAT, str(torch.__version__), platform.machine(), str(device)]
        self._world = [*software, torch.get_num_threads(), world().size]
        self._writes = path is not None and world().first
        self._seconds = _seconds(seconds)
        self._next = time.monotonic() + self._seconds

    def due(self) -> bool:
        """Say whether it is time for one."""
        return self._writes and time.monotonic() >= self._next

    def save(self, tree: object) -> None:
        """Keep a tree (see `wakekit.tree`) in the place of the one before, whole or not at all."""
        if self._path is None:
            return
        started = time.monotonic()
        with replacing(self._path) as part:
            save_tree(part, {"world": self._world, "tree": tree})
        ended = time.monotonic()
        self._next = ended + (max(self._seconds, (ended - started) / _COST) if self._seconds else 0.0)

    def load(self) -> Any | None:  # noqa: ANN401
        """Return the last tree; None where there is none, or one of another world."""
        found = load_tree(self._path) if self._path is not None and self._path.is_file() else None
        fits = found is not None and found["world"] == self._world
        return found["tree"] if everywhere(true=fits) and found is not None else None

    def forget(self) -> None:
        """Remove the last one."""
        if self._path is not None and self._writes:
            self._path.unlink(missing_ok=True)


def _seconds(usual: float) -> float:
    """Return how often to keep one: what the environment says, or the usual."""
    told = os.environ.get(_SECONDS, "")
    try:
        found = float(told or usual)
    except ValueError:
        found = -1.0
    if not 0 <= found < math.inf:
        raise WakekitError(f"{_SECONDS}: expected seconds between checkpoints, 0 for every step, got {told!r}")
    return found
