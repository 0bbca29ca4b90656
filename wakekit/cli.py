"""The command line: what was typed becomes a command, and what an error looks like.

The options are in `wakekit.parser`, what a command does is in `wakekit.commands`.

A command's module is imported only when it is typed, so that listing stays quick.

Exit codes: 0 ok, 1 the run failed, 2 the recipe (or the command) is wrong, 3 plugin trouble, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from wakekit.parser import make_parser
from wakekit.terminal import paint, write_any_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence


_WRONG = 2
_INTERRUPTED = 130
# Commands that keep what they have done.
_LASTING = ("run", "ablate")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = make_parser()
    if "_ARGCOMPLETE" in os.environ:
        from wakekit.completing import complete  # noqa: PLC0415

        complete(parser)
    _open_closed_streams()
    write_any_text(sys.stdout, sys.stderr)
    typed = list(sys.argv[1:] if arguments is None else arguments)
    if not typed:
        parser.print_help()
        return _WRONG
    options = _options(parser, typed)
    from wakekit.errors import WakekitError  # noqa: PLC0415

    try:
        code: int = import_module(f"wakekit.commands.{options.command}").command(options)
    except WakekitError as error:
        from wakekit.complaint import complaint  # noqa: PLC0415

        print(complaint(error, sys.stderr), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe went away; python would complain again when it flushes.
        sys.stderr.close()
        return 0
    except OSError as error:
        from wakekit.errors import system_said  # noqa: PLC0415

        print(paint(system_said(error), "red", sys.stderr), file=sys.stderr)
        return WakekitError.exit_code
    except KeyboardInterrupt:
        kept = "; finished stages are kept, and the same command goes on from there"
        print(f"interrupted{kept if options.command in _LASTING else ''}", file=sys.stderr)
        return _INTERRUPTED
    return code


def _open_closed_streams() -> None:
    """Let what is printed to a stream that the shell has closed go nowhere."""
    from pathlib import Path  # noqa: PLC0415

    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115


def _options(parser: argparse.ArgumentParser, typed: Sequence[str]) -> argparse.Namespace:
    """Return what was typed; what no command or option is called ends the program with what may have been meant."""
    commands: Mapping[str, argparse.ArgumentParser] = parser.get_default("commands")
    if typed[0].startswith("-") and not any(known.startswith(typed[0]) for known in ("-h", "--help", "--version")):
        near = _near(typed[0], ("--help", "--version"))
        parser.error(f"unknown option {typed[0]!r}{near}; those of a command come after it: wakekit COMMAND …")
    name = next((word for word in typed if not word.startswith("-")), None)
    if name is not None and name not in commands:
        parser.error(f"unknown command {name!r}{_near(name, commands)}; see wakekit --help")
    # Python's parser would take the dashes for the end of the options.
    empty = next((word for word in typed if word.startswith("--") and word.endswith("=--")), None)
    if empty is not None and name is not None:
        commands[name].error(f"expected a value, got {empty!r}")
    options, unknown = parser.parse_known_args(typed)
    del options.commands
    if unknown:
        command = commands[options.command]
        known = [word for action in command._actions for word in action.option_strings]  # noqa: SLF001
        option = unknown[0].partition("=")[0]
        what = "option" if option.startswith("-") else "argument"
        command.error(f"unknown {what} {unknown[0]!r}{_near(option, known) if what == 'option' else ''}")
    return options


def _near(word: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415

    near = get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
