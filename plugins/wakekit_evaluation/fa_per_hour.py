"""False accepts per hour of streams, at the frozen operating point.

What is counted are events that the detector fired, and hours are those of scored audio without the keyword.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from wakekit.data import Measure
from wakekit.intervals import Interval, bootstrap, envelope, garwood, hours_needed, one_sided_upper
from wakekit.statistic import STREAMS, rate
from wakekit.units import plain_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import Results, StreamResult
    from wakekit.run_folder import Run
    from wakekit.statistic import Statistic

_NAME, _UNIT = "fa-per-hour", "1/h"


@attrs.frozen
class FaPerHour:
    """Measure false accepts per hour."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return the rate; where there are several recordings its interval accounts for how they differ.

        It is the envelope of Garwood's interval, which is left where all recordings have the same rate, and of the
        bootstrap by recording.
        """
        streams = results.streams
        counts = _counts(streams)
        if not counts["hours"] > 0:
            note = "there is no audio without the keyword"
            return [Measure(name=_NAME, value=None, unit=_UNIT, counts=counts, note=note)]
        target = results.operating_point.target_fa_per_hour
        count, hours = int(counts["false_accepts"]), counts["hours"]
        counts["upper_95"], counts["hours_needed"] = one_sided_upper(count, hours), hours_needed(target)
        simple = garwood(count, hours)
        interval = envelope(simple, _by_recording(streams, results.seed))
        return [
            Measure(
                name=_NAME,
                value=count / hours,
                unit=_UNIT,
                low=interval.low,
                high=interval.high,
                method=interval.method,
                simple=(simple.low, simple.high),
                counts=counts,
                note=_note(counts, target, reachable=results.operating_point.reachable),
            )
        ]

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return the rate in a run's streams, for comparing runs."""
        rows = run.test.streams
        hours = [row["hours_without_keyword"] for row in rows]
        return [rate(_NAME, STREAMS, [row["false_accepts"] for row in rows], hours)]


def _false_accepts(result: StreamResult) -> int:
    return sum(detection.outcome == "false accept" for detection in result.detections)


def _counts(streams: Sequence[StreamResult]) -> dict[str, float]:
    hours = math.fsum(result.negative_hours for result in streams)
    scored = math.fsum(result.scores.scored_seconds() for result in streams)

    def share(of: Sequence[float]) -> float:
        seconds = [result.scores.scored_seconds() * part for result, part in zip(streams, of, strict=True)]
        return math.fsum(seconds) / scored if scored else 0.0

    return {
        "false_accepts": sum(_false_accepts(result) for result in streams),
        "hours": hours,
        "recordings": len({result.scores.stream.recording() for result in streams}),
        "streams": len(streams),
        "composed_share": share([float(bool(result.scores.stream.composed)) for result in streams]),
        "silence_share": share([result.scores.stream.silence for result in streams]),
    }


def _note(counts: dict[str, float], target: float, *, reachable: bool) -> str:
    parts = [f"shows fewer than {plain_number(counts['upper_95'], 3)} per hour (one-sided 95 %)"]
    if counts["hours"] < counts["hours_needed"]:
        needed = plain_number(counts["hours_needed"], 3)
        parts.append(f"showing {target:g} per hour takes {needed} h without a false accept")
    if counts["composed_share"]:
        parts.append(
            f"{counts['composed_share']:.0%} of the audio is composed, {counts['silence_share']:.0%} is silence"
        )
    if not reachable:
        parts.append("no threshold met the target on dev")
    return "; ".join(parts)


def _by_recording(streams: Sequence[StreamResult], seed: int) -> Interval | None:
    """Return the interval by recording; None where resampling recordings always gives the same rate."""
    accepts = [_false_accepts(result) for result in streams]
    hours = [result.negative_hours for result in streams]
    recordings = [result.scores.stream.recording() for result in streams]
    found = bootstrap(rate(_NAME, STREAMS, accepts, hours).values, recordings, seed=seed, within=(0.0, math.inf))
    return found if found is not None and found.low < found.high else None
