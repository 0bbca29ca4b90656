"""Puts together what an ablation found: from what its cells left to the result that its folder keeps."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.ablation.cells import Cell, ablation_fingerprint
from wakekit.ablation.collect import EVIDENCE
from wakekit.ablation.effects import alike
from wakekit.ablation.evidence import Evidence, read_evidence
from wakekit.ablation.factors import terms
from wakekit.ablation.plan import shared
from wakekit.ablation.result import AblationResult, CellRecord
from wakekit.ablation.verdicts import Question, answers, measures_of
from wakekit.ablation.work import DONE, FAILED
from wakekit.artifacts import Store, sealed_seconds
from wakekit.environment import environment
from wakekit.errors import WakekitError
from wakekit.progress import Silence
from wakekit.readings import readings
from wakekit.recipe_table import as_table

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.recipe import Recipe
    from wakekit.settings import Target
    from wakekit.variants import Ablate


NOT_RUN = "not run"


@attrs.frozen(eq=False)
class State:
    """How a cell stands: `done`, `failed` or `not run`, with the outcome that its folder keeps."""

    cell: Cell
    state: str
    kept: Mapping[str, Any]


def found_result(recipe: Recipe, ablate: Ablate, out: Path, states: Sequence[State]) -> AblationResult:
    """Return what is finished, judged; raises WakekitError where no seed of the recipe itself is."""
    store = Store(out / ".store", Silence())
    evidence = {(one.cell.variant, one.cell.seed): evidence_of(store, one.cell) for one in states if one.state == DONE}
    base = _by_seed(evidence, "")
    if not base:
        raise WakekitError(_nothing(states))
    seen = next(iter(base.values()))
    target = recipe.settings.operating_point
    cells = [one.cell for one in states]
    questions = _questions(recipe, cells, evidence)
    variants = {name: _by_seed(evidence, name) for name in recipe.variants}
    failed = {one.cell.variant: str(one.kept["reason"]) for one in states if one.state == FAILED and one.cell.variant}
    sizes: dict[str, Any] = {"ablate": ablate, "target": target, "seed": recipe.settings.seed}
    return AblationResult(
        name=recipe.settings.name,
        question=ablate.question or f"What earns its place in {recipe.settings.name}?",
        fingerprint=ablation_fingerprint(cells),
        keyword=recipe["corpus"].keyword,
        judge=ablate.judge,
        mode=ablate.mode,
        target_fa_per_hour=target.fa_per_hour,
        level=ablate.level,
        seeds=recipe.seeds,
        answers=answers(questions, base, variants, failed=failed, **sizes),
        cells=tuple(_record(one, evidence.get((one.cell.variant, one.cell.seed)), recipe) for one in states),
        terms=_terms(recipe, base, variants, sizes) if ablate.mode == "grid" else (),
        reused=_reused(states),
        seconds=math.fsum(one.kept.get("seconds") or 0.0 for one in states),
        readings=_readings(out, cells),
        warnings=(*_warnings(states, base.values(), target), *_other_speakers(base, variants)),
        environment={"time": datetime.now(UTC).isoformat(timespec="seconds"), **environment(recipe.settings)},
        judged=_judged(seen),
    )


def evidence_of(store: Store, cell: Cell) -> Evidence:
    """Return the evidence of a finished cell, with the times and losses that other stages keep.

    Who has thrown weights or scores away, as they are large, lacks these alone.
    """
    judge = list(cell.stages)[-1]
    kept: dict[str, Any] = {}
    if store.holds("train", cell.training):
        weights = store.folder("train", cell.training)
        rows = [json.loads(line) for line in (weights / "history.jsonl").read_text(encoding="utf-8").splitlines()]
        kept["train_seconds"] = sealed_seconds(weights)
        kept["dev_loss"] = tuple(float(row["dev_loss"]) for row in rows if "dev_loss" in row)
    if store.holds(scores := judge.replace("judge", "score"), cell.stages[scores]):
        kept["score_seconds"] = sealed_seconds(store.folder(scores, cell.stages[scores]))
    return attrs.evolve(read_evidence(store.folder(judge, cell.stages[judge]) / EVIDENCE), **kept)


def _by_seed(evidence: Mapping[tuple[str, int], Evidence], variant: str) -> dict[int, Evidence]:
    return {seed: found for (name, seed), found in evidence.items() if name == variant}


def _nothing(states: Sequence[State]) -> str:
    reasons = [str(one.kept["reason"]) for one in states if one.state == FAILED and not one.cell.variant]
    if reasons:
        return f"the recipe itself failed with every seed, so there is nothing to compare with: {reasons[0]}"
    return "no seed of the recipe itself is finished, so there is nothing to compare with; run the command again"


def _questions(
    recipe: Recipe, cells: Sequence[Cell], evidence: Mapping[tuple[str, int], Evidence]
) -> tuple[Question, ...]:
    shares, own = shared(cells), as_table(recipe)
    return tuple(
        Question(
            variant=name,
            subject=recipe.described[name].subject,
            left_out=recipe.described[name].left_out,
            changes=recipe.described[name].changes,
            shares=shares[name],
            calibration_only=_differing(own, as_table(variant)) == {"calibrator"},
            identical=_identical(_by_seed(evidence, ""), _by_seed(evidence, name)),
        )
        for name, variant in recipe.variants.items()
    )


def _differing(first: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {key for key in {*first, *other} if first.get(key) != other.get(key)}


def _identical(base: Mapping[int, Evidence], other: Mapping[int, Evidence]) -> bool:
    """Say whether a variant gave the very scores and counts of the recipe with every seed that both have."""
    common = [seed for seed in base if seed in other]
    return bool(common) and all(alike(base[seed], other[seed]) for seed in common)


_NAMED = 5


def _record(one: State, evidence: Evidence | None, recipe: Recipe) -> CellRecord:
    run = one.kept.get("run", "")
    return CellRecord(
        variant=one.cell.variant,
        seed=one.cell.seed,
        state=one.state,
        folder=f"../{run}" if run else one.cell.folder,
        reason=one.kept.get("reason", ""),
        seconds=one.kept.get("seconds"),
        made=tuple(one.kept.get("made", ())),
        measures={} if evidence is None else measures_of(evidence, recipe.settings.operating_point),
    )


def _terms(
    recipe: Recipe,
    base: Mapping[int, Evidence],
    variants: Mapping[str, Mapping[int, Evidence]],
    sizes: Mapping[str, Any],
) -> Any:  # noqa: ANN401
    """Return main effects and interactions of the grid's own variants."""
    grid = {name: variant.levels for name, variant in recipe.described.items() if variant.levels}
    levels = {"": recipe.levels, **grid}
    left_out = sizes["ablate"].leave_out
    return terms(levels, {"": base, **{name: variants[name] for name in grid}}, left_out=left_out, **sizes)


def _reused(states: Sequence[State]) -> dict[str, dict[str, int]]:
    """Return for each stage how many cells need it, how many there are of it, and how many were made."""
    found: dict[str, dict[str, int]] = {}
    for name in dict.fromkeys(name for one in states for name in one.cell.stages):
        users = [one.cell.stages[name] for one in states if name in one.cell.stages]
        made = sum(name in one.kept.get("made", ()) for one in states)
        found[name] = {"cells": len(users), "distinct": len(set(users)), "made": made}
    return found


def _readings(out: Path, cells: Sequence[Cell]) -> dict[str, Any]:
    known = [readings(out / ".store", prepare) for prepare in dict.fromkeys(cell.stages["prepare"] for cell in cells)]
    times = sorted(time for one in known for time in (one.first, one.last) if time)
    return {
        "count": sum(one.count for one in known),
        "recipes": sorted({name for one in known for name in one.recipes}),
        "first": times[0] if times else "",
        "last": times[-1] if times else "",
    }


def _warnings(states: Sequence[State], base: Collection[Evidence], target: Target) -> tuple[str, ...]:
    found = []
    if all(measures_of(one, target).get("miss-rate") == 1 for one in base):
        found.append("the recipe hears no word at its target, so misses say nothing of what its components do")
    for state, words in ((FAILED, "failed"), (NOT_RUN, "are not finished")):
        names = [one.cell.name for one in states if one.state == state]
        if names:
            more = f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            found.append(f"{len(names)} of {len(states)} runs {words}: {'; '.join(names[:_NAMED])}{more}")
    if all(one.split == "test" for one in base):
        found.append("judged on test, as the recipe asks: what is chosen by these verdicts has no unseen test left")
    return tuple(found)


def _other_speakers(base: Mapping[int, Evidence], variants: Mapping[str, Mapping[int, Evidence]]) -> list[str]:
    """Return a warning where variants were judged on other people than the recipe, as after another split."""
    names = [
        name
        for name, found in variants.items()
        if any(found[seed].speakers != base[seed].speakers for seed in found if seed in base)
    ]
    if not names:
        return []
    told = "; ".join(names[:_NAMED]) + (f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return [f"judged on other speakers than the recipe, which alone can make a difference: {told}"]


def _judged(seen: Evidence) -> dict[str, float]:
    return {
        "speakers": len(seen.speakers),
        "words": int(sum(part.words.sum() for part in seen.parts)),
        "hours": math.fsum(part.hours for part in seen.parts),
        "clips": len(seen.clips.labels),
    }
