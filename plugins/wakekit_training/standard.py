"""The standard trainer: passes of epochs of steps, every step batched on the device.

Initial weights, dropout and batches come from the recipe's seed; the caller's random state is left as it was.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import torch

from wakekit import option
from wakekit_training.loop import Training

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit.training import Trained, TrainTask


@attrs.frozen
class Standard:
    """Train for a number of epochs, validate after each, keep the last weights (or the best on dev).

    Where `accumulate` is above 1, a step takes the gradients of so many batches together, each row counting alike: for
    a model without BatchNorm it is a step on one batch that is so much larger. The last step of an epoch takes what is
    left. With several passes everything but the weights begins anew in each: optimizer, schedule, and what callbacks
    average.
    """

    epochs: int = option(12, at_least=1, help="epochs of a pass, as long as the sampler makes them")
    passes: int = option(1, at_least=1, help="trainings in a row, between which callbacks may add rows to train on")
    accumulate: int = option(1, at_least=1, help="batches whose gradients make one step")
    keep: str = option(
        "last", choices=("last", "best"), help="weights to keep of a pass: of its last epoch, or of lowest dev loss"
    )

    def fit(self, task: TrainTask) -> Trained:
        """Train on the task; raises DivergedError with the last good weights when the loss is no longer finite.

        Goes on from the task's checkpoint where there is one, to the very weights it would have come to without a stop.
        """
        with _seeded(task):
            return Training(self, task).run()


@contextmanager
def _seeded(task: TrainTask) -> Iterator[None]:
    devices = [task.device] if task.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(task.seed)
        yield
