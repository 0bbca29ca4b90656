"""A plugin that makes itself at home: it prints, changes the folder, and leaves a mark that it was imported."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from wakekit import Component, hookimpl

print("noisy_wake 0.0.1 says hello!")
if "NOISY_WAKE_MARK" in os.environ:
    Path(os.environ["NOISY_WAKE_MARK"]).write_text("imported", encoding="utf-8")
os.chdir("/")
sys.argv.clear()


@hookimpl
def wakekit_components() -> Iterator[Component]:
    """Yield nothing, loudly."""
    print("nothing to see here")
    yield from ()
