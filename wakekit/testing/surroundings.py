"""What all of a process shares: random states and settings, which components leave as they found them."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Seconds: a timer of none would never ring.
_SOON = 1e-3


def settings() -> dict[str, Any]:
    """Return the settings of the process that a component may not change, by name."""
    return {name: read() for name, (read, _) in _SETTINGS.items()}


class TooLongError(BaseException):
    """A component that did not come to an end; no `Exception`, so that it cannot take it for one of its own."""


@contextmanager
def ended(seconds: float) -> Iterator[None]:
    """Raise TooLongError where what is within takes longer.

    Needs the main thread of a system with timers; nothing is limited without. A timer that was running runs on, and
    one that ends sooner stays in charge.
    """
    main = threading.current_thread() is threading.main_thread()
    if not (main and hasattr(signal, "setitimer")):
        yield
        return
    outer, _ = signal.getitimer(signal.ITIMER_REAL)
    if 0 < outer <= seconds:
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise TooLongError(f"did not come to an end within {seconds:g} s")

    before, begun = signal.signal(signal.SIGALRM, stop), time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - begun), _SOON))


@contextmanager
def kept() -> Iterator[None]:
    """Put random states, settings and warning filters back as they were, whatever happens within."""
    before, python, legacy = settings(), random.getstate(), np.random.get_state()  # noqa: NPY002
    with warnings.catch_warnings(), torch.random.fork_rng(devices=cuda_devices()):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002
            for name, value in settings().items():
                if value != before[name]:
                    _SETTINGS[name][1](before[name])


def cuda_devices() -> list[int]:
    """Return the CUDA devices that have a random state by now, which asking for them would give to all."""
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []


def _folder() -> str:
    try:
        return str(os.getcwd())  # noqa: PTH109 - a folder that was removed has none
    except FileNotFoundError:
        return ""


_SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's default device": (torch.get_default_device, torch.set_default_device),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "torch's gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's deterministic mode": (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    "torch's precision of matrix products": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
    "NumPy's handling of errors": (np.geterr, lambda value: np.seterr(**value)),
    "the working folder": (_folder, os.chdir),
}
