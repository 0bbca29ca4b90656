"""Training steps that are taken back: for a callback that tries learning rates before training begins."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import torch

from wakekit_training.snapshot import random_states, set_random_states

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from wakekit.callbacks import Rehearsal
    from wakekit_training.loop import Training

# Training counts its epochs from 0, so that none has the random numbers of those below.
_BEFORE = -1
_BATCHES, _DRAWS = range(2)


@contextmanager
def rehearsal(training: Training) -> Iterator[Rehearsal]:
    """Give a function that takes a step and returns its loss; in the end everything is as it was, to the bit.

    Every tensor of the model is copied, not what `state_dict` hands out, which training would change with it, and
    which leaves buffers out that are not persistent.
    """
    model, optimizer, device = training.model, training.optimizer, training.task.device
    tensors = [*model.parameters(), *model.buffers()]
    kept, modes = [tensor.detach().clone() for tensor in tensors], [module.training for module in model.modules()]
    options, random = copy.deepcopy(optimizer.state_dict()), random_states(device)
    batches, draws = _endless(training), training.generator(_BEFORE, stream=_DRAWS)
    model.train()
    try:
        yield lambda: training.step(next(batches), draws, rehearsed=True)
    finally:
        optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            for tensor, value in zip(tensors, kept, strict=True):
                tensor.copy_(value)
        for module, mode in zip(model.modules(), modes, strict=True):
            module.training = mode
        optimizer.load_state_dict(options)
        set_random_states(random, device)


def _endless(training: Training) -> Iterator[list[Tensor]]:
    for epoch in count():
        yield from training.epoch_batches(training.generator(_BEFORE - epoch, stream=_BATCHES))
