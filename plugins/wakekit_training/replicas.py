"""One model trained by several processes, each on its rows of every batch, as if one process had them all.

Gradients, loss and changes of buffers are added up after the backward pass in one message, each process weighing as
much as its rows. DistributedDataParallel would send gradients while others are still computed, which models of a
million weights do not need; it takes parts to be equally large, and stands between callbacks and the model. A loss must
be a mean over rows, as it must where batches are accumulated.

BatchNorm is SyncBatchNorm on CUDA, with statistics of the whole batch, under the same names in `state_dict`. On a CPU
each process normalizes by its own rows. Dropout layers drop what they would in one process; what else draws from
torch's global random state draws the same in all processes.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from wakekit.distributed import added_up, equalize, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit import Draws

_DRAWS: ContextVar[Draws | None] = ContextVar("draws", default=None)


class Replicas:
    """The model of this process and its twins in the others: they begin a step alike and end it alike."""

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.world = world()
        self.model = model
        self.before: list[Tensor] = []
        if self.world.size == 1:
            return
        if device.type == "cuda":
            self.model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        share_dropout(self.model)
        equalize(self.model)

    def note(self) -> str | None:
        """Return what a person should know of it, if anything."""
        apart = [m for m in self.model.modules() if isinstance(m, _BatchNorm) and not isinstance(m, nn.SyncBatchNorm)]
        if self.world.size == 1 or not apart:
            return None
        return (
            f"BatchNorm on a CPU: each of the {self.world.size} processes normalizes its own rows of a batch, so that "
            "the weights will not be those that one process gives"
        )

    @torch.no_grad()
    def begin(self) -> None:
        """Remember the buffers at the beginning of a step."""
        if self.world.size > 1:
            self.before = [buffer.clone() for buffer in self._buffers()]

    @torch.no_grad()
    def end(self, loss: Tensor, share: float) -> Tensor:
        """Add up loss, gradients and what happened to buffers since `begin`, in all processes; return the loss.

        Loss and gradients are of this process's rows divided by all rows of the step, of which it had a `share`.
        """
        if self.world.size == 1:
            return loss
        weights, buffers = [weight for weight in self.model.parameters() if weight.requires_grad], self._buffers()
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        present = torch.tensor([float(weight.grad is not None) for weight in weights], device=loss.device)
        changes = [(now - was) * share for now, was in zip(buffers, self.before, strict=True)]
        pieces = [*gradients, *changes, present, loss]
        whole = added_up(torch.cat([piece.flatten() for piece in pieces]))
        *found, present, total = whole.split([piece.numel() for piece in pieces])
        for number, (weight, gradient) in enumerate(zip(weights, found, strict=False)):
            # A layer that was left out here may have had its turn elsewhere; one left out everywhere is not stepped.
            if weight.grad is not None or present[number] > 0:
                weight.grad = gradient.view_as(weight).to(weight.dtype)
        for buffer, was, change in zip(buffers, self.before, found[len(weights) :], strict=True):
            buffer.copy_(was + change.view_as(was))
        summed: Tensor = total[0].to(loss.dtype)
        return summed

    def _buffers(self) -> list[Tensor]:
        return [buffer for buffer in self.model.buffers() if buffer.is_floating_point()]


@contextmanager
def batch_of(draws: Draws) -> Iterator[None]:
    """Say whose rows a model is given, for its dropout layers."""
    token = _DRAWS.set(draws)
    try:
        yield
    finally:
        _DRAWS.reset(token)


class _Shared(_DropoutNd):
    """A dropout layer that draws for all rows of the batch, as torch would on a CPU, and takes its own."""

    def forward(self, values: Tensor) -> Tensor:
        """Return the values with a share `p` of them, or of their channels, zero."""
        draws = _DRAWS.get()
        own = 0 if draws is None else len(range(draws.rows)[draws.world.part(draws.rows)])
        if draws is None or not self.training or not 0 < self.p < 1 or len(values) != own:
            plain: Tensor = super().forward(values)
            return plain
        shape = self.drawn(torch.Size((draws.rows, *values.shape[1:])))
        return values * draws.own(values.new_empty(shape).bernoulli_(1 - self.p).div_(1 - self.p))

    def drawn(self, shape: torch.Size) -> torch.Size:
        """Return how many draws there are for values of a shape."""
        return shape


class _Elements(_Shared, nn.Dropout):
    pass


class _Channels(_Shared):
    def drawn(self, shape: torch.Size) -> torch.Size:
        """Return one for every row and channel."""
        return torch.Size((*shape[:2], *[1] * (len(shape) - 2)))


class _Channels1d(_Channels, nn.Dropout1d):
    pass


class _Channels2d(_Channels, nn.Dropout2d):
    pass


_SHARED: dict[type[nn.Module], type[_Shared]] = {
    nn.Dropout: _Elements,
    nn.Dropout1d: _Channels1d,
    nn.Dropout2d: _Channels2d,
}


def share_dropout(model: nn.Module) -> None:
    """Turn a model's dropout layers into shared ones, in place, under their names and with their options."""
    for module in model.modules():
        if type(module) in _SHARED:
            module.__class__ = _SHARED[type(module)]
