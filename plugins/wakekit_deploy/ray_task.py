"""What a Ray worker does with one job; imports nothing of Ray."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from wakekit.launching import failed, work


def do(text: str, *, mark: str, folder: str, own_threads: bool) -> str:
    """Do a packed job as if in the `folder` of who launched it, and return the answer.

    `mark` is a file in the folder that all nodes are to share; empty where the job has none. Unless `own_threads`, the
    number of threads that Ray puts into the environment is taken out again: results must not depend on the launcher.
    """
    if mark and not Path(mark).exists():
        return failed(
            f"{Path(mark).parent}: not the folder that node {socket.gethostname()} sees; all nodes must share it"
        )
    if not own_threads:
        os.environ.pop("OMP_NUM_THREADS", None)
    with suppress(OSError):  # a node may lack the folder, where the job names all its paths whole
        os.chdir(folder)
    return work(text)
