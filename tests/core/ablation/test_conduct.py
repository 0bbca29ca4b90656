"""`wakekit ablate`: shared work is done once, failures stay where they are, and a stopped command goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.support import TINY, add_plugin
from wakekit.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import Typed

ABLATE = """
[ablate]
seeds = [0, 1]
leave_out = ["normalizer", "calibrator"]

[ablate.axes.votes]
set = "detector.votes"
to = [1]

[ablate.variants.unmeasured]
unset = ["metrics.roc"]
"""
STRANGE = """
from wakekit import Component, hookimpl
from wakekit.launching import Ended, packed, unpacked, work
import attrs

wakekit_api = 1

class Death(BaseException):
    pass

@attrs.frozen
class Here:
    times: int = 1

    def launch(self, jobs, watch, *, workers):
        for job in jobs:
            watch.started(job)
            try:
                for _ in range(self.times):
                    how = unpacked(work(packed(job)))
            except Death:
                how = Ended(found=None, reason="the worker died")
            watch.ended(job, how)

@attrs.frozen
class Broken:
    def build(self, model):
        raise ZeroDivisionError("no optimizer today")

@attrs.frozen
class Fatal:
    def build(self, model):
        raise Death

@attrs.frozen
class Leaving:
    def build(self):
        raise SystemExit(3)

@attrs.frozen
class Deadly:
    def build(self):
        raise Death

@hookimpl
def wakekit_components():
    yield Component("launcher", "here", "strange_plugin:Here", summary="jobs in this process")
    yield Component("optimizer", "broken", "strange_plugin:Broken", summary="fails")
    yield Component("optimizer", "fatal", "strange_plugin:Fatal", summary="takes its worker along")
    yield Component("calibrator", "leaving", "strange_plugin:Leaving", summary="ends the program")
    yield Component("calibrator", "deadly", "strange_plugin:Deadly", summary="takes its worker along")
"""
HERE = '[launcher]\ntype = "here"\n'


@pytest.fixture
def ablation(recipe_file: Path) -> Path:
    """A recipe for the tiny corpus with an ablation of two seeds."""
    recipe_file.write_text(recipe_file.read_text() + ABLATE)
    return recipe_file


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where that ablation was carried out undisturbed, by one worker; tests add to it at most."""
    folder = tmp_path_factory.mktemp("whole")
    recipe = folder / "tiny.toml"
    recipe.write_text(TINY.format(corpus=corpus) + ABLATE)
    assert main(["ablate", str(recipe), "--out", str(folder / "runs")]) == 0
    return folder / "runs"


@pytest.fixture
def strange(site: Path, recipe_file: Path) -> Path:
    """A recipe whose jobs are done in this process, with components that fail; its [ablate] is to be added."""
    add_plugin(site, "strange_plugin", STRANGE)
    recipe_file.write_text(recipe_file.read_text().replace("epochs = 2", "epochs = 1") + HERE)
    return recipe_file


@pytest.fixture
def threads() -> Iterator[int]:
    """The threads of this process, put back afterwards."""
    before = torch.get_num_threads()
    yield before
    torch.set_num_threads(before)


def folder_of(out: Path) -> Path:
    """The ablation's folder below `out`."""
    (found,) = out.glob("*-ablation-*")
    return found


def result_of(out: Path) -> dict[str, Any]:
    """What the ablation found."""
    found: dict[str, Any] = json.loads((folder_of(out) / "ablation.json").read_text())
    return found


def numbers(out: Path) -> list[Any]:
    """All that an ablation measured, but for times."""
    result = result_of(out)
    effects = [
        [answer["variant"], answer["verdict"], effect["measure"], effect["value"], effect["low"], effect["high"]]
        for answer in result["answers"]
        for effect in answer["effects"]
        if not effect["measure"].endswith("-time")
    ]
    cells = [[cell["variant"], cell["seed"], cell["state"]] for cell in result["cells"]]
    return [effects, cells]


def made(out: Path, stage: str) -> int:
    """How many artifacts of a stage the store holds."""
    return len(list((out / ".store" / stage).glob("[!.]*")))


def test_an_ablation_answers_for_every_variant(ablation: Path, whole: Path, typed: Typed) -> None:
    """What comes after training trains and scores nothing more, and every variant gets an answer."""
    out = whole
    result = result_of(out)
    verdicts = {found["variant"]: found["verdict"] for found in result["answers"]}
    assert list(verdicts) == ["without normalizer", "without calibrator", "votes = 1", "unmeasured"]
    assert verdicts["unmeasured"] == "identical by construction"
    assert "changes nothing that is judged" in result["answers"][-1]["sentence"]
    assert {verdict for name, verdict in verdicts.items() if name != "unmeasured"} <= {
        "helps", "hurts", "no difference", "cannot tell",
    }  # fmt: skip
    assert (made(out, "corpus"), made(out, "prepare"), made(out, "compose-dev")) == (1, 1, 1)
    assert (made(out, "train"), made(out, "score-dev"), made(out, "judge-dev")) == (4, 4, 8)
    assert made(out, "score-test") == made(out, "evaluate") == 0
    assert result["reused"]["train"] == {"cells": 10, "distinct": 4, "made": 4}
    assert result["readings"]["count"] == 0
    for cell in result["cells"]:
        kept = folder_of(out) / cell["folder"]
        assert (kept / "recipe.toml").is_file()
        assert (kept / "history.jsonl").is_file()
    assert {name for name in ("ablation.md", "ablation.json") if (folder_of(out) / name).is_file()} == {
        "ablation.md", "ablation.json",
    }  # fmt: skip

    before = numbers(out)
    again = typed("ablate", ablation, "--out", out)
    assert again.code == 0, again.err
    assert "0 left to do" in again.err
    assert "calibrator" in again.out
    assert numbers(out) == before
    compared = typed("compare", folder_of(out), folder_of(out))
    assert (compared.code, "holds an ablation, no run; its table is in ablation.md" in compared.err) == (1, True)


def test_a_cell_is_a_recipe_that_runs(whole: Path, typed: Typed) -> None:
    """The recipe in a cell's folder is the variant with its seed: running it trains nothing that is there already."""
    cell = next(cell for cell in result_of(whole)["cells"] if cell["variant"] == "votes = 1")
    answer = typed("run", folder_of(whole) / cell["folder"] / "recipe.toml", "--out", whole)
    assert answer.code == 0, answer.err
    assert "train: reused" in answer.err


FAILING = """
[ablate]
seeds = [0]

[ablate.axes.calibrator]
swap = "calibrator"
with = ["deadly", "leaving", "none"]

[ablate.axes.votes]
set = "detector.votes"
to = [1]

[ablate.axes.optimizer]
swap = "optimizer"
with = ["broken", "fatal"]

[ablate.variants.broken-too]
optimizer.type = "broken"
detector.votes = 1

[ablate.variants.fatal-too]
optimizer.type = "fatal"
detector.votes = 1
"""
BROKEN = r"optimizer 'broken' of plugin \S+ \(.*\) failed: ZeroDivisionError: no optimizer today @ \S+:\d+"
REASONS = {
    "calibrator = deadly": "the worker died",
    "calibrator = leaving": r"calibrator 'leaving' of plugin \S+ \(.*\) failed: SystemExit: 3 @ \S+:\d+",
    "optimizer = broken": BROKEN,
    "optimizer = fatal": "the worker died",
    "broken-too": BROKEN,
    "fatal-too": "the worker died",
}


def test_a_failure_is_recorded_and_the_others_go_on(strange: Path, typed: Typed, tmp_path: Path) -> None:
    """What fails keeps its reason, also where it takes its worker along; what shares its weights goes on.

    Only --retry-failed does it again, and --fail-fast stops there.
    """
    out = tmp_path / "runs"
    strange.write_text(strange.read_text() + FAILING)
    first = typed("ablate", strange, "--out", out)
    assert first.code == 1
    assert "Traceback" not in first.err
    assert "[9/9]" in first.err
    told = [line for line in first.err.splitlines() if line.startswith("[")]
    assert any(line.endswith(" to go") for line in told)
    assert not told[-1].endswith(" to go")
    cells = {cell["variant"]: cell for cell in result_of(out)["cells"]}
    reasons = {name: cell["reason"] for name, cell in cells.items() if cell["state"] == "failed"}
    assert reasons.keys() == REASONS.keys()
    assert all(re.fullmatch(reason, reasons[name]) for name, reason in REASONS.items()), reasons
    assert [name for name, cell in cells.items() if cell["state"] == "done"] == ["", "calibrator = none", "votes = 1"]
    answers = {answer["variant"]: answer for answer in result_of(out)["answers"]}
    assert {name for name, answer in answers.items() if answer["verdict"] == "failed"} == REASONS.keys()
    assert all(reason in answers[name]["sentence"] for name, reason in reasons.items())
    assert made(out, "train") == 1
    for name in ("broken-too", "fatal-too"):
        assert not (folder_of(out) / cells[name]["folder"] / "log.txt").exists()

    again = typed("ablate", strange, "--out", out, "--quiet")
    assert (again.code, again.out) == (1, "")
    assert again.err.splitlines() == [f"{name}, seed 0: failed: {reasons[name]}" for name in REASONS]
    again = typed("ablate", strange, "--out", out)
    assert "0 left to do; 6 failed before, which --retry-failed does again" in again.err
    retried = typed("ablate", strange, "--out", out, "--retry-failed", "--fail-fast")
    assert "6 left to do" in retried.err
    assert "stopped at the first failure" in retried.err
    assert "ablation: done" not in retried.err
    assert "5 left to do; 1 failed before" in typed("ablate", strange, "--out", out, "--fail-fast").err


def test_what_a_folder_records_holds_for_its_own_artifacts(strange: Path, typed: Typed, tmp_path: Path) -> None:
    """A cell is done again where its evidence is gone or of something else, but not for want of weights and scores."""
    out = tmp_path / "runs"
    strange.write_text(strange.read_text() + '[ablate]\nseeds = [0]\nleave_out = ["calibrator", "normalizer"]\n')
    assert typed("ablate", strange, "--out", out).code == 0
    before, calibrated = numbers(out), folder_of(out) / "cells/without calibrator/seed-0/outcome.json"
    kept = calibrated.read_text()
    for damaged in (json.dumps({**json.loads(kept), "fingerprint": "another"}), kept[: len(kept) // 2]):
        calibrated.write_text(damaged)
        answer = typed("ablate", strange, "--out", out)
        assert "1 left to do" in answer.err
        assert "without calibrator, seed 0: 0 s, nothing trained" in answer.err
    shutil.rmtree(out / ".store" / "judge-dev" / json.loads(kept)["fingerprint"][:32])
    assert "1 left to do" in typed("ablate", strange, "--out", out).err
    for stage in ("train", "score-dev"):
        shutil.rmtree(out / ".store" / stage)
    answer = typed("ablate", strange, "--out", out)
    assert (answer.code, "0 left to do" in answer.err) == (0, True)
    after, before = ([row for row in rows[0] if row[2] != "epochs"] for rows in (numbers(out), before))
    assert after == before


def test_work_done_twice_is_told_once(ablation: Path, site: Path, whole: Path, typed: Typed, tmp_path: Path) -> None:
    """Where jobs are done again, as after a worker's death, what was made stays what the first made."""
    add_plugin(site, "strange_plugin", STRANGE)
    ablation.write_text(ablation.read_text() + HERE + "times = 2\n")
    assert typed("ablate", ablation, "--out", tmp_path / "runs").code == 0
    assert result_of(tmp_path / "runs")["reused"] == result_of(whole)["reused"]
    assert numbers(tmp_path / "runs") == numbers(whole)


def test_judging_on_test_reads_it_once_for_each_recipe(strange: Path, typed: Typed, tmp_path: Path) -> None:
    """Every cell leaves a run's folder; the same command again reads nothing more."""
    out = tmp_path / "runs"
    more = '[ablate]\nseeds = [0]\njudge = "test"\nleave_out = ["calibrator"]\n'
    strange.write_text(strange.read_text() + more + "[ablate.variants.passes]\ntrain.passes = 2\n")
    for left in (3, 0):
        answer = typed("ablate", strange, "--out", out)
        assert (answer.code, f"{left} left to do" in answer.err) == (0, True), answer.err
        result = result_of(out)
        assert result["readings"]["count"] == 3
        assert result["reused"]["score-test"] == {"cells": 3, "distinct": 2, "made": 2}
        runs = [(folder_of(out) / cell["folder"]).resolve() for cell in result["cells"]]
        assert len({run for run in runs if run.parent == out and (run / "metrics.json").is_file()}) == 3


@pytest.mark.parametrize("own", [0, 1])
def test_threads_are_the_recipes(
    strange: Path, typed: Typed, tmp_path: Path, threads: int, own: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker uses as many as the recipe says, or as the command had: never fewer because others work beside it."""
    monkeypatch.setattr("wakekit.ablation.conduct.default_threads", lambda: 2)
    text = strange.read_text().replace("threads = 1", f"threads = {own}")
    strange.write_text(text + '[ablate]\nseeds = [0]\nleave_out = ["calibrator"]\n')
    torch.set_num_threads(3)
    assert typed("ablate", strange, "--out", tmp_path / "runs", "--jobs", 4).code == 0
    assert threads
    assert torch.get_num_threads() == (own or 2)


def test_wrong_wishes_are_one_sentence(ablation: Path, recipe_file: Path, typed: Typed, tmp_path: Path) -> None:
    """Names that fit no variant, no workers, and a recipe with nothing to compare end before anything is made."""
    out = tmp_path / "runs"
    answer = typed("ablate", ablation, "--out", out, "--only", "votse*")
    assert (answer.code, "names no variant" in answer.err) == (2, True)
    assert typed("ablate", ablation, "--out", out, "--jobs", "0").code == 2
    recipe_file.write_text(recipe_file.read_text().partition("[ablate]")[0])
    answer = typed("ablate", recipe_file, "--out", out)
    assert (answer.code, "[ablate]" in answer.err) == (2, True)
    assert not list(out.glob("*-ablation-*"))


def _started(recipe: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "wakekit", "ablate", str(recipe), "--out", str(out), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for(out: Path, pattern: str, count: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while len(list(out.glob(pattern))) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_stopped_ablation_goes_on(ablation: Path, site: Path, whole: Path, typed: Typed, tmp_path: Path) -> None:
    """Interrupted, then killed in mid-run, the same command does the rest and ends as it would have ended.

    It may do so by another launcher.
    """
    out = tmp_path / "stopped"
    for cells, number in ((1, signal.SIGINT), (3, signal.SIGKILL)):
        process = _started(ablation, out)
        _wait_for(out, "*-ablation-*/cells/*/seed-*/outcome.json", cells, process)
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=60)
        assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
        assert "Traceback" not in err
    finished = len(list(out.glob("*-ablation-*/cells/*/seed-*/outcome.json")))
    assert 0 < finished < 10
    add_plugin(site, "strange_plugin", STRANGE)
    rest = typed("ablate", ablation, "--out", out, "--set", "launcher.type='here'")
    assert rest.code == 0, rest.err
    assert f"{10 - finished} left to do" in rest.err
    assert numbers(out) == numbers(whole)


def test_two_commands_at_once_do_the_work_once(ablation: Path, whole: Path, tmp_path: Path) -> None:
    """With three workers in all both end well, every stage is made by one, and the numbers are those of one worker."""
    out = tmp_path / "runs"
    both = [_started(ablation, out, "--jobs", jobs) for jobs in ("1", "2")]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert (made(out, "train"), made(out, "judge-dev")) == (4, 8)
    assert numbers(out) == numbers(whole)
    assert result_of(out)["reused"]["train"] == {"cells": 10, "distinct": 4, "made": 4}
