"""What commands share: the registry and the recipe that the options on the command line ask for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wakekit.registry import Registry, installed, refuse_unknown
from wakekit.terminal import paint

if TYPE_CHECKING:
    import argparse

    from wakekit.recipe import Recipe


def asked_registry(options: argparse.Namespace) -> Registry:
    """Return the registry of what is installed, less the plugins that the command line disables."""
    registry = installed(options.disable_plugin)
    refuse_unknown(options.disable_plugin, registry.plugins)
    for sentence in registry.warnings:
        warn(sentence)
    return registry


def asked_recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe that a command is for, resolved; print its warnings unless the command is to be quiet."""
    recipe = silent_recipe(options)
    if not getattr(options, "quiet", False):
        print_warnings(recipe)
    return recipe


def silent_recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe that a command is for, resolved; its warnings are the caller's to print."""
    from wakekit.recipe import load_recipe  # noqa: PLC0415

    return load_recipe(options.recipe, asked_registry(options), changes=options.changes, drops=options.drops)


def print_warnings(recipe: Recipe) -> None:
    """Print a recipe's warnings on stderr, each with its place."""
    for warning in recipe.warnings:
        warn(warning.text)


def warn(sentence: str) -> None:
    """Print a warning on stderr."""
    print(paint("warning:", "yellow", sys.stderr), sentence, file=sys.stderr)
