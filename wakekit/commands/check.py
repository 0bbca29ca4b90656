"""`wakekit check`: validate a recipe without running it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from wakekit.cautions import cautions
from wakekit.commands.asked import asked_recipe, silent_recipe
from wakekit.errors import Mistake, RecipeError, WakekitError, counted
from wakekit.geometry import all_geometries
from wakekit.terminal import json_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from wakekit.recipe import Recipe


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    if options.format == "json":
        return _in_json(options)
    recipe = asked_recipe(options)
    _check_fit(recipe)
    print(f"{options.recipe}: ok, {counted(len(_components(recipe)), 'component')}{_beside(recipe)}")
    for sentence in cautions(recipe):
        print(f"caution: {sentence}")
    return 0


def _check_fit(recipe: Recipe) -> None:
    """Raise RecipeError where components do not fit each other, or cannot work here."""
    all_geometries(recipe)
    if recipe.many["exporters"]:
        # The stage knows all that runs, which other recipes need not wait for.
        from wakekit.export_stage import check_exports  # noqa: PLC0415

        check_exports(recipe)


def _in_json(options: argparse.Namespace) -> int:
    """Print one document, whatever is wrong; return the exit code."""
    told: dict[str, Any] = {"recipe": options.recipe, "ok": False, "components": {}, "variants": []}
    told |= {"mistakes": [], "warnings": [], "cautions": []}
    code = 0
    try:
        recipe = silent_recipe(options)
        told |= {"components": _components(recipe), "variants": list(recipe.variants)}
        told["warnings"] = _plain(recipe.warnings)
        _check_fit(recipe)
        told["cautions"] = list(cautions(recipe))
    except RecipeError as error:
        code, told["mistakes"] = error.exit_code, _plain(error.mistakes)
        told["warnings"] = told["warnings"] or _plain(error.warnings)
    except WakekitError as error:
        code, told["mistakes"] = error.exit_code, _plain([Mistake("", 0, 0, "", str(error))])
    told["ok"] = not told["mistakes"]
    print(json_text(told, sys.stdout))
    return code


def _plain(mistakes: Iterable[Mistake]) -> list[dict[str, Any]]:
    return [mistake._asdict() for mistake in mistakes]


def _components(recipe: Recipe) -> dict[str, str]:
    """Return the names of the recipe's components by their keys."""
    named = {key: chosen.entry for key, chosen in recipe.single.items()}
    named |= {f"{key}.{name}": chosen.entry for key, some in recipe.many.items() for name, chosen in some.items()}
    return {key: recipe.registry.name_of(entry) for key, entry in named.items()}


def _beside(recipe: Recipe) -> str:
    """Return in words what `[ablate]` sets against the recipe, nothing where it has none."""
    if recipe.ablate is None:
        return ""
    variants, seeds = len(recipe.variants), len(recipe.seeds)
    return (
        f"; {counted(variants, 'variant')} to set against it, {counted(seeds, 'seed')} each, mode {recipe.ablate.mode}"
    )
