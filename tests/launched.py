"""What jobs in tests do in their worker, and a watcher that keeps what it was told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.errors import WakekitError
from wakekit.launching import Ended, FailFast, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def job(name: str, entry: str, *, out: str = "", log: str = "", **task: Any) -> Job:
    """Return a job for a function of this module."""
    return Job(name=name, task=task, entry=f"tests.launched:{entry}", out=out, log=log)


def tell(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given, and who and where the worker is."""
    names = ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "WAKEKIT_DISABLE_PLUGINS")
    seen = {name: os.environ.get(name) for name in names}
    return {"given": task.get("given"), "pid": os.getpid(), "path": sys.path, "cwd": str(Path.cwd()), **seen}


def square(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return a square."""
    return {"square": task["number"] ** 2, "pair": (1, None), "share": 0.1 + 0.2}


def meet(task: Mapping[str, Any]) -> dict[str, Any]:
    """Return only when so many jobs are under way at once."""
    folder = Path(task["folder"])
    (folder / str(os.getpid())).touch()
    wait_for(lambda: len(list(folder.iterdir())) >= task["count"])
    return {}


def die(task: Mapping[str, Any]) -> dict[str, Any]:
    """Die as when the system kills a process."""
    print("last words")
    os.kill(os.getpid(), task["signal"])
    raise AssertionError


def leave(task: Mapping[str, Any]) -> dict[str, Any]:
    """End the worker without an answer."""
    os._exit(task["status"])


def linger(task: Mapping[str, Any]) -> dict[str, Any]:
    """Start a process, write down both numbers, and go on for ever unless a file says that it is enough."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    put(Path(task["folder"]) / f"{os.getpid()}.pids", f"{os.getpid()} {child.pid}")
    wait_for((Path(task["folder"]) / "enough").exists, seconds=1000)
    child.kill()
    child.wait()
    return {"given": task.get("given")}


def hold_pipe(task: Mapping[str, Any]) -> dict[str, Any]:
    """Die and leave a copy of the worker behind, which holds all that is open."""
    copy = os.fork()
    if copy == 0:
        time.sleep(1000)
    put(Path(task["folder"]) / "copy.pids", str(copy))
    os._exit(3)


def fail(task: Mapping[str, Any]) -> dict[str, Any]:
    """Raise what is asked for."""
    errors = {"ours": WakekitError("no room"), "stop": SystemExit(2), "file": FileNotFoundError(2, "gone", "a.wav")}
    raise errors.get(task["error"], ZeroDivisionError("by nothing"))


def shout(task: Mapping[str, Any]) -> dict[str, Any]:
    """Print in every way there is."""
    print(task["text"])
    print(task["text"], file=sys.stderr)
    subprocess.run([sys.executable, "-c", f"print('{task['text']} child')"], check=True)
    return {}


def odd(_task: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is no JSON."""
    return {"odd": {1, 2}}


def wait_for(done: Callable[[], bool], *, seconds: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            message = "waited in vain"
            raise TimeoutError(message)
        time.sleep(0.01)


def put(path: Path, text: str) -> None:
    """Write a file whole."""
    part = path.with_suffix(".part")
    part.write_text(text)
    part.rename(path)


def pids(folder: Path) -> list[int]:
    """Return the numbers of the processes that wrote them down, the oldest first."""
    written = sorted(folder.glob("*.pids"), key=lambda path: path.stat().st_mtime_ns)
    return [int(number) for path in written for number in path.read_text().split()]


def gone(pid: int) -> bool:
    """Say whether a process has ended, or is only waiting for someone to take note of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@attrs.define
class Kept:
    """A watcher that keeps what it was told, in order, and may ask for an end."""

    stop_at: str = ""
    begun: list[str] = attrs.field(factory=list)
    ends: dict[str, Ended] = attrs.field(factory=dict)

    def started(self, job: Job) -> None:
        """Keep the name."""
        self.begun.append(job.name)

    def ended(self, job: Job, how: Ended) -> None:
        """Keep how it ended."""
        assert job.name in self.begun
        assert job.name not in self.ends
        self.ends[job.name] = how
        if job.name == self.stop_at:
            raise FailFast("enough")

    def found(self, name: str) -> dict[str, Any]:
        """Return what a job found."""
        found = self.ends[name].found
        assert found is not None, self.ends[name].reason
        return found
