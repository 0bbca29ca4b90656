"""How what an ablation judges is dealt: speakers and units of audio, and the parts that thresholds are fitted across.

Speakers and clips go into the same parts, so that no voice helps to choose what it is judged by. Audio goes by
recording; where there are few recordings they are cut into pieces, as one recording says little about a threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit.dealing import Dealt, Pieces, numbered
from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import ClipScores, IntArray, StreamScores
    from wakekit.events import Words

_PARTS = 5
_RECORDINGS, _PIECES, _SHORTEST_SECONDS = 10, 20, 5.0


@attrs.frozen(eq=False, kw_only=True)
class Judged:
    """Who and what is judged: `speakers` and `units` by name, the part of each [j] and [u], and where they are heard.

    `parts` is how many parts there are; `dealt` counts words by speaker and audio by unit.
    """

    speakers: tuple[str, ...]
    units: tuple[str, ...]
    parts: int
    speaker_part: npt.NDArray[np.int64]
    unit_part: npt.NDArray[np.int64]
    dealt: Dealt

    def clip_parts(self, clips: ClipScores) -> IntArray:
        """Return the part of each clip [n]: its speaker's where the streams have the speaker too."""
        known = dict(zip(self.speakers, self.speaker_part.tolist(), strict=True))
        clusters = clips.clusters()
        others = numbered([name for name in clusters if name not in known]) % self.parts
        left = iter(others.tolist())
        return np.array([known[name] if name in known else next(left) for name in clusters], np.int64)


def judged(streams: Sequence[StreamScores], truths: Sequence[Words], keyword: str, *, most: int = _PARTS) -> Judged:
    """Deal the streams of a split into at most so many parts.

    Every speaker of the keyword has a number, heard or not, so that it is the same whatever a model's window.
    """
    names = sorted(
        {scores.stream.cluster(word) for scores in streams for word in scores.stream.events if word.label == keyword}
    )
    number = {name: index for index, name in enumerate(names)}
    pieces, units, recordings = _units(streams)
    few = len(set(recordings)) < _PARTS
    parts = max(1, min(most, len(names), len(units) if few else len(set(recordings))))
    dealing = np.arange(len(units)) * parts // max(1, len(units)) if few else numbered(recordings) % parts
    words = tuple(
        np.array([number[scores.stream.cluster(scores.stream.events[index])] for index in truth.index.tolist()], int)
        for scores, truth in zip(streams, truths, strict=True)
    )
    return Judged(
        speakers=tuple(names),
        units=units,
        parts=parts,
        speaker_part=np.arange(len(names)) % parts,
        unit_part=dealing,
        dealt=Dealt(pieces, len(units), words, len(names)),
    )


def _units(streams: Sequence[StreamScores]) -> tuple[tuple[Pieces, ...], tuple[str, ...], list[str]]:
    """Return the pieces of each stream, the names of all units, and the recording of each unit."""
    names = [scores.stream.recording() for scores in streams]
    whole = len(set(names)) >= _RECORDINGS
    seconds = sum(scores.scored_seconds() for scores in streams)
    length = max(_SHORTEST_SECONDS, seconds / _PIECES)
    known: dict[str, int] = {}
    recordings: list[str] = []
    found = []
    for scores, name in zip(streams, names, strict=True):
        count = 1 if whole else max(1, round(scores.scored_seconds() / length))
        edges = np.linspace(0, len(scores.scores), count + 1).astype(np.int64)
        numbers = []
        for piece in range(count):
            unit = name if whole else f"{name} {scores.stream.audio.name} {piece + 1} of {count}"
            if unit not in known:
                known[unit] = len(known)
                recordings.append(name)
            numbers.append(known[unit])
        found.append(Pieces(np.array(numbers, np.int64), edges))
    return tuple(found), tuple(known), recordings


def check_parts(found: Judged) -> None:
    """Raise WakekitError where nothing can be chosen apart from what is judged by it."""
    if found.parts < 2:  # noqa: PLR2004
        raise WakekitError(
            "judging on dev chooses thresholds on other speakers and other audio than are judged: expected streams of "
            f"dev with two speakers of the keyword and {2 * _SHORTEST_SECONDS:g} s of audio, got "
            f"{len(found.speakers)} speakers and {len(found.units)} pieces of audio"
        )
