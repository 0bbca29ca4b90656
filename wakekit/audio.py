"""Read recordings and lay them end to end in one int16 file, the form in which every later stage uses them.

What is read is mono at the recipe's rate; whatever had to be done to a recording (resampled, mixed down) is counted and
told. A recording is read in blocks, so that hours of it take no more memory than a minute.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import attrs
import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import resample_poly

from wakekit.data import Clip, ImpulseResponse, Manifest, Stream
from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wakekit.progress import Progress
    from wakekit.settings import Audio

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]
Row = Clip | Stream | ImpulseResponse
_SLACK_SECONDS = 0.1
_NAMED = 5
_BLOCK_FRAMES = 1 << 19


class BadAudioError(Exception):
    """A recording that cannot be used, with the reason."""


@attrs.frozen(eq=False)
class Recording:
    """An open recording: the `frames` of it that a row takes, from where the file stands, wanted at `sample_rate`."""

    file: soundfile.SoundFile
    frames: int
    sample_rate: int

    @property
    def remarks(self) -> tuple[str, ...]:
        """What has to be done to the samples, in words."""
        remarks = []
        if self.file.channels > 1:
            remarks.append(f"mixed down from {self.file.channels} channels")
        if self.file.samplerate != self.sample_rate:
            remarks.append(f"resampled from {self.file.samplerate} Hz to {self.sample_rate} Hz")
        return tuple(remarks)

    def blocks(self) -> Iterator[Samples]:
        """Yield the samples, int16 mono, block by block, once; raises BadAudioError where they are of no use.

        The bits are those of reading and resampling the whole at once.
        """
        if self.file.subtype in ("PCM_16", "PCM_U8", "PCM_S8") and not self.remarks:
            yield from self._read("int16")
            return
        for block in resampled(self._mono(), self.file.samplerate, self.sample_rate):
            yield np.clip(np.rint(block * 32768.0), -32768, 32767).astype(np.int16)

    def _mono(self) -> Iterator[Floats]:
        for block in self._read("float32"):
            mono = block if block.ndim == 1 else block.mean(axis=1)
            if not np.isfinite(mono).all():
                raise BadAudioError("holds samples that are not finite numbers")
            yield mono

    def _read(self, dtype: str) -> Iterator[Any]:
        left = self.frames
        while left > 0:
            with _readable():
                block = self.file.read(min(left, _BLOCK_FRAMES), dtype=dtype)
            if not len(block):
                return
            left -= len(block)
            yield block


def resampled(blocks: Iterator[Floats], rate: int, wanted: int) -> Iterator[Floats]:
    """Yield the blocks of one signal at another rate, bit for bit as `scipy.signal.resample_poly` makes the whole.

    Each block is filtered together with as much of its neighbours as the filter sees.
    """
    divisor = math.gcd(rate, wanted)
    up, down = wanted // divisor, rate // divisor
    # The filter reaches 10 periods of the lower rate to each side; cuts at multiples of `down` keep its phases.
    context = down * math.ceil((10 * max(up, down) / up + 1) / down)
    held, lead = next(blocks, None), 0
    if held is None:
        return
    for block in blocks:
        held = np.concatenate([held, block])
        ready = (len(held) - context) // down * down
        if ready > lead:
            yield resample_poly(held, up, down)[lead // down * up : ready // down * up]
            kept = max(0, ready - context)
            held, lead = held[kept:], ready - kept
    yield resample_poly(held, up, down)[lead // down * up :]


@contextmanager
def open_recording(row: Row, sample_rate: int) -> Iterator[Recording]:
    """Open what a row takes of its file; raises BadAudioError where there is nothing to be had."""
    if not row.audio.is_file():
        raise BadAudioError("no such file")
    with _readable():
        file = soundfile.SoundFile(str(row.audio))
    with file:
        with _readable():
            frames = _seek(file, row)
        yield Recording(file, frames, sample_rate)


def _seek(file: soundfile.SoundFile, row: Row) -> int:
    """Go to the row's first frame and return how many it takes."""
    offset, rate = getattr(row, "offset", 0.0), int(file.samplerate)
    first = round(offset * rate)
    if not file.frames:
        raise BadAudioError("holds no audio")
    if file.frames - first < (row.duration - _SLACK_SECONDS) * rate or file.frames <= first:
        raise BadAudioError(
            f"expected audio from {offset:g} to {offset + row.duration:g} s, "
            f"but the file ends at {file.frames / rate:.3f} s"
        )
    file.seek(first)
    return round(row.duration * rate)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise BadAudioError(f"cannot be read: {' '.join(str(error).split())}") from error


def write_audio(manifest: Manifest, folder: Path, options: Audio, progress: Progress) -> Manifest:
    """Write `audio.i16` and `spans.npy` for every row, and return the manifest with content hashes and notes.

    `spans` is int64 [rows, 2], first sample and length of clips, then streams, then impulse responses. A recording that
    cannot be used ends the stage, or is left out with a note where the recipe says `bad_files = "skip"`.
    """
    rows = manifest.rows()
    spans: list[tuple[int, int]] = []
    kept: list[Row] = []
    bad: list[str] = []
    remarks: Counter[str] = Counter()
    with (folder / "audio.i16").open("wb") as file, progress.task("reading audio", len(rows)) as advance:
        for row in rows:
            advance()
            start = file.tell()
            try:
                written = _write_row(file, row, options.sample_rate)
            except BadAudioError as error:
                bad.append(f"{row.audio}: {error}")
                file.seek(start)
                file.truncate()
                continue
            remarks.update(written.remarks)
            spans.append((start // 2, written.samples))
            kept.append(attrs.evolve(row, sha256=written.sha256))
    if bad and options.bad_files == "error":
        raise WakekitError(_bad_message(bad, "mend or remove them, or set audio.bad_files = 'skip'"))
    np.save(folder / "spans.npy", np.array(spans, dtype=np.int64).reshape(-1, 2))
    notes = [f"{count} recordings {remark}" for remark, count in sorted(remarks.items())]
    notes += [_bad_message(bad, "left out, as audio.bad_files says")] if bad else []
    return _regrouped(manifest, kept, notes)


@attrs.frozen
class _Written:
    """What became of a row: how many samples, the hash of their content, and what was done to them."""

    samples: int
    sha256: str
    remarks: tuple[str, ...]


def _write_row(file: BinaryIO, row: Row, sample_rate: int) -> _Written:
    samples, content, heard = 0, hashlib.sha256(), False
    with open_recording(row, sample_rate) as recording:
        for block in recording.blocks():
            taken = block.tobytes()
            file.write(taken)
            content.update(taken)
            samples += len(block)
            heard = heard or bool(block.any())
    if not samples:
        raise BadAudioError("holds no audio")
    # Digital silence carries nothing that could leak, and any two stretches of it are alike.
    return _Written(samples, content.hexdigest() if heard else "", recording.remarks)


def _bad_message(bad: list[str], then: str) -> str:
    more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    what = "1 recording is" if len(bad) == 1 else f"{len(bad)} recordings are"
    return f"{what} unusable ({'; '.join(bad[:_NAMED])}{more}): {then}"


def _regrouped(manifest: Manifest, rows: list[Row], notes: list[str]) -> Manifest:
    def of(kind: type) -> Any:  # noqa: ANN401
        return tuple(row for row in rows if isinstance(row, kind))

    return attrs.evolve(
        manifest,
        clips=of(Clip),
        streams=of(Stream),
        impulse_responses=of(ImpulseResponse),
        notes=(*manifest.notes, *notes),
    )
