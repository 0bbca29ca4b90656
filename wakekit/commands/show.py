"""`wakekit show`: print a recipe with bases merged and defaults filled in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_recipe
from wakekit.origins import origins_text
from wakekit.recipe_table import dump
from wakekit.terminal import toml_text

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    recipe = asked_recipe(options)
    print(origins_text(recipe, sys.stdout) if options.origin else toml_text(dump(recipe), sys.stdout), end="")
    return 0
