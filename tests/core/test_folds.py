"""All folds of a splitter: one corpus, every clip tested once, and numbers over all of them together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from wakekit.data import Clip, ClipScores, OperatingPoint, Results
from wakekit.folds import pooled
from wakekit.registry import installed

if TYPE_CHECKING:
    from tests.support import Answer, Typed

FOLDS = (
    "--set", "splitter={type='k-fold', folds=3}", "--set", "train.epochs=1", "--set", "metrics.brier.type='brier'",
    "--set", "conditions.quiet.augmentations.gain={type='gain', db=[-20, -20]}",
)  # fmt: skip


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder for the tests here."""
    return tmp_path_factory.mktemp("folds") / "runs"


def lines(path: Path) -> list[dict[str, Any]]:
    """Return a file's rows."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_folds_are_run_over_one_corpus_and_pooled(recipe_file: Path, out: Path, typed: Typed) -> None:
    """T14: no fold is picked: each clip is scored once, out of fold, and AUC is that of all scores together."""
    answer: Answer = typed("run", recipe_file, "--folds", *FOLDS, "--out", out)
    assert answer.code == 0, answer.err
    assert answer.err.count("corpus: reused") == 2
    (folder,) = out.glob("tiny-folds-*")
    report = json.loads((folder / "folds.json").read_text())
    assert [fold["fold"] for fold in report["folds"]] == [0, 1, 2]
    assert all((out / fold["run"] / "report.html").exists() is False for fold in report["folds"])
    clips = lines(folder / "clips.jsonl")
    assert len(clips) == len({(clip["audio"], clip["pool"]) for clip in clips}) == 24 * 5
    auc = report["metrics"]["roc"][0]
    labels = [clip["pool"] == "positive" for clip in clips]
    assert auc["value"] == pytest.approx(roc_auc_score(labels, [clip["score"] for clip in clips]))
    assert auc["low"] <= auc["value"] <= auc["high"]
    assert auc["counts"]["clusters"] >= 24
    apart = [fold["metrics"]["false_accepts"][0]["counts"] for fold in report["folds"]]
    whole = report["metrics"]["false_accepts"][0]["counts"]
    for name in ("hours", "false_accepts"):
        assert whole[name] == pytest.approx(sum(counts[name] for counts in apart))
    missed = sum(fold["metrics"]["misses"][1]["counts"]["missed"] for fold in report["folds"])
    assert report["metrics"]["misses"][1]["counts"]["missed"] == missed
    quiet = report["conditions"]["quiet"]["metrics"]["false_accepts"][0]["counts"]
    assert quiet["hours"] == pytest.approx(whole["hours"])
    assert sum(speaker["words"] for speaker in report["speakers"]) == report["metrics"]["misses"][0]["counts"]["words"]
    assert "3 folds, each judged by a model that heard none of its speakers" in answer.out


def test_no_speaker_is_tested_by_a_model_that_heard_it(out: Path) -> None:
    """T15: over the folds, test speakers are disjoint."""
    runs = [path.parent for path in out.glob("tiny-*/metrics.json")]
    speakers = [{clip["speaker"] for clip in lines(run / "clips.jsonl")} - {None} for run in runs]
    assert len(speakers) == 3
    assert sum(map(len, speakers)) == len(set.union(*speakers)) == 24


def test_other_splitters_have_no_folds(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """It is said at the splitter, before anything runs."""
    answer = typed("run", recipe_file, "--folds", "--out", tmp_path / "runs")
    assert answer.code == 2
    assert "splitter.type: --folds needs a splitter with the options folds and fold" in answer.err
    assert not (tmp_path / "runs").exists()


def point(threshold: float) -> OperatingPoint:
    """Return an operating point with a threshold."""
    return OperatingPoint(
        threshold=threshold, target_fa_per_hour=1, reachable=True, fa_per_hour=0, false_accepts=0, hours=1, miss_rate=0,
        misses=0, events=1, message="", calibration="",
    )  # fmt: skip


def test_each_clip_is_decided_by_its_own_folds_threshold() -> None:
    """One score is accepted in one fold and refused in the other; metrics count accordingly."""
    clips = (Clip(audio=Path("a.wav"), duration=1.0, label="word", pool="positive", speaker="s"),)
    scores = ClipScores(clips, np.array([0.5]), np.array([1]))
    found = pooled([Results(scores, scores, (), point(threshold)) for threshold in (0.4, 0.6)])
    assert found.accepted().tolist() == [True, False]
    assert np.isnan(found.operating_point.threshold)
    metric = installed().find("metric", "false-rejects").load()()
    assert metric.compute(found)[1].value == 0.5
