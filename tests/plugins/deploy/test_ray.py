"""Tasks on a real Ray cluster on this machine: the same results as from local workers, also where workers die."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.launched import Kept, gone, job, pids, put, wait_for
from wakekit.errors import WakekitError
from wakekit.launching import FailFast, packed, unpacked
from wakekit_deploy.local import Local
from wakekit_deploy.ray_cluster import Ray, _room
from wakekit_deploy.ray_session import _environment, connected, imported_ray
from wakekit_deploy.ray_task import do

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import Typed

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the package ray is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two CPUs, started as the launcher starts its own; launches in this process use it."""
    ray = imported_ray()
    with connected(ray, "", cpus=2, retries=1):
        yield ray
    assert not ray.is_initialized()
    # The exit status of processes that are started here is still to be had.
    assert subprocess.run([sys.executable, "-c", "raise SystemExit(3)"], check=False).returncode == 3


def kill_first(folder: Path) -> None:
    """Kill the worker that has written down its number, and let the next one come to its end."""
    wait_for(lambda: len(pids(folder)) == 2)
    os.kill(pids(folder)[0], signal.SIGKILL)
    wait_for(lambda: len(pids(folder)) == 4)
    put(folder / "enough", "")


@needs_ray
def test_a_worker_killed_in_mid_job_changes_no_result(
    cluster: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its job is done again, and all is as local workers give it; the terminal stays clean."""
    assert cluster.is_initialized()
    numbers = [job(str(number), "square", out=str(tmp_path), number=number) for number in range(5)]
    jobs = [job("killed", "linger", out=str(tmp_path), folder=str(tmp_path), given=0.1), *numbers]
    killer = Thread(target=kill_first, args=(tmp_path,))
    killer.start()
    there, here = Kept(), Kept()
    Ray(retries=1).launch(jobs, there, workers=2)
    killer.join()
    assert len(pids(tmp_path)) == 4
    wait_for(lambda: all(map(gone, pids(tmp_path)[:2])))
    Local().launch(jobs, here, workers=2)
    assert there.begun == [job.name for job in jobs]
    assert there.ends == here.ends
    assert there.found("killed") == {"given": 0.1}
    assert not list(tmp_path.glob(".shared-*"))
    assert capfd.readouterr() == ("", "")


SMALL = """
[ablate]
seeds = [0]
leave_out = ["calibrator", "normalizer"]
"""


def kill_in_training(store: Path, killed: list[int]) -> None:
    """Kill the process that holds the folder in which weights are being made."""

    def workers() -> list[int]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                opened = [str(handle.readlink()) for handle in (process / "fd").iterdir()]
                if any(name.startswith(f"{store}/train/.") for name in opened):
                    found.append(int(process.name))
        return found

    wait_for(lambda: bool(list((store / "train").glob(".*.part")) and workers()))
    killed.extend(workers())
    os.kill(killed[0], signal.SIGKILL)


@needs_ray
@pytest.mark.skipif(sys.platform != "linux", reason="looks for the worker in /proc")
def test_an_ablation_is_the_same_though_a_worker_is_killed_in_training(
    cluster: Any, recipe_file: Path, typed: Typed, tmp_path: Path
) -> None:
    """`wakekit ablate` on a cluster of which a worker dies in mid-run completes with the numbers of local workers."""
    assert cluster.is_initialized()
    recipe_file.write_text(recipe_file.read_text() + SMALL)
    there, here, killed = tmp_path / "there", tmp_path / "here", list[int]()
    killer = Thread(target=kill_in_training, args=(there / ".store", killed))
    killer.start()
    answer = typed("ablate", recipe_file, "--out", there, "--set", "launcher.type='ray'", "--jobs", 2)
    killer.join()
    assert answer.code == 0, answer.err
    assert killed
    wait_for(lambda: gone(killed[0]))
    assert typed("ablate", recipe_file, "--out", here).code == 0
    assert found_by(there) == found_by(here)


def found_by(out: Path) -> Any:
    """All that an ablation found, but for times and what a killed worker left to be told."""
    (path,) = out.glob("*-ablation-*/ablation.json")
    found = json.loads(path.read_text())
    effects = [effect for answer in found["answers"] for effect in answer["effects"]]
    kept = [effect for effect in effects if not effect["measure"].endswith("-time")]
    return [kept, [(cell["variant"], cell["state"]) for cell in found["cells"]], found["fingerprint"]]


@needs_ray
def test_a_job_that_always_kills_its_worker_ends_alone(cluster: Any, tmp_path: Path) -> None:
    """Its reason says how often it was tried; what a job raises is its reason as it is from local workers."""
    assert cluster.is_initialized()
    jobs = [job("a", "die", signal=9), job("b", "fail", error="ours"), job("c", "square", number=2)]
    watch = Kept()
    Ray(retries=1).launch([*jobs, job("d", "shout", log=str(tmp_path / "log"), text="d")], watch, workers=2)
    assert watch.ends["a"].found is None
    assert watch.ends["a"].reason.startswith("the worker died, 1 retries included: ")
    assert watch.ends["b"].reason == "no room"
    assert watch.found("c")["square"] == 4
    assert sorted((tmp_path / "log").read_text().split("\n")) == ["", "d", "d", "d child"]


@needs_ray
def test_a_job_finds_the_surroundings_of_who_launched_it(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The folder, the tests' own modules, and the number of threads that the launcher saw, not Ray's."""
    assert cluster.is_initialized()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    watch = Kept()
    Ray().launch([job("a", "tell")], watch, workers=None)
    assert watch.found("a")["cwd"] == str(tmp_path)
    assert watch.found("a")["OMP_NUM_THREADS"] == os.environ.get("OMP_NUM_THREADS")
    assert str(Path(__file__).parents[3]) in watch.found("a")["path"]


@needs_ray
def test_no_job_goes_on_after_a_watcher_had_enough(cluster: Any, tmp_path: Path) -> None:
    """What is under way is cancelled with what it has started; no other begins."""
    assert cluster.is_initialized()
    jobs = [job("a", "linger", folder=str(tmp_path)), job("b", "meet", folder=str(tmp_path), count=2), job("c", "tell")]
    watch = Kept(stop_at="b")
    with pytest.raises(FailFast):
        Ray().launch(jobs, watch, workers=2)
    assert "c" not in watch.begun
    wait_for(lambda: len(pids(tmp_path)) == 2 and all(map(gone, pids(tmp_path))))


@needs_ray
def test_what_no_node_can_give_is_refused(cluster: Any) -> None:
    """Ray itself would wait for ever."""
    assert cluster.is_initialized()
    with pytest.raises(WakekitError, match="no node of the cluster has the 1000 CPUs, 0 GPUs and 0 GB of memory"):
        Ray(cpus_per_job=1000).launch([job("a", "tell")], Kept(), workers=None)


def test_a_folder_that_is_not_shared_is_named(tmp_path: Path) -> None:
    """A folder of the same name on another machine is not taken for the one that is meant."""
    asked = packed(job("a", "square", out=str(tmp_path), number=2))
    there = {"folder": str(tmp_path), "own_threads": True}
    answer = unpacked(do(asked, mark=str(tmp_path / ".shared-1"), **there))
    assert answer.found is None
    assert answer.reason.startswith(f"{tmp_path}: not the folder that node ")
    (tmp_path / ".shared-1").touch()
    found = unpacked(do(asked, mark=str(tmp_path / ".shared-1"), **there)).found
    assert found is not None
    assert found["square"] == 4


def test_room_is_counted_node_by_node() -> None:
    """Two halves on two nodes are no whole; a dead node has none; what is not asked for does not count."""
    nodes = [
        {"Alive": True, "Resources": {"CPU": 4.0, "GPU": 1.0, "memory": 8e9}},
        {"Alive": True, "Resources": {"CPU": 2.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
    ]
    ray = SimpleNamespace(nodes=lambda: nodes)
    assert _room(ray, {"CPU": 1, "GPU": 0, "memory": 0}) == 6
    assert _room(ray, {"CPU": 0.5, "GPU": 1 / 3, "memory": 0}) == 3
    assert _room(ray, {"CPU": 1, "GPU": 0, "memory": 3e9}) == 2
    assert _room(ray, {"CPU": 0, "GPU": 0, "memory": 0}) == 2
    with pytest.raises(WakekitError, match="the 2 CPUs, 2 GPUs and 0 GB of memory that a job reserves"):
        _room(ray, {"CPU": 2, "GPU": 2, "memory": 0})


def test_a_job_reserves_a_gpu_where_there_is_any() -> None:
    """Unless the recipe says how many."""
    with_one, without = (SimpleNamespace(cluster_resources=lambda found=found: found) for found in ({"GPU": 1.0}, {}))
    assert Ray()._wanted(with_one) == {"CPU": 1.0, "GPU": 1.0, "memory": 0}
    assert Ray()._wanted(without)["GPU"] == 0
    assert Ray(gpus_per_job=0)._wanted(with_one)["GPU"] == 0
    assert Ray(gpus_per_job=0.25, memory_per_job=1.5)._wanted(without) == {
        "CPU": 1.0,
        "GPU": 0.25,
        "memory": 15 * 10**8,
    }
    with pytest.raises(ValueError, match="gpus_per_job: expected at most 1, or a whole number, got 2"):
        Ray(gpus_per_job=2.5)


def test_what_is_peculiar_to_a_process_is_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Folders on its path, disabled plugins and threads; not what an installer put there."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("WAKEKIT_DISABLE_PLUGINS", "late")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = _environment()
    folders = found.pop("PYTHONPATH").split(os.pathsep)
    assert folders[0] == str(tmp_path)
    assert not [folder for folder in folders if folder.startswith(sys.prefix)]
    assert found == {"WAKEKIT_DISABLE_PLUGINS": "late"}


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The launcher is listed all the same, and needs Ray only when it is used."""
    monkeypatch.setitem(sys.modules, "ray", None)
    Ray().launch([], Kept(), workers=None)
    with pytest.raises(WakekitError, match=r"ray is not installed; pip install 'wakekit\[ray\]'"):
        Ray().launch([job("a", "tell")], Kept(), workers=None)
    assert "RAY_DEDUP_LOGS_SKIP_REGEX" not in os.environ


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "ray://127.0.0.1:{port}", "no-such-host.invalid:99"])
def test_an_address_at_which_nobody_listens_is_refused(address: str) -> None:
    """At once, and with the address."""
    with socket.socket() as taken:  # bound, but it does not listen
        taken.bind(("127.0.0.1", 0))
        address = address.format(port=taken.getsockname()[1])
        silent: Any = SimpleNamespace(is_initialized=lambda: False)
        with (
            pytest.raises(WakekitError, match=f"no Ray cluster at {address}: "),
            connected(silent, address, cpus=1, retries=0),
        ):
            pass


# A command that launches, on a cluster of its own, jobs that go on until it is stopped.
LAUNCHES = """
import sys
from tests.launched import Kept, job
from wakekit_deploy.ray_cluster import Ray
jobs = [job(str(number), "linger", folder=sys.argv[1], out=sys.argv[1]) for number in range(4)]
try:
    Ray().launch(jobs, Kept(), workers=2)
except KeyboardInterrupt:
    sys.exit(130)
"""


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_cluster_of_our_own_ends_with_us(tmp_path: Path, number: int) -> None:
    """Whatever ends the parent, its cluster, workers and their children are gone; an interrupt is quiet."""
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", LAUNCHES, str(tmp_path)],
        stdout=pipe,
        stderr=pipe,
        env={**os.environ, "PYTHONPATH": path},
        process_group=0,
    ) as parent:
        wait_for(lambda: len(pids(tmp_path)) == 4)
        (os.kill if number == signal.SIGKILL else os.killpg)(parent.pid, number)
        assert parent.communicate(timeout=60) == (b"", b"")
    assert parent.returncode == (130 if number == signal.SIGINT else -number)
    wait_for(lambda: all(map(gone, pids(tmp_path))))
