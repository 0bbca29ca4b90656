"""Short excerpts of streams, so that false accepts and misses can be listened to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import soundfile

from wakekit.prepared import Samples

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


WORST = 30
_BEFORE, _AFTER = 2.5, 0.8
_LONGEST = 8.0


@attrs.frozen(eq=False)
class Sounds:
    """The audio of streams, in their order, at one rate in Hz."""

    samples: Sequence[Samples]
    sample_rate: int


def cut(folder: Path, rows: Sequence[dict[str, Any]], streams: Sequence[int], sounds: Sounds) -> list[dict[str, Any]]:
    """Write an excerpt around the worst of the rows into `folder`, as FLAC, and return the rows with its name.

    The worst are the 30 false accepts of the highest score and the 30 misses of the lowest; `streams` [n] says which
    stream each row is of. `listen_at` is how far into the excerpt the detector fired, or the word ended, in seconds.
    """
    chosen = _worst(rows, "false accept", sign=-1) | _worst(rows, "miss", sign=1)
    found = []
    for number, (row, stream) in enumerate(zip(rows, streams, strict=True)):
        name, at = "", 0.0
        if number in chosen:
            name = f"{folder.name}/{number:04d}.flac"
            at = _write(folder.parent / name, row, sounds.samples[stream], sounds.sample_rate)
        found.append({**row, "listen": name, "listen_at": at})
    return found


def _worst(rows: Sequence[Mapping[str, Any]], what: str, *, sign: int) -> set[int]:
    ours = [number for number, row in enumerate(rows) if what in (row["kind"], row.get("outcome"))]
    return set(sorted(ours, key=lambda number: (sign * rows[number]["score"], number))[:WORST])


def _write(path: Path, row: Mapping[str, Any], samples: Samples, rate: int) -> float:
    """Write the excerpt around a row; return where in it the moment in question lies, in seconds."""
    moment = row["seconds"] if row["kind"] == "detection" else row["end"]
    earliest = min(row["start"] - 1.0, moment - _BEFORE) if row["kind"] == "miss" else moment - _BEFORE
    first = max(0.0, earliest, moment - _LONGEST)
    piece = samples[round(first * rate) : round((moment + _AFTER) * rate)]
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, piece.numpy(), rate, subtype="PCM_16")
    return float(moment - first)
