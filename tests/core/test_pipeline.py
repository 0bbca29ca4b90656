"""A run from audio to numbers, on chirps: what it leaves, what it reuses, and what it refuses."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from tests.support import Answer, Typed, add_plugin
from wakekit.testing.chirps import RATE, write_corpus

if TYPE_CHECKING:
    from pathlib import Path

STAGES = {
    *("corpus", "prepare", "train", "compose-dev", "score-dev", "calibrate", "compose-test", "score-test", "evaluate")
}


def reused(answer: Answer) -> set[str]:
    """Return the stages that a run says it reused."""
    return {line.split(":")[0] for line in answer.err.splitlines() if ": reused " in line}


def only_run(out: Path) -> Path:
    """Return the one run folder in `out`."""
    (folder,) = [path for path in out.iterdir() if not path.name.startswith(".")]
    return folder


def test_a_run_leaves_readable_artifacts(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """Everything named in the docs is there, the numbers have intervals, units and counts, and chirps are learnt."""
    out = tmp_path / "runs"
    answer = typed("run", recipe_file, "--out", out)
    assert answer.code == 0, answer.err
    folder = only_run(out)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names >= {
        "recipe.toml", "environment.json", "metrics.json", "operating_point.json", "history.jsonl", "model.safetensors",
        "calibration.safetensors", "detections.jsonl", "scores/dev.safetensors", "scores/test.safetensors",
    }  # fmt: skip
    report = json.loads((folder / "metrics.json").read_text())
    auc = report["metrics"]["roc"][0]
    assert auc["value"] > 0.8
    assert auc["low"] <= auc["value"] <= auc["high"]
    rate = report["metrics"]["false_accepts"][0]
    assert rate["split"] == "test"
    assert rate["unit"] == "1/h"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["fingerprint"][:10] in folder.name
    assert "torch" in environment["packages"]
    assert "threshold" in answer.out
    assert "roc-auc" in answer.out

    again = typed("run", folder / "recipe.toml", "--out", out)
    assert again.code == 0
    assert reused(again) == STAGES
    assert only_run(out) == folder


@pytest.mark.parametrize(
    ("change", "fresh"),
    [
        ("metrics.extra=eer", {"evaluate"}),
        ("calibrator=none", {"calibrate", "evaluate"}),
        ("detector.votes=1", {"calibrate", "evaluate"}),
        ("compose.seed=1", {"compose-dev", "compose-test", "score-dev", "score-test", "calibrate", "evaluate"}),
        ("threads=2", set()),
    ],
)
def test_only_what_changed_is_done_again(
    recipe_file: Path, store: Path, typed: Typed, change: str, fresh: set[str]
) -> None:
    """Changing calibrator, detector or metric neither trains nor scores."""
    assert typed("run", recipe_file, "--out", store).code == 0
    answer = typed("run", recipe_file, "--out", store, "--set", change)
    assert answer.code == 0, answer.err
    assert reused(answer) == STAGES - fresh


def test_the_same_seed_gives_the_same_bits(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """Weights and numbers are bit-identical in a second place, another seed differs, global state is untouched."""
    import torch  # noqa: PLC0415

    folders = []
    before = torch.get_rng_state()
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        answer = typed(
            "run", recipe_file, "--out", tmp_path / name, "--set", f"seed={seed}", "--set", "callbacks.ema=ema",
            "--set", "augmentations.n=noise", "--set", "augmentations.r=reverb",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        folders.append(only_run(tmp_path / name))
    assert torch.equal(before, torch.get_rng_state())
    read = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert read[0] == read[1]
    assert read[0] != read[2]
    assert (folders[0] / "metrics.json").read_text() == (folders[1] / "metrics.json").read_text()


def test_the_test_split_is_not_reached_before_evaluate(
    recipe_file: Path, corpus: Path, tmp_path: Path, typed: Typed
) -> None:
    """T4: with every test recording replaced, weights, dev scores, calibration and threshold stay the same bits."""
    folders = []
    for name in ("plain", "poisoned"):
        manifest = _listed(corpus, tmp_path / name, poison=name == "poisoned")
        table = f"corpus={{type='manifest', path='{manifest}', keyword='chirp'}}"
        answer = typed("run", recipe_file, "--out", tmp_path / name / "runs", "--set", table, "--set", "splitter=given")
        assert answer.code == 0, answer.err
        folders.append(only_run(tmp_path / name / "runs"))
    first, second = folders
    for name in ("model.safetensors", "calibration.safetensors", "operating_point.json", "history.jsonl"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert (first / "metrics.json").read_text() != (second / "metrics.json").read_text()
    kept = [load_file(folder / "scores" / "dev.safetensors") for folder in folders]
    for name, values in kept[0].items():
        np.testing.assert_array_equal(values, kept[1][name])


def _listed(corpus: Path, folder: Path, *, poison: bool) -> Path:
    """Write a manifest of the corpus with splits by speaker; where asked, noise replaces the test split."""
    rng = np.random.default_rng(9)
    lines = []
    for path in sorted(corpus.rglob("*.wav")):
        pool, speaker = path.parent.name, path.name[:3]
        split = "test" if speaker < "s07" else "dev" if speaker < "s14" else "train"
        samples, _ = soundfile.read(path, dtype="float32")
        if poison and split == "test":
            samples = 0.2 * rng.standard_normal(len(samples))
        copy = folder / pool / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(copy, samples, RATE, subtype="PCM_16")
        label = {"positive": "chirp", "negative": "speech"}.get(pool, "background")
        row = {"kind": "clip", "audio_filepath": f"{pool}/{path.name}", "duration": len(samples) / RATE, "label": label,
               "split": split, "word": [0.0, len(samples) / RATE]}  # fmt: skip
        lines.append(json.dumps(row | ({"speaker": speaker} if pool != "background" else {})))
    (folder / "manifest.jsonl").write_text("\n".join(lines))
    return folder / "manifest.jsonl"


def test_a_diverging_training_stops_with_the_last_good_weights(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """A loss that is not a number ends the run, names epoch and step, and leaves nothing in the store."""
    answer = typed(
        "run", recipe_file, "--out", tmp_path / "runs", "--set", "optimizer={type='sgd', lr=1e30}"
    )  # fmt: skip
    assert answer.code == 1
    assert "training diverged: the loss is not finite at epoch 0, step " in answer.err
    assert not list((tmp_path / "runs" / ".store" / "train").glob("[!.]*"))


def test_the_last_good_weights_are_kept(recipe_file: Path, tmp_path: Path, typed: Typed, site: Path) -> None:
    """When the loss breaks in a later epoch, the weights of the epoch before are in the run's folder, and finite."""
    add_plugin(
        site,
        "acme-break",
        "import attrs\nfrom wakekit import Component, Hooks, hookimpl\n"
        "@hookimpl\ndef wakekit_components():\n    yield Component('callback', 'break', 'acme_break:Break')\n"
        "@attrs.frozen\nclass Break:\n    def build(self): return _Hooks()\n"
        "class _Hooks(Hooks):\n    def epoch_ended(self, state):\n        if state.epoch == 1:\n"
        "            for p in state.model.parameters(): p.data.fill_(float('nan'))\n",
    )
    answer = typed("run", recipe_file, "--out", tmp_path, "--set", "train.epochs=4", "--set", "callbacks.b=break",
                   "--set", "train.keep=best")  # fmt: skip
    assert answer.code == 1, answer.err
    assert "epoch 1" in answer.err
    (weights,) = tmp_path.glob("tiny-*/last_good.safetensors")
    assert all(np.isfinite(value).all() for value in load_file(weights).values())


def test_a_callbacks_curve_is_drawn(recipe_file: Path, tmp_path: Path, typed: Typed, site: Path) -> None:
    """What a plugin's callback records as a series stands in the history and becomes a figure of the report."""
    add_plugin(
        site,
        "acme-norm",
        "import attrs, torch\nfrom wakekit import Component, Hooks, hookimpl\n"
        "@hookimpl\ndef wakekit_components():\n    yield Component('callback', 'norm', 'acme_norm:Norm', summary='x')\n"
        "@attrs.frozen\nclass Norm:\n    'Norm.'\n    def build(self): return _Hooks()\n"
        "class _Hooks(Hooks):\n    def step_ended(self, state):\n"
        "        size = float(torch.nn.utils.get_total_norm([p.grad for p in state.model.parameters()]))\n"
        "        state.record({'series': 'gradient norm', 'x': state.step, 'y': size, 'x_label': 'step'})\n",
    )
    answer = typed("run", recipe_file, "--out", tmp_path, "--set", "callbacks.n=norm", "--set", "report=html")
    assert answer.code == 0, answer.err
    (folder,) = tmp_path.glob("tiny-*")
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert sum(row.get("series") == "gradient norm" for row in rows) == max(row.get("steps", 0) for row in rows)
    assert "gradient norm" in (folder / "report.html").read_text()
    plots = typed("report", folder, "--format", "svg").out
    assert "gradient" in plots


@pytest.fixture
def own_corpus(tmp_path: Path, recipe_file: Path, corpus: Path) -> Path:
    """A corpus to spoil, and the recipe pointing at it."""
    folder = write_corpus(tmp_path / "own")
    recipe_file.write_text(recipe_file.read_text().replace(str(corpus), str(folder)))
    return folder


@pytest.mark.parametrize("pool", ["positive", "negative"])
@pytest.mark.parametrize("spoil", ["empty", "noise", "short", "nan"])
def test_unusable_audio_is_named_and_skipped_only_on_request(
    own_corpus: Path, recipe_file: Path, tmp_path: Path, typed: Typed, spoil: str, pool: str
) -> None:
    """Corrupt, zero-length and non-finite recordings end the run by name, or are left out and counted."""
    victim = own_corpus / pool / "s00_0.wav"
    if spoil == "empty":
        victim.write_bytes(b"")
    elif spoil == "noise":
        victim.write_bytes(b"RIFF" + bytes(range(200)))
    elif spoil == "short":
        soundfile.write(victim, np.zeros(0, dtype=np.float32), RATE)
    else:
        soundfile.write(victim, np.full(6400, np.nan, dtype=np.float32), RATE, subtype="FLOAT")
    answer = typed("run", recipe_file, "--out", tmp_path / "runs")
    assert answer.code == 1, answer.err
    assert "s00_0.wav" in answer.err
    assert "Traceback" not in answer.err
    answer = typed("run", recipe_file, "--out", tmp_path / "runs", "--set", "audio.bad_files=skip")
    assert answer.code == 0, answer.err
    assert "1 recording is unusable" in answer.err
    assert "left out" in answer.err


def test_other_rates_and_channels_are_converted_and_told(
    own_corpus: Path, recipe_file: Path, tmp_path: Path, typed: Typed
) -> None:
    """A recording at 44.1 kHz in stereo is resampled and mixed down, and the run says how many were."""
    victim = own_corpus / "positive" / "s00_0.wav"
    samples, _ = soundfile.read(victim)
    time_at = np.arange(int(len(samples) * 44100 / RATE)) * RATE / 44100
    wide = np.interp(time_at, np.arange(len(samples)), samples)
    soundfile.write(victim, np.stack([wide, wide], axis=1), 44100)
    answer = typed("run", recipe_file, "--out", tmp_path / "runs")
    assert answer.code == 0, answer.err
    assert "1 recordings resampled from 44100 Hz to 16000 Hz" in answer.err
    assert "mixed down from 2 channels" in answer.err


def test_a_missing_recording_is_named(corpus: Path, recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """A manifest that names a file that is not there ends the run by name; on request it is left out and counted."""
    manifest = _listed(corpus, tmp_path / "listed", poison=False)
    (manifest.parent / "positive" / "s20_0.wav").unlink()
    (manifest.parent / "negative" / "s20_1.wav").unlink()
    command = ("run", recipe_file, "--out", tmp_path / "runs", "--set", "splitter=given",
               "--set", f"corpus={{type='manifest', path='{manifest}', keyword='chirp'}}")  # fmt: skip
    answer = typed(*command)
    assert answer.code == 1
    assert "2 recordings are unusable" in answer.err
    assert "s20_0.wav: no such file" in answer.err
    assert typed(*command, "--set", "audio.bad_files=skip").code == 0


def test_too_few_positives_and_shared_audio_are_refused(
    own_corpus: Path, recipe_file: Path, tmp_path: Path, typed: Typed
) -> None:
    """T15: a split without enough keyword clips is an error, and so are recordings without splits."""
    for path in sorted((own_corpus / "positive").iterdir())[4:]:
        path.unlink()
    answer = typed("run", recipe_file, "--out", tmp_path / "runs")
    assert answer.code == 1
    assert "positive" in answer.err or "keyword" in answer.err or "'chirp'" in answer.err
    given = typed("run", recipe_file, "--out", tmp_path / "runs", "--set", "splitter=given")
    assert given.code == 1
    assert "split" in given.err


def test_two_runs_at_once_give_the_right_result(recipe_file: Path, tmp_path: Path) -> None:
    """Two identical commands share the work, and both succeed."""
    command = [sys.executable, "-m", "wakekit", "run", str(recipe_file), "--out", str(tmp_path / "runs")]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    trained = [("training: done" in err) for _, err in answers]
    assert trained.count(True) == 1
    json.loads((only_run(tmp_path / "runs") / "metrics.json").read_text())


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_resumes(recipe_file: Path, tmp_path: Path, typed: Typed, how: signal.Signals) -> None:
    """Killed or interrupted in training, the same command reuses what was finished and leaves no half-written file."""
    out = tmp_path / "runs"
    command = [sys.executable, "-m", "wakekit", "run", str(recipe_file), "--out", str(out), "--set", "train.epochs=400"]
    # Where the tests themselves run in the background, a shell has them, and what they start, ignore Ctrl-C.
    heed = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:  # noqa: PLW1509
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("fitting normalizer: done"):
                time.sleep(0.3)
                process.send_signal(how)
                break
        rest = process.stderr.read()
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted" in rest
        assert "Traceback" not in rest
    assert not list(out.glob("tiny-*"))
    answer = typed("run", recipe_file, "--out", out)
    assert answer.code == 0, answer.err
    assert reused(answer) == {"corpus", "prepare"}


def test_quiet_prints_nothing(recipe_file: Path, store: Path, typed: Typed) -> None:
    """`--quiet` leaves both outputs empty when all is well."""
    answer = typed("run", recipe_file, "--out", store, "--quiet")
    assert (answer.code, answer.out, answer.err) == (0, "", "")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"speaker": "s20"', '"speaker": "s00"', "s00"),
        ('"label": "chirp"', '"label": "chrip"', "'chrip'"),
        ('{"kind": "clip"', '{"kind": clip"', "manifest.jsonl:1: expected a JSON object"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_place(
    corpus: Path, recipe_file: Path, tmp_path: Path, typed: Typed, old: str, new: str, words: str
) -> None:
    """T15: a speaker on two sides, a label nobody declared and a line that is not JSON are one clear error each."""
    manifest = _listed(corpus, tmp_path / "listed", poison=False)
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))
    answer = typed("run", recipe_file, "--out", tmp_path / "runs", "--set", "splitter=given",
                   "--set", f"corpus={{type='manifest', path='{manifest}', keyword='chirp'}}")  # fmt: skip
    assert answer.code == 1
    assert words in answer.err
    assert not list(tmp_path.glob("runs/tiny-*"))


def test_the_keyword_may_be_spelt_with_capitals(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """Streams are judged for the keyword that the corpus made of the recipe's spelling."""
    pytest.importorskip("espeakng_loader")
    table = (
        "corpus={type='espeak', keyword='Hey  Nova', speakers=24, positives_per_speaker=2, near_misses_per_speaker=1, "
        "other_per_speaker=1, stream_seconds_per_speaker=8, keywords_per_stream=1, background_clips=4, rooms=4}"
    )
    answer = typed(
        "run", recipe_file, "--out", tmp_path / "runs", "--set", table, "--set", "operating_point.fa_per_hour=2000"
    )
    assert answer.code == 0, answer.err
    report = json.loads((only_run(tmp_path / "runs") / "metrics.json").read_text())
    assert sum(stream["events"] for stream in report["streams"]) >= 1


def test_outputs_that_cannot_be_written_are_named(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """A file where a folder should be is one sentence and exit code 1."""
    (tmp_path / "file").write_text("x")
    answer = typed("run", recipe_file, "--out", tmp_path / "file")
    assert answer.code == 1
    assert str(tmp_path / "file") in answer.err
