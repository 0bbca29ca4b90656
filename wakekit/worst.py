"""Where a run is at its worst: the condition with the most misses, and the speaker missed most for certain.

The worst of many is picked from many. A speaker therefore needs words enough to count, is ranked by the lower end of an
interval so that no single unlucky word leads, and that interval holds for all speakers at once (Bonferroni). It takes
a speaker's words as independent of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from wakekit.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wakekit.data import Results

ENOUGH_WORDS = 5
_LEVEL = 0.95
_PERCENT = 100


@attrs.frozen(kw_only=True)
class WorstSpeaker:
    """The speaker missed most among the `of` with words enough; `left_out` speakers have too few.

    `name` is the recording where no speaker is known. `low` and `high` bound the miss rates of all `of` speakers at
    once at 95 %. `beyond_chance` says whether they leave out the miss rate of all words together.
    """

    name: str
    words: int
    missed: int
    low: float
    high: float
    of: int
    left_out: int
    beyond_chance: bool

    @property
    def share(self) -> float:
        """The share of the speaker's words that was missed."""
        return self.missed / self.words

    def sentence(self) -> str:
        """Return who it is and how sure that is."""
        if not self.missed:
            return f"No speaker was missed, of {self.of} with {ENOUGH_WORDS} words or more."
        among = f"of {self.of} with {ENOUGH_WORDS} words or more"
        chance = "" if self.beyond_chance else "; the rate of all words lies within, so chance may have picked it"
        return (
            f"Worst speaker is {self.name}, {among}: {self.missed} of {self.words} words missed, "
            f"{_percent(self.share)} ({_percent(_LEVEL)} for all {self.of} at once: {_number(self.low)} to "
            f"{_percent(self.high)}{chance})."
        )


def speaker_counts(results: Results) -> list[dict[str, Any]]:
    """Return how many words each speaker said in streams, and how many were missed: `speaker`, `words`, `missed`.

    Where no speaker is known the recording stands in.
    """
    found: dict[str, list[int]] = {}
    for result in results.streams:
        stream = result.scores.stream
        hits = [one.event for one in result.detections if one.outcome == "hit"]
        for outcome, events in enumerate((hits, [miss.event for miss in result.misses])):
            for event in events:
                if event is not None:
                    counts = found.setdefault(stream.cluster(stream.events[event]), [0, 0])
                    counts[0] += 1
                    counts[1] += outcome
    return [{"speaker": name, "words": words, "missed": missed} for name, (words, missed) in sorted(found.items())]


def worst_speaker(rows: Iterable[Mapping[str, Any]]) -> WorstSpeaker | None:
    """Return the worst of the rows that `speaker_counts` gives; None where fewer than two have words enough."""
    known = list(rows)
    enough = [row for row in known if row["words"] >= ENOUGH_WORDS]
    if len(enough) < 2:  # noqa: PLR2004
        return None
    level = 1 - (1 - _LEVEL) / len(enough)
    bounds = {row["speaker"]: wilson(row["missed"], row["words"], level) for row in enough}
    worst = min(
        enough, key=lambda row: (-bounds[row["speaker"]].low, -row["missed"] / row["words"], str(row["speaker"]))
    )
    found = bounds[worst["speaker"]]
    together = sum(row["missed"] for row in known) / sum(row["words"] for row in known)
    return WorstSpeaker(
        name=str(worst["speaker"]),
        words=int(worst["words"]),
        missed=int(worst["missed"]),
        low=found.low,
        high=found.high,
        of=len(enough),
        left_out=len(known) - len(enough),
        beyond_chance=found.low > together,
    )


def _percent(share: float) -> str:
    return f"{_number(share)}\u00a0%"


def _number(share: float) -> str:
    return f"{_PERCENT * share:.3g}"
