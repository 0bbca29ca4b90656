"""How long `wakekit components` takes beside a script that only reads the entry points."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

PEER = "import argparse, pluggy, importlib.metadata as m; print(len(list(m.entry_points(group='wakekit'))))"


def seconds(*command: str) -> float:
    """Return the wall-clock time of a command."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return time.perf_counter() - started


@pytest.mark.benchmark
def test_listing_beside_reading_the_entry_points(capsys: pytest.CaptureFixture[str]) -> None:
    """The median of paired runs is at most 1.5 times that of argparse, pluggy and importlib.metadata alone."""
    ratios = []
    for _ in range(25):
        listing = seconds("-c", "from wakekit.cli import main; main(['components'])")
        ratios.append(listing / seconds("-c", PEER))
    with capsys.disabled():
        print(f"\nwakekit components / reading the entry points: {statistics.median(ratios):.2f} (median of 25 pairs)")
    assert statistics.median(ratios) <= 1.5
