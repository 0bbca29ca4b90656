"""What many tests share: a tiny corpus of chirps, a recipe for it, plugins laid into a folder, typed commands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TINY = """
seed = 3
threads = 1
report = "none"

[corpus]
type = "folder"
path = "{corpus}"
keyword = "chirp"
speaker = "(s[0-9]+)_"

[splitter]
type = "by-speaker"

[window]
seconds = 0.5

[compose]
minutes = 0.2

[frontend]
type = "log-mel"
n_mels = 20

[normalizer]
type = "cmvn"

[sampler]
type = "balanced"
batch_size = 16

[model]
type = "ds-cnn"
channels = 8
blocks = 1

[loss]
type = "cross-entropy"

[optimizer]
type = "adamw"
lr = 1e-2

[train]
epochs = 2

[calibrator]
type = "temperature"

[detector]
type = "vote"

[operating_point]
fa_per_hour = 90

[metrics.roc]
type = "roc-auc"

[metrics.false_accepts]
type = "fa-per-hour"

[metrics.misses]
type = "false-rejects"
"""


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


Typed = Callable[..., Answer]


def wakekit(
    *arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Type `wakekit …` in a process of its own and return what it printed."""
    return subprocess.run(
        [sys.executable, "-m", "wakekit", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=timeout,
        check=False,
    )


def add_plugin(site: Path, name: str, source: str, *, distribution: str | None = None, version: str = "1.0") -> None:
    """Lay a plugin package into a folder as an installer would: a module and the metadata of its distribution."""
    module = name.replace("-", "_")
    site.mkdir(parents=True, exist_ok=True)
    (site / f"{module}.py").write_text(source)
    distribution = distribution or name
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[wakekit]\n{name} = {module}\n")
