"""Several processes that carry out one run together, as torchrun starts them: who this one is, and what all agree on.

All train together, each on its rows of every batch. Everything else is the first one's: it makes the other stages,
shows progress and writes the run's folder, while the others wait. Where torchrun started nothing, a process is alone
and all of this does nothing.

What is sent between processes goes by gloo from CPU tensors and by NCCL from CUDA tensors. Waiting has no limit of its
own, as a stage may take hours: a process that ends closes its connections, which ends the others.
"""

from __future__ import annotations

import gc
import os
import tempfile
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import attrs
import torch
from torch import Tensor, distributed, nn
from torch.distributed.rendezvous import rendezvous

from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
_MEETING, _RUN = timedelta(minutes=15), timedelta(days=30)
_SET_BY_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_FAILED, _KEPT = "wakekit/failed", "wakekit/kept"
_SILENT_SECONDS = 5.0
_KEEPING = timedelta(minutes=1)


class _Store(Protocol):
    """What torchrun keeps for all processes: the part of torch's store that is needed here."""

    def add(self, key: str, amount: int, /) -> int: ...
    def set(self, key: str, value: str, /) -> None: ...
    def wait(self, keys: list[str], timeout: timedelta, /) -> None: ...


@attrs.frozen
class World:
    """The processes of a run: which one this is, how many there are, and which one it is on its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process makes stages and writes the run."""
        return self.rank == 0

    def part(self, rows: int) -> slice:
        """Return which rows of a batch this process computes: every `size`-th, so that each part is as mixed as all.

        Where there are fewer rows than processes those left over take the first row, and `count` says 0.
        """
        return slice(self.rank, None, self.size) if self.rank < rows else slice(0, 1)

    def count(self, rows: int) -> int:
        """Return how many rows of a batch count as this process's; over all processes that makes `rows`."""
        return len(range(self.rank, rows, self.size))


_ALONE = World()
_HERE: ContextVar[World] = ContextVar("world", default=_ALONE)
_STORE: ContextVar[_Store | None] = ContextVar("store", default=None)


class LostError(WakekitError):
    """Another process of the run has ended."""


def world() -> World:
    """Return the processes of this run; one alone outside `joined`."""
    return _HERE.get()


@contextmanager
def joined() -> Iterator[World]:
    """Join the processes that torchrun started with this one, if it did, for one run.

    Where several fail, one of them raises its error and the others end without a word: most often theirs is that the
    first is gone.
    """
    found = _told()
    if found.size == 1:
        yield found
        return
    store, _, _ = next(iter(rendezvous("env://", found.rank, found.size, timeout=_MEETING)))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    distributed.init_process_group(backend, store=store, rank=found.rank, world_size=found.size, timeout=_RUN)
    here, kept = _HERE.set(found), _STORE.set(store)
    try:
        yield found
    except BaseException as error:
        first = _is_first_to_fail(store)
        # NCCL waits for what will not come any more.
        if backend == "gloo":
            _leave()
        if not first:
            # torchrun ends all as soon as one has ended, and the one that speaks must not be cut short.
            time.sleep(_SILENT_SECONDS)
            raise SystemExit(getattr(error, "exit_code", WakekitError.exit_code)) from error
        raise
    else:
        _leave()
    finally:
        _HERE.reset(here)
        _STORE.reset(kept)


def _leave() -> None:
    """Leave the group, and let its threads end now: some abort the process that they outlive."""
    distributed.destroy_process_group()
    # Whatever holds the group still, as a wrapped model in a cycle does, would hold its threads too.
    gc.collect()


def _told() -> World:
    """Return what torchrun says in the environment."""
    if not all(os.environ.get(name) for name in _SET_BY_TORCHRUN):
        return World()
    rank, size, local_rank = (int(os.environ[name]) for name in _SET_BY_TORCHRUN[:3])
    return World(rank, size, local_rank)


def _is_first_to_fail(store: _Store) -> bool:
    try:
        return store.add(_FAILED, 1) == 1
    except RuntimeError:
        # The store is gone where torchrun is.
        return True


def take_device(device: torch.device) -> None:
    """Give this process a GPU of its own where the run is on GPUs: from now on `cuda` means that one.

    Raises WakekitError where the machine has fewer GPUs than processes.
    """
    here = world()
    if here.size == 1 or device.type != "cuda":
        return
    count = torch.cuda.device_count()
    if here.local_rank >= count:
        raise WakekitError(
            f"torchrun: process {here.local_rank} of this machine has no GPU of its own, there are {count}; "
            f"use --nproc-per-node {count}, or device = 'cpu'"
        )
    torch.cuda.set_device(here.local_rank)


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        said = (str(error).splitlines() or [""])[0]
        raise LostError(
            "another process of this run has ended or is out of reach; finished stages are kept, and the same command "
            f"goes on from there (torch says: {said})"
        ) from error


def agreed(value: T) -> T:
    """Return the first process's value in all; every process must ask. It is pickled on its way."""
    if world().size == 1:
        return value
    box = [value]
    with _together():
        distributed.broadcast_object_list(box, src=0, device=torch.device("cpu"))
    return box[0]


def added_up(values: Tensor) -> Tensor:
    """Add the values of all processes into `values`, the same bits in each, and return it; every one must ask."""
    if world().size > 1:
        with _together():
            distributed.all_reduce(values)
    return values


def everywhere(*, true: bool) -> bool:
    """Return whether something is true in all processes; every one must ask."""
    return int(added_up(torch.tensor(int(true)))) == world().size


@torch.no_grad()
def equalize(module: nn.Module) -> None:
    """Give a module the weights and buffers that it has in the first process; every one must ask."""
    if world().size == 1:
        return
    for tensor in (*module.parameters(), *module.buffers()):
        value = tensor.detach().contiguous()
        with _together():
            distributed.broadcast(value, src=0)
        tensor.copy_(value)


def once(get: Callable[[Callable[[Path], None]], T], make: Callable[[Path], None], *, together: bool = False) -> T:
    """Return what `get` returns, whose argument makes it in a folder: the first process makes it, the others wait.

    Where `together`, all make it in the first one's folder at the same time, if it must be made. Then the others `get`
    it too; raises WakekitError where they do not find it.
    """
    here, begun = world(), False

    def led(folder: Path) -> None:
        nonlocal begun
        begun = True
        agreed(folder)
        make(folder)

    if here.size == 1:
        return get(make)
    if here.first:
        found = get(led if together else make)
        if together and not begun:
            agreed(None)
        agreed(None)
        return found
    folder = agreed(None) if together else None
    if folder is not None:
        make(folder)
    agreed(None)
    return get(_missing)


def _missing(folder: Path) -> None:
    raise WakekitError(
        f"{folder}: process {world().rank} of this run does not find there what the first one made; "
        "give --out a folder that all machines share"
    )


@contextmanager
def writable(folder: Path) -> Iterator[Path]:
    """Give a folder to write in: the first process `folder` itself, the others one that is dropped in the end."""
    if world().first:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="wakekit-") as other:
        yield Path(other)


def after_the_first() -> None:
    """Wait, a minute at most, until the first process has come to this line too: what it keeps, it has kept by then.

    For where all fail alike, as nobody outlives the first that ends.
    """
    store = _STORE.get()
    if store is None:
        return
    with suppress(RuntimeError):
        if world().first:
            store.set(_KEPT, "")
        else:
            store.wait([_KEPT], _KEEPING)
