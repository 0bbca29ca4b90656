"""`wakekit schema`: write the JSON Schema of recipes, for editors."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry
from wakekit.registry import Registry
from wakekit.schema.recipe import recipe_schema

if TYPE_CHECKING:
    import argparse

_OWN = "wakekit"


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    registry = asked_registry(options)
    if options.shipped:
        registry = Registry([plugin for plugin in registry.plugins if plugin.distribution == _OWN])
    schema, troubles = recipe_schema(registry)
    for sentence in troubles:
        print(f"warning: {sentence}", file=sys.stderr)
    text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    if options.out is None:
        print(text, end="")
    else:
        Path(options.out).write_text(text, encoding="utf-8")
    return 0
