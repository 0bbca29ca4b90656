"""The sweep gives what building the detector at every distinct score and judging each stream gives."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import sweep as module
from wakekit.data import Changes, Event, Stream, StreamScores
from wakekit.dealing import evenly
from wakekit.errors import PluginError, WakekitError
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
    """The same with a sweep, which says what changed since the last threshold."""

    def sweep(self, scores: np.ndarray) -> _Changing:
        """Start above every score."""
        return _Changing(self, scores)


class _Changing:
    def __init__(self, detector: Threshold, scores: np.ndarray) -> None:
        self.detector, self.scores, self.fired = detector, scores, set[int]()

    def lower(self, thresholds: np.ndarray) -> Changes:
        rows: list[tuple[int, int, int]] = []
        for rank, threshold in enumerate(thresholds):
            fired = set(self.detector.build(threshold).feed(self.scores).tolist())
            rows += [(rank, frame, -1) for frame in self.fired - fired]
            rows += [(rank, frame, 1) for frame in fired - self.fired]
            self.fired = fired
        table = np.array(rows, np.int64).reshape(-1, 3)
        return Changes(rank=table[:, 0], frame=table[:, 1], step=table[:, 2])


def stream(
    scores: npt.ArrayLike, events: Sequence[tuple[float, float]] = (), *, hop: float = 1.0, name: str = "a.wav"
) -> StreamScores:
    """Scores of a stream with words (start, end), the first score at second 0."""
    words = tuple(Event(start=start, end=end, label="nova") for start, end in events)
    values = np.asarray(scores, float)
    truth = Stream(audio=Path(name), duration=len(values) * hop, events=words)
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
    assert curve.exact == len(distinct)
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


@given(many, st.integers(1, 3))
@settings(deadline=None)
def test_parts_add_up_to_the_whole(cases: list[tuple[list[int], list[tuple[int, int]]]], parts: int) -> None:
    """Recordings share out false accepts and hours, speakers the words; together they are the whole, block by block."""
    streams = [
        stream(np.array(s) / 12, [(a, a + b) for a, b in events], name=f"{row}.wav")
        for row, (s, events) in enumerate(cases)
    ]
    whole = sweep(Swept(), streams, "nova", tolerance=1.0, max_fa_per_hour=1e9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FIRST", 2)
        shared = sweep(Swept(), streams, "nova", tolerance=1.0, max_fa_per_hour=1e9, deal=partial(evenly, parts=parts))
    assert shared.part_hits.shape == (parts, len(whole.thresholds))
    for name in ("thresholds", "false_accepts", "hits", "events"):
        np.testing.assert_array_equal(getattr(shared, name), getattr(whole, name))
    assert shared.hours == pytest.approx(whole.hours)
    alone = sweep(Swept(), streams[::parts], "nova", tolerance=1.0, max_fa_per_hour=1e9)
    assert shared.part_hours[0] == pytest.approx(alone.hours)
    assert shared.part_false_accepts[0, -1] == alone.false_accepts[-1]


def test_pieces_of_one_recording_are_one_part() -> None:
    """Streams cut from one source are never shared out among parts."""
    rng = np.random.default_rng(0)
    streams = [stream(rng.random(50), name=f"{row}.wav") for row in range(4)]
    streams = [
        attrs.evolve(scores, stream=attrs.evolve(scores.stream, source=source))
        for scores, source in zip(streams, ["a", "a", "b", "b"], strict=True)
    ]
    shared = sweep(Swept(), streams, "nova", tolerance=1.0, max_fa_per_hour=1e9, deal=partial(evenly, parts=2))
    for part, own in enumerate((streams[:2], streams[2:])):
        alone = sweep(Swept(), own, "nova", tolerance=1.0, max_fa_per_hour=1e9)
        rows = np.searchsorted(-shared.thresholds, -alone.thresholds)
        assert shared.part_false_accepts[part, rows].tolist() == alone.false_accepts.tolist()
        assert shared.part_hours[part] == pytest.approx(alone.hours)


def test_every_score_is_tried_down_to_the_limit_then_a_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the first block that exceeds the limit lies a coarser grid, labelled as such, down to the lowest score."""
    monkeypatch.setattr(module, "_FIRST", 10)
    monkeypatch.setattr(module, "_GRID", 7)
    scores = np.zeros(4000)
    scores[1::2] = np.linspace(1, 0.1, 2000)
    streams = [stream(scores, [(21, 21)])]
    curve = sweep(Swept(), streams, "nova", tolerance=1.0, max_fa_per_hour=100)
    # 112 false accepts in 4,000 s exceed 100 an hour; blocks end at 10, 30, 70 and 150, where the grid begins.
    assert (curve.exact, curve.distinct, len(curve.thresholds)) == (151, 2001, 157)
    assert curve.exact_down_to == curve.thresholds[150]
    assert curve.thresholds[-1] == 0.0
    np.testing.assert_array_equal(curve.thresholds[:151], np.linspace(1, 0.1, 2000)[:151])
    expected = [brute_force(Swept(), streams, threshold)[0] for threshold in curve.thresholds[-7:]]
    assert curve.false_accepts[-7:].tolist() == expected


def test_corners_leave_out_what_changes_nothing() -> None:
    """Of thresholds that count the same in every part only the highest stays."""
    curve = sweep(Swept(), [stream([0.1, 0.9, 0.2, 0.9, 0.8])], "nova", tolerance=0.0, max_fa_per_hour=1e9)
    assert curve.thresholds.tolist() == [0.9, 0.8, 0.2, 0.1]
    assert curve.corners().thresholds.tolist() == [0.9, 0.2]
    assert curve.corners().exact_down_to == 0.1


def test_a_sweep_that_takes_back_what_it_never_gave_is_refused() -> None:
    """A plugin's sweep that contradicts itself inside a word is an error, not a wrong count."""

    class Wrong:
        def lower(self, thresholds: np.ndarray) -> Changes:
            none = np.zeros(1, np.int64)
            return Changes(rank=none, frame=none, step=none - len(thresholds))

    @attrs.frozen
    class Liar(Threshold):
        def sweep(self, _scores: np.ndarray) -> Wrong:
            return Wrong()

    with pytest.raises(PluginError, match="takes back a detection that it never made"):
        sweep(Liar(), [stream([0.5, 0.5], [(0, 1)])], "nova", tolerance=1.0)


def test_a_detector_without_sweep_is_tried_at_some_scores() -> None:
    """At most 200 of many distinct scores are tried, all of the topmost among them, and the curve says so."""
    scores = np.random.default_rng(0).random(5000)
    curve = sweep(Threshold(), [stream(scores)], "nova", tolerance=1.0, max_fa_per_hour=1e6)
    top = np.sort(scores)[::-1]
    assert 5 < curve.exact < 50
    assert 100 < len(curve.thresholds) <= 200
    assert curve.thresholds[:10].tolist() == top[:10].tolist()
    assert curve.thresholds[-1] == top[-1]


@attrs.frozen
class Levelled(Swept):
    """A detector that compares half of each score with its threshold, and whose sweep may say so."""

    levels: object = None

    def build(self, threshold: float) -> _Rises:
        """Start a stream."""
        return _Rises(2 * threshold)

    def sweep(self, scores: np.ndarray) -> _Changing:
        """Start above every level."""
        falling = _Changing(self, scores)
        if self.levels is not None:
            falling.levels = lambda: self.levels if isinstance(self.levels, list) else scores / 2  # type: ignore[attr-defined]
        return falling


def test_levels_that_a_sweep_offers_take_the_place_of_scores() -> None:
    """Each distinct level of all streams is tried from the top; without an offer, or without a level, scores are."""
    streams = [stream([0.1, 0.9, 0.5, 0.8, 0.1]), stream([0.6, 0.9], name="b.wav")]
    raw, none, halves = (
        sweep(Levelled(levels=levels), streams, "nova", tolerance=1.0, max_fa_per_hour=1e6)
        for levels in (None, [], "halves")
    )
    assert halves.thresholds.tolist() == [0.45, 0.4, 0.3, 0.25, 0.05]
    assert halves.false_accepts.tolist() == [2, 3, 3, 2, 2]
    assert (halves.distinct, halves.exact, halves.exact_down_to) == (5, 5, 0.05)
    assert raw.thresholds.tolist() == none.thresholds.tolist() == [0.9, 0.8, 0.6, 0.5, 0.1]
    assert raw.false_accepts.tolist() == [0, 0, 0, 0, 2]


@pytest.mark.parametrize("levels", [[[0.5]], ["0.5"], [np.nan], [None]])
def test_levels_that_are_no_numbers_are_refused(levels: list[object]) -> None:
    """What a plugin's sweep offers as levels by mistake is an error that names the detector."""
    with pytest.raises(PluginError, match=r"detector Levelled of \S+: expected the levels of its sweep, numbers"):
        sweep(Levelled(levels=levels), [stream([0.5])], "nova", tolerance=1.0)


def test_nothing_to_sweep_and_nan_are_refused() -> None:
    """Streams shorter than a window leave nothing to choose a threshold on; nan is no score."""
    for streams in ([], [stream([])]):
        with pytest.raises(WakekitError, match="none that holds a window"):
            sweep(Swept(), streams, "nova", tolerance=1.0)
    with pytest.raises(WakekitError, match=r"nan @ a\.wav"):
        sweep(Swept(), [stream([0.1, np.nan])], "nova", tolerance=1.0)
