"""Launchers: jobs carried out somewhere, each told of once."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.launching import Ended, FailFast, Job
from wakekit.testing.checks import check, exercise

if TYPE_CHECKING:
    import torch

    from wakekit.testing.subject import Subject

_ENTRY = "wakekit.testing.kinds.launcher:double"
# A job that is cut off lasts so long, in seconds.
_LASTS = 0.7


class SameProcessError(BaseException):
    """A job is carried out by the process that checks; no `Exception`, as what a job raises is told of it."""


def double(task: dict[str, Any]) -> dict[str, Any]:
    """Do the job of the exercise: twice a number, or what else is asked for."""
    if task.get("fails"):
        raise ValueError("this job fails")
    if task.get("dies"):
        if task["dies"] == os.getpid():
            raise SameProcessError("a job that dies would end the whole command: carry jobs out in other processes")
        os._exit(3)
    if task.get("mark"):
        time.sleep(_LASTS)
        Path(task["mark"]).touch()
    return {"twice": 2 * task["number"]}


class _Kept:
    """A watch that keeps what it is told."""

    def __init__(self, enough: int | None = None) -> None:
        self.begun: list[str] = []
        self.told: dict[str, Ended] = {}
        self.threads: set[int] = set()
        self.enough = enough

    def started(self, job: Job) -> None:
        self.threads.add(threading.get_ident())
        self.begun.append(job.name)

    def ended(self, job: Job, how: Ended) -> None:
        self.threads.add(threading.get_ident())
        assert job.name not in self.told, f"the end of job {job.name!r} is told twice"
        self.told[job.name] = how
        if self.enough is not None and len(self.told) >= self.enough:
            raise FailFast("enough")


def _jobs(folder: Path, **special: str) -> list[Job]:
    tasks: list[dict[str, Any]] = [{"number": number} for number in range(4)]
    tasks += [{"number": 0, what: os.getpid()} for what in special]
    return [
        Job(name=f"job {place}", task=task, entry=_ENTRY, out=str(folder), log=str(folder / f"{place}.log"))
        for place, task in enumerate(tasks)
    ]


def _launched(subject: Subject, **special: str) -> _Kept:
    watch = _Kept()
    subject.value.launch(_jobs(subject.folder, **special), watch, workers=1)
    return watch


@exercise("launcher")
def answers(subject: Subject, _device: torch.device) -> dict[str, Any]:
    """Return what the jobs answered."""
    return {name: how.found for name, how in sorted(_launched(subject).told.items())}


@check("launcher")
def every_job_is_told(subject: Subject) -> None:
    """Each job is begun in the order given, and its end told once, with what it found, from the caller's thread."""
    watch = _launched(subject)
    assert watch.begun == [f"job {place}" for place in range(4)], f"jobs are begun as {watch.begun}"
    found = {name: how.found for name, how in watch.told.items()}
    expected = {f"job {place}": {"twice": 2 * place} for place in range(4)}
    assert found == expected, f"expected {expected}, got {found}"
    assert watch.threads == {threading.get_ident()}, "its watch is told from a thread other than the one that called"


@check("launcher")
def a_failure_ends_its_job_alone(subject: Subject) -> None:
    """A job that raises, and a worker that dies, are told with a reason, and the other jobs are done."""
    watch = _launched(subject, fails="", dies="")
    failed = {name: how.reason for name, how in watch.told.items() if how.found is None}
    assert len(watch.told) == 6, f"6 jobs, and the ends of {len(watch.told)} are told"
    assert sorted(failed) == ["job 4", "job 5"], f"two jobs fail, got {failed}"
    assert "this job fails" in failed["job 4"], f"the reason of a failure is lost: {failed['job 4']!r}"
    assert failed["job 5"].strip(), "a worker died, and no reason is told"


@check("launcher")
def stops_when_told(subject: Subject) -> None:
    """What its watch raises ends the launch, and no worker goes on after it."""
    watch, marks = _Kept(enough=1), subject.folder / "marks"
    shutil.rmtree(marks, ignore_errors=True)
    marks.mkdir()
    first, *others = _jobs(subject.folder)
    lasting = [attrs.evolve(job, task={**job.task, "mark": str(marks / job.name)}) for job in others]
    try:
        subject.value.launch([first, *lasting], watch, workers=2)
    except FailFast:
        there = set(marks.iterdir())
        assert len(watch.told) == 1, f"after the watch had enough, {len(watch.told) - 1} more jobs are told of"
    else:
        raise AssertionError("what the watch raised is swallowed")
    time.sleep(2 * _LASTS)
    late = sorted(path.name for path in set(marks.iterdir()) - there)
    assert not late, f"the launch has ended, and its workers go on with {', '.join(late)}"


@check("launcher")
def no_jobs(subject: Subject) -> None:
    """No jobs are no error."""
    watch = _Kept()
    subject.value.launch([], watch, workers=1)
    assert not watch.begun
