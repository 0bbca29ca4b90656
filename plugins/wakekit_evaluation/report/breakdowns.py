"""Who and what the run fails on: tables by speaker, by SNR, by stream and by hour, the worst first.

Wilson's intervals here take a speaker's words as independent of each other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.intervals import garwood, wilson
from wakekit_evaluation.report import text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wakekit.run_folder import Run, Word

_UNKNOWN = "not stated"
_SNR_STEP = 5.0
_MOST_COLUMNS = 24


@attrs.frozen(kw_only=True)
class Table:
    """A table of ready text; the columns from `numbers_from` on hold numbers, the first names the row."""

    label: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int = 1


@attrs.frozen
class Tally:
    """How many of how many went wrong; the lower end of its interval ranks it, so that no unlucky word leads."""

    wrong: int
    of: int

    @property
    def share(self) -> str:
        """The share that went wrong."""
        return text.share(self.wrong / self.of) if self.of else text.DASH

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of Wilson's 95 % interval."""
        found = wilson(self.wrong, self.of)
        return found.low, found.high

    @property
    def interval(self) -> str:
        """The interval as text."""
        return text.interval(*self.bounds, "share") if self.of else text.DASH

    @property
    def count(self) -> str:
        """The counts, as in `3 of 17`."""
        return f"{self.wrong} of {self.of}" if self.of else text.DASH

    @property
    def rank(self) -> tuple[float, float, int]:
        """What the worst sorts first by."""
        if not self.of:
            return (0.0, 1.0, 0)
        return (-wilson(self.wrong, self.of).low, -self.wrong / self.of, -self.of)


def by_speaker(run: Run) -> Table | None:
    """Return words missed and clips below the threshold by speaker, the worst first; None where no one is named."""
    words = _tallies((word.speaker, not word.hit) for word in run.words)
    threshold = run.operating_point.threshold
    clips = _tallies((clip.speaker, clip.score < threshold) for clip in run.clips if clip.pool == "positive")
    speakers = {*words, *clips}
    if not speakers - {None}:
        return None
    nothing = Tally(0, 0)

    def rank(speaker: str | None) -> tuple[object, ...]:
        return (words.get(speaker, nothing).rank, clips.get(speaker, nothing).rank, speaker or "")

    rows = []
    for speaker in sorted(speakers, key=rank):
        streams, cut = words.get(speaker, nothing), clips.get(speaker, nothing)
        name = _UNKNOWN if speaker is None else speaker
        rows.append((name, streams.count, streams.share, streams.interval, cut.count, cut.share, cut.interval))
    return Table(
        label="Misses by speaker, worst first",
        columns=("speaker", "words missed", "share", "95 %", "clips below", "share", "95 %"),
        rows=tuple(rows),
    )


def by_snr(run: Run) -> list[tuple[float, Tally]]:
    """Return the words missed in every 5 dB of SNR, by the lower end; empty where no word carries one."""
    found: dict[float, list[bool]] = defaultdict(list)
    for word in run.words:
        if word.snr_db is not None:
            found[math.floor(word.snr_db / _SNR_STEP) * _SNR_STEP].append(not word.hit)
    return [(low, Tally(sum(found[low]), len(found[low]))) for low in sorted(found)]


def snr_table(run: Run) -> Table | None:
    """Return the words missed by SNR, lowest first; None where no word carries one."""
    rows = tuple((_span(low), tally.count, tally.share, tally.interval) for low, tally in by_snr(run))
    if not rows:
        return None
    return Table(label="Misses by signal-to-noise ratio", columns=("SNR", "words missed", "share", "95 %"), rows=rows)


def _span(low: float) -> str:
    return f"{low:g} to {low + _SNR_STEP:g} dB".replace("-", text.MINUS)


def by_stream(run: Run) -> Table | None:
    """Return what happened in each stream, most false accepts per hour first; None without streams.

    A rate's cell holds the value and, on a line of its own, Garwood's or Wilson's interval.
    """
    if not run.test.streams:
        return None

    def rank(row: Mapping[str, Any]) -> tuple[float, float, str]:
        missed = row["misses"] / row["events"] if row["events"] else 0.0
        return (-garwood(row["false_accepts"], row["hours_without_keyword"]).low, -missed, row["stream"])

    rows = []
    for row in sorted(run.test.streams, key=rank):
        accepts, hours = int(row["false_accepts"]), float(row["hours_without_keyword"])
        missed, bounds = Tally(int(row["misses"]), int(row["events"])), garwood(accepts, hours)
        rows.append(
            (
                str(row["stream"]),
                f"composed, {text.share(row['silence'])} silent" if row["composed"] else "recorded",
                text.hours(hours),
                str(accepts),
                f"{text.rate(accepts / hours)}\n{text.interval(bounds.low, bounds.high, '1/h')}"
                if hours > 0
                else text.DASH,
                missed.count,
                text.two_lines(missed.share, *missed.bounds, "share") if missed.of else text.DASH,
            )
        )
    columns = ("stream", "audio", "hours", "false accepts", "per hour", "missed", "share missed")
    return Table(label="Stream by stream, most false accepts first", columns=columns, rows=tuple(rows), numbers_from=2)


def by_hour(run: Run) -> Table | None:
    """Return the false accepts in every hour of the streams longer than one; None where there is none."""
    times: dict[str, list[float]] = defaultdict(list)
    for accept in run.false_accepts:
        times[accept.stream_id].append(accept.seconds / 3600)
    lengths = {str(row["stream_id"]): _length(run, row, times) for row in run.test.streams}
    lengths = {name: length for name, length in lengths.items() if length > 1}
    if not lengths:
        return None
    names = {str(row["stream_id"]): str(row["stream"]) for row in run.test.streams}
    step = max(1, math.ceil(max(lengths.values()) / _MOST_COLUMNS))
    starts = range(0, max(lengths.values()), step)
    columns = ["stream", *(f"hour {start + 1}" if step == 1 else f"{start + 1}–{start + step} h" for start in starts)]
    rows = [
        (names[key], *(_in_hour(times[key], start, start + step) if start < length else "" for start in starts))
        for key, length in lengths.items()
    ]
    return Table(label="False accepts by hour of each stream", columns=tuple(columns), rows=tuple(rows))


def _length(run: Run, row: Mapping[str, Any], times: Mapping[str, Sequence[float]]) -> int:
    """Return the hours that a stream spans at least, from its audio and from the last thing that happened in it."""
    name = str(row["stream_id"])
    last = [word.end / 3600 for word in run.words if word.stream_id == name] + list(times.get(name, ()))
    return max(1, math.ceil(max([float(row["hours_without_keyword"]), *last])))


def _in_hour(times: Sequence[float], start: float, end: float) -> str:
    return str(sum(start <= time < end for time in times))


def _tallies(outcomes: Iterable[tuple[str | None, bool]]) -> dict[str | None, Tally]:
    found: dict[str | None, list[bool]] = defaultdict(list)
    for name, wrong in outcomes:
        found[name].append(wrong)
    return {name: Tally(sum(wrongs), len(wrongs)) for name, wrongs in found.items()}


def missed_words(run: Run) -> list[Word]:
    """Return the words missed, those with an excerpt first, then from the lowest score up."""
    return sorted((word for word in run.words if not word.hit), key=lambda word: (not word.listen, word.score))
