"""What tests of README files share: their code blocks, laid into a folder as their reader would have them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a language."""
    return [block for found, block in _BLOCK.findall(text) if found == language]


def lines(text: str) -> list[str]:
    """Return every line of the shell blocks."""
    return [line for block in blocks(text, "sh") for line in block.splitlines() if line]


def named(block: str) -> str:
    """Return the file name in a block's first line."""
    return re.split(r"[:,\n]", block.removeprefix("# "))[0].strip()


def lay_out(text: str, folder: Path, languages: tuple[str, ...] = ("toml", "python")) -> None:
    """Write every block into the file that its first line names; a file's further blocks come after its first."""
    for block in chain.from_iterable(blocks(text, language) for language in languages):
        path = folder / named(block)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(block)


def install(folder: Path, distribution: str, version: str, points: str) -> None:
    """Let the modules in a folder be an installed distribution; `points` are its entry points in `wakekit`."""
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(f"[wakekit]\n{points}\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")


def words_of(folder: Path, line: str) -> list[str]:
    """Return a command's words; * stands for what fits in the folder, sorted."""
    words = [sorted(map(str, folder.glob(word))) if "*" in word else [word] for word in shlex.split(line)]
    return list(chain.from_iterable(words))


def type_in(folder: Path, line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Type a command of a Python package in a folder, in a process of its own."""
    command = [sys.executable, "-m", *words_of(folder, line)]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=500, env={**os.environ, **env}
    )
