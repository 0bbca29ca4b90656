"""The recipes' README: its commands work as printed, its tables are valid, and what it names in passing is there."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.readme_support import ROOT, blocks, lines, words_of
from wakekit.cli import main
from wakekit.recipe import load_recipe
from wakekit.registry import installed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

READMES = ("README.md", "recipes/README.md", "plugins/README.md")
README = (ROOT / "recipes" / "README.md").read_text()
# Words that stand for what the reader has.
STAND_INS = re.compile(r"\b[A-Z]{3,}\b|…")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder, in which the commands are typed one after the other."""
    return tmp_path_factory.mktemp("desk")


@pytest.mark.parametrize("line", lines(README))
def test_a_command_works_as_printed(desk: Path, line: str, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command succeeds, in the order in which they stand."""
    monkeypatch.chdir(desk)
    answer = typed(*words_of(desk, line)[1:])
    assert answer.code == 0, answer.err
    assert answer.out or "--out" in line


@pytest.mark.parametrize("block", blocks(README, "toml"))
def test_a_table_fits_the_quickstart(tmp_path: Path, block: str) -> None:
    """Every table that is shown is valid on top of the quickstart."""
    path = tmp_path / "mine.toml"
    path.write_text(f"extends = ['wakekit:quickstart']\n{block}")
    assert load_recipe(path, installed()).settings.name == "mine"
    assert tomllib.loads(block)


@pytest.mark.parametrize("name", READMES)
def test_commands_named_in_passing_exist(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command in the text has a name and options that there are."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / name).read_text(), flags=re.MULTILINE | re.DOTALL)
    spans = {" ".join(span.split()) for span in re.findall(r"`(wakekit [^`]*)`", text)} - {"wakekit COMMAND --help"}
    assert spans
    for span in sorted(spans):
        words = shlex.split(STAND_INS.sub("x", span))[1:]
        with pytest.raises(SystemExit) as stop:
            main([words[0], "--help"])
        assert stop.value.code == 0, span
        helped = capsys.readouterr().out
        assert all(word.partition("=")[0] in helped for word in words if word.startswith("--")), span
