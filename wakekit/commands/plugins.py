"""`wakekit plugins`: list plugins, with state and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry
from wakekit.listing import list_plugins

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    print(list_plugins(asked_registry(options)))
    return 0
