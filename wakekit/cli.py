"""The command line; each command imports what it needs when it runs, so that listing stays quick.

Exit codes: 0 ok, 1 the run failed, 2 the recipe (or the command) is wrong, 3 plugin trouble, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.recipe import Recipe
    from wakekit.registry import Registry

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    from wakekit.errors import WakekitError  # noqa: PLC0415

    try:
        code: int = options.command(options)
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
    _recipe_command(commands, "check", _check, "validate a recipe without running it")
    show = _recipe_command(commands, "show", _show, "print a recipe with bases merged and defaults filled in")
    show.add_argument("--origin", action="store_true", help="say where each value was written")
    run = _recipe_command(commands, "run", _run, "carry out a recipe")
    run.add_argument("--out", default="runs", metavar="DIR", help="where run folders and reusable stages go (runs)")
    run.add_argument("--folds", action="store_true", help="run every fold of the splitter, and pool what they say")
    run.add_argument("--quiet", action="store_true", help="print errors only")
    plan = _recipe_command(commands, "plan", _plan, "say what the variants of a recipe will cost, running nothing")
    plan.add_argument("--out", default="runs", metavar="DIR", help="where run folders and reusable stages go (runs)")
    plan.add_argument("--jobs", type=_count, default=1, metavar="N", help="how many variants would run at once (1)")
    plan.add_argument("--format", choices=("text", "json"), default="text", help="tables (text) or JSON")
    ablate = _recipe_command(commands, "ablate", _ablate, "run the variants of a recipe, and say what each changes")
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
    compared = _command(commands, "compare", _compare, "set finished runs side by side")
    compared.add_argument("first", metavar="RUN", help="the folder of the run that the others are compared with")
    compared.add_argument("others", nargs="+", metavar="RUN", help="the folders of the other runs")
    compared.add_argument("--format", choices=("text", "json"), default="text", help="tables (text) or JSON")
    report = _command(commands, "report", _report, "write the report of a finished run again")
    report.add_argument("folder", metavar="RUN", help="the run's folder")
    report.add_argument(
        "--format", choices=("svg", "png"), dest="form", help="write its figures as files for a paper instead"
    )
    components = _command(commands, "components", _components, "list components, or describe one")
    components.add_argument("kind", nargs="?", metavar="KIND", help="only this kind")
    components.add_argument("name", nargs="?", metavar="NAME", help="describe this component")
    _command(commands, "plugins", _plugins, "list plugins, with state and reason")
    return parser


class _Version(str):
    """The version, looked up only when it is printed."""

    __slots__ = ()

    def __mod__(self, _values: object) -> str:
        from importlib.metadata import version  # noqa: PLC0415

        return f"wakekit {version('wakekit')}"


def _command(commands: object, name: str, action: object, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)  # type: ignore[attr-defined]
    parser.set_defaults(command=action)
    parser.add_argument(
        "--disable-plugin", action="append", default=[], metavar="NAME", help="do not import this plugin (repeatable)"
    )
    return parser


def _recipe_command(commands: object, name: str, action: object, text: str) -> argparse.ArgumentParser:
    parser = _command(commands, name, action, text)
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


def _registry(options: argparse.Namespace) -> Registry:
    from wakekit.registry import installed  # noqa: PLC0415

    return installed(options.disable_plugin)


def _recipe(options: argparse.Namespace) -> Recipe:
    from wakekit.recipe import load_recipe  # noqa: PLC0415

    return load_recipe(options.recipe, _registry(options), changes=options.changes, drops=options.drops)


def _check(options: argparse.Namespace) -> int:
    recipe = _recipe(options)
    from wakekit.cautions import cautions  # noqa: PLC0415
    from wakekit.geometry import all_geometries  # noqa: PLC0415

    all_geometries(recipe)
    count = len(recipe.single) + sum(map(len, recipe.many.values()))
    print(f"{options.recipe}: ok, {count} components{_beside(recipe)}")
    for sentence in cautions(recipe):
        print(f"caution: {sentence}")
    return 0


def _beside(recipe: Recipe) -> str:
    """Return in words what `[ablate]` sets against the recipe, nothing where it has none."""
    if recipe.ablate is None:
        return ""
    variants, seeds = len(recipe.variants), len(recipe.seeds)
    return (
        f"; {variants} variant{'s' * (variants > 1)} to set against it, "
        f"{seeds} seed{'s' * (seeds > 1)} each, mode {recipe.ablate.mode}"
    )


def _show(options: argparse.Namespace) -> int:
    from wakekit.recipe_table import dump, origins_text  # noqa: PLC0415

    recipe = _recipe(options)
    print(origins_text(recipe) if options.origin else dump(recipe), end="")
    return 0


def _run(options: argparse.Namespace) -> int:
    from wakekit.distributed import joined  # noqa: PLC0415

    with joined() as world:
        options.quiet |= not world.first
        return _carry_out(options)


def _carry_out(options: argparse.Namespace) -> int:
    from pathlib import Path  # noqa: PLC0415

    from wakekit.console import make_progress  # noqa: PLC0415

    out, progress = Path(options.out), make_progress(quiet=options.quiet)
    if options.folds:
        from wakekit.folds import run_folds  # noqa: PLC0415

        edits = {"changes": options.changes, "drops": options.drops}
        folder = run_folds(options.recipe, _registry(options), out, progress, **edits)
    else:
        recipe = _recipe(options)
        from wakekit.pipeline import run  # noqa: PLC0415

        folder = run(recipe, out, progress).folder
    if not options.quiet:
        from wakekit.summary import print_summary  # noqa: PLC0415

        print_summary(folder)
    return 0


def _plan(options: argparse.Namespace) -> int:
    from pathlib import Path  # noqa: PLC0415

    from wakekit.ablation.cells import cells  # noqa: PLC0415
    from wakekit.ablation.plan import plan  # noqa: PLC0415
    from wakekit.ablation.plan_text import print_json, print_plan  # noqa: PLC0415
    from wakekit.errors import Problem, RecipeError  # noqa: PLC0415
    from wakekit.geometry import all_geometries  # noqa: PLC0415

    recipe, out = _recipe(options), Path(options.out)
    if recipe.ablate is None:
        raise RecipeError(recipe.merged.lines([Problem((), "nothing to plan: add a table [ablate], or use run")]))
    all_geometries(recipe)
    found = cells(recipe, out, remember=False)
    told = plan(found, out / ".store", jobs=options.jobs, described=recipe.described)
    show = print_json if options.format == "json" else print_plan
    show(told)
    return 0


def _ablate(options: argparse.Namespace) -> int:
    from pathlib import Path  # noqa: PLC0415

    from wakekit.ablation.conduct import Wishes, ablate  # noqa: PLC0415
    from wakekit.ablation.text import print_answers  # noqa: PLC0415
    from wakekit.console import make_progress  # noqa: PLC0415

    wishes = Wishes(
        workers=options.jobs,
        only=tuple(options.only),
        retry_failed=options.retry_failed,
        fail_fast=options.fail_fast,
        disabled=tuple(options.disable_plugin),
    )
    found = ablate(_recipe(options), Path(options.out), make_progress(quiet=options.quiet), wishes)
    failed = [cell for cell in found.result.cells if cell.state == "failed"]
    if not options.quiet:
        print_answers(found.result, found.folder)
    else:
        for cell in failed:
            print(f"{cell.variant or 'the recipe'}, seed {cell.seed}: failed: {cell.reason}", file=sys.stderr)
    return int(bool(failed))


def _compare(options: argparse.Namespace) -> int:
    from wakekit.compare import compare  # noqa: PLC0415
    from wakekit.compare_text import print_comparison, print_json  # noqa: PLC0415
    from wakekit.run_folder import read_run  # noqa: PLC0415

    found = compare([read_run(folder) for folder in (options.first, *options.others)], _registry(options))
    if options.format == "json":
        print_json(found)
    else:
        print_comparison(found)
    return 0


def _report(options: argparse.Namespace) -> int:
    from pathlib import Path  # noqa: PLC0415

    from wakekit.report import saved_report, write_plots, write_report  # noqa: PLC0415

    folder = Path(options.folder)
    report = saved_report(_registry(options), folder)
    if options.form:
        paths = write_plots(report, folder, options.form)
    else:
        paths = [path for path in (write_report(report, folder),) if path is not None]
    for path in paths:
        print(path)
    if not paths:
        print(f"{folder}: its recipe asks for no report")
    return 0


def _components(options: argparse.Namespace) -> int:
    from wakekit.listing import describe, list_components  # noqa: PLC0415

    registry = _registry(options)
    print(describe(registry, options.kind, options.name) if options.name else list_components(registry, options.kind))
    return 0


def _plugins(options: argparse.Namespace) -> int:
    from wakekit.listing import list_plugins  # noqa: PLC0415

    print(list_plugins(_registry(options)))
    return 0
