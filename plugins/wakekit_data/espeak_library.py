"""libespeak-ng through worker processes: which voices load, how words are pronounced, and speech.

Each call is one fresh process (see `espeak_worker`), so its result depends on nothing but its arguments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import numpy as np

from wakekit import WakekitError
from wakekit_data import espeak_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from wakekit.progress import Advance

Item = TypeVar("Item")
Made = TypeVar("Made")


@attrs.frozen(eq=False)
class Espeak:
    """The paths of the library and its data, and the processes that now run it."""

    library: str
    data: str
    _running: set[subprocess.Popen[bytes]] = attrs.field(factory=set, init=False)
    _lock: Lock = attrs.field(factory=Lock, init=False)

    def variants(self) -> list[str]:
        """Return the names of all voice variants, sorted."""
        return sorted(path.name for path in Path(self.data, "voices", "!v").iterdir())

    def loads(self, voices: Sequence[str]) -> list[bool]:
        """Return for each voice, such as `en-us+f1`, whether it loads."""
        return list(self._run(voices=voices)[0]["loads"])

    def phonemes(self, accents: Sequence[str], texts: Sequence[str]) -> list[list[str]]:
        """Return for each text its pronunciations in IPA, one for each accent."""
        spoken = self._run(accents=accents, texts=texts)[0]["phonemes"]
        return [list(each) for each in zip(*(spoken[accent] for accent in accents), strict=True)]

    def speak(self, lines: Sequence[Mapping[str, Any]]) -> list[npt.NDArray[np.int16]]:
        """Return the samples of each line at 22050 Hz, spoken in one process in the given order."""
        head, audio = self._run(lines=lines)
        ends = np.cumsum(head["bytes"]) // 2
        return np.split(np.frombuffer(audio, "<i2").astype(np.int16), ends[:-1])

    def _run(self, **job: object) -> tuple[dict[str, Any], bytes]:
        command = [sys.executable, "-I", "-S", espeak_worker.__file__]
        text = json.dumps({"library": self.library, "data": self.data, **job}).encode()
        with self._started(command) as process:
            output, complaint = process.communicate(text)
        if process.returncode != 0:
            raise WakekitError(f"espeak-ng failed: {complaint.decode(errors='replace').strip() or process.returncode}")
        head, _, audio = output.partition(b"\n")
        return json.loads(head), audio

    @contextmanager
    def _started(self, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:  # noqa: S603
            with self._lock:
                self._running.add(process)
            try:
                yield process
            finally:
                with self._lock:
                    self._running.discard(process)

    def stop(self) -> None:
        """End every running process."""
        with self._lock:
            for process in self._running:
                process.kill()


def find_espeak() -> Espeak:
    """Return the installed espeak-ng; raises WakekitError where it is missing."""
    try:
        import espeakng_loader  # noqa: PLC0415
    except ImportError as error:
        raise WakekitError(
            "The corpus 'espeak' needs espeak-ng, which is not installed: pip install 'wakekit[espeak]'"
        ) from error
    return Espeak(str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path()))


def in_parallel(espeak: Espeak, make: Callable[[Item], Made], items: Sequence[Item], *, advance: Advance) -> list[Made]:
    """Return `make(item)` for every item, in order, several at a time; an error or Ctrl-C ends the workers at once."""
    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        futures = [pool.submit(make, item) for item in items]
        for future in as_completed(futures):
            future.result()
            advance()
        return [future.result() for future in futures]
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        espeak.stop()
        raise
    finally:
        pool.shutdown()
