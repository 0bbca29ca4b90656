"""Several processes train as one: real ones, as torchrun starts them, against one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

import tests.torchrun_support as support
from tests.support import add_plugin
from tests.training_support import TinyModel
from wakekit import Draws, WakekitError
from wakekit.checkpoints import Checkpoints
from wakekit.distributed import _HERE, World, added_up, joined, take_device, writable
from wakekit_training.replicas import Replicas, batch_of, share_dropout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import Typed

ROOT = Path(support.__file__).parents[1]
CPU = torch.device("cpu")
# Sums of 90 numbers of float32 in another order; the largest difference seen is 6e-8.
CLOSE = {"rtol": 0, "atol": 2e-6}
PLUGIN = '''
import os, pathlib, signal
import attrs
from torch import nn
from wakekit import Component, Hooks, hookimpl

@hookimpl
def wakekit_components():
    yield Component("model", "plain", "broken:Plain", summary="No BatchNorm.")
    yield Component("callback", "broken", "broken:Broken", summary="Fail once, in the second process.")

@attrs.frozen
class Plain:
    """A model without BatchNorm."""

    def build(self, n_features, n_classes):
        layers = nn.Conv1d(n_features, 8, 5), nn.ReLU(), nn.Dropout1d(0.1), nn.AdaptiveAvgPool1d(1), nn.Flatten()
        return nn.Sequential(*layers, nn.Dropout(0.1), nn.Linear(8, n_classes))

@attrs.frozen
class Broken:
    """Fail at the eighth step, once."""

    def build(self):
        return _Breaking()

class _Breaking(Hooks):
    def step_ended(self, state):
        spent = pathlib.Path(os.environ.get("SPENT", "/"))
        (state.folder / "seen.txt").write_text(str(state.step))
        if state.step == 7 and os.environ.get("RANK") == "1" and not spent.exists():
            spent.touch()
            if os.environ["HOW"] == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError("this process is broken")
'''


def torchrun(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Start two processes and return what they printed."""
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1", **(env or {})},
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left of all trainings."""
    out = tmp_path_factory.mktemp("together")
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    found = torchrun(support.__file__, out, env=env)
    assert found.returncode == 0, found.stderr
    return out


def left(out: Path, name: str, rank: int) -> dict[str, Any]:
    """Return what a process left of a training."""
    found: dict[str, Any] = torch.load(out / f"{name}-{rank}.pt")
    return {**found, "history": json.loads(found["history"])}


def assert_close(found: Any, expected: Any, place: str = "") -> None:
    """Compare JSON data, its numbers to a tolerance."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), place
        for key, value in expected.items():
            assert_close(found[key], value, f"{place}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for number, value in enumerate(expected):
            assert_close(found[number], value, f"{place}.{number}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6), place
    else:
        assert found == expected, place


@pytest.mark.parametrize("name", ["uneven", "accumulated", "augmented", "idle", "watched", "passes"])
def test_two_processes_are_one(together: Path, tmp_path: Path, name: str) -> None:
    """Weights and history of two gloo processes equal those of one, however batches divide and whoever watches."""
    trained, history = support.fit(name, tmp_path)
    found = left(together, name, 0)
    assert found["steps"] == trained.steps
    for key, value in trained.weights.items():
        torch.testing.assert_close(found["weights"][key], value, **CLOSE, msg=key)  # type: ignore[arg-type]
    assert_close(found["history"], json.loads(json.dumps(history)))


@pytest.mark.parametrize("name", ["uneven", "augmented", "watched", "passes", "normalized"])
def test_all_processes_end_alike(together: Path, name: str) -> None:
    """Weights, buffers of BatchNorm and history are the same bits in both, so that none decides otherwise."""
    one, other = (left(together, name, rank) for rank in range(2))
    assert one["history"] == other["history"]
    assert all(torch.equal(value, other["weights"][key]) for key, value in one["weights"].items())


def test_several_processes_go_on_to_the_same_bits(together: Path) -> None:
    """A training of two processes that was interrupted ends as one that was not."""
    for rank in range(2):
        whole, resumed = left(together, "scheduled", rank), left(together, "resumed", rank)
        assert all(torch.equal(value, resumed["weights"][key]) for key, value in whole["weights"].items())
        assert whole["history"] == resumed["history"]


def test_statistics_of_batch_norm_are_of_all_rows(together: Path, tmp_path: Path) -> None:
    """On a CPU each process normalizes its own rows; running means are of all rows, each counting alike."""
    trained, _ = support.fit("one step", tmp_path)
    found = left(together, "one step", 0)["weights"]
    assert not torch.equal(found["5.weight"], trained.weights["5.weight"])
    torch.testing.assert_close(found["2.running_mean"], trained.weights["2.running_mean"], **CLOSE)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["raise", pytest.param("kill", marks=pytest.mark.slow)])
def test_a_process_that_fails_ends_the_run(
    recipe_file: Path, tmp_path: Path, site: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """One sentence, no half-made artifact; the same command goes on from there to what one process would leave."""
    add_plugin(site, "broken", PLUGIN)
    told = [
        "run", recipe_file, "--set", "model={type='plain'}",
        "--set", "callbacks.broken={type='broken'}", "--set", "train.epochs=3", "--set", "sampler.batch_size=15",
    ]  # fmt: skip
    env = {"PYTHONPATH": str(site), "SPENT": str(tmp_path / "spent"), "WAKEKIT_CHECKPOINT_SECONDS": "0", "HOW": how}
    out = tmp_path / "runs"
    failed = torchrun("-m", "wakekit", *told, "--out", out, env=env)
    assert failed.returncode != 0
    sentence = "this process is broken" if how == "raise" else "another process of this run has ended"
    assert failed.stderr.count(sentence) == 1
    assert "Traceback" not in failed.stderr.split("ChildFailedError")[0].split("torch/distributed/elastic")[0]
    assert len(list(out.glob(".store/prepare/*/artifact.json"))) == 1
    assert not list(out.glob(".store/train/*/artifact.json"))
    assert not list(out.glob("tiny-*"))

    again = torchrun("-m", "wakekit", *told, "--out", out, env=env)
    assert again.returncode == 0, again.stderr
    assert len(re.findall(r"training goes on after step [78]\n", again.stderr)) == 1
    monkeypatch.setenv("SPENT", str(tmp_path))
    alone = typed(*told, "--out", tmp_path / "alone")
    assert alone.code == 0, alone.err
    (one,), (two,) = (list(folder.glob("tiny-*")) for folder in (tmp_path / "alone", out))
    assert one.name == two.name
    expected = load_file(one / "model.safetensors")
    for key, value in load_file(two / "model.safetensors").items():
        torch.testing.assert_close(value, expected[key], rtol=1e-4, atol=1e-5, msg=key)
    assert [json.loads((each / "environment.json").read_text())["processes"] for each in (one, two)] == [1, 2]
    assert (two / "training/seen.txt").read_text() == (one / "training/seen.txt").read_text()


def draws(rows: int, seed: int, world: World) -> Draws:
    """Return draws at their start."""
    return Draws(torch.Generator().manual_seed(seed), rows, CPU, world)


def drawn(rows: int, seed: int, world: World) -> list[torch.Tensor]:
    """Return one of every kind of draw."""
    ours = draws(rows, seed, world)
    found = [ours.uniform(2, 5), ours.uniform(columns=3), ours.normal(), ours.normal(4), ours.chance(0.3)]
    return [*found, ours.integers(1000), ours.permutation(), ours.own(torch.arange(rows)), ours.uniform()]


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 40), size=st.integers(1, 9), seed=st.integers(0, 10_000))
def test_a_row_draws_the_same_whoever_computes_it(rows: int, size: int, seed: int) -> None:
    """All draws of all processes, put together by row, are those of one process; a process without rows has the first.

    Counts add up to the rows, and parts differ by one row at most.
    """
    worlds = [World(rank, size) for rank in range(size)]
    whole, parts = drawn(rows, seed, World()), [drawn(rows, seed, world) for world in worlds]
    counts = [world.count(rows) for world in worlds]
    assert sum(counts) == rows
    assert max(counts) - min(counts) <= 1
    for number, expected in enumerate(whole):
        found = torch.empty_like(expected)
        for world, part in zip(worlds, parts, strict=True):
            if world.count(rows):
                assert len(part[number]) == world.count(rows)
                found[world.part(rows)] = part[number]
            else:
                assert torch.equal(part[number], expected[:1])
        assert torch.equal(found, expected)


@pytest.fixture
def second() -> Iterator[World]:
    """The second of two processes, of which there is only this one."""
    token = _HERE.set(World(1, 2, 1))
    yield World(1, 2, 1)
    _HERE.reset(token)


@pytest.mark.parametrize("layer", [nn.Dropout(0.3), nn.Dropout1d(0.4), nn.Dropout2d(0.4)])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_dropout_drops_what_it_would_in_one_process(layer: nn.Module, size: int) -> None:
    """Put together by row, the values that processes keep are those that torch's own layer keeps of the batch."""
    values = torch.randn(7, 3, 5, 2) if isinstance(layer, nn.Dropout2d) else torch.randn(7, 3, 5)
    torch.manual_seed(4)
    expected, found = layer.train()(values), torch.zeros_like(values)
    for rank in range(size):
        world = World(rank, size)
        shared = type(layer)(layer.p)
        share_dropout(shared)
        torch.manual_seed(4)
        with batch_of(draws(7, 0, world)):
            found[world.part(7)] = shared(values[world.part(7)])
        assert torch.equal(shared.eval()(values), values)
    assert torch.equal(found, expected)


def test_without_torchrun_nothing_changes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One process joins nobody, writes where it is told to, and its model is left as it was built."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    model = TinyModel().build(1, 2)
    kinds = [type(module) for module in model.modules()]
    with joined() as here, writable(tmp_path) as folder:
        assert here == World()
        assert folder == tmp_path
        assert Replicas(model, CPU).model is model
        assert not torch.distributed.is_initialized()
    assert [type(module) for module in model.modules()] == kinds
    value = torch.ones(2)
    assert added_up(value) is value


def test_others_write_elsewhere(second: World, tmp_path: Path) -> None:
    """What any but the first process writes is dropped, and it keeps and removes no checkpoint."""
    assert not second.first
    (tmp_path / "checkpoint").touch()
    checkpoints = Checkpoints(tmp_path / "checkpoint", seconds=0)
    checkpoints.forget()
    assert not checkpoints.due()
    (tmp_path / "checkpoint").unlink()
    with writable(tmp_path) as folder:
        (folder / "found.txt").write_text("found")
    assert not folder.exists()
    assert not list(tmp_path.iterdir())


def test_a_process_needs_a_gpu_of_its_own(second: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """More processes than GPUs are refused with the number to use."""
    del second
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(WakekitError, match="--nproc-per-node 1"):
        take_device(torch.device("cuda"))
    take_device(CPU)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_gpus_are_one(tmp_path: Path) -> None:
    """With BatchNorm too: statistics are of the whole batch, under the names that a model of one process has."""
    env = {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    found = torchrun(support.__file__, tmp_path / "two", "cuda", env=env)
    assert found.returncode == 0, found.stderr
    for name in ("uneven", "synchronized"):
        trained, _ = support.fit(name, tmp_path / "one", torch.device("cuda"))
        weights = left(tmp_path / "two", name, 0)["weights"]
        assert weights.keys() == trained.weights.keys()
        for key, value in trained.weights.items():
            assert np.allclose(weights[key], value, rtol=1e-3, atol=1e-4), key
