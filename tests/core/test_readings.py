"""How often test was read: a line for each evaluation, written down before it, that nothing can lose."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report_support import edit, write_run
from tests.support import Typed, add_plugin
from wakekit.readings import Readings, readings, record
from wakekit.summary import print_summary

if TYPE_CHECKING:
    from collections.abc import Sequence

PREPARE = "ab" * 32


def test_readings_that_differ_are_counted(tmp_path: Path) -> None:
    """The same evaluation made again is one more reading, and no more recipes; other corpora are counted apart."""
    assert readings(tmp_path, PREPARE) == Readings()
    assert not list(tmp_path.iterdir())
    before = datetime.now(UTC).replace(microsecond=0)
    for fingerprint, recipe in (("1", "small"), ("2", "large"), ("1", "small"), ("3", "small")):
        record(tmp_path, PREPARE, fingerprint=fingerprint, recipe=recipe)
    record(tmp_path, "cd" * 32, fingerprint="4", recipe="other")
    found = readings(tmp_path, PREPARE)
    assert (found.count, found.times, found.recipes) == (3, 4, ("small", "large"))
    first, last = map(datetime.fromisoformat, (found.first, found.last))
    assert before <= first <= last <= datetime.now(UTC)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.text(max_size=5)), max_size=6), st.binary(max_size=30))
def test_a_torn_line_costs_nothing_else(rows: Sequence[tuple[str, str]], torn: bytes) -> None:
    """Whatever a kill or a full disk left at the end, what stands before and what comes after it is counted."""
    with TemporaryDirectory() as folder:
        store = Path(folder)
        record(store, PREPARE, fingerprint="first", recipe="first")
        (path,) = (store / "readings").glob("[!.]*.jsonl")
        with path.open("ab") as ledger:
            ledger.write(torn)
        for fingerprint, recipe in rows:
            record(store, PREPARE, fingerprint=fingerprint, recipe=recipe)
        found = readings(store, PREPARE)
    assert found.count == len({"first", *(fingerprint for fingerprint, _ in rows)})
    assert found.times == 1 + len(rows)
    assert found.recipes == tuple(dict.fromkeys(["first", *(recipe for _, recipe in rows)]))


@pytest.mark.parametrize("length", [1, 40, -1])
def test_a_line_cut_short_is_passed_over(tmp_path: Path, length: int) -> None:
    """Half a line is no reading, and the next one is."""
    for name in "ab":
        record(tmp_path, PREPARE, fingerprint=name, recipe=name)
    (path,) = (tmp_path / "readings").glob("[!.]*.jsonl")
    first, second = path.read_bytes().splitlines()
    path.write_bytes(first + b"\n" + second[:length])
    assert readings(tmp_path, PREPARE).recipes == ("a",)
    record(tmp_path, PREPARE, fingerprint="c", recipe="c")
    assert readings(tmp_path, PREPARE).recipes == ("a", "c")


@pytest.mark.parametrize("line", ["3", "null", "[]", "{}", '{"fingerprint": 1, "recipe": "a", "time": "b"}'])
def test_lines_of_another_kind_are_passed_over(tmp_path: Path, line: str) -> None:
    """A line that is JSON and no reading does not end the count."""
    record(tmp_path, PREPARE, fingerprint="a", recipe="a")
    (path,) = (tmp_path / "readings").glob("[!.]*.jsonl")
    path.write_text(f"{line}\n{path.read_text()}")
    assert readings(tmp_path, PREPARE).times == 1


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    """Readings that several processes write down at once are all there, each on a line of its own."""
    code = (
        "import sys; from pathlib import Path; from wakekit.readings import record\n"
        "for number in range(100):\n"
        "    record(Path(sys.argv[1]), sys.argv[2], fingerprint=f'{sys.argv[3]}-{number}', recipe='x' * 3000)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), PREPARE]
    both = [subprocess.Popen([*command, name]) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    found = readings(tmp_path, PREPARE)
    assert (found.count, found.times) == (200, 200)


def test_a_reading_waits_for_its_turn(tmp_path: Path) -> None:
    """While another process writes to the ledger, a reading is held back rather than mixed in."""
    record(tmp_path, PREPARE, fingerprint="a", recipe="a")
    (lock,) = (tmp_path / "readings").glob("*.lock")
    with ThreadPoolExecutor(1) as worker:
        with FileLock(lock):
            later = worker.submit(record, tmp_path, PREPARE, fingerprint="b", recipe="b")
            with pytest.raises(TimeoutError):
                later.result(timeout=0.2)
            assert readings(tmp_path, PREPARE).count == 1
        later.result(timeout=30)
    assert readings(tmp_path, PREPARE).count == 2


def test_a_run_that_evaluates_reads_test(recipe_file: Path, store: Path, typed: Typed, site: Path) -> None:
    """An evaluation is written down once, one that is reused is not, and one that fails is: it may have been seen."""
    assert typed("run", recipe_file, "--out", store, "--set", "metrics.read='d-prime'").code == 0
    folder = max(store.glob("tiny-*"), key=lambda path: path.stat().st_mtime_ns)
    environment = json.loads((folder / "environment.json").read_text())
    prepare = environment["stages"]["prepare"]
    before = readings(store / ".store", prepare)
    assert environment["test_readings"] == before.count >= 1
    assert "tiny" in before.recipes

    assert typed("run", recipe_file, "--out", store, "--set", "metrics.read='d-prime'").code == 0
    assert readings(store / ".store", prepare) == before

    add_plugin(
        site,
        "acme-fails",
        "import attrs\nfrom wakekit import Component, hookimpl\n"
        "@hookimpl\ndef wakekit_components():\n    yield Component('metric', 'fails', 'acme_fails:Fails')\n"
        "@attrs.frozen\nclass Fails:\n    def compute(self, results): raise ValueError('no')\n",
    )
    for times in (1, 2):
        assert typed("run", recipe_file, "--out", store, "--set", "metrics.read='fails'").code == 3
        after = readings(store / ".store", prepare)
        assert (after.count, after.times) == (before.count + 1, before.times + times)


@pytest.mark.parametrize(("said", "shown"), [(7, True), (2, True), (1, False), (0, False), (None, False)])
def test_the_summary_says_how_often(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: int | None, *, shown: bool
) -> None:
    """Where test was read by more recipes than this one the summary says so in a line, and else keeps quiet."""
    folder = write_run(tmp_path / "run", listen=0)
    if said is not None:
        edit(folder / "environment.json", lambda table: table.update(test_readings=said))
    print_summary(folder)
    sentence = f"test of this corpus has been read by {said} recipes in this folder"
    out = capsys.readouterr().out
    assert (sentence in out.splitlines()) is shown
    assert ("has been read by" in out) is shown
