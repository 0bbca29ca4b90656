"""The smoothing detector fires as its description says, the same on any chunks, and its sweep tries every mean."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import WakekitError
from wakekit.data import Event, Stream, StreamScores
from wakekit.events import judge_stream
from wakekit.saved_curve import saved_curve
from wakekit.search import search
from wakekit.settings import Target
from wakekit.sweep import sweep
from wakekit_evaluation.smoothed import Smoothed

if TYPE_CHECKING:
    from wakekit.data import Changes

# Few distinct scores, so that means meet thresholds exactly; saturated ones among them.
LEVELS = [0.0, 0.1, 0.3, 0.35, 0.7, 1.0]
scores_of = st.tuples(st.integers(0, 2**32), st.integers(0, 120)).map(
    lambda case: np.repeat(np.random.default_rng(case[0]).choice(LEVELS, 120), 2)[: 2 * case[1]]
)
detectors = st.builds(
    lambda window, average, refractory: Smoothed(
        hop_seconds=0.1, window=window, average=average, refractory_seconds=refractory / 10
    ),
    st.integers(1, 7),
    st.sampled_from(["probability", "log-odds"]),
    st.integers(0, 12),
)


def mean(detector: Smoothed, last: list[float]) -> float:
    """Average one window from its oldest score on."""
    if detector.average == "probability":
        total = 0.0
        for score in last:
            total += score
        return total / len(last)
    odds = 0.0
    for score in last:
        sure = min(max(score, 2.0**-53), 1 - 2.0**-53)
        odds += math.log(sure) - math.log1p(-sure)
    return 1 / (1 + math.exp(-odds / len(last)))


def plain_loop(detector: Smoothed, threshold: float, scores: np.ndarray) -> list[int]:
    """Fire as the description says, straight from lists."""
    fired: list[int] = []
    fell = False
    # Away from the bits of a sum of logarithms, which may be added up otherwise.
    near = 1e-9 if detector.average == "log-odds" else 0.0
    for frame in range(detector.window - 1, len(scores)):
        value = mean(detector, scores[frame - detector.window + 1 : frame + 1].tolist())
        if fired:
            fell = fell or value < threshold - near
            if not fell or frame - fired[-1] < round(detector.refractory_seconds / detector.hop_seconds):
                continue
        if value >= threshold - near:
            fired.append(frame)
            fell = False
    return fired


@given(scores_of, detectors, st.integers(0, 40), st.lists(st.integers(0, 240), max_size=9))
@settings(deadline=None)
def test_any_chunks_give_the_detections_of_a_plain_loop(
    scores: np.ndarray, detector: Smoothed, fortieths: int, cuts: list[int]
) -> None:
    """However the scores are cut into calls, empty ones included, it fires where a plain loop does."""
    # An odd step, as a threshold on a mean of logarithms is decided by the last bit.
    threshold = fortieths / 40 if detector.average == "probability" else (fortieths + 0.123) / 41
    stream = detector.build(threshold)
    chunks = np.split(scores, sorted(min(cut, len(scores)) for cut in cuts))
    found = [frame for chunk in chunks for frame in stream.feed(chunk).tolist()]
    assert found == plain_loop(detector, threshold, scores)


@given(st.integers(0, 2**32), detectors, st.integers(0, 300), st.lists(st.integers(0, 300), max_size=9), st.data())
@settings(deadline=None)
def test_no_bit_depends_on_chunks(
    seed: int, detector: Smoothed, length: int, cuts: list[int], data: st.DataObject
) -> None:
    """At a threshold that is one of the means, cut or not, it fires at the same frames: means do not drift."""
    rng = np.random.default_rng(seed)
    scores = rng.random(length) ** rng.choice([1, 9, 40], length)
    levels = detector.sweep(scores).levels()
    threshold = float(data.draw(st.sampled_from(levels.tolist()))) if len(levels) else 0.5
    stream = detector.build(threshold)
    chunks = np.split(scores, sorted(min(cut, length) for cut in cuts))
    found = [frame for chunk in chunks for frame in stream.feed(chunk).tolist()]
    assert found == detector.build(threshold).feed(scores).tolist()


def standing(changes: Changes, steps: int, before: frozenset[int] = frozenset()) -> list[list[int]]:
    """Return the detections at each of `steps` thresholds, from those before and what changes."""
    fired, found = Counter(before), []
    for step in range(steps):
        for row in np.flatnonzero(changes.rank == step).tolist():
            fired[int(changes.frame[row])] += int(changes.step[row])
        found.append(sorted(frame for frame, count in fired.items() if count))
        assert set(fired.values()) <= {0, 1}
    return found


@given(scores_of, detectors, st.lists(st.integers(0, 42), max_size=12), st.integers(0, 12))
@settings(deadline=None, max_examples=200)
def test_a_falling_threshold_fires_as_one_built_for_each(
    scores: np.ndarray, detector: Smoothed, fortieths: list[int], cut: int
) -> None:
    """Thresholds on means, between them or beyond, in any number of calls, fire as they do one by one."""
    levels = detector.sweep(scores).levels()
    thresholds = np.sort(np.concatenate([np.array(fortieths, float) / 40, levels]))[::-1]
    falling, fired, found = detector.sweep(scores), frozenset[int](), []
    for part in (thresholds[:cut], thresholds[cut:]):
        found += standing(falling.lower(part), len(part), fired)
        fired = frozenset(found[-1]) if found else fired
    assert found == [detector.build(threshold).feed(scores).tolist() for threshold in thresholds]


def stream(scores: np.ndarray, starts: list[int], *, name: str = "a.wav") -> StreamScores:
    """Scores every 0.1 s with words of 0.4 s that start at some of them."""
    words = tuple(Event(start=at / 10, end=at / 10 + 0.4, label="nova", speaker=f"s{at % 3}") for at in starts)
    return StreamScores(Stream(audio=Path(name), duration=len(scores) / 10, events=words), scores, 0.0, 0.1)


@given(st.lists(st.tuples(scores_of, st.lists(st.integers(0, 200), max_size=4)), min_size=1, max_size=3), detectors)
@settings(deadline=None)
def test_every_mean_is_tried_as_a_threshold(cases: list[tuple[np.ndarray, list[int]]], detector: Smoothed) -> None:
    """T5: the curve counts, at each distinct mean of all streams from the top down, what judging there counts."""
    streams = [stream(scores, starts) for scores, starts in cases]
    if not sum(len(scores) for scores, _ in cases):
        return
    curve = sweep(detector, streams, "nova", tolerance=0.5, max_fa_per_hour=1e9)
    means = {value for scores, _ in cases for value in detector.means(scores).tolist()}
    raw = {value for scores, _ in cases for value in scores.tolist()}
    assert curve.thresholds.tolist() == sorted(means or raw, reverse=True)
    assert (curve.distinct, curve.exact, curve.exact_down_to) == (len(means or raw),) * 2 + (min(means or raw),)
    for row, threshold in enumerate(curve.thresholds.tolist()):
        judged = [
            judge_stream(one, detector.build(threshold).feed(one.scores), "nova", tolerance=0.5) for one in streams
        ]
        outcomes = [found.outcome for result in judged for found in result.detections]
        assert outcomes.count("false accept") == curve.false_accepts[row]
        assert outcomes.count("hit") == curve.hits[row]


def test_the_operating_point_is_a_mean_and_agrees_with_the_detector() -> None:
    """A threshold between raw scores is found, confirmed by the detector itself, and so is the searched window."""
    scores = np.zeros(3000)
    scores[500:504] = 0.9  # the word
    scores[1000] = 1.0  # a click that no single score tells from the word
    detector = Smoothed(hop_seconds=0.1, window=4)
    streams = [stream(scores, [500]), stream(scores[2000:], [], name="b.wav")]
    target = Target(fa_per_hour=1.0, search={"window": [1, 4]})
    found = search(detector, streams, "nova", target, calibration="c")
    assert found.point.reachable
    assert (found.point.misses, found.point.false_accepts) == (0, 0)
    assert (found.point.threshold, found.point.detector) == (pytest.approx(0.9), {"window": 4})
    saved = saved_curve(found.curve, detector, streams, "nova", tolerance=0.5, seed=0)
    assert saved is not None
    assert saved["distinct"] == len(np.unique(detector.means(scores)))


def test_nothing_fires_before_the_window_is_full() -> None:
    """T12: high first scores, silence and a stream shorter than the window never fire on an empty buffer."""
    for average in ("probability", "log-odds"):
        detector = Smoothed(window=4, average=average)
        assert detector.build(0.5).feed(np.ones(3)).tolist() == []
        assert detector.build(0.5).feed(np.ones(4)).tolist() == [3]
        assert detector.build(1e-9).feed(np.zeros(100)).tolist() == []
        assert standing(detector.sweep(np.ones(3)).lower(np.array([1.0, 0.0])), 2) == [[], []]


def test_a_burst_fires_once() -> None:
    """T2: ten frames above the threshold, or a hundred, are one event."""
    for length in (10, 100):
        scores = np.concatenate([np.full(length, 0.99), np.zeros(5)])
        assert len(Smoothed().build(0.5).feed(scores)) == 1


def test_a_word_in_the_refractory_time_is_missed() -> None:
    """T11: a second word 0.8 s after the first is missed, one 1.6 s after it is heard, and 1 s is 13 frames of 0.08."""
    burst = np.full(4, 0.9)
    detector = Smoothed(hop_seconds=0.08, window=4)
    assert detector.refractory_frames == 13
    soon, later = (np.concatenate([burst, np.zeros(gap), burst, np.zeros(20)]) for gap in (6, 16))
    assert detector.build(0.8).feed(soon).tolist() == [3]
    assert detector.build(0.8).feed(later).tolist() == [3, 23]
    assert "refractory_seconds" not in Smoothed.searchable


def test_what_makes_no_sense_is_refused() -> None:
    """Nan scores (which leave the stream as it was), nan thresholds and unknown scales are errors."""
    running = Smoothed(window=2).build(0.5)
    running.feed(np.array([0.9]))
    with pytest.raises(WakekitError, match="nan"):
        running.feed(np.array([0.9, np.nan]))
    assert running.feed(np.array([0.9])).tolist() == [1]
    with pytest.raises(WakekitError, match="nan"):
        Smoothed().sweep(np.array([np.nan]))
    with pytest.raises(WakekitError, match="threshold"):
        Smoothed().build(math.nan)
    with pytest.raises(ValueError, match="average: expected one of"):
        Smoothed(average="geometric")
