"""`wakekit run`: carry out a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_recipe, asked_registry
from wakekit.console import make_progress
from wakekit.distributed import joined

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    with joined() as world:
        options.quiet |= not world.first
        return _carry_out(options)


def _carry_out(options: argparse.Namespace) -> int:
    out, progress = Path(options.out), make_progress(quiet=options.quiet)
    if options.folds:
        from wakekit.folds import run_folds  # noqa: PLC0415

        asked_recipe(options)
        edits = {"changes": options.changes, "drops": options.drops}
        folder = run_folds(options.recipe, asked_registry(options), out, progress, **edits)
    else:
        recipe = asked_recipe(options)
        # Not before the recipe is known to be right: a mistake shall not wait for torch.
        from wakekit.pipeline import run  # noqa: PLC0415

        folder = run(recipe, out, progress).folder
    if not options.quiet:
        from wakekit.summary import print_summary  # noqa: PLC0415

        print_summary(folder)
    return 0
