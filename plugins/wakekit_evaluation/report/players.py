"""False accepts and misses that can be listened to: each excerpt inside the page, with its waveform and where it fired.

A path that leads out of the run's folder is not followed.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import attrs
import numpy as np
import soundfile

from wakekit_evaluation.report import text
from wakekit_evaluation.report.breakdowns import Table, missed_words

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wakekit.run_folder import FalseAccept, Run, Word

_BARS = 110
_WIDTH, _HEIGHT = 330, 48


@attrs.frozen(kw_only=True)
class Excerpt:
    """A sound inside the page: `waveform` is the path of an SVG of 330 by 48, `mark` an x in it."""

    uri: str
    waveform: str
    mark: float
    at: str


@attrs.frozen(kw_only=True)
class Card:
    """One false accept or miss; `excerpt` is None where its sound is not at hand."""

    kind: str
    stream: str
    time: str
    score: str
    details: tuple[tuple[str, str], ...]
    excerpt: Excerpt | None

    @property
    def label(self) -> str:
        """What a screen reader calls the player."""
        return f"{self.kind} at {self.time} in {self.stream}, score {self.score}"


@attrs.frozen(kw_only=True)
class Heard:
    """The first of a kind as cards, the rest as a table; `total` counts all."""

    cards: tuple[Card, ...]
    rest: Table | None
    total: int


def false_accepts(run: Run, *, most: int) -> Heard:
    """Return the false accepts from the highest score down; at most `most` that have an excerpt become cards."""
    ordered = sorted(
        run.false_accepts, key=lambda accept: (not accept.listen, -accept.score, accept.stream, accept.seconds)
    )
    first = sum(bool(accept.listen) for accept in ordered[:most])
    cards = tuple(_accept_card(run.folder, accept) for accept in ordered[:first])
    rows = [(accept.stream, text.clock(accept.seconds), text.probability(accept.score)) for accept in ordered[first:]]
    return Heard(
        cards=cards, rest=_rest("False accepts without sound", ("stream", "time", "score"), rows), total=len(ordered)
    )


def misses(run: Run, *, most: int) -> Heard:
    """Return the words missed from the lowest score up; at most `most` that have an excerpt become cards."""
    ordered = missed_words(run)
    first = sum(bool(word.listen) for word in ordered[:most])
    cards = tuple(_miss_card(run.folder, word) for word in ordered[:first])
    rows = [
        (word.stream, text.clock(word.start), text.probability(word.score), word.speaker or text.DASH, _snr(word))
        for word in ordered[first:]
    ]
    columns = ("stream", "time", "highest score", "speaker", "SNR")
    return Heard(cards=cards, rest=_rest("Misses without sound", columns, rows), total=len(ordered))


def _rest(label: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table | None:
    return Table(label=label, columns=columns, rows=tuple(rows)) if rows else None


def _accept_card(folder: Path, accept: FalseAccept) -> Card:
    return Card(
        kind="False accept",
        stream=accept.stream,
        time=text.clock(accept.seconds),
        score=text.probability(accept.score),
        details=(),
        excerpt=_excerpt(folder, accept.listen, accept.listen_at, "fired here"),
    )


def _miss_card(folder: Path, word: Word) -> Card:
    details = [("speaker", word.speaker or text.DASH)]
    if word.snr_db is not None:
        details.append(("SNR", _snr(word)))
    return Card(
        kind="Miss",
        stream=word.stream,
        time=text.clock(word.start),
        score=text.probability(word.score),
        details=tuple(details),
        excerpt=_excerpt(folder, word.listen, word.listen_at, "word ends here"),
    )


def _snr(word: Word) -> str:
    return text.DASH if word.snr_db is None else text.decibels(word.snr_db)


def _excerpt(folder: Path, name: str, at: float, what: str) -> Excerpt | None:
    """Return the sound of a file in the run's folder; None where there is none that can be played."""
    path = (folder / name).resolve()
    if not name or not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, RuntimeError):
        return None
    if not len(samples):
        return None
    seconds = len(samples) / rate
    return Excerpt(
        uri="data:audio/flac;base64," + base64.b64encode(path.read_bytes()).decode("ascii"),
        waveform=_waveform(np.abs(samples).max(axis=1)),
        mark=round(_WIDTH * min(max(at / seconds, 0.0), 1.0), 1),
        at=f"{what}, {at:.1f} s from its start",
    )


def _waveform(loud: np.ndarray[tuple[int], np.dtype[np.float32]]) -> str:
    """Return bars as one SVG path, each the loudest sample of its part."""
    parts = np.array_split(loud, min(_BARS, len(loud)))
    tops = np.array([part.max() for part in parts])
    halves = np.maximum(tops / max(float(tops.max()), 1e-6) * (_HEIGHT / 2 - 2), 0.6)
    step = _WIDTH / len(halves)
    return "".join(
        f"M{(row + 0.5) * step:.1f} {_HEIGHT / 2 - half:.1f}v{2 * half:.1f}" for row, half in enumerate(halves.tolist())
    )
