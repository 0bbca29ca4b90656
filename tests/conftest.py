"""Fixtures that many tests share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import TINY, Answer, Typed
from wakekit.cli import main
from wakekit.testing.chirps import write_corpus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus that tests only read."""
    return write_corpus(tmp_path_factory.mktemp("chirps") / "corpus")


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder whose stages tests share."""
    return tmp_path_factory.mktemp("shared") / "runs"


@pytest.fixture
def recipe_file(tmp_path: Path, corpus: Path) -> Path:
    """A recipe for the tiny corpus."""
    path = tmp_path / "tiny.toml"
    path.write_text(TINY.format(corpus=corpus))
    return path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the path to lay plugins into; their modules are forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a `wakekit` command in this process."""

    def type_command(*arguments: object) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return Answer(code, out, err)

    return type_command
