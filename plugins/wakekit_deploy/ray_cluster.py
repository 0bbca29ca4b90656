"""Variants as tasks on a Ray cluster."""

from __future__ import annotations

import os
from collections import deque
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import attrs

from wakekit import WakekitError, option
from wakekit.launching import Ended, packed, unpacked
from wakekit_deploy.gpus import check_share
from wakekit_deploy.ray_session import connected, imported_ray
from wakekit_deploy.ray_task import do

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from wakekit.launching import Job, Watch

_GIGABYTE = 10**9
_PATIENCE = 10.0


@attrs.frozen
class Ray:
    """Tasks on a Ray cluster: one that is running, or one on this machine for the time of the launch.

    The folder that the jobs write into must be one that all nodes share, under the same name. A job whose worker dies
    is done again, which costs only what was not finished. What a job reserves decides where and when it runs, never
    what it finds; how many threads it uses is the recipe's business.
    """

    address: str = option(
        "", help="a running cluster: auto, HOST:PORT or ray://HOST:PORT; if left out, one is started on this machine"
    )
    workers: int = option(0, at_least=0, help="jobs at once, unless the command line says; 0: as many as fit")
    cpus_per_job: float = option(1.0, at_least=0, help="CPUs that a job reserves")
    gpus_per_job: float | None = option(
        None, at_least=0, help="GPUs that a job reserves, or a share of one; if left out, 1 where the cluster has any"
    )
    memory_per_job: float = option(0.0, at_least=0, unit="GB", help="memory that a job reserves; 0: none")
    retries: int = option(3, at_least=0, help="how often a job whose worker died is done again")

    def __attrs_post_init__(self) -> None:
        """Refuse a number of GPUs that cannot be dealt out."""
        check_share("gpus_per_job", self.gpus_per_job or 0)

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Carry out the jobs; raises WakekitError where Ray is missing, does not answer or has no room for one.

        A job counts as begun when it is handed to Ray, which may let it wait for room. When this returns or raises, no
        job goes on, and a cluster that was started here is gone.
        """
        if not jobs:
            return
        width = self.workers if workers is None else workers
        ray = imported_ray()
        with self._connected(ray, width), _marked(jobs) as marks:
            wanted = self._wanted(ray)
            fitting = _room(ray, wanted)
            remote = ray.remote(do).options(
                num_cpus=wanted["CPU"],
                num_gpus=wanted["GPU"],
                memory=wanted["memory"] or None,
                max_retries=self.retries,
            )
            surroundings = {"folder": str(Path.cwd()), "own_threads": "OMP_NUM_THREADS" in os.environ}
            _Tasks(ray, partial(remote.remote, **surroundings), marks, self.retries).run(jobs, watch, width or fitting)

    def _connected(self, ray: Any, width: int) -> AbstractContextManager[None]:  # noqa: ANN401
        return connected(ray, self.address, cpus=width * self.cpus_per_job, retries=self.retries)

    def _wanted(self, ray: Any) -> dict[str, float]:  # noqa: ANN401
        """Return what a job reserves, by Ray's names of resources; memory in whole bytes."""
        gpus = self.gpus_per_job
        if gpus is None:
            gpus = 1.0 if ray.cluster_resources().get("GPU", 0) else 0.0
        return {"CPU": self.cpus_per_job, "GPU": gpus, "memory": int(self.memory_per_job * _GIGABYTE)}


def _room(ray: Any, wanted: Mapping[str, float]) -> int:  # noqa: ANN401
    """Return how many jobs fit on the cluster at once; raises WakekitError where it is none."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    needs = {name: amount for name, amount in wanted.items() if amount}
    room = sum(
        min((int(node.get(name, 0) / amount + 1e-9) for name, amount in needs.items()), default=1) for node in nodes
    )
    if not room:
        words = f"{wanted['CPU']:g} CPUs, {wanted['GPU']:g} GPUs and {wanted['memory'] / _GIGABYTE:g} GB of memory"
        raise WakekitError(f"launcher ray: no node of the cluster has the {words} that a job reserves")
    return room


@contextmanager
def _marked(jobs: Collection[Job]) -> Iterator[dict[str, str]]:
    """Put a file into each folder that nodes are to share; give the file for each folder."""
    marks = {out: str(Path(out) / f".shared-{uuid4().hex}") for out in {job.out for job in jobs if job.out}}
    try:
        for mark in marks.values():
            Path(mark).touch()
        yield {"": "", **marks}
    finally:
        for mark in marks.values():
            Path(mark).unlink(missing_ok=True)


class _Tasks:
    """Jobs under way on a cluster."""

    def __init__(self, ray: Any, start: Any, marks: Mapping[str, str], retries: int) -> None:  # noqa: ANN401
        self._ray = ray
        self._start = start
        self._marks = marks
        self._retries = retries

    def run(self, jobs: Sequence[Job], watch: Watch, width: int) -> None:
        """Hand over the jobs in order, so many at a time, and tell how each ended."""
        waiting = deque(jobs)
        running: dict[Any, Job] = {}
        try:
            while waiting or running:
                while waiting and len(running) < width:
                    job = waiting.popleft()
                    running[self._start(packed(job), mark=self._marks[job.out])] = job
                    watch.started(job)
                for task in self._ray.wait(list(running), num_returns=1)[0]:
                    job = running.pop(task)
                    watch.ended(job, self._how(task))
        except BaseException:
            self._cancel(list(running))
            raise

    def _how(self, task: Any) -> Ended:  # noqa: ANN401
        errors = self._ray.exceptions
        try:
            return unpacked(self._ray.get(task))
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            return Ended(found=None, reason=f"the worker died, {self._retries} retries included: {_sentence(error)}")
        except errors.RayTaskError as error:
            return Ended(found=None, reason=f"the worker could not begin: {_sentence(error.cause or error)}")
        except errors.RayError as error:
            return Ended(found=None, reason=f"Ray gave up the job: {_sentence(error)}")

    def _cancel(self, tasks: list[Any]) -> None:
        for task in tasks:
            with suppress(Exception):
                self._ray.cancel(task, force=True)
        if tasks:
            with suppress(Exception):
                self._ray.wait(tasks, num_returns=len(tasks), timeout=_PATIENCE)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text:.300}"
