"""How long `wakekit components` takes beside a script that only reads the entry points."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import add_plugin

if TYPE_CHECKING:
    from pathlib import Path

PEER = "import argparse, pluggy, importlib.metadata as m; print(len(list(m.entry_points(group='wakekit'))))"
OURS = "from wakekit.cli import main; main(['components'])"
MOST = 1.5
COMPONENTS = """
from wakekit import Component, hookimpl
@hookimpl
def wakekit_components():
    for number in range(60):
        yield Component("metric", f"number-{number}", f"many_wake:Number{number}", summary="One of many.")
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """Sixty components more and two broken plugins; and bytecode, as pip leaves it."""
    site = tmp_path / "site"
    add_plugin(site, "many-wake", COMPONENTS)
    add_plugin(site, "broken-wake", "import a_package_that_is_gone")
    add_plugin(site, "exiting-wake", "raise SystemExit")
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(site), "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode")}


def seconds(code: str, variables: dict[str, str]) -> float:
    """Return the wall-clock time of a script."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=variables)
    assert done.stdout.strip() == "9" or "number-59" in done.stdout
    return time.perf_counter() - started


@pytest.mark.benchmark
def test_listing_beside_reading_the_entry_points(capsys: pytest.CaptureFixture[str], installed: dict[str, str]) -> None:
    """The median of paired runs is at most 1.5 times that of argparse, pluggy and importlib.metadata alone."""
    for code in (OURS, PEER):
        seconds(code, installed)
    ratios = [seconds(OURS, installed) / seconds(PEER, installed) for _ in range(25)]
    with capsys.disabled():
        print(f"\nwakekit components / reading the entry points: {statistics.median(ratios):.2f} (median of 25 pairs)")
    assert statistics.median(ratios) <= MOST
