"""`wakekit completion`: print what a shell reads to complete commands, recipes, components and keys."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wakekit.completing import print_script

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    print_script(options.shell, sys.stdout)
    return 0
