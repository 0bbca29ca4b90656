"""`wakekit plugins`: list plugins, with state and reason."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry
from wakekit.listing import list_plugins

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    registry = asked_registry(options)
    if options.json:
        import json  # noqa: PLC0415

        from wakekit.listing_json import plugins_data  # noqa: PLC0415

        print(json.dumps(plugins_data(registry), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(list_plugins(registry, sys.stdout))
    return 0
