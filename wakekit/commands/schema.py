"""`wakekit schema`: write the JSON Schema of recipes, for editors."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wakekit.artifacts import write_text
from wakekit.commands.asked import asked_registry, warn
from wakekit.registry import OWN_DISTRIBUTION, Registry
from wakekit.schema.recipe import recipe_schema
from wakekit.terminal import json_text

if TYPE_CHECKING:
    import argparse


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    registry = asked_registry(options)
    if options.shipped:
        registry = Registry([plugin for plugin in registry.plugins if plugin.distribution == OWN_DISTRIBUTION])
    schema, troubles = recipe_schema(registry)
    for sentence in troubles:
        warn(sentence)
    if options.out is None:
        print(json_text(schema, sys.stdout, indent=1))
    else:
        _write(Path(options.out), json.dumps(schema, indent=1, ensure_ascii=False) + "\n")
    return 0


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; what is no file, as a pipe, is written to as it is."""
    if path.is_file() or (path.parent.is_dir() and not path.exists()):
        write_text(path, text)
    else:
        path.write_text(text, encoding="utf-8")
