"""The README: every command in it works, with the files that it prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return [text for found, text in BLOCK.findall(README) if found == language]


def commands() -> list[str]:
    """Return every command line but the set-up lines, which make environments of their own."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("python -m venv")]


def named(block: str) -> str:
    """Return the file name in a block's first line."""
    return block.splitlines()[0].removeprefix("# ").split(":")[0]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the README's files, as its reader would have it."""
    folder = tmp_path_factory.mktemp("desk")
    for block in (*blocks("toml"), *blocks("python")):
        path = folder / named(block)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)
    return folder


def type_in(folder: Path, line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Type a `wakekit` command in a folder."""
    words = [sorted(map(str, folder.glob(word))) if "*" in word else [word] for word in shlex.split(line)]
    command = [sys.executable, "-m", *chain.from_iterable(words)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=500, env={**os.environ, **env}
    )


def test_every_shell_line_is_known() -> None:
    """The README's commands are `wakekit` ones, apart from the two set-up lines that CI runs as printed."""
    assert (
        len([line for block in blocks("sh") for line in block.splitlines() if line.startswith("python -m venv")]) == 2
    )
    assert len(commands()) >= 6
    assert all(line.startswith("wakekit ") for line in commands())


@pytest.mark.parametrize("line", commands())
def test_a_command_works_as_printed(desk: Path, line: str) -> None:
    """Typed in a folder with the README's files, each command succeeds and prints something."""
    done = type_in(desk, line)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_plugin_works_as_printed(desk: Path) -> None:
    """The README's plugin, laid out as an installer would, is listed, described, checked and used in a recipe."""
    info = desk / "acme_wake-0.1.0.dist-info"
    info.mkdir()
    project = next(block for block in blocks("toml") if named(block) == "pyproject.toml")
    (entry,) = re.findall(r"^\[project\.entry-points\.wakekit\]\n(\w+) = \"(\w+)\"$", project, re.MULTILINE)
    (info / "entry_points.txt").write_text(f"[wakekit]\n{entry[0]} = {entry[1]}\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-wake\nVersion: 0.1.0\n")
    env = {"PYTHONPATH": str(desk)}
    assert re.search(r"^acme +acme-wake 0\.1\.0 +ok", type_in(desk, "wakekit plugins", **env).stdout, re.MULTILINE)
    described = type_in(desk, "wakekit components calibrator shifted", **env).stdout
    assert "added to the log-odds" in described
    shown = type_in(desk, "wakekit show mine.toml --set 'calibrator={type=\"shifted\", bias=0.5}'", **env)
    assert "bias = 0.5" in shown.stdout, shown.stderr
