"""`wakekit check`: validate a recipe without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.cautions import cautions
from wakekit.commands.asked import asked_recipe
from wakekit.geometry import all_geometries

if TYPE_CHECKING:
    import argparse

    from wakekit.recipe import Recipe


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    recipe = asked_recipe(options)
    all_geometries(recipe)
    count = len(recipe.single) + sum(map(len, recipe.many.values()))
    print(f"{options.recipe}: ok, {count} components{_beside(recipe)}")
    for sentence in cautions(recipe):
        print(f"caution: {sentence}")
    return 0


def _beside(recipe: Recipe) -> str:
    """Return in words what `[ablate]` sets against the recipe, nothing where it has none."""
    if recipe.ablate is None:
        return ""
    variants, seeds = len(recipe.variants), len(recipe.seeds)
    return (
        f"; {variants} variant{'s' * (variants > 1)} to set against it, "
        f"{seeds} seed{'s' * (seeds > 1)} each, mode {recipe.ablate.mode}"
    )
