"""What commands share: the registry and the recipe that the options on the command line ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.registry import Registry, installed

if TYPE_CHECKING:
    import argparse

    from wakekit.recipe import Recipe


def asked_registry(options: argparse.Namespace) -> Registry:
    """Return the registry of what is installed, less the plugins that the command line disables."""
    return installed(options.disable_plugin)


def asked_recipe(options: argparse.Namespace) -> Recipe:
    """Return the recipe that a command is for, resolved."""
    from wakekit.recipe import load_recipe  # noqa: PLC0415

    return load_recipe(options.recipe, asked_registry(options), changes=options.changes, drops=options.drops)
