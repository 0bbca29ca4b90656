"""`wakekit ablate`: run the variants of a recipe, and say what each changes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wakekit.ablation.conduct import Wishes, ablate
from wakekit.ablation.text import print_answers
from wakekit.commands.asked import asked_recipe
from wakekit.console import make_progress

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    wishes = Wishes(
        workers=options.jobs,
        only=tuple(options.only),
        retry_failed=options.retry_failed,
        fail_fast=options.fail_fast,
        disabled=tuple(options.disable_plugin),
    )
    found = ablate(asked_recipe(options), Path(options.out), make_progress(quiet=options.quiet), wishes)
    failed = [cell for cell in found.result.cells if cell.state == "failed"]
    if not options.quiet:
        print_answers(found.result, found.folder)
    else:
        for cell in failed:
            print(f"{cell.variant or 'the recipe'}, seed {cell.seed}: failed: {cell.reason}", file=sys.stderr)
    return int(bool(failed))
