"""The checks of launchers catch what they are there for; the good one here does its jobs in this very process."""

from __future__ import annotations

import json
from threading import Thread
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.testing.support import failures_on
from wakekit.launching import Ended, FailFast, Job, Watch, failed, packed, unpacked, work

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def answer(job: Job) -> Ended:
    """Do a job here, but for one that would end the process."""
    return unpacked(failed("the worker died") if job.task.get("dies") else work(packed(job)))


@attrs.frozen
class Good:
    """One job after the other."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        assert workers is None or workers > 0
        for job in jobs:
            watch.started(job)
            watch.ended(job, answer(job))


@attrs.frozen
class Backwards(Good):
    """The last job first."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        Good().launch(jobs[::-1], watch, workers=workers)


@attrs.frozen
class Doubled(Good):
    """Tells of an end twice."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        Good().launch([*jobs, *jobs[:1]], watch, workers=workers)


@attrs.frozen
class Fragile(Good):
    """Stops at a failure."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        good = [job for job in jobs if not job.task.get("fails")]
        Good().launch(good, watch, workers=workers)


@attrs.frozen
class Curt(Good):
    """Gives no reason."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        assert workers is None or workers > 0
        for job in jobs:
            watch.started(job)
            watch.ended(job, attrs.evolve(answer(job), reason=""))


@attrs.frozen
class Stubborn(Good):
    """Goes on whatever its watch raises."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        for job in jobs:
            try:
                Good().launch([job], watch, workers=workers)
            except FailFast:
                continue


@attrs.frozen
class Threaded(Good):
    """Tells its watch from a thread of its own."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        thread = Thread(target=Good().launch, args=(jobs, watch), kwargs={"workers": workers})
        thread.start()
        thread.join()


@attrs.frozen
class Lingering(Good):
    """Leaves a job to itself."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them, the last one beside the others."""
        thread = Thread(target=answer, args=jobs[-1:], daemon=True)
        thread.start()
        Good().launch(jobs, watch, workers=workers)


@attrs.frozen
class Greedy(Good):
    """Needs a job."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        json.dumps(jobs[0].task)
        Good().launch(jobs, watch, workers=workers)


@attrs.frozen
class Inside(Good):
    """Does every job in this very process, which one that dies would end."""

    def launch(self, jobs: Sequence[Job], watch: Watch, *, workers: int | None) -> None:
        """Do them."""
        del workers
        for job in jobs:
            watch.started(job)
            watch.ended(job, unpacked(work(packed(job))))


def test_a_good_one_passes(tmp_path: Path) -> None:
    """No false alarm."""
    assert failures_on("launcher", Good, tmp_path) == {}


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (Backwards, "every-job-is-told", "jobs are begun as"),
        (Doubled, "every-job-is-told", "told twice"),
        (Fragile, "a-failure-ends-its-job-alone", "the ends of 5 are told"),
        (Inside, "a-failure-ends-its-job-alone", "carry jobs out in other processes"),
        (Curt, "a-failure-ends-its-job-alone", "the reason of a failure is lost"),
        (Stubborn, "stops-when-told", "is swallowed"),
        (Threaded, "every-job-is-told", "from a thread other than the one that called"),
        (Lingering, "stops-when-told", "its workers go on with job 3"),
        (Greedy, "no-jobs", "IndexError"),
    ],
)
def test_a_broken_one_is_caught(tmp_path: Path, cls: type, check: str, words: str) -> None:
    """Each mistake fails the check that is meant for it."""
    found = failures_on("launcher", cls, tmp_path, only=[check])
    assert words in found.get(check, "passed"), found
