"""`wakekit plan`: say what the variants of a recipe will cost, running nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wakekit.ablation.cells import cells
from wakekit.ablation.plan import plan
from wakekit.ablation.plan_text import print_json, print_plan
from wakekit.commands.asked import asked_recipe
from wakekit.errors import Problem, RecipeError
from wakekit.geometry import all_geometries

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    recipe, out = asked_recipe(options), Path(options.out)
    if recipe.ablate is None:
        raise RecipeError(recipe.merged.mistakes([Problem((), "nothing to plan: add a table [ablate], or use run")]))
    all_geometries(recipe)
    found = cells(recipe, out, remember=False)
    told = plan(found, out / ".store", jobs=options.jobs, described=recipe.described)
    show = print_json if options.format == "json" else print_plan
    show(told)
    return 0
