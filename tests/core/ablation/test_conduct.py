"""`wakekit ablate`: shared work is done once, failures stay where they are, and a stopped command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import add_plugin, wakekit

if TYPE_CHECKING:
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
BROKEN = """
from wakekit import Component, hookimpl
import attrs

wakekit_api = 1

@attrs.frozen
class Broken:
    def build(self, model):
        raise ZeroDivisionError("no optimizer today")

@hookimpl
def wakekit_components():
    yield Component("optimizer", "broken", "broken_plugin:Broken", summary="fails")
"""


@pytest.fixture
def ablation(recipe_file: Path) -> Path:
    """A recipe for the tiny corpus with an ablation of two seeds."""
    recipe_file.write_text(recipe_file.read_text() + ABLATE)
    return recipe_file


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


def test_an_ablation_answers_for_every_variant(ablation: Path, typed: Typed, tmp_path: Path) -> None:
    """What comes after training trains and scores nothing more, and every variant gets an answer."""
    out = tmp_path / "runs"
    answer = typed("ablate", ablation, "--out", out)
    assert answer.code == 0, answer.err
    result = result_of(out)
    verdicts = {found["variant"]: found["verdict"] for found in result["answers"]}
    assert list(verdicts) == ["without normalizer", "without calibrator", "votes = 1", "unmeasured"]
    assert verdicts["unmeasured"] == "identical by construction"
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
    assert "calibrator" in answer.out

    again = typed("ablate", ablation, "--out", out)
    assert again.code == 0, again.err
    assert "0 left to do" in again.err
    assert numbers(out) == numbers(out)


def test_a_cell_is_a_recipe_that_runs(ablation: Path, typed: Typed, tmp_path: Path) -> None:
    """The recipe in a cell's folder is the variant with its seed: running it trains nothing that is there already."""
    out = tmp_path / "runs"
    assert typed("ablate", ablation, "--out", out, "--only", "votes*").code == 0
    cell = next(cell for cell in result_of(out)["cells"] if cell["variant"] == "votes = 1")
    answer = typed("run", folder_of(out) / cell["folder"] / "recipe.toml", "--out", out)
    assert answer.code == 0, answer.err
    assert "train: reused" in answer.err


def test_results_do_not_depend_on_the_number_of_workers(ablation: Path, typed: Typed, tmp_path: Path) -> None:
    """One worker or two: the same numbers to the bit."""
    for jobs in (1, 2):
        assert typed("ablate", ablation, "--out", tmp_path / str(jobs), "--jobs", jobs).code == 0
    assert numbers(tmp_path / "1") == numbers(tmp_path / "2")


def test_a_failure_is_recorded_and_the_others_go_on(recipe_file: Path, tmp_path: Path) -> None:
    """A variant that fails keeps its reason; only --retry-failed tries it again, and --fail-fast stops there."""
    site, out = tmp_path / "site", tmp_path / "runs"
    add_plugin(site, "broken_plugin", BROKEN)
    recipe_file.write_text(
        recipe_file.read_text()
        + '[ablate]\nseeds = [0]\nleave_out = ["calibrator"]\n[ablate.axes.optimizer]\nswap = "optimizer"\n'
        'with = ["broken"]\n'
    )
    env = {"PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    first = wakekit("ablate", recipe_file, "--out", out, env=env)
    assert first.returncode == 1
    assert "Traceback" not in first.stderr
    assert "no optimizer today" in first.stderr
    found = {answer["variant"]: answer for answer in result_of(out)["answers"]}
    assert found["optimizer = broken"]["verdict"] == "failed"
    assert "no optimizer today" in found["optimizer = broken"]["sentence"]
    assert found["without calibrator"]["verdict"] != "failed"
    second = wakekit("ablate", recipe_file, "--out", out, env=env)
    assert "0 left to do" in second.stderr
    assert second.returncode == 1
    third = wakekit("ablate", recipe_file, "--out", out, "--retry-failed", env=env)
    assert "1 left to do" in third.stderr


def test_wrong_wishes_are_one_sentence(ablation: Path, recipe_file: Path, typed: Typed, tmp_path: Path) -> None:
    """Names that fit no variant, no workers, and a recipe with nothing to compare end before anything is made."""
    out = tmp_path / "runs"
    answer = typed("ablate", ablation, "--out", out, "--only", "votse*")
    assert (answer.code, "names no variant" in answer.err) == (1, True)
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


def _wait_for(out: Path, pattern: str, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not list(out.glob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_ablation_goes_on(ablation: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Killed or interrupted in mid-run, the same command does the rest and ends with what it would have ended with."""
    out, whole = tmp_path / "stopped", tmp_path / "whole"
    process = _started(ablation, out)
    _wait_for(out, "*-ablation-*/cells/*/seed-0/outcome.json", process)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    assert "Traceback" not in err
    finished = len(list(out.glob("*-ablation-*/cells/*/seed-*/outcome.json")))
    assert 0 < finished < 10
    rest = wakekit("ablate", ablation, "--out", out)
    assert rest.returncode == 0, rest.stderr
    assert f"{10 - finished} left to do" in rest.stderr
    assert wakekit("ablate", ablation, "--out", whole).returncode == 0
    assert numbers(out) == numbers(whole)


def test_two_commands_at_once_do_the_work_once(ablation: Path, tmp_path: Path) -> None:
    """Started together, both end well, and every stage was made by one of them."""
    out = tmp_path / "runs"
    both = [_started(ablation, out) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert (made(out, "train"), made(out, "judge-dev")) == (4, 8)
    kept = [json.loads(path.read_text()) for path in (out / ".store").glob("train/*/artifact.json")]
    assert len(kept) == 4
