"""What a result was made with: machine, packages, commit; recorded beside results and no part of a fingerprint."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import distributions
from typing import TYPE_CHECKING

import torch

from wakekit.geometry import choose_device

if TYPE_CHECKING:
    from wakekit.settings import Settings


def environment(settings: Settings) -> dict[str, object]:
    """Return the machine that this process runs on, with the device that the settings choose."""
    device = choose_device(settings)
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": settings.threads or torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "commit": _commit(),
        "packages": dict(sorted((dist.name, dist.version) for dist in distributions() if dist.name)),
    }


def _commit() -> str | None:
    """Return the commit of the working directory, where it is one under git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
