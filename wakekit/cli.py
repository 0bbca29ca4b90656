"""The command line: its options, and what an error looks like; what a command does is in `wakekit.commands`.

A command's module is imported only when it is typed, so that listing stays quick.

Exit codes: 0 ok, 1 the run failed, 2 the recipe (or the command) is wrong, 3 plugin trouble, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    from wakekit.errors import WakekitError  # noqa: PLC0415

    try:
        code: int = import_module(f"wakekit.commands.{options.command}").command(options)
    except WakekitError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe went away; python would complain again when it flushes.
        sys.stderr.close()
        return 0
    except OSError as error:
        print(f"{error.filename or 'the system says'}: {error.strerror or error}", file=sys.stderr)
        return WakekitError.exit_code
    except KeyboardInterrupt:
        print("interrupted; finished stages are kept, and the same command goes on from there", file=sys.stderr)
        return _INTERRUPTED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wakekit", description="Train and judge wake-word models from recipes that name components."
    )
    parser.add_argument("--version", action="version", version=_Version())
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _recipe_command(commands, "check", "validate a recipe without running it")
    show = _recipe_command(commands, "show", "print a recipe with bases merged and defaults filled in")
    show.add_argument("--origin", action="store_true", help="say where each value was written")
    run = _recipe_command(commands, "run", "carry out a recipe")
    run.add_argument("--out", default="runs", metavar="DIR", help="where run folders and reusable stages go (runs)")
    run.add_argument("--folds", action="store_true", help="run every fold of the splitter, and pool what they say")
    run.add_argument("--quiet", action="store_true", help="print errors only")
    plan = _recipe_command(commands, "plan", "say what the variants of a recipe will cost, running nothing")
    plan.add_argument("--out", default="runs", metavar="DIR", help="where run folders and reusable stages go (runs)")
    plan.add_argument("--jobs", type=_count, default=1, metavar="N", help="how many variants would run at once (1)")
    plan.add_argument("--format", choices=("text", "json"), default="text", help="tables (text) or JSON")
    ablate = _recipe_command(commands, "ablate", "run the variants of a recipe, and say what each changes")
    ablate.add_argument("--out", default="runs", metavar="DIR", help="where run folders and reusable stages go (runs)")
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
    ablate.add_argument("--quiet", action="store_true", help="print errors only")
    compared = _command(commands, "compare", "set finished runs side by side")
    compared.add_argument("first", metavar="RUN", help="the folder of the run that the others are compared with")
    compared.add_argument("others", nargs="+", metavar="RUN", help="the folders of the other runs")
    compared.add_argument("--format", choices=("text", "json"), default="text", help="tables (text) or JSON")
    report = _command(commands, "report", "write the report of a finished run again")
    report.add_argument("folder", metavar="RUN", help="the run's folder")
    report.add_argument(
        "--format", choices=("svg", "png"), dest="form", help="write its figures as files for a paper instead"
    )
    components = _command(commands, "components", "list components, or describe one")
    components.add_argument("kind", nargs="?", metavar="KIND", help="only this kind")
    components.add_argument("name", nargs="?", metavar="NAME", help="describe this component")
    _command(commands, "plugins", "list plugins, with state and reason")
    return parser


class _Version(str):
    """The version, looked up only when it is printed."""

    __slots__ = ()

    def __mod__(self, _values: object) -> str:
        from importlib.metadata import version  # noqa: PLC0415

        return f"wakekit {version('wakekit')}"


def _command(commands: object, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)  # type: ignore[attr-defined]
    parser.set_defaults(command=name)
    parser.add_argument(
        "--disable-plugin", action="append", default=[], metavar="NAME", help="do not import this plugin (repeatable)"
    )
    return parser


def _recipe_command(commands: object, name: str, text: str) -> argparse.ArgumentParser:
    parser = _command(commands, name, text)
    parser.add_argument("recipe", metavar="RECIPE", help="a TOML file, or wakekit:NAME for a shipped one")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes", help="change a value (repeatable)"
    )
    parser.add_argument(
        "--unset", action="append", default=[], metavar="KEY", dest="drops", help="drop a table or value (repeatable)"
    )
    return parser


def _count(text: str) -> int:
    """Return a number of workers."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text!r}")
    return number
