"""The review list: windows of negative audio that may well be the keyword, for a person to listen to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import soundfile

from wakekit import WakekitError
from wakekit.artifacts import write_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from wakekit.prepared import Samples

_AROUND_SECONDS = 0.5


def write_review(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write `review.jsonl`, one window a line."""
    write_text(folder / "review.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def write_excerpt(path: Path, samples: Samples, *, start: int, window: int, rate: int) -> None:
    """Write a window of int16 samples with half a second on both sides, as FLAC."""
    around = round(_AROUND_SECONDS * rate)
    path.parent.mkdir(exist_ok=True)
    piece = samples[max(0, start - around) : max(0, start + window + around)]
    soundfile.write(path, piece.cpu().numpy(), rate, subtype="PCM_16")


def read_confirmed(path: Path) -> list[str]:
    """Return the ids of the windows that a person has confirmed to be negatives, from the lines of a review list.

    Raises WakekitError where there is no such file, or a line is not one of a review list.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise WakekitError(f"hard-negative-mining: cannot read confirmed, {path}: {reason}") from None
    return [_id(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _id(line: str, place: str) -> str:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise WakekitError(f"{place}: expected a line of review.jsonl, a JSON object with an 'id', got {line:.60}")
    found: str = row["id"]
    return found
