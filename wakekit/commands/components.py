"""`wakekit components`: list components, or describe one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry
from wakekit.listing import describe, list_components, lost_plugins
from wakekit.terminal import json_text

if TYPE_CHECKING:
    import argparse

    from wakekit.registry import Registry


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    registry = asked_registry(options)
    if options.json:
        _print_json(registry, options.kind, options.name)
    elif options.name:
        print(describe(registry, options.kind, options.name, sys.stdout))
    else:
        print(list_components(registry, options.kind, sys.stdout))
    return 0


def _print_json(registry: Registry, kind: str | None, name: str | None) -> None:
    from wakekit.listing_json import component_data, components_data  # noqa: PLC0415

    found = component_data(registry, kind, name) if kind and name else components_data(registry, kind)
    print(json_text(found, sys.stdout))
    # The data are of what can be used; that something cannot be must not go unseen.
    for sentence in () if name else lost_plugins(registry):
        print(sentence, file=sys.stderr)
