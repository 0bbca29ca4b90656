"""Worker processes on this machine: order, results, deaths, interrupts, and that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.launched import Kept, gone, job, pids, wait_for
from wakekit.errors import WakekitError
from wakekit.launching import FailFast, Job
from wakekit_deploy import local
from wakekit_deploy.gpus import dealt, room, visible_gpus
from wakekit_deploy.local import Local

if TYPE_CHECKING:
    from collections.abc import Sequence

# A command that launches jobs which go on until they are stopped.
LAUNCHES = """
import sys
from tests.launched import Kept, job
from wakekit_deploy.local import Local
jobs = [job(str(number), "linger", folder=sys.argv[1]) for number in range(4)]
try:
    Local().launch(jobs, Kept(), workers=2)
except KeyboardInterrupt:
    sys.exit(130)
"""


def launch(jobs: Sequence[Job], *, workers: int = 1, watch: Kept | None = None, **options: Any) -> Kept:
    """Carry out jobs and return what was told of them."""
    watch = watch or Kept()
    Local(**options).launch(jobs, watch, workers=workers)
    return watch


def test_jobs_begin_in_order_and_give_what_they_found() -> None:
    """Results are JSON data, whatever the function returned; no job at all is no trouble."""
    watch = launch([job(str(number), "square", number=number) for number in range(6)])
    assert watch.begun == list(watch.ends) == [str(number) for number in range(6)]
    assert watch.found("3") == {"square": 9, "pair": [1, None], "share": 0.1 + 0.2}
    assert not launch([]).begun


def test_one_process_does_many_jobs() -> None:
    """What a worker imports, it imports once: twenty jobs, one process, which is not this one."""
    watch = launch([job(str(number), "tell", given=number) for number in range(20)])
    assert len({watch.found(name)["pid"] for name in watch.ends} | {os.getpid()}) == 2


def test_a_worker_finds_what_its_parent_finds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The path, the folder and the environment are the parent's; threads are not touched."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAKEKIT_DISABLE_PLUGINS", "late")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = launch([job("a", "tell")]).found("a")
    assert found["path"] == sys.path
    assert (found["cwd"], found["WAKEKIT_DISABLE_PLUGINS"]) == (str(tmp_path), "late")
    assert found["OMP_NUM_THREADS"] is None


def test_as_many_jobs_run_at_once_as_there_are_workers(tmp_path: Path) -> None:
    """Three jobs that wait for each other all end; the option holds where the command line says nothing."""
    jobs = [job(name, "meet", folder=str(tmp_path), count=3) for name in "abc"]
    watch = Kept()
    Local(workers=3).launch(jobs, watch, workers=None)
    assert set(watch.ends) == set("abc")


@pytest.mark.parametrize(
    ("entry", "task", "reason"),
    [
        ("die", {"signal": signal.SIGKILL}, "killed by signal 9 (SIGKILL), as the system does when memory runs out"),
        ("die", {"signal": signal.SIGSEGV}, "killed by signal 11 (SIGSEGV); see "),
        ("leave", {"status": 0}, "the worker ended by itself, with exit status 0"),
    ],
)
def test_a_worker_that_dies_ends_its_job_alone(tmp_path: Path, entry: str, task: dict[str, Any], reason: str) -> None:
    """The job has its reason, another worker does the rest, and last words are in the log."""
    log = tmp_path / "logs" / "b.txt"
    watch = launch([job("a", "tell"), job("b", entry, log=str(log), **task), job("c", "tell"), job("d", "tell")])
    assert watch.begun == list("abcd")
    assert watch.ends["b"].found is None
    assert reason in watch.ends["b"].reason
    assert str(log) in watch.ends["b"].reason
    assert watch.found("c")["pid"] == watch.found("d")["pid"] != watch.found("a")["pid"]
    if entry == "die":
        assert "last words" in log.read_text()


def test_a_copy_of_a_dead_worker_keeps_nobody_waiting(tmp_path: Path) -> None:
    """A process that holds the pipe of a dead worker is ended with it."""
    watch = launch([job("a", "hold_pipe", folder=str(tmp_path)), job("b", "tell")])
    assert "exit status 3" in watch.ends["a"].reason
    assert watch.found("b")
    (copy,) = pids(tmp_path)
    wait_for(lambda: gone(copy))


def test_a_worker_that_died_before_it_began_costs_no_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A job is handed out once more; where workers cannot start at all, each job says so and the launch ends."""
    tries = tmp_path / "tries"
    start = f"import os; print('hello', flush=True); open({str(tries)!r}, 'a').write('x'); os._exit(7)"
    monkeypatch.setattr("wakekit_deploy.pool._START", start)
    watch = Kept(begun=["a", "b"])
    launch([job("a", "tell"), job("b", "tell")], watch=watch)
    assert {how.reason for how in watch.ends.values()} == {"the worker ended by itself, with exit status 7"}
    assert tries.read_text() == "xxxx"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("ours", "no room"),
        ("stop", "SystemExit: 2"),
        ("file", "a.wav: gone"),
        ("any", "ZeroDivisionError: by nothing"),
    ],
)
def test_what_a_job_raises_is_its_reason(tmp_path: Path, error: str, reason: str) -> None:
    """One sentence, the traceback of a surprise in the log, and the same worker goes on."""
    log = tmp_path / "log.txt"
    watch = launch([job("a", "fail", error=error, log=str(log)), job("b", "odd"), job("c", "tell")])
    assert watch.ends["a"].reason == reason
    assert ("Traceback" in log.read_text()) == (error in {"stop", "any"})
    assert "not JSON serializable" in watch.ends["b"].reason
    assert watch.found("c")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Nothing is made in a folder that only this worker would see."""
    watch = launch([job("a", "tell", out=str(tmp_path / "shared"), log=str(tmp_path / "shared" / "log"))])
    assert watch.ends["a"].reason.startswith(f"{tmp_path / 'shared'}: no such folder")
    assert not (tmp_path / "shared").exists()


def test_what_a_job_prints_is_in_its_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The standard output, the standard error and what children print; without a log it is printed as an error."""
    logs = {name: tmp_path / name for name in "ab"}
    jobs = [job(name, "shout", log=str(log), text=name) for name, log in logs.items()]
    launch([*jobs, job("again", "shout", log=str(logs["a"]), text="a"), job("c", "shout", text="c")])
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(err.split("\n")) == ["", "c", "c", "c child"]
    assert sorted(logs["a"].read_text().split("\n")) == ["", *["a"] * 4, *["a child"] * 2]
    assert sorted(logs["b"].read_text().split("\n")) == ["", "b", "b", "b child"]


def test_no_job_is_begun_after_a_watcher_had_enough(tmp_path: Path) -> None:
    """What is under way is ended too, with what it has started."""
    jobs = [job("a", "linger", folder=str(tmp_path)), job("b", "meet", folder=str(tmp_path), count=2), job("c", "tell")]
    watch = Kept(stop_at="b")
    with pytest.raises(FailFast):
        launch(jobs, workers=2, watch=watch)
    assert "c" not in watch.begun
    assert len(pids(tmp_path)) == 2
    assert all(map(gone, pids(tmp_path)))


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the command above in a group of processes of its own, and wait until two jobs are under way."""
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen(
        [sys.executable, "-c", LAUNCHES, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        process_group=0,
    )
    wait_for(lambda: len(pids(folder)) == 4)
    return parent


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_the_one_that_launched_it(tmp_path: Path, number: int) -> None:
    """Whatever ends the parent, its workers and their children are gone, and the terminal stays clean."""
    with start(tmp_path) as parent:
        parent.send_signal(number)
        assert parent.communicate(timeout=60) == (b"", b"")
    assert parent.returncode == -number
    wait_for(lambda: all(map(gone, pids(tmp_path))))


def test_an_interrupt_typed_at_a_terminal_ends_everything_in_order(tmp_path: Path) -> None:
    """It reaches the parent alone; the workers stand outside its group, and are gone before it says so."""
    with start(tmp_path) as parent:
        assert parent.pid not in map(os.getpgid, pids(tmp_path))
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.communicate(timeout=60) == (b"", b"")
    assert parent.returncode == 130
    assert all(map(gone, pids(tmp_path)))


def test_gpus_are_dealt_out() -> None:
    """Each worker sees its own; shares and more workers than fit go round; with nothing to divide nothing changes."""

    def seen(gpus: str, workers: int, each: float) -> list[str | None]:
        return [hand.get("CUDA_VISIBLE_DEVICES") for hand in dealt(gpus.split(), workers, each)]

    assert seen("0 1", 2, 1) == ["0", "1"]
    assert seen("GPU-a 3", 5, 0.5) == ["GPU-a", "3", "GPU-a", "3", "GPU-a"]
    assert seen("0 1 2 3", 2, 2) == ["0,1", "2,3"]
    assert seen("", 2, 1) == seen("0", 2, 0.5) == [None, None]
    assert seen("0 1", 1, 1) == [None]
    with pytest.raises(WakekitError, match="is 3, but there are 2 GPUs"):
        dealt(["0", "1"], 2, 3)
    assert [room(*these) for these in ((0, 1), (2, 1), (2, 0.5), (1, 1 / 3), (1, 0.4), (5, 2))] == [1, 2, 4, 3, 2, 2]


def test_a_worker_sees_its_gpus_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of each is set before it imports anything; 0 workers are as many as fit."""
    monkeypatch.setattr(local, "visible_gpus", lambda: ["4", "7"])
    jobs = [job("a", "tell"), job("b", "tell"), job("c", "tell")]
    jobs = [*(job(name, "meet", folder=str(tmp_path), count=4) for name in "wxyz"), *jobs]
    watch = Kept()
    Local(workers=0, gpus_per_job=0.5).launch(jobs, watch, workers=None)
    assert {watch.found(name)["CUDA_VISIBLE_DEVICES"] for name in "abc"} <= {"4", "7"}


def test_gpus_that_are_hidden_stay_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names come from the environment where it has any, as many as there are."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a, 5")
    assert visible_gpus() == ["GPU-a", "5"]
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_a_number_of_gpus_that_cannot_be_dealt_out_is_refused() -> None:
    """A share of one, or whole ones."""
    assert Local(gpus_per_job=0.25).gpus_per_job == 0.25
    with pytest.raises(ValueError, match=r"gpus_per_job: expected at most 1, or a whole number, got 1\.5"):
        Local(gpus_per_job=1.5)
