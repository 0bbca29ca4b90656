"""The stage store: whole or nothing, once, and never twice at the same time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wakekit.artifacts import Store, copy_file, write_text
from wakekit.progress import Silence


def test_an_artifact_is_made_once(tmp_path: Path) -> None:
    """The second request reuses what the first made."""
    store, calls = Store(tmp_path, Silence()), []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "a.txt").write_text("a")

    assert not store.get("stage", "f" * 64, make).reused
    again = store.get("stage", "f" * 64, make)
    assert again.reused
    assert len(calls) == 1
    assert (again.folder / "a.txt").read_text() == "a"


def test_a_failed_stage_leaves_nothing(tmp_path: Path) -> None:
    """What a stage wrote before it failed is gone, and the next try starts afresh."""
    store = Store(tmp_path, Silence())

    def fail(folder: Path) -> None:
        (folder / "half").write_text("h")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        store.get("stage", "e" * 64, fail)
    assert not [path for path in tmp_path.rglob("*") if path.name == "half"]
    assert not store.get("stage", "e" * 64, lambda folder: write_text(folder / "x", "y")).reused


@pytest.mark.parametrize("damage", ["shorten", "remove", "unseal"])
def test_a_damaged_artifact_is_made_again(tmp_path: Path, damage: str) -> None:
    """A file that was cut short or removed is noticed, and the stage is done again."""
    store = Store(tmp_path, Silence())

    def make(folder: Path) -> None:
        (folder / "a.txt").write_text("abc")

    folder = store.get("stage", "d" * 64, make).folder
    if damage == "shorten":
        (folder / "a.txt").write_text("ab")
    else:
        (folder / ("a.txt" if damage == "remove" else "artifact.json")).unlink()
    assert not store.get("stage", "d" * 64, make).reused
    assert (folder / "a.txt").read_text() == "abc"


def _slow(root: str, mark: str) -> None:
    def make(folder: Path) -> None:
        with Path(mark).open("a") as log:
            log.write("made\n")
        time.sleep(0.5)
        (folder / "a").write_text("1")

    Store(Path(root), Silence()).get("stage", "c" * 64, make)


def test_two_processes_do_not_do_the_same_work(tmp_path: Path) -> None:
    """The second waits for the first and uses its result."""
    context = multiprocessing.get_context("spawn")
    mark = tmp_path / "mark"
    workers = [context.Process(target=_slow, args=(str(tmp_path / "store"), str(mark))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert mark.read_text() == "made\n"


def test_a_killed_process_leaves_neither_lock_nor_half_an_artifact(tmp_path: Path) -> None:
    """After kill -9 the same work can be done at once."""
    script = (
        "import sys, time; from pathlib import Path\n"
        "from wakekit.artifacts import Store; from wakekit.progress import Silence\n"
        "def make(folder):\n"
        "    (folder / 'half').write_text('x'); print('working', flush=True); time.sleep(60)\n"
        f"Store(Path({str(tmp_path)!r}), Silence()).get('stage', 'b' * 64, make)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        os.kill(process.pid, signal.SIGKILL)
    folder = Store(tmp_path, Silence()).get("stage", "b" * 64, lambda made: write_text(made / "whole", "1")).folder
    assert sorted(path.name for path in folder.iterdir()) == ["artifact.json", "whole"]


def test_what_a_killed_writer_left_is_cleared(tmp_path: Path) -> None:
    """A stage that goes on finds its own files, and none that a kill cut short."""

    def fail(folder: Path) -> None:
        (folder / "mine.txt").write_text("kept")
        (folder / "inner").mkdir()
        (folder / "inner" / ".mine.txt.a1b2").write_text("half")
        raise RuntimeError

    store = Store(tmp_path, Silence())
    with pytest.raises(RuntimeError):
        store.get("train", "f" * 64, fail, resumes=True)
    made = store.get("train", "f" * 64, lambda _: None, resumes=True)
    assert [path.name for path in made.folder.rglob("*") if path.is_file() and path.name != "artifact.json"] == [
        "mine.txt"
    ]


def test_a_text_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves the old file and no litter."""
    path = tmp_path / "f.json"
    write_text(path, "old")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_text(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["f.json"]
    assert path.read_text() == "old"


def test_two_writers_of_one_file_leave_one_whole_file(tmp_path: Path) -> None:
    """Copies that overlap in time do not share a temporary file."""
    sources = []
    for number in range(2):
        source = tmp_path / f"source{number}"
        source.write_bytes(bytes([number]) * 4_000_000)
        sources.append(source)
    target = tmp_path / "target"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda turn: copy_file(sources[turn % 2], target), range(40)))
    assert target.read_bytes() in (sources[0].read_bytes(), sources[1].read_bytes())
    assert len(list(tmp_path.iterdir())) == 3
