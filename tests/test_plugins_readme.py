"""The plugins' README: what it shows works as printed, and what it says of the kinds is what the code says."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.readme_support import ROOT, blocks, install, lay_out, lines, named, type_in, words_of
from wakekit.contracts import contracts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

README = (ROOT / "plugins" / "README.md").read_text()
WRITTEN = README.partition("\n## Kinds\n")[0]
COMMANDS = [line for line in lines(WRITTEN) if line.startswith("wakekit ") and not line.startswith("wakekit new")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's plugin, installed, and its recipe."""
    folder = tmp_path_factory.mktemp("desk")
    lay_out(WRITTEN, folder)
    points = tomllib.loads(blocks(WRITTEN, "toml")[0])["project"]["entry-points"]["wakekit"]
    install(folder, "acme-wake", "0.1.0", "\n".join(f"{name} = {value}" for name, value in points.items()))
    return folder


def test_the_kinds_are_as_the_code_has_them() -> None:
    """What follows the heading is what `wakekit kinds --all` prints; write it there where this fails."""
    assert README.endswith(f"\n{contracts()}")


def test_every_block_is_known() -> None:
    """Each file that is shown has a name, and each command is one that a test types."""
    assert [named(block) for block in blocks(WRITTEN, "toml")] == ["pyproject.toml", "mine.toml", "pyproject.toml"]
    assert [named(block) for block in blocks(WRITTEN, "python")] == [
        "acme_wake/__init__.py",
        "acme_wake/range.py",
        "tests/test_conformance.py",
        "tests/test_recipe.py",
    ]
    assert lines(WRITTEN)[:3] == [
        "wakekit new plugin acme-wake --kind calibrator",
        "pip install -e './acme-wake[test]'",
        "pytest ./acme-wake",
    ]
    assert lines(WRITTEN)[3:] == COMMANDS


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_works_as_printed(desk: Path, line: str, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the plugin installed, each command succeeds and prints something."""
    monkeypatch.chdir(desk)
    monkeypatch.syspath_prepend(str(desk))
    answer = typed(*words_of(desk, line)[1:])
    assert answer.code == 0, answer.err
    assert answer.out


def test_the_plugin_proves_itself(desk: Path) -> None:
    """Its two test files pass as printed: conformance, but for the failure that is declared, and the recipe's run."""
    done = type_in(desk, "pytest -q -p no:cacheprovider tests", PYTHONPATH=str(desk))
    assert "2 passed" in done.stdout, done.stdout
