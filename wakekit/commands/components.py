"""`wakekit components`: list components, or describe one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry
from wakekit.listing import describe, list_components

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    registry = asked_registry(options)
    print(describe(registry, options.kind, options.name) if options.name else list_components(registry, options.kind))
    return 0
