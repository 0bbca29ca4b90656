"""Training as a stage of a run: killed and resumed, in passes, and with a stranger's callback from the docs."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

import wakekit.callbacks
from tests.support import add_plugin
from tests.support import wakekit as typed_elsewhere

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

KILLER = '''
import os, pathlib, signal
import attrs
from wakekit import Component, Hooks, hookimpl, option

@hookimpl
def wakekit_components():
    yield Component("callback", "killer", "killer:Killer", summary="Kill the process once.")

@attrs.frozen
class Killer:
    """Kill the process at a step, once."""

    at: int = option(help="the step")

    def build(self):
        return _Killing(self.at)

class _Killing(Hooks):
    def __init__(self, at):
        self.at = at

    def step_ended(self, state):
        spent = pathlib.Path(os.environ["SPENT"])
        if state.step == self.at and not spent.exists():
            spent.touch()
            os.kill(os.getpid(), signal.SIGKILL)
'''


def lines(path: Path) -> list[dict[str, Any]]:
    """Return a file's rows."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def the_run(out: Path) -> Path:
    """Return the one run folder in `out`."""
    (found,) = out.glob("tiny-*")
    return found


def test_a_killed_training_goes_on_to_the_same_bits(recipe_file: Path, tmp_path: Path, site: Path) -> None:
    """A process killed in the second pass, and started again, leaves the same weights and history."""
    add_plugin(site, "killer", KILLER)
    options = [
        "run", recipe_file, "--set", "callbacks.killer={type='killer', at=9}",
        "--set", "callbacks.ema={type='ema', decay=0.9}", "--set", "train={epochs=2, passes=2, keep='best'}",
        "--set", "schedule=cosine", "--set", "optimizer.lr=3e-3",
    ]  # fmt: skip
    env = {"PYTHONPATH": str(site), "SPENT": str(tmp_path / "spent"), "WAKEKIT_CHECKPOINT_SECONDS": "0"}
    assert typed_elsewhere(*options, "--out", tmp_path / "killed", env=env).returncode == -9
    assert not list((tmp_path / "killed").glob("tiny-*"))
    again = typed_elsewhere(*options, "--out", tmp_path / "killed", env=env)
    assert again.returncode == 0, again.stderr
    assert "training goes on after step" in again.stderr
    whole = typed_elsewhere(*options, "--out", tmp_path / "whole", env=env)
    assert whole.returncode == 0
    one, other = (the_run(tmp_path / name) for name in ("killed", "whole"))
    for name in ("model.safetensors", "pass-1.safetensors"):
        found, wanted = load_file(one / name), load_file(other / name)
        assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    assert (one / "history.jsonl").read_text() == (other / "history.jsonl").read_text()
    assert not list((tmp_path / "killed").rglob("checkpoint*"))


def test_each_pass_is_judged_on_streams_it_never_saw(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """The weights of every pass before the last are scored on test, at a threshold of their own chosen on dev."""
    answer = typed("run", recipe_file, "--out", tmp_path, "--set", "train={epochs=1, passes=3}")
    assert answer.code == 0, answer.err
    report = json.loads((the_run(tmp_path) / "metrics.json").read_text())
    assert len(report["passes"]) == 2
    shared = {stream["stream_id"] for stream in report["streams"]}
    for found in report["passes"]:
        assert found["operating_point"]["split"] == "dev"
        assert {stream["stream_id"] for stream in found["streams"]} == shared
        assert found["metrics"]["false_accepts"][0]["counts"]["hours"] > 0
    scores = [found["metrics"]["roc"][0]["value"] for found in (*report["passes"], report)]
    assert len(set(scores)) > 1
    assert "pass 1" in answer.out
    again = typed("run", recipe_file, "--out", tmp_path, "--set", "train={epochs=1, passes=3}")
    assert "score-pass-1-test: reused" in again.err
    assert "training, pass" not in again.err


def test_the_callback_of_the_contract_works_as_written(
    recipe_file: Path, tmp_path: Path, site: Path, typed: Typed
) -> None:
    """The complete example in `wakekit.callbacks` is a plugin that trains, records and resumes."""
    example = textwrap.dedent(re.split(r"\n\nA complete one.*\n\n", wakekit.callbacks.__doc__ or "")[1])
    head = (
        "from wakekit import Component, hookimpl\n\n@hookimpl\ndef wakekit_components():\n"
        '    yield Component("callback", "weight-noise", "acme:WeightNoise", summary="Noise.")\n\n'
    )
    add_plugin(site, "acme", head + example)
    noisy = ("--set", "callbacks.noise={type='weight-noise', scale=0.01}")
    answer = typed("run", recipe_file, "--out", tmp_path / "noisy", *noisy)
    assert answer.code == 0, answer.err
    rows = [row for row in lines(the_run(tmp_path / "noisy") / "history.jsonl") if row.get("series") == "noise added"]
    assert len(rows) == 2
    assert rows[1]["y"] > rows[0]["y"] > 0
    typed("run", recipe_file, "--out", tmp_path / "plain")
    one, other = (load_file(the_run(tmp_path / name) / "model.safetensors") for name in ("noisy", "plain"))
    assert any(not torch.equal(one[name], other[name]) for name in other)


def test_a_failing_callback_ends_the_run_by_name(recipe_file: Path, tmp_path: Path, site: Path) -> None:
    """It is plugin trouble: exit code 3, the callback's id and the line, no traceback."""
    source = KILLER.replace("os.kill(os.getpid(), signal.SIGKILL)", "raise IndexError('no such gradient')")
    add_plugin(site, "killer", source)
    env = {"PYTHONPATH": str(site), "SPENT": str(tmp_path / "spent")}
    options = ("run", recipe_file, "--out", tmp_path / "runs", "--set", "callbacks.mine={type='killer', at=1}")
    answer = typed_elsewhere(*options, env=env)
    assert answer.returncode == 3
    assert "of killer) failed: IndexError: no such gradient @ " in answer.stderr
    assert "Traceback" not in answer.stderr
    (left,) = (tmp_path / "runs").glob(".store/train/.*.part/training")
    (left / "old.txt").touch()
    assert typed_elsewhere(*options, env=env).returncode == 0
    assert not list((tmp_path / "runs").rglob("old.txt")), "nothing is left of an attempt that is not gone on from"


def test_warnings_of_training_are_in_the_report(recipe_file: Path, tmp_path: Path, site: Path) -> None:
    """What a callback warns of stands among the run's warnings."""
    source = KILLER.replace("os.kill(os.getpid(), signal.SIGKILL)", "state.warn('gradients are odd')")
    add_plugin(site, "killer", source)
    env = {"PYTHONPATH": str(site), "SPENT": str(tmp_path / "spent")}
    options = ("run", recipe_file, "--out", tmp_path / "runs", "--set", "callbacks.mine={type='killer', at=1}")
    answer = typed_elsewhere(*options, env=env)
    assert answer.returncode == 0
    assert "gradients are odd" in json.loads((the_run(tmp_path / "runs") / "metrics.json").read_text())["warnings"]
    assert "warning: gradients are odd" in answer.stdout


def test_a_failing_augmentation_is_named(recipe_file: Path, tmp_path: Path, site: Path, typed: Typed) -> None:
    """A stranger's augmentation that raises in a step ends the run by its id, without a traceback."""
    source = """
import attrs
from wakekit import Component, hookimpl

@hookimpl
def wakekit_components():
    yield Component("augmentation", "broken", "crooked:Broken", summary="Raise.")

@attrs.frozen
class Broken:
    \"\"\"Raise at every batch.\"\"\"

    domain = "waveform"

    def build(self, sources):
        return lambda batch: batch.audio[999]
"""
    add_plugin(site, "crooked", source)
    answer = typed("run", recipe_file, "--out", tmp_path / "runs", "--set", "augmentations.mine.type='broken'")
    assert answer.code == 3
    assert "of crooked) failed: IndexError" in answer.err


ODD = """
import sys
import attrs
import torch
from torch import nn
from wakekit import Component, hookimpl, option

@hookimpl
def wakekit_components():
    yield Component("normalizer", "odd", "odd_wake:Odd", summary="Go wrong.")
    yield Component("augmentation", "longer", "odd_wake:Longer", summary="Make it longer.")

@attrs.frozen
class Odd:
    \"\"\"Go wrong in one of many ways.\"\"\"

    how: str = option("", help="in which way")

    def build(self, n_features):
        if self.how == "raises":
            raise ValueError("no " * 1000)
        return None if self.how == "none" else Module(self.how)

class Module(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how

    def fit(self, batches):
        if self.how == "leaves":
            sys.exit(0)

    def forward(self, features):
        return features[:, :, 1:] if self.how == "short" else features

@attrs.frozen
class Longer:
    \"\"\"Double the audio.\"\"\"

    domain = "waveform"

    def build(self, sources):
        return lambda batch: attrs.evolve(batch, audio=batch.audio.repeat(1, 2))
"""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("normalizer={type='odd', how='raises'}",
         "normalizer 'odd' of plugin odd-wake (odd-wake 1.0) failed: ValueError: no no "),
        ("normalizer={type='odd', how='leaves'}",
         "normalizer 'odd' of plugin odd-wake (odd-wake 1.0) failed: SystemExit: 0 @ "),
        ("normalizer={type='odd', how='none'}", "normalizer Odd of odd_wake: expected a Module, got None"),
        ("normalizer={type='odd', how='short'}", "normalizer Odd of odd_wake: expected a tensor float32 [2, 20, "),
        ("augmentations.mine.type='longer'",
         "augmentation mine (Longer of odd_wake): audio: expected a tensor float ["),
    ],
)  # fmt: skip
def test_a_strangers_mistake_is_one_sentence_with_its_name(
    change: str, told: str, recipe_file: Path, tmp_path: Path, site: Path, typed: Typed
) -> None:
    """Also where it would end the command with code 0, or train on frames that no stream has: code 3, no traceback."""
    add_plugin(site, "odd-wake", ODD)
    answer = typed("run", recipe_file, "--out", tmp_path / "runs", "--quiet", "--set", change)
    assert answer.code == 3, answer.err
    (line,) = answer.err.splitlines()
    assert line.startswith(told)
    assert len(line) < 1000
    assert not list((tmp_path / "runs").glob("*/metrics.json"))
