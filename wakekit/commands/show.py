"""`wakekit show`: print a recipe with bases merged and defaults filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_recipe
from wakekit.recipe_table import dump, origins_text

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    recipe = asked_recipe(options)
    print(origins_text(recipe) if options.origin else dump(recipe), end="")
    return 0
