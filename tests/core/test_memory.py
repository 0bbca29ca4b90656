"""Peak memory of reading and scoring long recordings, measured on the process that does it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024.0
WORK = """
import sys
from pathlib import Path
import torch
from wakekit.audio import write_audio
from wakekit.data import Manifest, Stream
from wakekit.manifest import write_manifest
from wakekit.network import Network
from wakekit.prepared import Prepared
from wakekit.progress import Silence
from wakekit.building import build_component
from wakekit.registry import installed
from wakekit.settings import Audio
from wakekit.streams import score_streams

recording, folder, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
folder.mkdir()
torch.set_num_threads(1)
made = lambda kind, **options: build_component(installed(), kind, options).value
frontend = made("frontend", type="log-mel", n_mels=10, frame_seconds=0.04, hop_seconds=0.04)
network = Network(
    frontend=frontend.build(16000), normalizer=made("normalizer", type="none").build(10),
    model=made("model", type="ds-cnn", channels=4, blocks=0).build(10, 2), window=16000,
    window_frames=25, frame_hop=640,
    sample_rate=16000, shared=True,
).eval()
manifest = Manifest(keyword="x", clips=(), streams=(Stream(audio=recording, duration=seconds, split="test"),))
write_manifest(folder / "manifest.jsonl", write_audio(manifest, folder, Audio(), Silence()))
split = Prepared(folder, folder / "manifest.jsonl", 16000).open("test")
(scored,) = score_streams(
    network, made("scorer", type="plain"), split, window=16000, hop=1280, progress=Silence()
)
assert len(scored.scores) == 1 + int((seconds - 1) / 0.08), len(scored.scores)
print(Path("/proc/self/status").read_text())
"""


def write_long(path: Path, *, seconds: int, rate: int, channels: int) -> Path:
    """Write noise, ten seconds of it over and over."""
    sound = np.random.default_rng(0).integers(-3000, 3000, (10 * rate, channels), dtype=np.int16)
    with soundfile.SoundFile(path, "w", rate, channels, subtype="PCM_16") as file:
        for _ in range(seconds // 10):
            file.write(sound)
    return path


def peak(recording: Path, seconds: int) -> float:
    """Return the peak resident memory, in MiB, of a process that reads and scores a recording."""
    command = [sys.executable, "-c", WORK, recording, recording.with_suffix(""), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert found is not None
    return int(found[1]) / MIB


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_peak_memory_does_not_grow_with_the_stream(tmp_path: Path) -> None:
    """An hour is resampled and scored in the memory that ten minutes take, give or take 24 MiB of 110 MiB of audio."""
    peaks = {
        seconds: peak(write_long(tmp_path / f"{seconds}.wav", seconds=seconds, rate=8000, channels=1), seconds)
        for seconds in (600, 3600)
    }
    print(peaks)
    assert peaks[3600] - peaks[600] < 24, peaks


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(("name", "rate", "channels"), [("mono.wav", 16000, 1), ("stereo.flac", 44100, 2)])
def test_ten_hours_stay_under_two_gibibytes(tmp_path: Path, name: str, rate: int, channels: int) -> None:
    """Ten hours, also in stereo at 44.1 kHz, are read and scored in less than 2 GiB."""
    found = peak(write_long(tmp_path / name, seconds=36_000, rate=rate, channels=channels), 36_000)
    print(found)
    assert found < 2048
