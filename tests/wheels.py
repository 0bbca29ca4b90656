"""Environments of their own on top of the one that runs the tests, with strangers' packages installed by pip."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STRANGERS = Path(__file__).parent / "strangers"
# Runs commands one after the other in one interpreter, so that torch is imported once; `stages RECIPE` is one more.
_DRIVER = """
import contextlib, io, json, sys
from pathlib import Path
import wakekit.cli

def main(arguments):
    if arguments[0] != "stages":
        return wakekit.cli.main(arguments)
    from wakekit.fingerprint import Contents, stage_fingerprints
    from wakekit.recipe import load_recipe
    from wakekit.registry import installed
    print(json.dumps(stage_fingerprints(load_recipe(arguments[1], installed()), Contents(Path("memory")))))
    return 0

answers = []
for arguments in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = stop.code
    answers.append((code, out.getvalue(), err.getvalue()))
print("ANSWERS" + json.dumps(answers))
"""


def build_wheel(project: Path, folder: Path, *, version: str = "", edits: Mapping[str, Any] | None = None) -> Path:
    """Build the wheel of a pure project without its build backend, which nobody promised to be there.

    `edits` maps files, relative to the project, to what their text is replaced by, or to pairs of old and new text.
    """
    about = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    version = version or about["version"]
    stem = f"{about['name'].replace('-', '_')}-{version}"
    sources = {path.relative_to(project).as_posix(): path.read_text() for path in sorted(project.rglob("*.py"))}
    for name, edit in (edits or {}).items():
        sources[name] = edit if isinstance(edit, str) else _edited(sources[name], edit)
    points = "".join(f"{name} = {value}\n" for name, value in about["entry-points"]["wakekit"].items())
    files = sources | {
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {version}\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/entry_points.txt": f"[wakekit]\n{points}",
    }
    record = "".join(f"{name},{_digest(text)},{len(text.encode())}\n" for name, text in files.items())
    files[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _edited(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Environment:
    """A virtual environment that also sees the packages of the one that runs the tests."""

    def __init__(self, folder: Path) -> None:
        # The pip at hand installs into other environments too, which is seconds quicker than another pip in there.
        borrowed = find_spec("pip") is not None
        venv.create(folder, symlinks=True, with_pip=not borrowed)
        self.python = str(folder / "bin" / "python")
        own = [self.python, "-m", "pip"]
        self.pip = [sys.executable, "-m", "pip", "--python", self.python] if borrowed else own
        script = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
        home = Path(self._start("-c", script).stdout.strip())
        parents = {sysconfig.get_paths()[key] for key in ("purelib", "platlib")}
        # A folder added to the path by name alone would lose its own .pth files, as of an editable installation.
        lines = [f"import site; site.addsitedir({parent!r})\n" for parent in sorted(parents)]
        (home / "parent.pth").write_text("".join(lines))

    def install(self, *wheels: Path) -> None:
        """Install wheels with pip, in place of other versions."""
        options = ["--quiet", "--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check"]
        command = [*self.pip, "install", *options, *map(str, wheels)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def type(
        self, *commands: Sequence[object], cwd: Path | None = None, **variables: str
    ) -> list[tuple[int, str, str]]:
        """Type commands of wakekit in one process of the environment; return code, stdout and stderr of each."""
        typed = json.dumps([[str(word) for word in command] for command in commands])
        done = self._start("-c", _DRIVER, given=typed, cwd=cwd, **variables)
        answers: list[tuple[int, str, str]] = json.loads(done.stdout.rpartition("ANSWERS")[2])
        return answers

    def _start(
        self, *arguments: str, given: str = "", cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.python, *arguments], input=given, capture_output=True, text=True, cwd=cwd, timeout=300, check=False,
            env={**os.environ, **variables},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done
