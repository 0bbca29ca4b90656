"""False accepts per hour of streams, at the frozen operating point.

What is counted are events that the detector fired, and hours are those of scored audio without the keyword.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit.data import Measure
from wakekit.intervals import bootstrap, garwood, hours_needed, one_sided_upper

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from wakekit.data import Results, StreamResult

_NAME, _UNIT = "fa-per-hour", "1/h"


@attrs.frozen
class FaPerHour:
    """Measure false accepts per hour."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Return the rate with Garwood's interval and, for several recordings, with one clustered by recording."""
        streams = results.streams
        counts = _counts(streams)
        if not counts["hours"] > 0:
            note = "there is no audio without the keyword"
            return [Measure(name=_NAME, value=None, unit=_UNIT, counts=counts, note=note)]
        target = results.operating_point.target_fa_per_hour
        count, hours = int(counts["false_accepts"]), counts["hours"]
        interval = garwood(count, hours)
        counts["upper_95"], counts["hours_needed"] = one_sided_upper(count, hours), hours_needed(target)
        headline = Measure(
            name=_NAME,
            value=count / hours,
            unit=_UNIT,
            low=interval.low,
            high=interval.high,
            method=interval.method,
            counts=counts,
            note=_note(counts, target, reachable=results.operating_point.reachable),
        )
        recordings = [result.scores.stream.source or result.scores.stream.audio.as_posix() for result in streams]
        clustered = _by_recording(streams, recordings, results.seed) if len(set(recordings)) > 1 else None
        return [headline] if clustered is None else [headline, clustered]


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
        "streams": len(streams),
        "composed_share": share([float(bool(result.scores.stream.composed)) for result in streams]),
        "silence_share": share([result.scores.stream.silence for result in streams]),
    }


def _note(counts: dict[str, float], target: float, *, reachable: bool) -> str:
    parts = [f"shows fewer than {counts['upper_95']:.3g} per hour (one-sided 95 %)"]
    if counts["hours"] < counts["hours_needed"]:
        parts.append(f"showing {target:g} per hour takes {counts['hours_needed']:.3g} h without a false accept")
    if counts["composed_share"]:
        parts.append(
            f"{counts['composed_share']:.0%} of the audio is composed, {counts['silence_share']:.0%} is silence"
        )
    if not reachable:
        parts.append("no threshold met the target on dev")
    return "; ".join(parts)


def _by_recording(streams: Sequence[StreamResult], recordings: Sequence[str], seed: int) -> Measure:
    accepts = np.array([_false_accepts(result) for result in streams], np.float64)
    hours = np.array([result.negative_hours for result in streams], np.float64)

    def rate(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        spent = weights @ hours
        rates: npt.NDArray[np.float64] = np.full(len(weights), np.nan)
        np.divide(weights @ accepts, spent, out=rates, where=spent > 0)
        return rates

    interval = bootstrap(rate, recordings, seed=seed)
    known = interval is not None and interval.low < interval.high
    return Measure(
        name="fa-per-hour-by-recording",
        value=float(accepts.sum() / hours.sum()),
        unit=_UNIT,
        low=interval.low if interval is not None and known else None,
        high=interval.high if interval is not None and known else None,
        method="cluster bootstrap" if known else "",
        counts={"recordings": len(set(recordings)), "false_accepts": float(accepts.sum()), "hours": float(hours.sum())},
        note="" if known else "resampling recordings gives no interval, as every resample gives the same rate",
    )
