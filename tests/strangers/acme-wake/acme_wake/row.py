"""The `in-a-row` detector, without a fast sweep."""

import math

import attrs
import numpy as np
import numpy.typing as npt

from wakekit import option


@attrs.frozen
class InARow:
    """Fire when so many scores in a row reach the threshold, then rest for a while."""

    hop_seconds: float = option(0.08, above=0, at_most=1, unit="s", help="how often a score is wanted")
    scores: int = option(2, at_least=1, at_most=100, help="scores that must reach the threshold one after the other")
    rest_seconds: float = option(0.8, at_least=0, at_most=10, unit="s", help="time after firing in which it is deaf")

    def build(self, threshold: float) -> "Listening":
        """Return a detector at the start of a stream."""
        return Listening(threshold, self.scores, math.ceil(self.rest_seconds / self.hop_seconds))


class Listening:
    """The detector in the middle of a stream."""

    def __init__(self, threshold: float, wanted: int, rest: int) -> None:
        self.threshold, self.wanted, self.rest = threshold, wanted, rest
        self.frame, self.high, self.deaf = -1, 0, 0

    def feed(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Take the next scores; return the frames at which it fired."""
        fired = []
        for score in scores:
            self.frame += 1
            self.high = self.high + 1 if score >= self.threshold else 0
            if self.deaf:
                self.deaf -= 1
            elif self.high >= self.wanted:
                fired.append(self.frame)
                self.deaf = self.rest
        return np.array(fired, np.int64)
