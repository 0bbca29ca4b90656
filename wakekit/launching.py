"""How variants are carried out somewhere: a launcher is handed jobs and tells how each ended.

A job is plain data. A launcher sends `packed(job)` to another process or machine, calls `work` on that text there, and
`unpacked` on the text that comes back. What a job leaves lies in the folder `out` that all workers share, stage by
stage, each written whole; a job that was cut off can be done again.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from wakekit.errors import WakekitError, system_said

if TYPE_CHECKING:
    from collections.abc import Iterator


class FailFast(WakekitError):  # noqa: N818
    """A watcher wants no more jobs to be started."""


@attrs.frozen(kw_only=True)
class Job:
    """Something to carry out by itself, in any order.

    `name` is for people. `task` is JSON data for `entry`, a function `module:name` of that data to JSON data, in which
    it tells of every failure of a variant. `out` is the folder that all workers share, and what the worker prints is
    added to the file `log`; either may be left out.
    """

    name: str
    task: dict[str, Any]
    entry: str = "wakekit.ablation.work:carry_out"
    out: str = ""
    log: str = ""


@attrs.frozen(kw_only=True)
class Ended:
    """How a job ended: `found` is what its entry returned; None where it failed or the worker died, for `reason`."""

    found: dict[str, Any] | None
    reason: str = ""


class Watch(Protocol):
    """What a launcher tells of its jobs, from the thread that called it."""

    def started(self, job: Job) -> None:
        """Say that a worker has begun with a job."""

    def ended(self, job: Job, how: Ended) -> None:
        """Say how a job ended, once for each; raises FailFast where no more is to be started."""


def packed(job: Job) -> str:
    """Return a job as one line of text."""
    return json.dumps(attrs.asdict(job))


def unpacked(answer: str) -> Ended:
    """Return how a job ended from what `work` answered."""
    return Ended(**json.loads(answer))


def work(text: str) -> str:
    """Do a packed job in the process of a worker and return how it ended, as one line of text.

    Whatever goes wrong is in the answer, as one sentence; the traceback of what nobody expected goes to the job's log.
    """
    job = Job(**json.loads(text))
    if job.out and not Path(job.out).is_dir():
        return failed(f"{job.out}: no such folder where the job was to run; all workers must share it")
    try:
        with _printing_to(job.log) if job.log else nullcontext():
            return json.dumps(attrs.asdict(Ended(found=_called(job))))
    except WakekitError as error:
        return failed(str(error))
    except OSError as error:
        return failed(system_said(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return failed(f"{type(error).__name__}: {error}")


def _called(job: Job) -> dict[str, Any]:
    module, _, name = job.entry.partition(":")
    try:
        found: dict[str, Any] = getattr(import_module(module), name)(job.task)
    except (WakekitError, OSError):
        raise
    except (Exception, SystemExit):
        if job.log:
            traceback.print_exc()
        raise
    return found


def failed(reason: str) -> str:
    """Return the answer for a job that could not be done."""
    return json.dumps(attrs.asdict(Ended(found=None, reason=reason)))


@contextmanager
def _printing_to(log: str) -> Iterator[None]:
    """Send what this process and its children print to the end of a file."""
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    kept = os.dup(1), os.dup(2)
    try:
        with Path(log).open("ab", buffering=0) as file:
            _point(file.fileno(), file.fileno())
            try:
                yield
            finally:
                _point(*kept)
    finally:
        for handle in kept:
            os.close(handle)


def _point(out: int, err: int) -> None:
    """Let the standard output and the standard error of the process be these files from here on."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os.dup2(out, 1)
    os.dup2(err, 2)
