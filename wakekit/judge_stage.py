"""The calibrate and evaluate stages: from raw scores to an operating point chosen on dev, and to numbers on test.

The threshold belongs to one calibration, which it names; judging with any other is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from wakekit.artifacts import write_text
from wakekit.data import Measure, OperatingPoint, Results, StreamResult, StreamScores, as_json
from wakekit.errors import PluginError, WakekitError
from wakekit.events import judge_stream
from wakekit.operating import choose
from wakekit.sweep import sweep

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.data import FloatArray
    from wakekit.kinds import Metric
    from wakekit.recipe import Recipe
    from wakekit.score_stage import SplitScores


def calibrate(folder: Path, recipe: Recipe, dev: SplitScores) -> None:
    """Fit the calibrator, then choose the threshold, both on dev; leaves both in `folder`."""
    calibrator = recipe["calibrator"].build()
    if hasattr(calibrator, "fit"):
        calibrator.fit(torch.from_numpy(dev.clips.scores), torch.from_numpy(dev.clips.labels))
    calibrator.eval()
    target = recipe.settings.operating_point
    curve = sweep(
        recipe["detector"],
        [calibrated_stream(calibrator, scores) for scores in dev.streams],
        dev.keyword,
        tolerance=target.tolerance_seconds,
        max_fa_per_hour=max(_SWEPT_FA_PER_HOUR, target.fa_per_hour),
    )
    point = choose(curve, target.fa_per_hour, calibration=_identity(calibrator))
    save_file(calibrator.state_dict() or _NOTHING, folder / "calibration.safetensors")
    write_text(folder / "operating_point.json", json.dumps(as_json(point), indent=2))


_SWEPT_FA_PER_HOUR = 100.0
# safetensors refuses an empty file, and a calibrator may have nothing to save.
_NOTHING = {"__none__": torch.zeros(0)}


def evaluate(folder: Path, recipe: Recipe, calibration: Path, test: SplitScores) -> None:
    """Judge the test split at the frozen operating point; leaves `metrics.json` and `detections.jsonl`."""
    calibrator = recipe["calibrator"].build()
    tensors = load_file(calibration / "calibration.safetensors")
    calibrator.load_state_dict({name: value for name, value in tensors.items() if name not in _NOTHING})
    calibrator.eval()
    point = read_operating_point(calibration)
    if point.calibration != _identity(calibrator):
        raise WakekitError(f"the threshold in {calibration} was chosen under another calibration; calibrate again")
    results = Results(
        raw=test.clips,
        clips=attrs.evolve(test.clips, scores=_probabilities(calibrator, test.clips.scores)),
        streams=tuple(
            _judged(recipe, point, calibrated_stream(calibrator, scores), test.keyword) for scores in test.streams
        ),
        operating_point=point,
        seed=recipe.settings.seed,
    )
    measures = {name: _measured(name, metric, results) for name, metric in recipe.each("metrics").items()}
    report = {
        "operating_point": as_json(point),
        "warnings": _warnings(results, calibrator, test.silence),
        "metrics": {name: as_json(found) for name, found in measures.items()},
        "streams": [_stream_row(result) for result in results.streams],
    }
    write_text(folder / "metrics.json", json.dumps(report, indent=2, allow_nan=False))
    _write_detections(folder / "detections.jsonl", results)


def _measured(name: str, metric: Metric, results: Results) -> list[Measure]:
    """Return what a metric measures; raises PluginError where that is not measures of finite numbers."""
    found: object = metric.compute(results)
    measures = found if isinstance(found, (list, tuple)) else [found]
    return [_checked(name, measure) for measure in measures]


def _checked(name: str, measure: object) -> Measure:
    if not isinstance(measure, Measure):
        raise PluginError(f"metric {name}: expected a list of wakekit.Measure, got {measure!r:.80}")
    counts = {key: float(value) for key, value in measure.counts.items()}
    numbers = [measure.value, measure.low, measure.high, *counts.values()]
    if not all(number is None or math.isfinite(number) for number in numbers):
        raise PluginError(f"metric {name}: {measure.name} holds a number that is not finite; give None and a note")
    value, low, high = (_plain(number) for number in numbers[:3])
    return attrs.evolve(measure, value=value, low=low, high=high, counts=counts)


def _plain(number: float | None) -> float | None:
    return None if number is None else float(number)


def read_operating_point(folder: Path) -> OperatingPoint:
    """Read the operating point that `calibrate` left."""
    table = json.loads((folder / "operating_point.json").read_text(encoding="utf-8"))
    return OperatingPoint(**table)


def calibrated_stream(calibrator: nn.Module, scores: StreamScores) -> StreamScores:
    """Return a stream's scores as probabilities."""
    return attrs.evolve(scores, scores=_probabilities(calibrator, scores.scores))


def _probabilities(calibrator: nn.Module, scores: FloatArray) -> FloatArray:
    with torch.no_grad():
        found: FloatArray = calibrator(torch.from_numpy(scores)).numpy()
    return found


def _identity(calibrator: nn.Module) -> str:
    total = hashlib.sha256(type(calibrator).__qualname__.encode())
    for name, value in sorted(calibrator.state_dict().items()):
        total.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return total.hexdigest()[:16]


def _judged(recipe: Recipe, point: OperatingPoint, scores: StreamScores, keyword: str) -> StreamResult:
    frames = recipe["detector"].build(point.threshold).feed(scores.scores)
    tolerance = recipe.settings.operating_point.tolerance_seconds
    return judge_stream(scores, np.asarray(frames, np.int64), keyword, tolerance=tolerance)


def _warnings(results: Results, calibrator: nn.Module, silence: float) -> list[str]:
    point, found = results.operating_point, []
    if not point.reachable:
        found.append(point.message)
    if _probabilities(calibrator, np.array([silence]))[0] >= point.threshold:
        found.append("all-zero audio scores above the threshold: this model fires on digital silence")
    if not sum(result.events for result in results.streams):
        found.append("no test stream holds the keyword: misses are measured on clips only")
    return found


def _stream_row(result: StreamResult) -> dict[str, object]:
    stream = result.scores.stream
    outcomes = [detection.outcome for detection in result.detections]
    return {
        "stream": stream.audio.name,
        "composed": stream.composed,
        "silence": stream.silence,
        "hours_without_keyword": result.negative_hours,
        "events": result.events,
        "hits": outcomes.count("hit"),
        "misses": len(result.misses),
        "false_accepts": outcomes.count("false accept"),
    }


def _write_detections(path: Path, results: Results) -> None:
    rows = [
        {"kind": kind, **as_json(row)}
        for result in results.streams
        for kind, found in (("detection", result.detections), ("miss", result.misses))
        for row in found
    ]
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
