"""Worker processes that are kept from job to job, so that what they import is imported once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from wakekit.launching import Ended, packed, unpacked
from wakekit_deploy.worker import BEGUN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakekit.launching import Job, Watch

# The path comes before the first import, so that a worker finds what its parent finds.
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from wakekit_deploy.worker import main; main()"
_TICK = 1.0
_PATIENCE = 5.0


class Worker:
    """A process that does one job after another, in a process group of its own.

    What it writes comes into the inbox line by line, and nothing at all when it has ended.
    """

    def __init__(self, inbox: SimpleQueue[tuple[Worker, bytes]], environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.job: Job | None = None
        self.begun = False
        self._inbox = inbox
        # A group of its own: an interrupt typed at the terminal reaches the parent alone.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-c", _START, json.dumps([str(folder) for folder in sys.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            process_group=0,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101
        for line in self._process.stdout:
            self._inbox.put((self, line))
        self._inbox.put((self, b""))

    def begin(self, job: Job) -> None:
        """Hand over a job."""
        self.job, self.begun = job, False
        self._write(packed(job).encode())

    def dismiss(self) -> None:
        """Say that it was all."""
        self._write(b"")

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101
        with suppress(BrokenPipeError):  # of a death its inbox tells
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()

    def is_dead(self) -> bool:
        """Say whether the process has ended."""
        return self._process.poll() is not None

    def await_end(self) -> None:
        """Wait for a process that was dismissed, but not for ever."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)

    def kill(self) -> None:
        """Kill the process and whatever it has started in its group."""
        if sys.platform != "win32":
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def clear_away(self) -> None:
        """Kill what is left, collect the process and close its pipes."""
        self.kill()
        self._process.wait()
        assert self._process.stdin is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._reader.join(_PATIENCE)
        if not self._reader.is_alive():
            self._process.stdout.close()

    def cause_of_death(self) -> str:
        """Say in words how the process ended, which it has."""
        code = self._process.wait()
        if code >= 0:
            text = f"the worker ended by itself, with exit status {code}"
        else:
            text = f"the worker was killed by signal {-code} ({_name_of(-code)})"
            if -code == getattr(signal, "SIGKILL", None):
                text += ", as the system does when memory runs out"
        return f"{text}; see {self.job.log}" if self.job and self.job.log else text


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "no name"


class Pool:
    """Jobs, and the workers that carry them out."""

    def __init__(self, jobs: Sequence[Job], watch: Watch) -> None:
        self._waiting = deque(jobs)
        self._watch = watch
        self._inbox: SimpleQueue[tuple[Worker, bytes]] = SimpleQueue()
        self._workers: list[Worker] = []
        self._put_back: list[Job] = []

    def run(self, environments: Sequence[Mapping[str, str]]) -> None:
        """Carry out the jobs, begun in the order given, in a worker for each environment (changes to this process's).

        Returns when all have ended. A worker that dies is replaced. Whatever is raised, every worker is killed first,
        with the processes that it started.
        """
        try:
            for environment in environments[: len(self._waiting)]:
                self._hire(environment)
            while any(worker.job for worker in self._workers):
                self._receive()
            for step in (Worker.dismiss, Worker.await_end):
                for worker in self._workers:
                    step(worker)
        finally:
            for step in (Worker.kill, Worker.clear_away):
                for worker in self._workers:
                    step(worker)

    def _hire(self, environment: Mapping[str, str]) -> None:
        worker = Worker(self._inbox, environment)
        self._workers.append(worker)
        worker.begin(self._waiting.popleft())

    def _receive(self) -> None:
        """Wait for a message from a worker and act on it."""
        try:
            worker, line = self._inbox.get(timeout=_TICK)
        except Empty:
            # What a dead worker has started may hold its pipe open, and then no message says that it is dead.
            for worker in [worker for worker in self._workers if worker.is_dead()]:
                worker.kill()
            return
        if not line.endswith(b"\n"):
            self._bury(worker)
        elif line == BEGUN and worker.job is not None:
            worker.begun = True
            self._watch.started(worker.job)
        elif worker.begun and worker.job is not None:  # else printed before the worker came to itself
            job, worker.job = worker.job, None
            self._watch.ended(job, unpacked(line.decode()))
            if self._waiting:
                worker.begin(self._waiting.popleft())

    def _bury(self, worker: Worker) -> None:
        """Tell of the job that a worker took with it, and let another take its place."""
        if worker not in self._workers:
            return
        reason = worker.cause_of_death()
        worker.clear_away()
        self._workers.remove(worker)
        job = worker.job
        if job is not None and not worker.begun and not any(job is other for other in self._put_back):
            # It died of something before: the job has another try.
            self._put_back.append(job)
            self._waiting.appendleft(job)
        elif job is not None:
            self._watch.ended(job, Ended(found=None, reason=reason))
        if self._waiting:
            self._hire(worker.environment)
