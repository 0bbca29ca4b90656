"""A whole run with each calibrator: it is saved, read back, thresholded and shown, and judges the same ranking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.special import expit

from wakekit.run_folder import read_run
from wakekit_evaluation.report.clip_figures import clip_plots

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed
    from wakekit.run_folder import Run

METRICS = {"det": "det", "pr": "precision-recall", "d": "d-prime", "confusion": "confusion", "brier": "brier"}


def run(recipe_file: Path, store: Path, typed: Typed, *changes: str) -> Run:
    """Run the tiny recipe with changes and read its folder."""
    metrics = [f"metrics.{key}={name}" for key, name in METRICS.items()]
    options = [part for change in (*changes, *metrics) for part in ("--set", change)]
    answer = typed("run", recipe_file, "--out", store, *options)
    assert answer.code == 0, answer.err
    return read_run(answer.out.split("results of ")[1].splitlines()[0])


@pytest.mark.parametrize("changed", ["platt", "beta", "isotonic", "{ type = 'isotonic', tilt = 0.0 }"])
def test_a_run_from_audio_to_numbers(recipe_file: Path, store: Path, typed: Typed, changed: str) -> None:
    """Probabilities stay inside 0 and 1 in the order of the log-odds, and the figures can be drawn.

    The threshold reaches on dev what is recorded, the new measures are there, and running it again reuses all of it.
    """
    found = run(recipe_file, store, typed, f"calibrator={changed}")
    raw, scores = (np.array([getattr(clip, name) for clip in found.clips]) for name in ("raw", "score"))
    assert np.abs(scores - expit(raw)).max() > 0.01
    assert scores.min() > 0
    assert scores.max() < 1
    order = np.argsort(raw, kind="stable")
    steps = np.diff(scores[order])[np.diff(raw[order]) > 0]
    assert (steps >= 0).all() if "tilt" in changed else (steps > 0).all()
    for plot in clip_plots(found):
        plot.draw(6.0)
    assert [m.name for m in found.test.metrics["pr"]] == ["precision", "recall", "f1", "average-precision"]
    assert all(measure.value is not None for key in METRICS for measure in found.test.metrics[key])
    decided = {measure.name: measure.value for measure in found.test.metrics["confusion"]}
    reached = sum(clip.score >= found.operating_point.threshold for clip in found.clips)
    assert decided["confusion-tp"] + decided["confusion-fp"] == reached
    dev = found.curves["dev"]
    at = int(np.flatnonzero(dev.thresholds == found.operating_point.threshold)[0])
    assert int(dev.false_accepts[at]) == found.operating_point.false_accepts
    again = typed("run", found.folder / "recipe.toml", "--out", store)
    assert again.code == 0
    assert "calibrate: reused" in again.err


def test_weighted_training_is_repaired_by_platt_but_not_by_a_temperature(
    recipe_file: Path, store: Path, typed: Typed
) -> None:
    """T27: trained with a weight of 30 for the keyword, the Brier score falls to near its best only with a bias."""
    scores: dict[str, Any] = {}
    for calibrator in ("temperature", "platt", "isotonic", "beta"):
        found = run(recipe_file, store, typed, f"calibrator={calibrator}", "loss.class_weights=[1.0, 30.0]")
        told = json.loads((found.folder / "metrics.json").read_text())["metrics"]["brier"][0]
        scores[calibrator] = told["counts"]["miscalibration"]
    for calibrator in ("platt", "isotonic", "beta"):
        assert scores[calibrator] < 0.5 * scores["temperature"]
