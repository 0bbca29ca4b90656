"""The `onnx` exporter: what it writes says what the trained modules say, wherever it runs."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs
import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.support import TINY
from wakekit import FeatureBatch, WakekitError
from wakekit.geometry import assemble, context, geometry
from wakekit.parity import made_audio
from wakekit.recipe import load_recipe
from wakekit.registry import installed
from wakekit.shipped import Facts, Shipped
from wakekit_deploy.onnx_exporter import Onnx

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

HARD = ("pcen", "running-cmvn", "{type='crnn', scores='frame'}", "isotonic")
MATRIX = [
    *((frontend, normalizer, "tc-resnet", "none")
      for frontend in ("log-mel", "mfcc", "pcen") for normalizer in ("none", "cmvn", "utterance-cmvn", "running-cmvn")),
    *(("log-mel", "cmvn", model, calibrator) for model, calibrator in (
        ("bc-resnet", "temperature"), ("ds-cnn", "platt"), ("crnn", "beta"), ("resnet18", "isotonic"),
        ("{type='tc-resnet', depth=14, width=1.5}", "temperature"),
    )),
]  # fmt: skip


def audio_of(samples: int, *, rows: int = 16) -> Tensor:
    """Return tones and noise in turn, from far too quiet to full scale, then silence and full scale."""
    draws = torch.Generator().manual_seed(5)
    level = torch.logspace(-5, 0, rows)[:, None]
    tones = torch.sin(torch.arange(samples) * (0.1 + torch.rand(rows, 1, generator=draws)))
    noise = torch.randn(rows, samples, generator=draws)
    tones[1::2] = 0
    return torch.cat(
        [(level * (0.7 * tones + torch.where(tones == 0, 0.3, 0.01) * noise)).clamp(-1, 1), made_audio(samples)]
    )


def teach(model: nn.Module, features: Tensor) -> None:
    """Train for a moment, tones against the rest, so that scores are as apart as those of a trained model."""
    targets = torch.zeros(len(features), dtype=torch.int64)
    targets[:-4:2] = 1
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(10):
        logits = model.train()(features)
        optimizer.zero_grad()
        functional.cross_entropy(logits if logits.dim() == 2 else logits[..., -1], targets).backward()
        optimizer.step()
    # Until the statistics of batches are those of these weights.
    with torch.no_grad():
        for _ in range(20):
            model(features)


def shipped_of(folder: Path, frontend: str, normalizer: str, model: str, calibrator: str) -> Shipped:
    """Return components put together as a run does, with statistics and weights that know some audio."""
    path = folder / "made.toml"
    path.write_text(TINY.format(corpus=folder).replace('"log-mel"\nn_mels = 20', '"log-mel"'))
    named = {"frontend": frontend, "normalizer": normalizer, "model": model, "calibrator": calibrator}
    loss = ["loss='max-pooling'"] if "frame" in model else []
    changes = [f"{key}={value if '{' in value else repr(value)}" for key, value in named.items()]
    recipe = load_recipe(path, installed(), changes=[*changes, *loss])
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        modules = {"frontend": recipe["frontend"].build(16000)}
        n_features = recipe["frontend"].n_features
        modules["normalizer"] = recipe["normalizer"].build(n_features)
        modules["model"] = recipe["model"].build(n_features, 2)
        shape, needed = geometry(recipe), context(recipe, modules["normalizer"])
        audio = audio_of(shape.window + needed.samples)
        features = modules["frontend"](audio)
        if hasattr(modules["normalizer"], "hear_silence"):
            modules["normalizer"].hear_silence(modules["frontend"](torch.zeros_like(audio[:1]))[0, :, -1])
        if hasattr(modules["normalizer"], "fit"):
            modules["normalizer"].fit([FeatureBatch(features, torch.full((len(audio),), features.shape[2]))])
        with torch.enable_grad():
            teach(modules["model"], modules["normalizer"](features)[..., needed.frames :])
        network = assemble(recipe, **modules)
        calibration = recipe["calibrator"].build()
        odds = network.score_each(audio, shape.hop).double()
        if hasattr(calibration, "fit"):
            calibration.fit(odds, (odds + 0.1 * torch.randn(len(odds)) > odds.median()).double())
    facts = Facts(
        keyword="hey λ", sample_rate=16000, window=shape.window, context=needed.samples, hop=shape.hop,
        threshold=1 / 3, detector={"type": "vote", "votes": 2}, fingerprint="f00d",
    )  # fmt: skip
    return Shipped(network, calibration, facts)


def apart(model: Shipped, path: Path, exporter: Onnx) -> float:
    """Return the largest difference over batches of any size; and see that the probabilities are not all alike."""
    audio = audio_of(model.facts.samples)
    expected, run = model.probabilities(audio), exporter.load(path)
    assert float(expected.max() - expected.min()) > 0.01
    found = torch.cat([run(audio[:1]), run(audio[1:6]), run(audio[6:])])
    assert found.shape == expected.shape
    assert found.dtype == torch.float64
    return float((found - expected).abs().max())


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shipped, Path]:
    """Everything that is hard to export, exported: context, a score per step, sums that run, a map with knots."""
    folder = tmp_path_factory.mktemp("hard")
    model = shipped_of(folder, *HARD)
    return model, Onnx().export(model, folder)


def test_what_is_written_says_what_was_trained(hard: tuple[Shipped, Path]) -> None:
    """On quiet and loud audio, silence and full scale, for any number of rows at once: within float32's rounding."""
    model, path = hard
    assert model.facts.context > 0
    assert apart(model, path, Onnx()) < 1e-4


def test_the_file_stands_by_itself(hard: tuple[Shipped, Path], tmp_path: Path) -> None:
    """A process without torch or wakekit runs it, told all it must know by the file; nothing is pickled."""
    model, path = hard
    audio = audio_of(model.facts.samples)
    np.save(tmp_path / "audio.npy", audio.numpy())
    script = (
        "import json, sys, numpy, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])\n"
        "facts = session.get_modelmeta().custom_metadata_map\n"
        "samples = int(facts['context']) + int(facts['window'])\n"
        "audio = numpy.load(sys.argv[2]); assert audio.shape[1] == samples\n"
        "(found,) = session.run(['probability'], {'audio': audio})\n"
        "assert not {'torch', 'wakekit'} & set(sys.modules)\n"
        "print(json.dumps([facts, found.tolist()]))\n"
    )
    command = [sys.executable, "-c", script, str(path), str(tmp_path / "audio.npy")]
    facts, found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert np.abs(np.array(found) - model.probabilities(audio).numpy()).max() < 1e-4
    told = {name: facts[name] if name in {"keyword", "fingerprint"} else json.loads(facts[name]) for name in facts}
    assert told == attrs.asdict(model.facts)
    assert told["threshold"] == 1 / 3


def test_the_graph_is_plain_and_tells_nothing_of_the_machine(hard: tuple[Shipped, Path]) -> None:
    """It is valid, of the opset asked for, with standard operators alone, and holds no path of where it was made."""
    _, path = hard
    graph = onnx.load(str(path))
    onnx.checker.check_model(graph, full_check=True)
    assert [(one.domain, one.version) for one in graph.opset_import] == [("", 18)]
    assert {node.domain for node in graph.graph.node} == {""}
    assert not graph.functions
    assert "DFT" not in {node.op_type for node in graph.graph.node}
    held = path.read_bytes()
    assert b".py" not in held
    assert b"wakekit" not in held


def test_exporting_is_quiet_repeats_itself_and_draws_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same model twice is the same file; the caller's random states and terminal are left alone.

    With a batch of its own and another opset, rows that do not fill it are judged too.
    """
    model = shipped_of(tmp_path, "log-mel", "utterance-cmvn", "ds-cnn", "beta")
    capfd.readouterr()
    exporter, files = Onnx(opset=23, batch=3), []
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # type: ignore[index, union-attr] # noqa: NPY002
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        files.append(exporter.export(model, tmp_path / name))
    after = torch.get_rng_state(), np.random.get_state()[1], random.getstate()  # type: ignore[index] # noqa: NPY002
    assert torch.equal(states[0], after[0])
    assert np.array_equal(states[1], after[1])
    assert states[2] == after[2]
    assert capfd.readouterr() == ("", "")
    assert files[0].read_bytes() == files[1].read_bytes()
    graph = onnx.load(str(files[0]))
    assert graph.opset_import[0].version == 23
    assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
    assert apart(model, files[0], exporter) < 1e-5


class Wayward(nn.Module):
    """A calibrator that takes another path for other numbers, which no graph can."""

    def forward(self, scores: Tensor) -> Tensor:
        """Return probabilities of log-odds [N]."""
        return torch.sigmoid(scores if float(scores.sum()) > 0 else -scores)


def test_what_torch_cannot_write_is_one_sentence(tmp_path: Path) -> None:
    """Not the pages that torch says of it."""
    plain = shipped_of(tmp_path, "log-mel", "none", "{type='ds-cnn', blocks=0}", "none")
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(WakekitError, match="exporter onnx: torch cannot write this model: ") as refused:
        Onnx().export(Shipped(plain.network, Wayward(), plain.facts), folder)
    assert "\n" not in str(refused.value)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_missing_package_is_told_before_anything_is_done(
    command: str, recipe_file: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its place in the recipe and what to install; no audio is read, nothing is trained."""
    gone = "onnxruntime"
    monkeypatch.setattr("wakekit_deploy.onnx_exporter.find_spec", lambda name: None if name == gone else name)
    recipe_file.write_text(recipe_file.read_text() + '\n[exporters.device]\ntype = "onnx"\n')
    out = ["--out", tmp_path / "runs"] if command == "run" else []
    answer = typed(command, recipe_file, *out)
    assert answer.code == 2
    place = f"{recipe_file}:{len(recipe_file.read_text().splitlines())}:8: exporters.device.type: "
    assert f"{place}exporter onnx: onnxruntime is not installed; pip install 'wakekit[onnx]'" in answer.err
    assert not list((tmp_path / "runs").glob(".store/*/*"))


def test_options_are_bounded(typed: Typed, recipe_file: Path) -> None:
    """Opsets that torch cannot write, or the oldest supported runtime cannot read, are refused in the recipe."""
    for wrong in ("opset=17", "opset=24", "batch=-1", "tolerance=0.0", "tolerance=2.0"):
        key = wrong.split("=")[0]
        answer = typed("check", recipe_file, "--set", f"exporters.a={{type='onnx', {wrong}}}")
        assert answer.code == 2
        assert f"exporters.a.{key}" in answer.err


@pytest.mark.slow
@pytest.mark.parametrize("names", MATRIX, ids="-".join)
def test_every_component_exports(names: tuple[str, str, str, str], tmp_path: Path) -> None:
    """All frontends with all normalizers, all models, all calibrators: within float32's rounding of the modules."""
    model = shipped_of(tmp_path, *names)
    assert apart(model, Onnx().export(model, tmp_path), Onnx()) < 2e-4


@pytest.mark.slow
@pytest.mark.parametrize("opset", range(18, 24))
def test_every_opset_offered_runs(opset: int, tmp_path: Path) -> None:
    """Each of them is what the file has, and ONNX Runtime reads it."""
    model = shipped_of(tmp_path, "pcen", "utterance-cmvn", "crnn", "isotonic")
    exporter = Onnx(opset=opset)
    path = exporter.export(model, tmp_path)
    assert onnx.load(str(path)).opset_import[0].version == opset
    assert apart(model, path, exporter) < 1e-4
