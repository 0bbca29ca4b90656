"""The choice of an operating point among several settings of the detector, and what choosing makes of the numbers.

Among many settings some look better on dev than they are. How much is estimated by cross-fitting: each part of dev is
judged at the setting and threshold chosen without it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import attrs

from wakekit.data import OperatingPoint
from wakekit.dealing import evenly
from wakekit.detector_settings import settings_of
from wakekit.errors import PluginError, who
from wakekit.events import fire, judge_stream
from wakekit.operating import check, choose, pick
from wakekit.sweep import SWEPT_FA_PER_HOUR, Curve, sweep
from wakekit.units import plain_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import StreamScores
    from wakekit.kinds import Detector
    from wakekit.settings import Target

_PARTS = 5


@attrs.frozen(eq=False)
class Found:
    """The operating point, with the curve that it lies on."""

    point: OperatingPoint
    curve: Curve


def search(
    detector: Detector, streams: Sequence[StreamScores], keyword: str, target: Target, *, calibration: str
) -> Found:
    """Choose the operating point on calibrated dev streams, among the settings that the target's search names.

    Raises PluginError where the detector's sweep is not what the detector does at the threshold chosen.
    """
    tried = settings_of(detector, target.search)
    parts = _part_count(streams, keyword) if len(tried) > 1 else 1
    curves = []
    for setting in tried:
        curve = sweep(
            setting.detector,
            streams,
            keyword,
            tolerance=target.tolerance_seconds,
            max_fa_per_hour=max(SWEPT_FA_PER_HOUR, target.fa_per_hour),
            deal=partial(evenly, parts=parts),
        )
        check(curve, target)
        curves.append(curve if len(tried) == 1 else curve.corners())
    picks = [pick(curve.false_accepts, curve.hits, curve.hours, target) for curve in curves]
    best = min(range(len(picks)), key=picks.__getitem__)
    point = choose(curves[best], target, calibration=calibration)
    _confirm(tried[best].detector, streams, keyword, target, point)
    if len(tried) > 1:
        optimism = _optimism(curves, point, target)
        options = dict(tried[best].options)
        point = attrs.evolve(point, detector=options, configurations=len(tried), optimism=optimism)
    return Found(point, curves[best])


def _confirm(
    detector: Detector, streams: Sequence[StreamScores], keyword: str, target: Target, point: OperatingPoint
) -> None:
    """Raise PluginError where a detector's sweep counted something else than the detector itself does."""
    false_accepts = misses = 0
    for scores in streams:
        frames = fire(detector, point.threshold, scores)
        judged = judge_stream(scores, frames, keyword, tolerance=target.tolerance_seconds)
        false_accepts += sum(found.outcome == "false accept" for found in judged.detections)
        misses += len(judged.misses)
    if (false_accepts, misses) != (point.false_accepts, point.misses):
        raise PluginError(
            f"{who('detector', detector)}: at the threshold {point.threshold:g} its sweep counts "
            f"{point.false_accepts} false accepts and {point.misses} misses, the detector itself {false_accepts} and "
            f"{misses}"
        )


def _part_count(streams: Sequence[StreamScores], keyword: str) -> int:
    speakers = {
        scores.stream.cluster(event) for scores in streams for event in scores.stream.events if event.label == keyword
    }
    recordings = {scores.stream.recording() for scores in streams}
    return max(1, min(_PARTS, len(recordings), len(speakers)))


def _optimism(curves: Sequence[Curve], point: OperatingPoint, target: Target) -> str:
    chosen = f"Chosen on dev among {len(curves)} settings of the detector"
    hours, parts = curves[0].part_hours, len(curves[0].part_hours)
    if parts == 1 or (hours.sum() - hours <= 0).any():
        return f"{chosen}; what the choice flatters cannot be told from so few recordings and speakers."
    missed, accepted = point.events, 0
    for part in range(parts):
        picks = [
            pick(
                curve.false_accepts - curve.part_false_accepts[part],
                curve.hits - curve.part_hits[part],
                float(hours.sum() - hours[part]),
                target,
                shown=curve.hours,
            )
            for curve in curves
        ]
        best = min(range(len(picks)), key=picks.__getitem__)
        missed -= int(curves[best].part_hits[part, picks[best].row])
        accepted += int(curves[best].part_false_accepts[part, picks[best].row])
    rate = plain_number(accepted / point.hours, 3)
    return (
        f"{chosen}, which flatters it: each of {parts} parts of dev, judged at what was chosen without it, misses "
        f"{missed} of {point.events} keywords and has {accepted} false accepts ({rate} an hour), "
        f"where the choice itself shows {point.misses} and {point.false_accepts}."
    )
