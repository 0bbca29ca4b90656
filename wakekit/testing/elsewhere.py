"""What other processes, with other hash seeds, make of the same components and of the plugins that list them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs

_SEEDS = ("0", "4711")
_ANSWER = "wakekit-answer "
_SCRIPT = (
    f"ANSWER = {_ANSWER!r}\n"
    """
import importlib, json, sys
modules, tables = json.load(sys.stdin)
imports, prints, answers = {}, {}, {}
for module in modules:
    before = set(sys.modules)
    try:
        importlib.import_module(module)
    except BaseException:
        pass
    imports[module] = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
from pathlib import Path
from wakekit.fingerprint import Contents, component_fingerprint
from wakekit.building import build_component
from wakekit.registry import installed
from wakekit.testing.answering import ALIKE, answer
registry, contents = installed(), Contents(Path("/nonexistent/memory"), keep=False)
for label, (kind, table) in tables.items():
    try:
        value = build_component(registry, kind, table).value
        prints[label] = component_fingerprint(value, registry, contents)
    except Exception as error:
        prints[label] = f"{type(error).__name__}: {error}"
    if kind in ALIKE:
        answers[label] = answer(registry, kind, table)
print()
print(ANSWER + json.dumps({"imports": imports, "prints": prints, "answers": answers}))
"""
)


@attrs.frozen(eq=False)
class Elsewhere:
    """Answers of other processes, asked once for all components: `tables` maps labels to kind and table.

    `seconds` is how long they may take.
    """

    tables: Mapping[str, tuple[str, Mapping[str, Any]]]
    modules: tuple[str, ...]
    seconds: float

    @property
    def fingerprints(self) -> tuple[Mapping[str, str], ...]:
        """What each process fingerprints each component with, by label."""
        return tuple(answer["prints"] for answer in self._answers)

    @property
    def answers(self) -> tuple[Mapping[str, str], ...]:
        """What each process got from the verb of each component of some kinds, as a hash, by label."""
        return tuple(answer["answers"] for answer in self._answers)

    @property
    def imports(self) -> Mapping[str, list[str]]:
        """Which packages importing each plugin's own module brings in, by module."""
        found: Mapping[str, list[str]] = self._answers[0]["imports"]
        return found

    @functools.cached_property
    def _answers(self) -> tuple[Mapping[str, Any], ...]:
        question = json.dumps([self.modules, self.tables], default=str)
        with ThreadPoolExecutor() as pool:
            return tuple(pool.map(functools.partial(_asked, question, self.seconds), _SEEDS))


def _asked(question: str, seconds: float, hash_seed: str) -> Mapping[str, Any]:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _SCRIPT]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter with a script of our own
            command, input=question, env=env, capture_output=True, text=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"another process did not come to an end within {seconds:g} s") from error
    # A plugin may print while it is imported, and at the end.
    answers = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    if not answers:
        told = " ".join(done.stderr.split()) or f"it ended with {done.returncode} and said nothing"
        raise AssertionError(f"another process could not list and build the plugin's components: {told[-300:]}")
    found: Mapping[str, Any] = json.loads(answers[-1].removeprefix(_ANSWER))
    return found
