"""All folds of a splitter, one run each over one corpus, and what their test splits say together.

Every clip and stream is tested once, by a model that never heard its speaker, at a threshold chosen on that fold's own
dev. The scores are pooled and the metrics run over all of them, so that an interval rests on speakers; the spread of
the folds' own numbers is no interval, because the folds share most of their training data.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit.artifacts import write_text
from wakekit.data import ClipScores, Results
from wakekit.distributed import world
from wakekit.errors import Problem, RecipeError
from wakekit.fingerprint import digest
from wakekit.judge_stage import numbers, results_of
from wakekit.pipeline import run
from wakekit.recipe import load_recipe
from wakekit.recipe_table import dump
from wakekit.run_rows import clip_rows, event_rows, write_lines
from wakekit.score_stage import read_scores

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wakekit.pipeline import Run
    from wakekit.progress import Progress
    from wakekit.recipe import Recipe
    from wakekit.registry import Registry


def run_folds(
    path: str, registry: Registry, out: Path, progress: Progress, *, changes: Sequence[str], drops: Sequence[str]
) -> Path:
    """Run every fold of a recipe, and leave what they say together in a folder in `out`, which is returned.

    Folds measure a recipe, and no model of theirs is the one to ship: its exporters do not run. Raises RecipeError
    where the recipe's splitter has no options `folds` and `fold`.
    """

    def fold(number: int) -> Recipe:
        return load_recipe(path, registry, changes=[*changes, f"splitter.fold={number}"], drops=drops)

    asked = load_recipe(path, registry, changes=changes, drops=drops)
    recipes = [fold(number) for number in range(_count(asked))]
    if asked.many["exporters"]:
        progress.note("no fold is exported: a model to ship is trained by a run without --folds")
    runs = []
    for number, recipe in enumerate(recipes):
        progress.note(f"fold {number} of {len(recipes)}")
        runs.append(run(recipe, out, progress, exports=False))
    prints = [json.loads((one.folder / "environment.json").read_text(encoding="utf-8"))["fingerprint"] for one in runs]
    folder = out / f"{asked.settings.name}-folds-{digest(prints)[:10]}"
    if world().first:
        _leave(folder, asked, runs, prints)
    return folder


def _count(recipe: Recipe) -> int:
    splitter = recipe["splitter"]
    if not (hasattr(splitter, "fold") and isinstance(getattr(splitter, "folds", None), int)):
        message = "--folds needs a splitter with the options folds and fold, as k-fold"
        raise RecipeError(recipe.merged.mistakes([Problem(("splitter", "type"), message)]))
    return int(splitter.folds)


def _leave(folder: Path, recipe: Recipe, runs: Sequence[Run], prints: Sequence[str]) -> None:
    """Write `clips.jsonl`, `detections.jsonl`, `recipe.toml` and last `folds.json`."""
    whole = _pooled(runs, [one.test for one in runs])
    own = [json.loads((one.folder / "metrics.json").read_text(encoding="utf-8")) for one in runs]
    report = {
        "keyword": own[0]["keyword"],
        **numbers(recipe, whole),
        "conditions": {
            name: numbers(recipe, _pooled(runs, [one.conditions[name] for one in runs])) for name in recipe.conditions
        },
        "folds": [
            {"fold": number, "run": one.folder.name, "fingerprint": fingerprint, **_own(found)}
            for number, (one, fingerprint, found) in enumerate(zip(runs, prints, own, strict=True))
        ],
    }
    write_lines(folder / "clips.jsonl", clip_rows(whole))
    write_lines(folder / "detections.jsonl", [row for result in whole.streams for row in event_rows(result)])
    write_text(folder / "recipe.toml", dump(recipe))
    write_text(folder / "folds.json", json.dumps(report, indent=2, allow_nan=False))


def _pooled(runs: Sequence[Run], scores: Sequence[Path]) -> Results:
    """Return what each fold's model gives on its own scores, together."""
    found = [
        results_of(one.recipe, one.calibration, read_scores(place, one.recipe, one.prepared, "test"))
        for one, place in zip(runs, scores, strict=True)
    ]
    return pooled(found)


def _own(report: dict[str, Any]) -> dict[str, Any]:
    return {key: report[key] for key in ("operating_point", "warnings", "metrics")}


def pooled(results: Sequence[Results]) -> Results:
    """Return the results of several folds as those of one test split; each clip keeps its own fold's threshold.

    Calibrated scores are pooled, as raw scores of several models are on scales of their own.
    """
    sizes = [len(result.clips.labels) for result in results]
    thresholds = np.repeat([result.operating_point.threshold for result in results], sizes)
    missed = [result.operating_point for result in results if not result.operating_point.reachable]
    point = (missed or [results[0].operating_point])[0]
    return Results(
        raw=_joined([result.raw for result in results]),
        clips=_joined([result.clips for result in results]),
        streams=tuple(stream for result in results for stream in result.streams),
        operating_point=attrs.evolve(point, threshold=float("nan")),
        seed=results[0].seed,
        cost=results[0].cost,
        thresholds=thresholds,
    )


def _joined(parts: Sequence[ClipScores]) -> ClipScores:
    return ClipScores(
        tuple(clip for part in parts for clip in part.clips),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )
