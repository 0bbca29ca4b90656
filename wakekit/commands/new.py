"""`wakekit new`: begin a plugin package or a recipe; nothing is ever overwritten."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wakekit.commands.asked import asked_registry, warn
from wakekit.scaffold.package import new_package
from wakekit.scaffold.recipe import Wanted, recipe_copy, recipe_text
from wakekit.scaffold.writing import ScaffoldError, write_file, write_folder
from wakekit.terminal import paint
from wakekit.widths import padded, width_of

if TYPE_CHECKING:
    import argparse

_SCHEMA = "schema.json"


def command(options: argparse.Namespace) -> int:
    """Carry out the command; return its exit code."""
    (_plugin if options.what == "plugin" else _recipe)(options)
    return 0


def _plugin(options: argparse.Namespace) -> None:
    package = new_package(options.name, options.kind, options.component, asked_registry(options))
    for warning in package.warnings:
        warn(warning)
    files, target = package.files(), Path(options.into) / package.plugin
    write_folder(target, files)
    for note in package.notes:
        print(note)
    print(f"{package.plugin}: a plugin with the {package.kind} {paint(package.component, 'bold', sys.stdout)}")
    for name in files:
        print(f"  {target / name}")
    place = _relative(target)
    _next(
        (f"pip install -e {shlex.quote(f'{place}[test]')}", "install it so that changes take effect at once"),
        (f"pytest {shlex.quote(place)}", "conformance, the component's own tests, its recipe"),
        (f"wakekit run {shlex.quote(_relative(target / f'recipes/{package.component}.toml'))}", "the real thing"),
    )


def _recipe(options: argparse.Namespace) -> None:
    target = Path(options.file or "recipe.toml")
    if target.is_dir():
        raise ScaffoldError(f"{target}: this is a folder; name the file to write, as in {target / 'mine.toml'}")
    if not target.suffix:
        target = target.with_suffix(".toml")
    wanted = Wanted(base=options.base, target=target, keyword=options.keyword)
    registry = asked_registry(options)
    write_file(target, (recipe_copy if options.full else recipe_text)(wanted, registry))
    print(f"{target}: a recipe {'copied from' if options.full else 'on top of'} {wanted.named}")
    schema = target.with_name(_SCHEMA)
    steps = [(f"wakekit {verb} {shlex.quote(str(target))}", what) for verb, what in _STEPS]
    if not schema.exists():
        steps.insert(0, (f"wakekit schema --out {shlex.quote(str(schema))}", "for an editor that reads #:schema"))
    _next(*steps)


_STEPS = (("check", "every mistake at once"), ("run", "from audio to a report"))


def _next(*steps: tuple[str, str]) -> None:
    """Print the commands that come next, each with what it is for."""
    width = max(width_of(typed) for typed, _ in steps)
    print("next:")
    for typed, what in steps:
        print(f"  {padded(typed, width)}  {paint(f'# {what}', 'dim', sys.stdout)}")


def _relative(path: Path) -> str:
    """Return a path as one would type it; pip takes it for a folder by its dot."""
    if path.is_absolute() or path.parts[:1] == (os.pardir,):
        return str(path)
    return f"./{path.as_posix()}"
