"""What can be typed: the commands with their options, help and examples.

Every start of the program makes all of it: nothing here may import what takes time.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# What each command is for, in the order in which one comes to need it; a command that is in no group ends the last.
GROUPS = {
    "write a recipe or a plugin": ("new", "check", "show", "diff", "schema"),
    "run and judge": ("run", "plan", "ablate", "compare", "report"),
    "see what is installed": ("components", "plugins", "kinds", "completion"),
}


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; its default `commands` has the parser of each by name."""
    parser = argparse.ArgumentParser(
        prog="wakekit",
        usage="wakekit COMMAND …",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="wakekit COMMAND --help says more of one.",
    )
    parser.add_argument("--version", action="version", version=_Version("%(prog)s"))
    commands = parser.add_subparsers(prog="wakekit", required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    _new_command(commands)
    _recipe_commands(commands)
    _running_commands(commands)
    _judging_commands(commands)
    _listing_commands(commands)
    parser.description = _overview(commands.choices)
    parser.set_defaults(commands=commands.choices)
    return parser


def _recipe_commands(commands: object) -> None:
    """Add the commands that read recipes and run nothing."""
    check = _recipe_command(
        commands, "check", "validate a recipe without running it", example="check wakekit:quickstart"
    )
    _add_format(check, "lines")
    show = _recipe_command(
        commands,
        "show",
        "print a recipe with bases merged and defaults filled in",
        example="show wakekit:quickstart --origin",
    )
    show.add_argument("--origin", action="store_true", help="say where each value was written")
    diff = _recipe_command(
        commands,
        "diff",
        "say how two recipes differ, and which stages that concerns",
        example="diff wakekit:quickstart --set optimizer.lr=1e-3",
    )
    diff.add_argument(
        "second", nargs="?", metavar="RECIPE", help="the other; the first where left out; --set and --unset change it"
    )
    diff.add_argument("--exit-code", action="store_true", help="return 1 where they differ")
    _add_format(diff, "lines")
    _add_out(diff)
    schema = _command(
        commands, "schema", "write the JSON Schema of recipes, for editors", example="schema --out schema.json"
    )
    schema.add_argument("--out", metavar="FILE", help="write it there rather than to the terminal")
    schema.add_argument("--shipped", action="store_true", help="only what comes with wakekit, no other plugin's")


def _running_commands(commands: object) -> None:
    """Add the commands that run recipes, and the one that says what that will cost."""
    run = _recipe_command(commands, "run", "carry out a recipe", example="run wakekit:quickstart --set seed=1")
    run.add_argument("--folds", action="store_true", help="run every fold of the splitter, and pool what they say")
    _add_out(run)
    _add_quiet(run)
    plan = _recipe_command(
        commands,
        "plan",
        "say what the variants of a recipe will cost, running nothing",
        example="plan wakekit:ablations/cmvn --jobs 2",
    )
    plan.add_argument("--jobs", type=_count, default=1, metavar="N", help="how many variants would run at once (1)")
    _add_format(plan, "tables")
    _add_out(plan)
    ablate = _recipe_command(
        commands,
        "ablate",
        "run the variants of a recipe, and say what each changes",
        example="ablate wakekit:ablations/cmvn --only 'normalizer=*'",
    )
    ablate.add_argument("--jobs", type=_count, metavar="N", help="how many variants to run at once")
    ablate.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="only these variants; * and ? fit anything (repeatable)",
    )
    ablate.add_argument("--retry-failed", action="store_true", help="also run again what failed before")
    ablate.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    _add_out(ablate)
    _add_quiet(ablate)


def _judging_commands(commands: object) -> None:
    """Add the commands that read finished runs."""
    compare = _command(
        commands,
        "compare",
        "set finished runs side by side",
        example="compare runs/quickstart-1a2b3c4d5e runs/quickstart-5e4d3c2b1a",
    )
    compare.add_argument("first", metavar="RUN", help="the folder of the run that the others are compared with")
    compare.add_argument("others", nargs="+", metavar="RUN", help="the folders of the other runs")
    _add_format(compare, "tables")
    report = _command(
        commands,
        "report",
        "write the report of a finished run again",
        example="report runs/quickstart-1a2b3c4d5e --format svg",
    )
    report.add_argument("folder", metavar="RUN", help="the run's folder")
    report.add_argument(
        "--format", choices=("svg", "png"), dest="form", help="write its figures as files for a paper instead"
    )


def _listing_commands(commands: object) -> None:
    """Add the commands that say what is installed."""
    components = _command(
        commands, "components", "list components, or describe one", example="components normalizer cmvn"
    )
    components.add_argument("kind", nargs="?", metavar="KIND", help="only this kind")
    components.add_argument("name", nargs="?", metavar="NAME", help="describe this component")
    components.add_argument("--json", action="store_true", help="print JSON")
    plugins = _command(commands, "plugins", "list plugins, with state and reason", example="plugins")
    plugins.add_argument("--json", action="store_true", help="print JSON")
    kinds = _command(commands, "kinds", "say what a component of each kind must be", example="kinds calibrator")
    kinds.add_argument("kind", nargs="?", metavar="KIND", help="only this kind, in full")
    kinds.add_argument("--all", action="store_true", help="all kinds in full, as plugins/README.md has them")
    completion = _command(
        commands,
        "completion",
        "print what a shell reads to complete commands, recipes and names",
        example="completion bash",
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def _overview(commands: Mapping[str, argparse.ArgumentParser]) -> str:
    """Return every command with what it does, in groups."""
    placed = {name for names in GROUPS.values() for name in names}
    *_, last = GROUPS
    lines = ["Train and judge wake-word models from recipes that name components."]
    for title, names in GROUPS.items():
        others = [name for name in commands if name not in placed] if title == last else []
        known = [name for name in (*names, *others) if name in commands]
        lines += ["", f"{title}:", *(f"  {name:<12}{commands[name].description}" for name in known)]
    return "\n".join(lines)


class _Version(str):
    """The version, looked up only when it is printed: argparse fills in texts with `%(prog)`."""

    __slots__ = ()

    def __mod__(self, _values: object) -> str:
        from importlib.metadata import version  # noqa: PLC0415

        return f"wakekit {version('wakekit')}"


def _command(commands: object, name: str, text: str, *, example: str = "") -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(  # type: ignore[attr-defined]
        name,
        description=text,
        epilog=f"example: wakekit {example}" if example else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=name)
    parser.add_argument(
        "--disable-plugin", action="append", default=[], metavar="NAME", help="do not import this plugin (repeatable)"
    )
    return parser


def _recipe_command(commands: object, name: str, text: str, *, example: str = "") -> argparse.ArgumentParser:
    parser = _command(commands, name, text, example=example)
    parser.add_argument("recipe", metavar="RECIPE", help="a TOML file, or wakekit:NAME for a shipped one")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes", help="change a value (repeatable)"
    )
    parser.add_argument(
        "--unset", action="append", default=[], metavar="KEY", dest="drops", help="drop a table or value (repeatable)"
    )
    return parser


def _new_command(commands: object) -> None:
    """Add `new plugin` and `new recipe`."""
    new = _command(commands, "new", "begin a plugin or a recipe", example="new plugin acme-wake --kind calibrator")
    things = new.add_subparsers(dest="what", required=True, metavar="plugin|recipe")
    plugin = things.add_parser("plugin", description="write a plugin package that works, with tests and a recipe")
    plugin.add_argument("name", metavar="NAME", help="the plugin's name, as in acme-wake")
    plugin.add_argument("--kind", required=True, metavar="KIND", help="its component's kind: see `wakekit kinds`")
    plugin.add_argument("--component", metavar="NAME", help="the component's name (a usual one of the kind)")
    plugin.add_argument("--into", default=".", metavar="DIR", help="the folder to write the package's folder into (.)")
    recipe = things.add_parser("recipe", description="write a recipe on top of another, with what one changes first")
    recipe.add_argument("file", nargs="?", metavar="FILE", help="the file to write (recipe.toml)")
    recipe.add_argument(
        "--from", default="wakekit:quickstart", metavar="RECIPE", dest="base", help="the other one (wakekit:quickstart)"
    )
    recipe.add_argument("--keyword", metavar="WORDS", help="the wake word")
    recipe.add_argument("--full", action="store_true", help="copy it whole, comments too, rather than extend it")


def _add_format(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text", help=f"{text} (text) or JSON")


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", default="runs", metavar="DIR", help="where run folders and reusable stages go (runs)")


def _add_quiet(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="print errors only")


def _count(text: str) -> int:
    """Return a number of workers."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return number
