"""Freed memory is kept: the same tensors again cost hardly a page fault."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# Tensors of 48 MB: up to 32 MB glibc may come to keep memory by itself, and whether it does is chance.
SCRIPT = """
import resource, sys, torch
from wakekit.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def work():
    for _ in range(20):
        torch.ones(12_000_000).add(1).mul(2)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc, whose allocator this is about")
def test_tensors_reuse_memory() -> None:
    """With memory kept, a round of large tensors takes at most a tenth of the page faults."""
    faults = {
        how: int(subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True).stdout)
        for how in ("keep", "leave")
    }
    assert faults["keep"] * 10 <= faults["leave"], faults
