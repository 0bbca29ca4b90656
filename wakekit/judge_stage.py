"""The calibrate and evaluate stages: from raw scores to an operating point chosen on dev, and to numbers on test.

The threshold names the calibration and the scores that it was chosen on. Choosing on anything but dev is refused, and
so is judging under another calibration, or on the very scores that it was chosen on.
"""

from __future__ import annotations

import hashlib
import json
import math
from itertools import chain
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from wakekit.answers import as_module, as_tensor
from wakekit.artifacts import write_text
from wakekit.cautions import cautions, prior_shift
from wakekit.data import OperatingPoint, Results, StreamScores, as_json
from wakekit.errors import PluginError, WakekitError, who
from wakekit.events import fire, judge_stream
from wakekit.excerpts import cut
from wakekit.intervals import hours_needed
from wakekit.kinds import Detector
from wakekit.measured import measured
from wakekit.recipe import Recipe
from wakekit.run_rows import clip_rows, event_rows, stream_row, write_lines
from wakekit.saved_curve import saved_curve
from wakekit.search import search
from wakekit.sweep import sweep
from wakekit.units import plain_number
from wakekit.worst import speaker_counts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wakekit.data import ClipScores, FloatArray
    from wakekit.excerpts import Sounds
    from wakekit.score_stage import SplitScores

_CURVE = "curve.json"
# safetensors refuses an empty file, and a calibrator may have nothing to save.
_NOTHING = {"__none__": torch.zeros(0)}


def calibrate(folder: Path, recipe: Recipe, dev: SplitScores) -> None:
    """Fit the calibrator, then choose the operating point, both on dev; leaves both and the curve in `folder`.

    Raises WakekitError for scores of any other split.
    """
    if dev.split != "dev":
        raise WakekitError(f"a calibration and a threshold are chosen on dev, never on {dev.split}; pass dev's scores")
    calibrator = fitted_calibrator(recipe, dev.clips)
    target = recipe.settings.operating_point
    streams = [calibrated_stream(calibrator, scores) for scores in dev.streams]
    found = search(recipe["detector"], streams, dev.keyword, target, calibration=_identity(calibrator))
    point = attrs.evolve(found.point, scores=_scores_identity(dev))
    detector = attrs.evolve(recipe["detector"], **point.detector)
    sizes: dict[str, Any] = {"tolerance": target.tolerance_seconds, "seed": recipe.settings.seed}
    curve = saved_curve(found.curve, detector, streams, dev.keyword, **sizes)
    save_file(calibrator.state_dict() or _NOTHING, folder / "calibration.safetensors")
    write_text(folder / "operating_point.json", json.dumps(as_json(point), indent=2))
    write_text(folder / _CURVE, json.dumps(curve))


@attrs.frozen(eq=False)
class _Judge:
    """A recipe's detector and calibrator at the frozen operating point."""

    recipe: Recipe
    calibrator: nn.Module
    point: OperatingPoint
    detector: Detector

    @classmethod
    def read(cls, recipe: Recipe, calibration: Path) -> _Judge:
        """Read what `calibrate` left; raises WakekitError where the threshold belongs to another calibration."""
        calibrator = read_calibrator(recipe, calibration)
        point = read_operating_point(calibration)
        if point.calibration != _identity(calibrator):
            raise WakekitError(f"the threshold in {calibration} was chosen under another calibration; calibrate again")
        return cls(recipe, calibrator, point, attrs.evolve(recipe["detector"], **point.detector))

    @property
    def tolerance(self) -> float:
        return self.recipe.settings.operating_point.tolerance_seconds

    def results(self, test: SplitScores) -> Results:
        """Return calibrated clips, and streams after the detector."""
        judged = []
        for raw in test.streams:
            scores = calibrated_stream(self.calibrator, raw)
            frames = fire(self.detector, self.point.threshold, scores)
            judged.append(judge_stream(scores, frames, test.keyword, tolerance=self.tolerance))
        clips = attrs.evolve(test.clips, scores=probabilities(self.calibrator, test.clips.scores))
        return Results(
            raw=test.clips,
            clips=clips,
            streams=tuple(judged),
            operating_point=self.point,
            seed=self.recipe.settings.seed,
            cost=test.cost,
        )

    def curve(self, results: Results, keyword: str) -> dict[str, Any] | None:
        """Return test's own curve, which describes and from which nothing is chosen."""
        streams = [result.scores for result in results.streams]
        if not any(len(scores.scores) for scores in streams):
            return None
        found = sweep(self.detector, streams, keyword, tolerance=self.tolerance)
        sizes: dict[str, Any] = {"tolerance": self.tolerance, "seed": results.seed}
        return saved_curve(found, self.detector, streams, keyword, **sizes)


def evaluate(
    folder: Path,
    recipe: Recipe,
    calibration: Path,
    test: SplitScores,
    *,
    sounds: Sounds,
    conditions: Mapping[str, SplitScores],
    earlier: Sequence[tuple[Path, SplitScores]],
    training: Mapping[str, Any],
) -> None:
    """Judge the test split, and shifted copies of it, at the frozen operating point.

    `sounds` is the audio of test's streams, `earlier` the calibration and the scores of test by the weights of each
    pass before the last, `training` what the train stage says of itself. Leaves `metrics.json`, `detections.jsonl`,
    `clips.jsonl`, `curves.json` and excerpts in `listen`. Raises WakekitError for scores of another split, and where
    the threshold was chosen on these.
    """
    judge = _Judge.read(recipe, calibration)
    if test.split != "test" or judge.point.split != "dev":
        raise WakekitError(
            "a threshold is chosen on dev and judged on test; "
            f"this one was chosen on {judge.point.split} and would be judged on {test.split}"
        )
    if judge.point.scores == _scores_identity(test):
        raise WakekitError("the threshold was chosen on the very scores it would be judged on; choose it on dev")
    results = judge.results(test)
    shifted = {
        name: {**numbers(recipe, judge.results(scores)), "changes": recipe.conditions[name].describe()}
        for name, scores in conditions.items()
    }
    report = {
        "keyword": test.keyword,
        "operating_point": as_json(judge.point),
        "warnings": [
            *cautions(recipe),
            *prior_shift(recipe, training),
            *training["warnings"],
            *_warnings(results, judge, test.silence),
        ],
        **numbers(recipe, results),
        "conditions": shifted,
        "passes": [_pass_numbers(recipe, place, scores) for place, scores in earlier],
    }
    curves = {
        "dev": json.loads((calibration / _CURVE).read_text(encoding="utf-8")),
        "test": judge.curve(results, test.keyword),
    }
    write_text(folder / "metrics.json", json.dumps(report, indent=2, allow_nan=False))
    write_text(folder / "curves.json", json.dumps(curves, allow_nan=False))
    write_lines(folder / "clips.jsonl", clip_rows(results))
    found = [event_rows(result) for result in results.streams]
    owners = [number for number, rows in enumerate(found) for _ in rows]
    write_lines(folder / "detections.jsonl", cut(folder / "listen", list(chain.from_iterable(found)), owners, sounds))


def _pass_numbers(recipe: Recipe, calibration: Path, test: SplitScores) -> dict[str, Any]:
    """Return what a pass's weights give on test, at an operating point of their own."""
    results = results_of(recipe, calibration, test)
    return {"operating_point": as_json(results.operating_point), **numbers(recipe, results)}


def numbers(recipe: Recipe, results: Results) -> dict[str, Any]:
    """Return all measures of a recipe's metrics, and counts by stream and by speaker."""
    measures = {name: measured(name, metric, results) for name, metric in recipe.each("metrics").items()}
    return {
        "metrics": {name: as_json(found) for name, found in measures.items()},
        "streams": [stream_row(result) for result in results.streams],
        "speakers": speaker_counts(results),
    }


def results_of(recipe: Recipe, calibration: Path, test: SplitScores) -> Results:
    """Return the results of the test split at the frozen operating point."""
    return _Judge.read(recipe, calibration).results(test)


def read_operating_point(folder: Path) -> OperatingPoint:
    """Read the operating point that `calibrate` left."""
    table = json.loads((folder / "operating_point.json").read_text(encoding="utf-8"))
    return OperatingPoint(**table)


def read_calibrator(recipe: Recipe, folder: Path) -> nn.Module:
    """Read the calibrator that `calibrate` left."""
    calibrator = _built(recipe)
    tensors = load_file(folder / "calibration.safetensors")
    calibrator.load_state_dict({name: value for name, value in tensors.items() if name not in _NOTHING})
    return calibrator.eval()


def _built(recipe: Recipe) -> nn.Module:
    return as_module(recipe["calibrator"].build(), who("calibrator", recipe["calibrator"]))


def fitted_calibrator(recipe: Recipe, clips: ClipScores) -> nn.Module:
    """Return the calibrator's module, fitted on the clips where it learns."""
    calibrator = _built(recipe)
    if hasattr(calibrator, "fit"):
        calibrator.fit(torch.from_numpy(clips.scores), torch.from_numpy(clips.labels))  # type: ignore[operator]
    return calibrator.eval()


def calibrated_stream(calibrator: nn.Module, scores: StreamScores) -> StreamScores:
    """Return a stream's scores as probabilities."""
    return attrs.evolve(scores, scores=probabilities(calibrator, scores.scores))


def probabilities(calibrator: nn.Module, scores: FloatArray) -> FloatArray:
    """Return raw scores [n] as probabilities; raises PluginError where the calibrator gives anything else."""
    name = who("calibrator", calibrator)
    with torch.no_grad():
        answer = as_tensor(calibrator(torch.from_numpy(scores)), scores.shape, name, dtype=torch.float64, finite=True)
    if len(answer) and not 0 <= float(answer.min()) <= float(answer.max()) <= 1:
        raise PluginError(f"{name}: expected probabilities, got {float(answer.min()):g} to {float(answer.max()):g}")
    found: FloatArray = answer.numpy()
    return found


def _identity(calibrator: nn.Module) -> str:
    total = hashlib.sha256(type(calibrator).__qualname__.encode())
    for name, value in sorted(calibrator.state_dict().items()):
        total.update(name.encode() + value.detach().cpu().numpy().tobytes())
    return total.hexdigest()[:16]


def _scores_identity(scores: SplitScores) -> str:
    total = hashlib.sha256(scores.clips.scores.tobytes())
    for stream in scores.streams:
        total.update(stream.scores.tobytes())
    return total.hexdigest()[:16]


def _warnings(results: Results, judge: _Judge, silence: float) -> list[str]:
    point, found = results.operating_point, []
    events = sum(result.events for result in results.streams)
    hours = math.fsum(result.negative_hours for result in results.streams)
    needed = hours_needed(point.target_fa_per_hour, point.level)
    if not point.reachable:
        found.append(point.message)
    if probabilities(judge.calibrator, np.array([silence]))[0] >= point.threshold:
        found.append("all-zero audio scores above the threshold: this model fires on digital silence")
    if not events:
        found.append("no test stream holds the keyword: misses are measured on clips only")
    elif events == sum(len(result.misses) for result in results.streams):
        found.append(
            f"it hears none of the {events} keywords in test streams: how seldom it accepts falsely says nothing"
        )
    if hours < needed:
        found.append(
            f"{plain_number(hours, 3)} h of test audio cannot show {point.target_fa_per_hour:g} false accepts per "
            f"hour: it takes {plain_number(needed, 3)} h without one (one-sided {100 * point.level:g} %)"
        )
    return found
