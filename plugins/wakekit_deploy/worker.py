"""A worker process: does the jobs that its parent writes to it, one after the other, and dies with its parent.

A line that comes in on the standard input is a packed job, an empty line the end. For each, `BEGUN` goes out on what
was the standard output, then the answer. From the start on, all that is printed goes to the standard error, so that
nothing a job prints can be taken for an answer.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from wakekit.launching import work

BEGUN = b"wakekit: begun\n"


def main() -> None:
    """Work until the parent says that it was all."""
    # Who interrupts, interrupts the parent, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = _taken_pipes()
    faulthandler.enable()
    inbox: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_listen, args=(requests, inbox), daemon=True).start()
    while line := inbox.get().strip():
        _say(answers, BEGUN)
        _say(answers, work(line.decode()).encode() + b"\n")


def _say(answers: BinaryIO, line: bytes) -> None:
    answers.write(line)
    answers.flush()


def _taken_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes to the parent under handles that no process started here inherits."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, answers


def _listen(requests: BinaryIO, inbox: SimpleQueue[bytes]) -> None:
    for line in requests:
        inbox.put(line)
        if not line.strip():
            return
    # The parent is gone, however it went: neither this process nor what it has started may go on.
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
