"""The sweep gives what building the detector at every distinct score and judging each stream gives."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import sweep as module
from wakekit.data import Event, Stream, StreamScores
from wakekit.errors import WakekitError
from wakekit.events import judge_stream
from wakekit.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence


@attrs.frozen
class Threshold:
    """Fires at every rise to the threshold, so that a burst is one event; has no sweep of its own."""

    hop_seconds: float = 1.0

    def build(self, threshold: float) -> _Rises:
        """Start a stream."""
        return _Rises(threshold)


class _Rises:
    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def feed(self, scores: np.ndarray) -> np.ndarray:
        above = np.concatenate([[False], scores >= self.threshold])
        return np.flatnonzero(above[1:] & ~above[:-1])


@attrs.frozen
class Swept(Threshold):
    """The same with a sweep."""

    def sweep(self, scores: np.ndarray, thresholds: np.ndarray) -> list[np.ndarray]:
        """Run each threshold."""
        return [self.build(threshold).feed(scores) for threshold in thresholds]


def stream(scores: npt.ArrayLike, events: Sequence[tuple[float, float]] = (), *, hop: float = 1.0) -> StreamScores:
    """Scores of a stream with words (start, end), the first score at second 0."""
    words = tuple(Event(start=start, end=end, label="nova") for start, end in events)
    values = np.asarray(scores, float)
    truth = Stream(audio=Path("a.wav"), duration=len(values) * hop, events=words)
    return StreamScores(truth, values, 0.0, hop)


def brute_force(detector: Threshold, streams: list[StreamScores], threshold: float) -> tuple[int, int, int, float]:
    """Judge every stream at one threshold."""
    results = [judge_stream(s, detector.build(threshold).feed(s.scores), "nova", tolerance=1.0) for s in streams]
    accepts = sum(d.outcome == "false accept" for result in results for d in result.detections)
    hits = sum(d.outcome == "hit" for result in results for d in result.detections)
    return accepts, hits, sum(r.events for r in results), sum(r.negative_hours for r in results)


words = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), max_size=4)
many = st.lists(st.tuples(st.lists(st.integers(0, 12), min_size=1, max_size=40), words), min_size=1, max_size=3)


@given(many, st.sampled_from([Threshold(), Swept()]))
@settings(deadline=None)
def test_the_sweep_is_brute_force(cases: list[tuple[list[int], list[tuple[int, int]]]], detector: Threshold) -> None:
    """Hits, false accepts, events and hours are those of judging at each distinct score, from the top down."""
    streams = [stream(np.array(s) / 12, [(a, a + b) for a, b in events]) for s, events in cases]
    curve = sweep(detector, streams, "nova", tolerance=1.0, max_fa_per_hour=1e9)
    distinct = sorted({value for s in streams for value in s.scores}, reverse=True)
    assert curve.thresholds.tolist() == distinct
    assert curve.exact
    expected = [brute_force(detector, streams, threshold) for threshold in distinct]
    assert curve.false_accepts.tolist() == [e[0] for e in expected]
    assert curve.hits.tolist() == [e[1] for e in expected]
    assert curve.events == expected[0][2]
    assert curve.hours == pytest.approx(expected[0][3])


def test_counts_that_fall_again_are_found() -> None:
    """T6: false accepts that rise to 2 and fall to 1 as a split burst closes are all seen; nothing is bisected."""
    curve = sweep(Swept(), [stream([0.1, 0.9, 0.5, 0.8, 0.1])], "nova", tolerance=1.0, max_fa_per_hour=1e6)
    assert dict(zip(curve.thresholds, curve.false_accepts, strict=True)) == {0.9: 1, 0.8: 2, 0.5: 1, 0.1: 1}


def test_a_burst_is_one_event() -> None:
    """T2: three bursts of ten frames are three false accepts, not thirty."""
    scores = np.concatenate([np.concatenate([np.full(10, 0.9), np.zeros(10)])] * 3)
    curve = sweep(Swept(), [stream(scores)], "nova", tolerance=1.0, max_fa_per_hour=1e6)
    assert curve.false_accepts[0] == 3


def test_saturated_scores_are_all_tried() -> None:
    """T5: scores that all lie in the last bin of any grid are still told apart."""
    scores = np.zeros(60)
    scores[10:60:10] = 1 - np.arange(5) * 1e-15
    curve = sweep(Swept(), [stream(scores, [(10, 10)])], "nova", tolerance=1.0, max_fa_per_hour=1e6)
    assert curve.false_accepts.tolist()[:5] == [0, 1, 2, 3, 4]
    assert curve.hits[0] == 1


def test_another_hop_than_in_use_is_refused() -> None:
    """T3: scores at a coarser hop than the detector will run at would hide false accepts."""
    with pytest.raises(WakekitError, match="expected scores every 1 s, as the detector will run"):
        sweep(Swept(), [stream([0.1, 0.2], hop=1.28)], "nova", tolerance=1.0)


def test_it_stops_only_well_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a block of thresholds that all exceed twice the limit it stops, but not before a keyword was hit."""
    monkeypatch.setattr(module, "_BLOCK", 10)
    scores = np.zeros(400)
    scores[1::2] = np.linspace(1, 0.1, 200)
    early, late = stream(scores, [(21, 21)]), stream(scores, [(391, 391)])
    curve = sweep(Swept(), [early], "nova", tolerance=0.0, max_fa_per_hour=100)
    assert curve.exact
    assert len(curve.thresholds) < curve.distinct == 201
    assert (curve.false_accepts[-10:] / curve.hours > 200).all()
    assert curve.hits[-1] == 1
    assert sweep(Swept(), [late], "nova", tolerance=0.0, max_fa_per_hour=100).hits.max() == 1
    monkeypatch.setattr(module, "_MOST", 50)
    capped = sweep(Swept(), [late], "nova", tolerance=0.0, max_fa_per_hour=100)
    assert (len(capped.thresholds), capped.exact) == (50, False)


def test_a_detector_without_sweep_is_tried_at_some_scores() -> None:
    """At most 200 of many distinct scores are tried, all of the topmost among them, and the curve says so."""
    scores = np.random.default_rng(0).random(5000)
    curve = sweep(Threshold(), [stream(scores)], "nova", tolerance=1.0, max_fa_per_hour=1e6)
    top = np.sort(scores)[::-1]
    assert not curve.exact
    assert 100 < len(curve.thresholds) <= 200
    assert curve.thresholds[:10].tolist() == top[:10].tolist()
    assert curve.thresholds[-1] == top[-1]


def test_nothing_to_sweep_and_nan_are_refused() -> None:
    """Streams shorter than a window leave nothing to choose a threshold on; nan is no score."""
    for streams in ([], [stream([])]):
        with pytest.raises(WakekitError, match="none that holds a window"):
            sweep(Swept(), streams, "nova", tolerance=1.0)
    with pytest.raises(WakekitError, match=r"nan @ a\.wav"):
        sweep(Swept(), [stream([0.1, np.nan])], "nova", tolerance=1.0)
