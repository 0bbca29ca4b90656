"""`wakekit plugins`: list plugins, with state and reason."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry
from wakekit.listing import list_plugins
from wakekit.terminal import json_text

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    registry = asked_registry(options)
    if options.json:
        from wakekit.listing_json import plugins_data  # noqa: PLC0415

        print(json_text(plugins_data(registry), sys.stdout))
    else:
        print(list_plugins(registry, sys.stdout))
    return 0
