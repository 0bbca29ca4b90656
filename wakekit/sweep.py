"""Counts hits and false accepts of a detector at every threshold that matters.

Counts of events are not monotone in the threshold (a long burst splits in two), so every distinct score is tried from
the top down; nothing is bisected, and no grid is laid over scores that may all lie near 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit.errors import WakekitError
from wakekit.events import keywords, match_sorted, negative_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wakekit.data import FloatArray, IntArray, StreamScores
    from wakekit.events import Words
    from wakekit.kinds import Detector

_BLOCK = 256
_MOST = 100_000
_MOST_WITHOUT_SWEEP = 200
_BEYOND = 2.0


@attrs.frozen(eq=False)
class Curve:
    """What a detector does at each threshold, from the highest down: `false_accepts` [n], `hits` [n] of `events`.

    `hours` are free of keywords. `distinct` is how many distinct scores there are, and `exact` says that every one that
    could give at most `max_fa_per_hour` was tried. Points beyond that are there only as far as the search went.
    """

    thresholds: npt.NDArray[np.float64]
    false_accepts: npt.NDArray[np.int64]
    hits: npt.NDArray[np.int64]
    events: int
    hours: float
    max_fa_per_hour: float
    distinct: int
    exact: bool


def sweep(
    detector: Detector,
    streams: Sequence[StreamScores],
    keyword: str,
    *,
    tolerance: float,
    max_fa_per_hour: float = 100.0,
) -> Curve:
    """Run a detector over calibrated streams at every distinct score from the top down; `tolerance` is in seconds.

    It stops after 256 thresholds in a row that all exceed twice `max_fa_per_hour`, once a keyword was hit, and at the
    latest after 100,000. A detector without `sweep` is tried at 200 scores at most, closest together at the top.
    Raises WakekitError where there is nothing to sweep, or the scores are not at the detector's hop: a coarser hop than
    in use would hide false accepts.
    """
    _check(detector, streams)
    truths = [keywords(scores, keyword, tolerance=tolerance) for scores in streams]
    hours = sum(negative_hours(scores, truth) for scores, truth in zip(streams, truths, strict=True))
    distinct = np.unique(np.concatenate([scores.scores for scores in streams]))[::-1]
    thresholds = distinct[:_MOST] if hasattr(detector, "sweep") else _spread(distinct)
    blocks: list[IntArray] = []
    exact = len(thresholds) == len(distinct)
    for start in range(0, len(thresholds), _BLOCK):
        counts = _count(_detections(detector), streams, truths, thresholds[start : start + _BLOCK])
        blocks.append(counts)
        beyond = (counts[0] > _BEYOND * max_fa_per_hour * hours).all()
        if beyond and any(block[1].any() for block in blocks):
            exact = exact or hasattr(detector, "sweep")
            break
    false_accepts, hits = np.concatenate(blocks, axis=1)
    events = sum(len(truth.index) for truth in truths)
    return Curve(thresholds[: len(hits)], false_accepts, hits, events, hours, max_fa_per_hour, len(distinct), exact)


def _spread(distinct: FloatArray) -> FloatArray:
    """Return at most 200 of the distinct scores, from the highest down, closest together at the top."""
    if len(distinct) <= _MOST_WITHOUT_SWEEP:
        return distinct
    ranks = np.geomspace(1, len(distinct), _MOST_WITHOUT_SWEEP).astype(np.int64)
    return distinct[np.unique(ranks) - 1]


def _check(detector: Detector, streams: Sequence[StreamScores]) -> None:
    if not any(len(scores.scores) for scores in streams):
        raise WakekitError("expected streams to choose a threshold on, got none that holds a window; add some to dev")
    for scores in streams:
        where = scores.stream.audio.as_posix()
        if abs(scores.hop_seconds - detector.hop_seconds) > 1e-9:  # noqa: PLR2004
            raise WakekitError(
                f"expected scores every {detector.hop_seconds:g} s, as the detector will run, "
                f"got one every {scores.hop_seconds:g} s @ {where}"
            )
        if np.isnan(scores.scores).any():
            raise WakekitError(f"expected scores, got nan @ {where}")


def _count(
    detections: Callable[[FloatArray, FloatArray], Sequence[IntArray]],
    streams: Sequence[StreamScores],
    truths: Sequence[Words],
    thresholds: FloatArray,
) -> IntArray:
    counts = np.zeros((2, len(thresholds)), np.int64)
    for scores, truth in zip(streams, truths, strict=True):
        for column, frames in enumerate(detections(scores.scores, thresholds)):
            matching = match_sorted(scores.times(frames), truth.starts, truth.deadlines)
            counts[:, column] += matching.false_accepts, matching.hits
    return counts


def _detections(detector: Detector) -> Callable[[FloatArray, FloatArray], Sequence[IntArray]]:
    own: Callable[[FloatArray, FloatArray], Sequence[IntArray]] | None = getattr(detector, "sweep", None)
    if own is not None:
        return own
    return lambda scores, thresholds: [detector.build(float(threshold)).feed(scores) for threshold in thresholds]
