"""Deals the audio and the words of streams into parts that are counted apart.

Words go by who says them, so that a speaker's all come into one part; audio goes by recording, or by pieces of
recordings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wakekit.data import IntArray, StreamScores
    from wakekit.events import Words

    Deal = Callable[[Sequence[StreamScores], Sequence[Words]], "Dealt"]


@attrs.frozen(eq=False)
class Pieces:
    """The pieces of one stream: the part [k] that each belongs to, and the frames [k + 1] between which they lie."""

    parts: npt.NDArray[np.int64]
    edges: npt.NDArray[np.int64]


@attrs.frozen(eq=False)
class Dealt:
    """Who is in which part: `audio` the pieces of each stream, of `audio_parts` in all, `words` [m] of each stream."""

    audio: tuple[Pieces, ...]
    audio_parts: int
    words: tuple[npt.NDArray[np.int64], ...]
    word_parts: int


def evenly(streams: Sequence[StreamScores], truths: Sequence[Words], *, parts: int = 1) -> Dealt:
    """Deal recordings and speakers into the same number of parts, in turn."""
    recordings = numbered([scores.stream.recording() for scores in streams]) % parts
    names = [speakers(scores, truth) for scores, truth in zip(streams, truths, strict=True)]
    numbers = numbered([name for spoken in names for name in spoken]) % parts
    words = np.split(numbers, np.cumsum([len(spoken) for spoken in names])[:-1])
    audio = tuple(
        Pieces(np.array([part]), np.array([0, len(scores.scores)]))
        for part, scores in zip(recordings.tolist(), streams, strict=True)
    )
    return Dealt(audio, parts, tuple(words), parts)


def speakers(scores: StreamScores, truth: Words) -> list[str]:
    """Return who says each of the words of a stream; the recording where that is not known."""
    return [scores.stream.cluster(scores.stream.events[index]) for index in truth.index.tolist()]


def numbered(names: Sequence[str]) -> IntArray:
    """Return names as numbers from 0 in the order in which they first come."""
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], np.int64)
