"""Carries out an ablation: which cells are left to do, jobs for the launcher, and in the end the verdicts.

What a cell leaves says how it ended, so that the same command goes on where the last one stopped. Two commands at once
meet in the store's locks: each stage is made once.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.ablate_table import fitting
from wakekit.ablation.cells import ablation_fingerprint, cells, trainings
from wakekit.ablation.found import NOT_RUN, State, found_result
from wakekit.ablation.markdown import table
from wakekit.ablation.result import AblationResult
from wakekit.ablation.saved import write_result
from wakekit.ablation.words import duration
from wakekit.ablation.work import DONE, FAILED, LOG, OUTCOME, RECIPE, default_threads
from wakekit.artifacts import Store, write_text
from wakekit.errors import Problem, RecipeError
from wakekit.geometry import all_geometries
from wakekit.launching import FailFast, Job
from wakekit.recipe_table import dump
from wakekit.report import write_ablation_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.ablation.cells import Cell
    from wakekit.launching import Ended
    from wakekit.progress import Advance, Progress
    from wakekit.recipe import Recipe
    from wakekit.variants import Ablate


@attrs.frozen(kw_only=True)
class Wishes:
    """What the command line asks: how many workers, which variants, and what to do about failures."""

    workers: int | None = None
    only: tuple[str, ...] = ()
    retry_failed: bool = False
    fail_fast: bool = False
    disabled: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Ablation:
    """A finished ablation: its folder and what was found."""

    folder: Path
    result: AblationResult


def ablate(recipe: Recipe, out: Path, progress: Progress, wishes: Wishes) -> Ablation:
    """Carry out what is left of an ablation, judge it, and leave its folder in `out`.

    Raises RecipeError for a recipe that asks for nothing to compare, and for `only` that names no variant.
    """
    if recipe.ablate is None:
        raise RecipeError(recipe.merged.mistakes([Problem((), "nothing to compare: add a table [ablate], or use run")]))
    all_geometries(recipe)
    conduct = _Conduct(recipe, recipe.ablate, out.absolute(), progress, wishes)
    conduct.launch()
    return conduct.judged()


class _Conduct:
    def __init__(self, recipe: Recipe, ablate: Ablate, out: Path, progress: Progress, wishes: Wishes) -> None:
        self.recipe, self.ablate, self.out, self.progress, self.wishes = recipe, ablate, out, progress, wishes
        self.cells = cells(recipe, out)
        self.folder = out / f"{recipe.settings.name}-ablation-{ablation_fingerprint(self.cells)[:10]}"
        self.store = Store(out / ".store", progress)
        self.by_folder = {cell.folder: cell for cell in self.cells}

    def launch(self) -> None:
        """Hand what is left to do to the launcher."""
        wanted = _wanted(self.cells, self.wishes.only)
        states = {cell.folder: self.state(cell).state for cell in wanted}
        again = {FAILED} if self.wishes.retry_failed else set()
        left = [cell for cell in wanted if states[cell.folder] in {NOT_RUN, *again}]
        failed = sum(state == FAILED for state in states.values()) if not again else 0
        told = f"; {failed} failed before, which --retry-failed does again" if failed else ""
        self.progress.note(f"{self.folder}: {len(wanted)} runs (variants and seeds), {len(left)} left to do{told}")
        if not left:
            return
        for cell in left:
            # What is recorded from here on is of this attempt.
            (self.folder / cell.folder / OUTCOME).unlink(missing_ok=True)
        write_text(self.folder / RECIPE, dump(self.recipe))
        try:
            with self.progress.task("ablation", len(left)) as advance:
                watch = _Watch(self, advance, len(left))
                while left:
                    jobs = [self._job(group) for group in trainings(left)]
                    watch.jobs += len(jobs)
                    self.recipe["launcher"].launch(jobs, watch, workers=self.wishes.workers)
                    left, watch.bereft = watch.bereft, []
        except FailFast:
            self.progress.note("stopped at the first failure; the same command without --fail-fast does the rest")

    def state(self, cell: Cell) -> State:
        """Return how a cell stands, by what it left."""
        try:
            kept = json.loads((self.folder / cell.folder / OUTCOME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return State(cell, NOT_RUN, {})
        judge, fingerprint = list(cell.stages.items())[-1]
        if kept.get("fingerprint") != fingerprint or (
            kept["state"] == DONE and not self.store.holds(judge, fingerprint)
        ):
            return State(cell, NOT_RUN, {})
        return State(cell, kept["state"], kept)

    def _job(self, group: Sequence[Cell]) -> Job:
        name = group[0].name + (f" and {len(group) - 1} more of the same weights" if len(group) > 1 else "")
        task = {
            "out": str(self.out),
            "folder": str(self.folder),
            "judge": self.ablate.judge,
            "disabled": list(self.wishes.disabled),
            "fail_fast": self.wishes.fail_fast,
            "cells": [
                {
                    "variant": cell.variant,
                    "seed": cell.seed,
                    "folder": cell.folder,
                    "recipe": dump(cell.recipe),
                    "threads": cell.recipe.settings.threads or default_threads(),
                    "fingerprint": list(cell.stages.values())[-1],
                }
                for cell in group
            ],
        }
        return Job(name=name, task=task, out=str(self.out), log=str(self.folder / group[0].folder / LOG))

    def judged(self) -> Ablation:
        """Judge what is finished, and write the result in all its forms."""
        result = found_result(self.recipe, self.ablate, self.out, [self.state(cell) for cell in self.cells])
        write_text(self.folder / "ablation.md", table(result))
        write_result(self.folder, result)
        write_ablation_report(self.recipe["report"], self.folder)
        return Ablation(self.folder, result)


class _Watch:
    """Tells a person how jobs go, and keeps the outcome of cells whose worker died.

    `bereft` are cells that another cell of their job has taken their worker from.
    """

    def __init__(self, conduct: _Conduct, advance: Advance, total: int) -> None:
        self.conduct, self.advance, self.total = conduct, advance, total
        self.done = self.jobs = self.jobs_done = 0
        self.begun = time.monotonic()
        self.running: list[str] = []
        self.bereft: list[Cell] = []

    def started(self, job: Job) -> None:
        """Show what is being done."""
        self.running.append(job.name)
        self.advance(0, self._running())

    def ended(self, job: Job, how: Ended) -> None:
        """Count the cells of a job; raises FailFast where the first failure is to end everything."""
        if job.name in self.running:
            self.running.remove(job.name)
        outcomes = how.found["cells"] if how.found is not None else self._died(job, how.reason)
        self.jobs_done += 1
        for outcome in outcomes:
            self.done += 1
            left = self._to_go() if outcome is outcomes[-1] else ""
            self.conduct.progress.note(f"[{self.done}/{self.total}] {_told(outcome)}{left}")
        self.advance(len(outcomes), self._running())
        if self.conduct.wishes.fail_fast and any(outcome["state"] == FAILED for outcome in outcomes):
            raise FailFast("a variant failed")

    def _to_go(self) -> str:
        """Return how long the rest will take: jobs, each with a training of its own, as long as those so far."""
        left = self.jobs - self.jobs_done
        seconds = (time.monotonic() - self.begun) / self.jobs_done * left
        return f"; about {duration(seconds)} to go" if left else ""

    def _running(self) -> str:
        return "running: " + "; ".join(self.running) if self.running else ""

    def _died(self, job: Job, reason: str) -> list[dict[str, Any]]:
        """Return the outcomes of a job that was cut off: those that it left, and the failure of the cell it was at.

        Without weights there is nothing to be had for the others either; with them they have another try.
        """
        outcomes: list[dict[str, Any]] = []
        blamed = False
        for cell in job.task["cells"]:
            found = self.conduct.by_folder[cell["folder"]]
            state = self.conduct.state(found)
            if state.state != NOT_RUN:
                outcomes.append(dict(state.kept))
                continue
            if blamed and self.conduct.store.holds("train", found.training):
                self.bereft.append(found)
                continue
            blamed = True
            failed = {key: cell[key] for key in ("variant", "seed", "fingerprint")}
            failed |= {"state": FAILED, "reason": reason, "stage": "", "seconds": None, "made": []}
            write_text(self.conduct.folder / cell["folder"] / OUTCOME, json.dumps(failed, indent=2))
            outcomes.append(failed)
        return outcomes


def _told(outcome: dict[str, Any]) -> str:
    name = f"{outcome['variant'] or 'the recipe'}, seed {outcome['seed']}"
    if outcome["state"] == FAILED:
        return f"{name}: failed: {outcome['reason']}"
    trained = "" if "train" in outcome["made"] else ", nothing trained"
    return f"{name}: {outcome['seconds']:.0f} s{trained}"


def _wanted(found: Sequence[Cell], only: Sequence[str]) -> list[Cell]:
    """Return the cells of the recipe itself and of the variants that `only` names, all where it names none."""
    names = list(dict.fromkeys(cell.variant for cell in found if cell.variant))
    chosen: set[str] = set() if only else set(names)
    for pattern in only:
        fits = fitting(pattern, names)
        if not fits:
            raise RecipeError([f"--only {pattern!r} names no variant; there are: {', '.join(names)}"])
        chosen |= set(fits)
    return [cell for cell in found if not cell.variant or cell.variant in chosen]
