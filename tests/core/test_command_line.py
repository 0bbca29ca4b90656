"""What is typed: commands in groups, help with an example each, and what may have been meant by what there is not."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from wakekit.layers import shipped_recipes
from wakekit.parser import GROUPS, make_parser

if TYPE_CHECKING:
    from tests.support import Typed

COMMANDS = tuple(make_parser().get_default("commands"))


def test_help_lists_every_command_in_its_group(typed: Typed) -> None:
    """Each stands once, with what it does, under a heading."""
    answer = typed("--help")
    assert answer.code == 0
    listed = re.findall(r"^  ([a-z]+) {2,}\S", answer.out, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)
    headings = [line[:-1] for line in answer.out.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [*GROUPS, "options"]
    assert {name for names in GROUPS.values() for name in names} == set(COMMANDS)


def test_the_version_is_the_installed_one(typed: Typed) -> None:
    """`--version` prints it, for reports of what went wrong."""
    assert typed("--version").out == f"wakekit {version('wakekit')}\n"


def test_nothing_typed_is_a_question(typed: Typed) -> None:
    """`wakekit` alone prints the help; as nothing was done, the code is not 0."""
    answer = typed()
    assert (answer.code, answer.err) == (2, "")
    assert answer.out == typed("--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_that_can_be_typed(command: str, typed: Typed) -> None:
    """Its help ends with one line that the parser takes and whose shipped recipe there is."""
    answer = typed(command, "--help")
    last = answer.out.strip().splitlines()[-1]
    assert answer.code == 0
    assert last.startswith(f"example: wakekit {command} ") or last == f"example: wakekit {command}"
    words = last.removeprefix("example: wakekit ").replace("'", "").split()
    assert make_parser().parse_args(words).command == command
    for name in (word.removeprefix("wakekit:") for word in words if word.startswith("wakekit:")):
        assert (shipped_recipes() / f"{name}.toml").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chekc"], "unknown command 'chekc' (did you mean 'check'?)"),
        (["component", "model"], "(did you mean 'components'?)"),
        (["zzz"], "unknown command 'zzz'; see wakekit --help"),
        (["run", "a.toml", "--sett", "x=1"], "wakekit run: error: unknown option '--sett' (did you mean '--set'?)"),
        (["check", "a.toml", "--set=--"], "wakekit check: error: expected a value, got '--set=--'"),
        (["run", "a.toml", "--unset=--"], "wakekit run: error: expected a value, got '--unset=--'"),
        (["run", "a.toml", "--out=--"], "wakekit run: error: expected a value, got '--out=--'"),
        (["plan", "a.toml", "--fromat=json"], "unknown option '--fromat=json' (did you mean '--format'?)"),
        (["run", "a.toml", "b.toml"], "wakekit run: error: unknown argument 'b.toml'"),
        (["completion", "tcsh"], "invalid choice: 'tcsh'"),
    ],
)
def test_what_there_is_not(words: list[str], said: str, typed: Typed) -> None:
    """It is named, with what was most likely meant and the usage of the command it was typed for."""
    answer = typed(*words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert answer.err.startswith("usage: wakekit")
