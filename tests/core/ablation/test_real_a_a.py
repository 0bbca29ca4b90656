"""The same recipe set against itself on the quickstart's corpus: no verdict where there is nothing to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wakekit.ablation.cells import cells
from wakekit.ablation.found import evidence_of
from wakekit.ablation.verdicts import Question, answers
from wakekit.artifacts import Store
from wakekit.progress import Silence
from wakekit.recipe import load_recipe
from wakekit.registry import installed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

SEEDS = 5
RECIPE = f"""
extends = ["wakekit:quickstart"]
name = "a_a"
threads = 1

[ablate]
seeds = {list(range(2 * SEEDS))}
leave_out = ["calibrator"]
"""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_same_recipe_with_other_seeds_neither_helps_nor_hurts(typed: Typed, tmp_path: Path) -> None:
    """Five seeds against five others: in no measure that can decide is there a verdict of helps or hurts."""
    path, out = tmp_path / "a_a.toml", tmp_path / "runs"
    path.write_text(RECIPE)
    assert typed("ablate", path, "--out", out, "--jobs", "2").code == 0
    recipe = load_recipe(path, installed())
    assert recipe.ablate is not None
    store = Store(out / ".store", Silence())
    found = {cell.seed: evidence_of(store, cell) for cell in cells(recipe, out) if not cell.variant}
    first, other = ({seed: found[seed + start] for seed in range(SEEDS)} for start in (0, SEEDS))
    question = Question(
        variant="itself", subject="the same recipe", left_out=False, changes=(), shares=(),
        calibration_only=False, identical=False,
    )  # fmt: skip
    for measure in ("miss-rate", "eer", "pauc", "brier"):
        asked = recipe.ablate.__class__(measure=measure)
        target = recipe.settings.operating_point
        (answer,) = answers([question], first, {"itself": other}, ablate=asked, target=target)
        print(f"{measure}: {answer.verdict}; {answer.sentence}")
        assert answer.verdict in {"no difference", "cannot tell"}
