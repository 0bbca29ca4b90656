"""The voting detector fires as its description says, the same on any chunks and at many thresholds at once."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import WakekitError
from wakekit_evaluation.vote import Vote

if TYPE_CHECKING:
    from wakekit.data import Changes

# Long and bursty, so that lockouts, falls and windows cut in two all occur.
scores_of = st.tuples(st.integers(0, 2**32), st.integers(0, 150)).map(
    lambda case: np.repeat(np.random.default_rng(case[0]).choice([0.0, 0.2, 0.35, 0.5, 0.55, 1.0], 150), 2)[
        : 2 * case[1]
    ]
)
detectors = st.builds(
    lambda window, votes, hysteresis, lockout: Vote(
        hop_seconds=0.1,
        window=window,
        votes=min(votes, window),
        hysteresis=hysteresis,
        lockout_seconds=lockout / 10,
    ),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.8, 3.0]),
    st.integers(0, 12),
)


def plain_loop(detector: Vote, threshold: float, scores: np.ndarray) -> list[int]:
    """Fire as the description says, straight from lists."""
    fired, since_armed, fell, last = [], [], False, None
    low = 0.0 if threshold == 0 else 1.0
    if 0 < threshold < 1:
        low = 1 / (1 + math.exp(-(math.log(threshold / (1 - threshold)) - detector.hysteresis)))
    for frame, score in enumerate(scores):
        if last is not None:
            fell = fell or score < low - 1e-12
            if not fell or frame - last < round(detector.lockout_seconds / detector.hop_seconds):
                continue
            last = None
        since_armed.append(score >= threshold)
        if sum(since_armed[-detector.window :]) >= detector.votes:
            fired.append(frame)
            since_armed, fell, last = [], False, frame
    return fired


@given(scores_of, detectors, st.integers(0, 20), st.lists(st.integers(0, 300), max_size=9))
@settings(deadline=None)
def test_any_chunks_give_the_detections_of_a_plain_loop(
    scores: np.ndarray, detector: Vote, twentieths: int, cuts: list[int]
) -> None:
    """However the scores are cut into calls, empty ones included, it fires where a plain loop does."""
    stream = detector.build(twentieths / 20)
    chunks = np.split(scores, sorted(min(cut, len(scores)) for cut in cuts))
    found = [frame for chunk in chunks for frame in stream.feed(chunk).tolist()]
    assert found == plain_loop(detector, twentieths / 20, scores)


def standing(changes: Changes, steps: int, before: frozenset[int] = frozenset()) -> list[list[int]]:
    """Return the detections at each of `steps` thresholds, from those before and what changes."""
    fired, found = Counter(before), []
    for step in range(steps):
        for row in np.flatnonzero(changes.rank == step).tolist():
            fired[int(changes.frame[row])] += int(changes.step[row])
        assert set(fired.values()) <= {0, 1}
        found.append(sorted(frame for frame, count in fired.items() if count))
    return found


@given(scores_of, detectors, st.lists(st.integers(0, 22), max_size=12), st.integers(0, 12))
@settings(deadline=None, max_examples=300)
def test_a_falling_threshold_fires_as_one_built_for_each(
    scores: np.ndarray, detector: Vote, twentieths: list[int], cut: int
) -> None:
    """Thresholds on scores, between them, repeated or beyond, in any number of calls, fire as they do one by one."""
    thresholds = np.sort(np.array(twentieths, float) / 20)[::-1]
    sweep, fired, found = detector.sweep(scores), frozenset[int](), []
    for part in (thresholds[:cut], thresholds[cut:]):
        found += standing(sweep.lower(part), len(part), fired)
        fired = frozenset(found[-1]) if found else fired
    assert found == [detector.build(threshold).feed(scores).tolist() for threshold in thresholds]


@given(st.integers(0, 2**32), detectors, st.integers(1, 2500))
@settings(deadline=None, max_examples=60)
def test_all_distinct_scores_of_long_streams_agree(seed: int, detector: Vote, length: int) -> None:
    """Over blocks of frames and more changes than fit at first, a random tenth of all thresholds is checked."""
    rng = np.random.default_rng(seed)
    scores = np.clip(np.repeat(rng.random(length), 3)[:length] + rng.normal(0, 0.1, length), 0, 1)
    thresholds = np.unique(scores)[::-1]
    found = standing(detector.sweep(scores).lower(thresholds), len(thresholds))
    for row in rng.integers(0, len(thresholds), 1 + len(thresholds) // 50).tolist():
        assert found[row] == detector.build(thresholds[row]).feed(scores).tolist()


def test_it_takes_k_of_n() -> None:
    """Three of five scores fire at the third, three of six do not."""
    detector = Vote(window=5, votes=3)
    assert detector.build(0.5).feed(np.array([0.9, 0, 0.9, 0, 0.9, 0])).tolist() == [4]
    assert detector.build(0.5).feed(np.array([0.9, 0, 0.9, 0, 0, 0.9])).tolist() == []


def test_a_burst_fires_once() -> None:
    """T2: ten frames above the threshold, or a hundred, are one event; it re-arms only once the score has fallen."""
    for length in (10, 100):
        scores = np.concatenate([np.full(length, 0.99), np.zeros(5)])
        assert len(Vote().build(0.5).feed(scores)) == 1


def test_hysteresis_is_in_log_odds() -> None:
    """A dip of less than `hysteresis` log-odds does not re-arm, a deeper one does, near 0.5 and near 1 alike."""
    for on in (0.5, 0.999_999):
        odds = math.log(on / (1 - on))
        for depth, events in ((0.79, 1), (0.81, 2)):
            dip = 1 / (1 + math.exp(depth - odds))
            scores = np.array([on] * 3 + [dip] + [on] * 3)
            detector = Vote(window=1, votes=1, hysteresis=0.8, lockout_seconds=0.0)
            assert len(detector.build(on).feed(scores)) == events


def test_a_word_in_the_lockout_is_not_heard() -> None:
    """T11: a second word within the lockout does not fire, one after it does."""
    burst, gap = np.full(4, 0.9), np.zeros(3)
    detector = Vote(hop_seconds=0.08, window=3, votes=3, lockout_seconds=1.0)
    soon = np.concatenate([burst, gap, burst, np.zeros(20)])
    later = np.concatenate([burst, np.zeros(11), burst])
    assert detector.build(0.5).feed(soon).tolist() == [2]
    assert detector.build(0.5).feed(later).tolist() == [2, 17]


def test_the_lockout_is_never_shorter_than_asked() -> None:
    """1 s at a hop of 0.08 s is 13 frames, 0.96 s exactly 12."""
    assert Vote(lockout_seconds=1.0).lockout_frames == 13
    assert Vote(lockout_seconds=0.96).lockout_frames == 12


def test_scores_before_the_stream_are_no_votes() -> None:
    """T12: one high first score does not fill an empty window."""
    assert Vote(window=5, votes=3).build(0.5).feed(np.array([0.9, 0.9])).tolist() == []


def test_what_makes_no_sense_is_refused() -> None:
    """More votes than scores, nan scores (which leave the stream as it was) and nan thresholds are errors."""
    with pytest.raises(ValueError, match=r"votes: expected at most window \(3\), got 4"):
        Vote(window=3, votes=4)
    stream = Vote(window=1, votes=1).build(0.5)
    with pytest.raises(WakekitError, match="nan"):
        stream.feed(np.array([0.9, np.nan]))
    assert stream.feed(np.array([0.9])).tolist() == [0]
    with pytest.raises(WakekitError, match="nan"):
        Vote().sweep(np.array([np.nan]))
    with pytest.raises(WakekitError, match="threshold"):
        Vote().build(math.nan)
