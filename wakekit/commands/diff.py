"""`wakekit diff`: say what one recipe has other than another, and which stages that concerns."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from wakekit.commands.asked import asked_registry, print_warnings
from wakekit.diff import diff
from wakekit.errors import PluginError, RecipeError
from wakekit.fingerprint import Contents
from wakekit.recipe import load_recipe
from wakekit.terminal import json_text, paint

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from wakekit.diff import Diff, Difference
    from wakekit.recipe import Recipe
    from wakekit.registry import Registry

_NEEDED = "nothing to compare with: name a second recipe, or change the first with --set or --unset"


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    names = [_file(name) for name in (options.recipe, options.second or options.recipe)]
    if not (options.second or options.changes or options.drops):
        raise RecipeError([_NEEDED])
    edits: Sequence[tuple[Sequence[str], Sequence[str]]] = [((), ()), (options.changes, options.drops)]
    first, second = _both(names, edits, asked_registry(options))
    found = diff(first, second, Contents(Path(options.out) / ".store" / "contents.json", keep=False))
    if options.second is None:
        names[1] = " ".join([f"{names[0]} with", *_typed(options)])
    if options.format == "json":
        print(json_text(_data(found, names), sys.stdout))
    else:
        print("\n".join(_text(found, names)))
    return int(options.exit_code and not found.same)


def _file(name: str) -> str:
    """Return the recipe that a name is for; a run's folder stands for the recipe it holds."""
    inside = Path(name) / "recipe.toml"
    return str(inside) if inside.is_file() else name


def _typed(options: argparse.Namespace) -> list[str]:
    return [f"--set {one}" for one in options.changes] + [f"--unset {one}" for one in options.drops]


def _both(
    names: Sequence[str], edits: Sequence[tuple[Sequence[str], Sequence[str]]], registry: Registry
) -> tuple[Recipe, Recipe]:
    """Return both recipes; raises RecipeError with the mistakes of both."""
    found, errors = [], []
    for name, (changes, drops) in zip(names, edits, strict=True):
        try:
            found.append(load_recipe(name, registry, changes=changes, drops=drops))
        except RecipeError as error:
            errors.append(error)
    if errors:
        joined = RecipeError(tuple(dict.fromkeys(mistake for error in errors for mistake in error.mistakes)))
        if all(error.exit_code == PluginError.exit_code for error in errors):
            joined.exit_code = PluginError.exit_code
        raise joined
    first, second = found
    told = tuple(dict.fromkeys((*first.warnings, *second.warnings)))
    print_warnings(attrs.evolve(second, warnings=told))
    return first, second


def _data(found: Diff, names: Sequence[str]) -> dict[str, object]:
    return {"first": names[0], "second": names[1], "same": found.same, **attrs.asdict(found)}


def _text(found: Diff, names: Sequence[str]) -> list[str]:
    heads = [paint(f"{letter}  {name}", "bold", sys.stdout) for letter, name in zip("AB", names, strict=True)]
    lines = [*heads, ""]
    for one in found.differences:
        lines += _difference(one)
    lines += [""] if found.differences else []
    return [*lines, *_stages(found)]


def _difference(one: Difference) -> list[str]:
    places = [("A", one.first_place), ("B", one.second_place)]
    told = "  ".join(f"{letter} {place}" for letter, place in places if place is not None)
    return [f"{paint(one.path, 'bold', sys.stdout)}: {one.change}", paint(f"    {told}", "dim", sys.stdout)]


def _stages(found: Diff) -> list[str]:
    if found.same:
        return ["no difference: both resolve to the same recipe"]
    lines = []
    if found.outdated:
        stages = ", ".join(found.outdated)
        lines.append(f"A was run with other versions or other audio: its own {stages} would be done again too")
    if not found.again:
        return [*lines, "no stage would be done again: what differs changes no result"]
    lines.append(f"stages that would be done again: {', '.join(found.again)}")
    return [*lines, f"shared: {', '.join(found.shared) or 'none'}"]
