"""The connection to a Ray cluster, quietly, and put back in order afterwards."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import warnings
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakekit import WakekitError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Results travel as text of some kilobytes; Ray's own choice is a third of the memory.
_OBJECT_STORE_BYTES = 100 * 2**20
_PATIENCE = 10.0
_EVERYTHING = "^"
_REAPING = "kill_child_processes_on_worker_exit_with_raylet_subreaper"
# What a job needs to know of the environment of who launched it, also on another machine.
_PASSED_ON = ("OMP_NUM_THREADS", "WAKEKIT_DISABLE_PLUGINS")


def imported_ray() -> Any:  # noqa: ANN401
    """Return the package ray; raises WakekitError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
    # What Ray tells of dead workers would go to the standard output; it reads this when it is imported.
    skipping = "RAY_DEDUP_LOGS_SKIP_REGEX"
    kept = os.environ.setdefault(skipping, _EVERYTHING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module("ray")
    except ModuleNotFoundError as error:
        raise WakekitError("launcher ray: the package ray is not installed; pip install 'wakekit[ray]'") from error
    finally:
        if kept == _EVERYTHING:
            del os.environ[skipping]


@contextmanager
def _random_state_kept() -> Iterator[None]:
    """Leave the caller's random state as it was: Ray draws ports and names from Python's global one."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def connected(ray: Any, address: str, *, cpus: float, retries: int) -> Iterator[None]:  # noqa: ANN401
    """Connect to the cluster at `address`, or start one here with room for `cpus` at least, and let go of it at last.

    Where it is started here, a task that is killed for want of memory is done again `retries` times, not for ever, and
    what a dead worker has started dies too. A connection that stands already is used as it is. Raises WakekitError
    where no cluster answers.
    """
    if ray.is_initialized():
        with _random_state_kept():
            yield
        return
    _refuse_silence(address)
    with _random_state_kept(), _quiet(), _scratch(wanted=not address) as scratch:
        options = _there(address) if address else _here(scratch, cpus, retries)
        try:
            _in_silence(
                ray.init,
                log_to_driver=False,
                configure_logging=False,
                logging_level=logging.ERROR,
                **options,
            )
        except (OSError, RuntimeError, ValueError) as error:
            where = f"at {address}" if address else "on this machine"
            told = " ".join(str(error).split())
            if address and "RAY_AUTH_MODE" not in os.environ:
                told += "; a cluster that asks for a token needs RAY_AUTH_MODE=token in the environment"
            raise WakekitError(f"launcher ray: no Ray cluster {where}: {told}") from error
        try:
            yield
        finally:
            _in_silence(ray.shutdown)


def _refuse_silence(address: str) -> None:
    """Raise WakekitError where nobody listens at HOST:PORT; Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise WakekitError(f"launcher ray: no Ray cluster at {address}: {error}") from error


def _there(address: str) -> dict[str, Any]:
    """Return what connects to a running cluster, whose workers get what is peculiar to this environment."""
    return {"address": address, "runtime_env": {"env_vars": _environment()}}


def _here(scratch: str, cpus: float, retries: int) -> dict[str, Any]:
    """Return what starts a cluster on this machine, which inherits the environment."""
    return {
        "address": "local",
        "num_cpus": max(os.cpu_count() or 1, -int(-cpus // 1)),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "_temp_dir": scratch,
        "_system_config": {"task_oom_retries": retries, _REAPING: sys.platform == "linux"},
        "include_dashboard": False,
    }


def _environment() -> dict[str, str]:
    """Return what workers find in their environment: the folders of this process's path that no installer made."""
    installed = (sys.prefix, sys.base_prefix)
    folders = [folder or str(Path.cwd()) for folder in map(str, sys.path) if not folder.startswith(installed)]
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PYTHONPATH": os.pathsep.join(folders), **passed_on}


def _in_silence(call: Any, **options: Any) -> None:  # noqa: ANN401
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call(**options)


@contextmanager
def _scratch(*, wanted: bool) -> Iterator[str]:
    """Give a folder for the logs and sockets of a cluster, whose names must be short, and remove it at last."""
    if not wanted:
        yield ""
        return
    short = "/tmp"  # noqa: S108
    folder = tempfile.mkdtemp(prefix="wakekit-ray-", dir=short if Path(short).is_dir() else None)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Let Ray log errors alone, and put back the handlers of signals that it replaces.

    While children are ignored, as it leaves them, the exit status of every process that is started here reads 0.
    """
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    names = [name for name in ("SIGTERM", "SIGCHLD") if hasattr(signal, name)]
    handlers = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in names}
    try:
        yield
    finally:
        logger.setLevel(level)
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
