"""`wakekit compare`: set finished runs side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry
from wakekit.compare import compare
from wakekit.compare_text import print_comparison, print_json
from wakekit.run_folder import read_run

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    found = compare([read_run(folder) for folder in (options.first, *options.others)], asked_registry(options))
    if options.format == "json":
        print_json(found)
    else:
        print_comparison(found)
    return 0
