"""What a worker does with one job of an ablation: the cells that share a training, one after the other.

Whatever fails in a cell is its outcome, and the others go on; what was finished stays in the store and in the cell's
folder, so that the same job can be done again.
"""

from __future__ import annotations

import json
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from wakekit.ablation.collect import collect_dev, collect_test
from wakekit.artifacts import copy_file, write_text
from wakekit.console import Lines
from wakekit.errors import WakekitError, notes_of
from wakekit.pipeline import Pipeline, settle
from wakekit.recipe import load_recipe
from wakekit.registry import installed
from wakekit.score_stage import read_scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.progress import Progress
    from wakekit.recipe import Recipe
    from wakekit.registry import Registry

OUTCOME, RECIPE, LOG = "outcome.json", "recipe.toml", "log.txt"
DONE, FAILED = "done", "failed"


def carry_out(task: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out the cells of a task; return the outcome of each, as their folders keep it.

    `task` holds `out` (where runs go), `folder` (the ablation's), `judge` (the split), `disabled` (plugins),
    `fail_fast` and `cells`, each with `variant`, `seed`, `folder`, `recipe` (TOML), `threads` and `fingerprint`.
    """
    registry = installed(tuple(task["disabled"]))
    outcomes: list[dict[str, Any]] = []
    for cell in task["cells"]:
        folder = Path(task["folder"]) / cell["folder"]
        write_text(folder / RECIPE, cell["recipe"])
        outcome = _Attempt(task, cell, registry).outcome(broken=_broken(outcomes))
        outcome |= {key: cell[key] for key in ("variant", "seed", "fingerprint")}
        outcome = _joined(folder / OUTCOME, outcome)
        write_text(folder / OUTCOME, json.dumps(outcome, indent=2))
        outcomes.append(outcome)
        if outcome["state"] == FAILED and task["fail_fast"]:
            break
    return {"cells": outcomes}


def _joined(path: Path, outcome: dict[str, Any]) -> dict[str, Any]:
    """Return an outcome with what another command at once, or a worker that died later, made for the cell."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return outcome
    if (kept["fingerprint"], kept["state"]) != (outcome["fingerprint"], DONE):
        return outcome
    made = [*kept["made"], *(stage for stage in outcome["made"] if stage not in kept["made"])]
    return {**outcome, "made": made, "seconds": max(kept["seconds"], outcome["seconds"])}


def _broken(outcomes: list[dict[str, Any]]) -> str:
    """Return why the training that the cells share came to nothing; empty where it did not."""
    failed = [one["reason"] for one in outcomes if one["state"] == FAILED and one["stage"] == "train"]
    return failed[0] if failed else ""


class _Attempt:
    """One attempt at a cell, in its folder."""

    def __init__(self, task: Mapping[str, Any], cell: Mapping[str, Any], registry: Registry) -> None:
        self.task, self.cell, self.registry = task, cell, registry
        self.folder = Path(task["folder"]) / cell["folder"]
        self.line: Pipeline | None = None

    def outcome(self, *, broken: str) -> dict[str, Any]:
        """Return how it ended."""
        begun = time.monotonic()
        found = {"state": FAILED, "reason": broken, "stage": "train"} if broken else self._tried()
        stages = self.line.stages if self.line else []
        made = [artifact.stage for artifact in stages if not artifact.reused]
        return {**found, "seconds": time.monotonic() - begun, "made": made}

    def _tried(self) -> dict[str, Any]:
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            progress = Lines(log)
            try:
                return {"state": DONE, "reason": "", "stage": "", "run": self._done(progress)}
            except WakekitError as error:
                reason = str(error)
            except (Exception, SystemExit) as error:  # noqa: BLE001
                # A variant of a stranger's component may fail in any way, and must not take the others with it.
                reason = "; ".join([f"{type(error).__name__}: {error}", *notes_of(error)])
                progress.note(traceback.format_exc())
            progress.note(reason)
        return {"state": FAILED, "reason": reason, "stage": self.line.current if self.line else ""}

    def _done(self, progress: Progress) -> str:
        """Carry out all stages; return the name of the run's folder, where there is one."""
        recipe, out = load_recipe(self.folder / RECIPE, self.registry), Path(self.task["out"])
        settle(self.cell["threads"])
        self.line = line = Pipeline(recipe, out, progress)
        if self.task["judge"] == "test":
            return self._judged_on_test(line, recipe)
        prepared = line.prepare()
        weights = line.train(prepared)
        copy_file(weights / "history.jsonl", self.folder / "history.jsonl")
        dev = line.score(prepared, weights, "dev")
        line.stage("judge-dev", lambda place: collect_dev(place, recipe, read_scores(dev, recipe, prepared, "dev")))
        return ""

    def _judged_on_test(self, line: Pipeline, recipe: Recipe) -> str:
        run = line.run(exports=False)
        dev = line.store.folder("score-dev", line.prints["score"])

        def make(place: Path) -> None:
            scores = [
                read_scores(found, recipe, run.prepared, split) for found, split in ((dev, "dev"), (run.test, "test"))
            ]
            collect_test(place, recipe, *scores)

        line.stage("judge-test", make)
        return run.folder.name


def default_threads() -> int:
    """Return the threads of torch in this process, which all workers use where the recipe leaves them open."""
    return torch.get_num_threads()
