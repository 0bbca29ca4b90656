"""The checks of detectors catch what they are there for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import pytest

from tests.testing.support import failures_on
from wakekit import option
from wakekit.data import Changes

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.data import FloatArray


class Stream:
    """Fires where a score reaches the threshold, and not for some frames after."""

    wait = 20

    def __init__(self, threshold: float) -> None:
        self.threshold, self.frame, self.last = threshold, 0, -1000

    def feed(self, scores: FloatArray) -> list[int]:
        """Take scores, return frames."""
        fired = []
        for score in scores:
            if score >= self.threshold and self.frame - self.last >= self.wait:
                fired.append(self.frame)
                self.last = self.frame
            self.frame += 1
        return fired


@attrs.frozen
class Good:
    """A threshold and a wait."""

    hop_seconds: float = option(0.1, above=0, at_most=1, unit="s", help="hop")

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return Stream(threshold)


class Forgetting(Stream):
    """Forgets when it fired."""

    def feed(self, scores: FloatArray) -> list[int]:
        """Take scores, return frames."""
        self.last = -1000
        return super().feed(scores)


@attrs.frozen
class Chunked(Good):
    """Depends on chunks."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return Forgetting(threshold)


class SharedState(Stream):
    """Keeps when it fired for all streams."""

    LAST: ClassVar[dict[str, int]] = {}

    def feed(self, scores: FloatArray) -> list[int]:
        """Take scores, return frames."""
        self.last = self.LAST.get("last", -1000) if self.frame else -1000
        fired = super().feed(scores)
        self.LAST["last"] = self.last
        return fired


@attrs.frozen
class Shared(Good):
    """Streams share a state."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return SharedState(threshold)


class PastStream(Stream):
    """Says that it fired some frames before it did."""

    def feed(self, scores: FloatArray) -> list[int]:
        """Take scores, return frames."""
        return [max(0, frame - 5) for frame in super().feed(scores)]


@attrs.frozen
class Backdated(Good):
    """Fires before it heard."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return PastStream(threshold)


@attrs.frozen
class Deaf(Good):
    """Never fires."""

    def build(self, _threshold: float) -> Any:
        """Begin a stream."""
        return Stream(2.0)


class Startled(Stream):
    """Fires at the first frame."""

    def feed(self, scores: FloatArray) -> list[int]:
        """Take scores, return frames."""
        begun = self.frame
        fired = super().feed(scores)
        return [0, *[frame for frame in fired if frame]] if begun == 0 and len(scores) else fired


@attrs.frozen
class Nervous(Good):
    """Fires on an empty buffer (T12)."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return Startled(threshold)


class Impatient(Stream):
    """Fires at every frame."""

    wait = 1


@attrs.frozen
class PerFrame(Good):
    """An event per frame (T2)."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return Impatient(threshold)


class Scribe(Stream):
    """Writes into the scores."""

    def feed(self, scores: FloatArray) -> list[int]:
        """Take scores, return frames."""
        scores[:0] = 0
        return super().feed(scores)


@attrs.frozen
class Writing(Good):
    """Writes into the scores."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return Scribe(threshold)


@attrs.frozen
class Hopless(Good):
    """A hop that is no number."""

    hop_seconds: Any = option("0.1", help="hop")


@attrs.frozen
class Hiding(Good):
    """Lets a search vary its lockout (T11)."""

    searchable: ClassVar[tuple[str, ...]] = ("lockout_seconds",)
    lockout_seconds: float = option(1.0, at_least=0, unit="s", help="lockout")


class Every:
    """A sweep in which every score that reaches the threshold is a detection."""

    def __init__(self, scores: FloatArray) -> None:
        self.scores, self.below = scores, np.inf

    def lower(self, thresholds: FloatArray) -> Changes:
        """Return the scores that each threshold newly reaches."""
        rows = []
        for rank, threshold in enumerate(thresholds):
            rows += [(rank, frame) for frame in np.flatnonzero((self.scores >= threshold) & (self.scores < self.below))]
            self.below = threshold
        table = np.array(rows, np.int64).reshape(-1, 2)
        return Changes(rank=table[:, 0], frame=table[:, 1], step=np.ones(len(table), np.int64))


@attrs.frozen
class Otherwise(Good):
    """Its sweep knows nothing of the wait."""

    def sweep(self, scores: FloatArray) -> Any:
        """Begin a sweep."""
        return Every(scores)


class Coarse(Every):
    """Offers too few levels."""

    def levels(self) -> FloatArray:
        """Return the ends."""
        return np.array([self.scores.min(), self.scores.max()])


@attrs.frozen
class FewLevels(PerFrame):
    """Its sweep is right, its levels are not all."""

    def sweep(self, scores: FloatArray) -> Any:
        """Begin a sweep."""
        return Coarse(scores)


@attrs.frozen
class Stubborn(Good):
    """Has a threshold of its own."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        del threshold
        return Stream(0.5)


@attrs.frozen
class Upside(Good):
    """Takes the threshold for how much may be missing."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return Stream(1 - threshold)


class OneArray(Stream):
    """Returns a part of one array, which it writes into again."""

    def __init__(self, threshold: float) -> None:
        super().__init__(threshold)
        self.array = np.zeros(1000, np.int64)

    def feed(self, scores: FloatArray) -> Any:
        """Take scores, return frames."""
        fired = super().feed(scores)
        self.array[: len(fired)] = fired
        return self.array[: len(fired)]


@attrs.frozen
class Reusing(Good):
    """Returns what it changes later."""

    def build(self, threshold: float) -> Any:
        """Begin a stream."""
        return OneArray(threshold)


def test_a_good_one_passes(tmp_path: Path) -> None:
    """No false alarm, for a detector without a sweep."""
    assert failures_on("detector", Good, tmp_path) == {}


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (Chunked, "chunking-free", "cut into pieces"),
        (Backdated, "chunking-free", "which is not there"),
        (Shared, "streams-are-their-own", "side by side"),
        (Deaf, "hears-and-keeps-still", "do not make it fire"),
        (Nervous, "hears-and-keeps-still", "fires on zeros"),
        (Reusing, "chunking-free", "changes as it is fed more"),
        (Stubborn, "threshold-decides", "at the same frames at all thresholds"),
        (Upside, "threshold-decides", "of five seconds of 0.3 it fires"),
        (PerFrame, "a-burst-is-no-event-per-frame", "10 events"),
        (Writing, "scores-untouched", "read-only"),
        (Hopless, "hop-is-stated", "expected hop_seconds above 0"),
        (Hiding, "search-varies-no-lockout", "hides words"),
        (Otherwise, "sweep-is-the-detector", "its sweep has"),
        (FewLevels, "levels-are-all", "detections change"),
    ],
)
def test_a_broken_one_is_caught(tmp_path: Path, cls: type, check: str, words: str) -> None:
    """Each mistake fails the check that is meant for it."""
    found = failures_on("detector", cls, tmp_path, only=[check])
    assert words in found.get(check, "passed"), found
