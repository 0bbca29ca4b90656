"""Read recordings and lay them end to end in one int16 file, the form in which every later stage uses them.

What is read is mono at the recipe's rate; whatever had to be done to a recording (resampled, mixed down) is counted and
told.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import resample_poly

from wakekit.data import Clip, ImpulseResponse, Manifest, Stream
from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.progress import Advance, Progress
    from wakekit.settings import Audio

Samples = npt.NDArray[np.int16]
Row = Clip | Stream | ImpulseResponse
_SLACK_SECONDS = 0.1
_NAMED = 5


class BadAudioError(Exception):
    """A recording that cannot be used, with the reason."""


@attrs.frozen(eq=False)
class Recording:
    """Samples of one row, int16 mono, with what was done to them."""

    samples: Samples
    remarks: tuple[str, ...]


def read_recording(row: Row, sample_rate: int) -> Recording:
    """Return the samples of a row at `sample_rate`; raises BadAudioError where there are none to be had."""
    offset = getattr(row, "offset", 0.0)
    if not row.audio.is_file():
        raise BadAudioError("no such file")
    try:
        with soundfile.SoundFile(str(row.audio)) as file:
            rate, subtype = file.samplerate, file.subtype
            first = round(offset * rate)
            if not file.frames:
                raise BadAudioError("holds no audio")
            if file.frames - first < (row.duration - _SLACK_SECONDS) * rate or file.frames <= first:
                raise BadAudioError(
                    f"expected audio from {offset:g} to {offset + row.duration:g} s, "
                    f"but the file ends at {file.frames / rate:.3f} s"
                )
            file.seek(first)
            exact = subtype in ("PCM_16", "PCM_U8", "PCM_S8") and rate == sample_rate and file.channels == 1
            taken = file.read(round(row.duration * rate), dtype="int16" if exact else "float32")
    except (OSError, RuntimeError) as error:
        raise BadAudioError(f"cannot be read: {' '.join(str(error).split())}") from error
    if exact:
        return Recording(taken, ())
    return _converted(taken, rate, sample_rate)


def _converted(taken: npt.NDArray[np.float32], rate: int, sample_rate: int) -> Recording:
    remarks = []
    if taken.ndim > 1:
        remarks.append(f"mixed down from {taken.shape[1]} channels")
        taken = taken.mean(axis=1)
    if not np.isfinite(taken).all():
        raise BadAudioError("holds samples that are not finite numbers")
    if rate != sample_rate:
        remarks.append(f"resampled from {rate} Hz to {sample_rate} Hz")
        divisor = np.gcd(rate, sample_rate)
        taken = resample_poly(taken, sample_rate // divisor, rate // divisor)
    samples = np.clip(np.rint(taken * 32768.0), -32768, 32767).astype(np.int16)
    return Recording(samples, tuple(remarks))


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
    position = 0
    with (folder / "audio.i16").open("wb") as file, progress.task("reading audio", len(rows)) as advance:
        for row in rows:
            try:
                recording = _checked(row, options.sample_rate, advance)
            except BadAudioError as error:
                bad.append(f"{row.audio}: {error}")
                continue
            remarks.update(recording.remarks)
            file.write(recording.samples.tobytes())
            spans.append((position, len(recording.samples)))
            position += len(recording.samples)
            kept.append(attrs.evolve(row, sha256=_content(recording.samples)))
    if bad and options.bad_files == "error":
        raise WakekitError(_bad_message(bad, "mend or remove them, or set audio.bad_files = 'skip'"))
    np.save(folder / "spans.npy", np.array(spans, dtype=np.int64).reshape(-1, 2))
    notes = [f"{count} recordings {remark}" for remark, count in sorted(remarks.items())]
    notes += [_bad_message(bad, "left out, as audio.bad_files says")] if bad else []
    return _regrouped(manifest, kept, notes)


def _checked(row: Row, sample_rate: int, advance: Advance) -> Recording:
    advance()
    recording = read_recording(row, sample_rate)
    if not len(recording.samples):
        raise BadAudioError("holds no audio")
    return recording


def _bad_message(bad: list[str], then: str) -> str:
    more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
    what = "1 recording is" if len(bad) == 1 else f"{len(bad)} recordings are"
    return f"{what} unusable ({'; '.join(bad[:_NAMED])}{more}): {then}"


def _content(samples: Samples) -> str:
    # Digital silence carries nothing that could leak, and any two stretches of it are alike.
    return hashlib.sha256(samples.tobytes()).hexdigest() if samples.any() else ""


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
