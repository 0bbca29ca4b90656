"""The README: every command in it works, with the files that it prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.readme_support import ROOT, blocks, install, lay_out, lines, named, type_in, words_of
from tests.support import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

README = (ROOT / "README.md").read_text()
# What begins a plugin is typed where one is begun, installed and tested.
BEGINNING = [
    "wakekit new plugin acme-wake --kind calibrator",
    "pip install -e './acme-wake[test]'",
    "pytest ./acme-wake",
]


def commands() -> list[str]:
    """Return every command line but those that make environments of their own, or install into this one."""
    return [line for line in lines(README) if not line.startswith("python -m venv") and line not in BEGINNING]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's files, as its reader would have it."""
    folder = tmp_path_factory.mktemp("desk")
    lay_out(README, folder)
    return folder


def test_it_is_short_and_leads_on() -> None:
    """One sitting, and then the other two."""
    assert len(README.splitlines()) <= 250
    for name in ("recipes/README.md", "plugins/README.md"):
        assert f"]({name})" in README
        assert (ROOT / name).is_file()


def test_every_shell_line_is_known() -> None:
    """The README's commands are `wakekit` ones, apart from the two set-up lines that CI runs as printed."""
    assert len([line for line in lines(README) if line.startswith("python -m venv")]) == 2
    assert [line for line in lines(README) if line in BEGINNING] == BEGINNING
    assert len(commands()) >= 6
    assert all(line.startswith("wakekit ") for line in commands())


@pytest.mark.parametrize("line", commands())
def test_a_command_works_as_printed(desk: Path, line: str, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed in a folder with the README's files, each command succeeds and prints something."""
    words = words_of(desk, line)
    if words[1] in {"run", "ablate"}:
        done = type_in(desk, line)
        answer = Answer(done.returncode, done.stdout, done.stderr)
    else:
        monkeypatch.chdir(desk)
        answer = typed(*words[1:])
    assert answer.code == 0, answer.err
    assert answer.out


@pytest.mark.parametrize("name", ["mine.toml", "strict.toml", "question.toml"])
def test_a_recipe_is_valid_as_printed(desk: Path, name: str, typed: Typed) -> None:
    """Each recipe of the README passes `check`."""
    assert {named(block) for block in blocks(README, "toml")} == {
        "mine.toml",
        "strict.toml",
        "question.toml",
        "pyproject.toml",
    }
    answer = typed("check", desk / name)
    assert answer.code == 0, answer.err


def test_the_plugin_works_as_printed(desk: Path) -> None:
    """The README's plugin, laid out as an installer would, is listed, described, used in a recipe, and conforms."""
    project = next(block for block in blocks(README, "toml") if named(block) == "pyproject.toml")
    (entry,) = re.findall(r"^\[project\.entry-points\.wakekit\]\n(\w+ = )\"(\w+)\"$", project, re.MULTILINE)
    install(desk, "acme-wake", "0.1.0", "".join(entry))
    env = {"PYTHONPATH": str(desk)}
    assert re.search(r"^acme +acme-wake 0\.1\.0 +ok", type_in(desk, "wakekit plugins", **env).stdout, re.MULTILINE)
    described = type_in(desk, "wakekit components calibrator shifted", **env).stdout
    assert "added to the log-odds" in described
    shown = type_in(desk, "wakekit show mine.toml --set 'calibrator={type=\"shifted\", bias=0.5}'", **env)
    assert "bias = 0.5" in shown.stdout, shown.stderr
    proved = type_in(desk, "pytest -q --wakekit acme -p no:cacheprovider .", **env)
    assert proved.returncode == 0, proved.stdout
    assert re.search(r"^calibrator:shifted +\d+ checks ran", proved.stdout, re.MULTILINE)
