"""Detections are matched to words so that bursts, repeats, overlaps and stream edges count as they should."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from wakekit.data import Event, Stream, StreamScores
from wakekit.events import judge_stream, keywords, match, negative_hours

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE = 0.5
Case = tuple[np.ndarray, np.ndarray, np.ndarray]


def stream(
    scores: npt.ArrayLike, events: Sequence[Sequence[Any]] = (), *, first: float = 1.5, hop: float = 0.1
) -> StreamScores:
    """Scores of a stream whose words are (start, end) or (start, end, label)."""
    words = tuple(Event(start=e[0], end=e[1], label=e[2] if len(e) > 2 else "nova", speaker="s") for e in events)
    values = np.asarray(scores, float)
    truth = Stream(audio=Path("a.wav"), duration=first + len(values) * hop, events=words)
    return StreamScores(truth, values, first, hop)


@st.composite
def layout(draw: st.DrawFn) -> Case:
    """Detections and words on a grid of eighths of a second, which float64 holds exactly, in any order."""
    times = draw(st.lists(st.integers(0, 60), max_size=12))
    words = draw(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 16)), max_size=10))
    starts = np.array([start for start, _ in words], float) / 8
    return np.array(times, float) / 8, starts, starts + np.array([length for _, length in words], float) / 8


@given(layout())
@settings(deadline=None)
def test_hits_are_as_many_as_any_matching_allows(case: Case) -> None:
    """Overlapping words are shared out as well as by scipy's bipartite matching."""
    times, starts, ends = case
    found = match(times, starts, ends, tolerance=TOLERANCE)
    inside = (times[:, None] >= starts) & (times[:, None] <= ends + TOLERANCE)
    best = 0 if not inside.size else int((maximum_bipartite_matching(csr_array(inside), perm_type="row") >= 0).sum())
    assert found.hits == best


@given(layout())
@settings(deadline=None)
def test_every_detection_has_one_outcome(case: Case) -> None:
    """A detection in a word is its one hit or a repeat of it, any other is a false accept; none is two things (T10)."""
    times, starts, ends = case
    found = match(times, starts, ends, tolerance=TOLERANCE)
    inside = (times[:, None] >= starts) & (times[:, None] <= ends + TOLERANCE)
    assert found.false_accepts == int((~inside.any(axis=1)).sum())
    owned = np.flatnonzero(found.event >= 0)
    assert inside[owned, found.event[owned]].all()
    first = found.event[owned][~found.repeat[owned]]
    assert sorted(first) == np.flatnonzero(found.hit).tolist()
    assert set(found.event[owned][found.repeat[owned]]) <= set(first)


def test_a_word_spoken_once_counts_once() -> None:
    """T10: three detections of one word are a hit and two repeats, neither three hits nor false accepts."""
    found = match(np.array([1.0, 1.2, 1.4]), np.array([0.9]), np.array([1.5]), tolerance=TOLERANCE)
    assert (found.hits, found.false_accepts, found.repeat.tolist()) == (1, 0, [False, True, True])


def test_both_ends_of_a_word_are_included() -> None:
    """A detection counts from the start of the word to `tolerance` after its end, both included."""
    found = match(np.array([0.875, 1.0, 2.5, 2.625]), np.array([1.0]), np.array([2.0]), tolerance=TOLERANCE)
    assert found.event.tolist() == [-1, 0, 0, -1]


def test_overlapping_words_go_to_the_earliest_deadline() -> None:
    """Two detections of two overlapping words hit both, where taking the word that began last would hit one."""
    found = match(np.array([1.5, 4.0]), np.array([0.0, 1.0]), np.array([5.0, 2.0]), tolerance=0.0)
    assert (found.hits, found.event.tolist()) == (2, [1, 0])


def test_hours_come_from_audio_scored() -> None:
    """T1: each score adds one hop of audio, not one window; an hour of scores is an hour."""
    scores = stream(np.zeros(36_000))
    assert negative_hours(scores, keywords(scores, "nova", tolerance=TOLERANCE)) == pytest.approx(1.0)


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)), max_size=8))
@settings(deadline=None)
def test_hours_leave_out_the_union_of_words(words: list[tuple[int, int]]) -> None:
    """Overlapping words are taken off once and clipped to what was scored, as counted on a fine grid."""
    scores = stream(np.zeros(64), [(a / 8, (a + b) / 8) for a, b in words], first=2.0, hop=0.125)
    truth = keywords(scores, "nova", tolerance=TOLERANCE)
    grid = (np.arange(64 * 16) + 0.5) * 0.125 / 16 + 1.875
    taken = ((grid[:, None] >= truth.starts) & (grid[:, None] <= truth.deadlines)).any(axis=1)
    assert negative_hours(scores, truth) * 3600 == pytest.approx((~taken).sum() * 0.125 / 16, abs=1e-9)


def test_words_that_no_score_could_hear_are_no_truth() -> None:
    """A word over before the first score or begun after the last is left out, as are other words; a cut one stays."""
    scores = stream(np.zeros(11), [(0.2, 0.9), (0.5, 1.0), (2.0, 2.2, "other"), (2.4, 3.0), (2.6, 3.0)])
    assert keywords(scores, "nova", tolerance=TOLERANCE).index.tolist() == [1, 3]


def test_judging_names_hits_repeats_false_accepts_and_misses() -> None:
    """Detections keep their score and word, a miss the highest score inside its word and who said it."""
    values = np.linspace(0, 0.6, 61)
    scores = stream(values, [(2.0, 2.5), (5.0, 5.3), (3.0, 3.4, "other")])
    result = judge_stream(scores, np.array([8, 11, 20]), "nova", tolerance=TOLERANCE)
    assert [(d.outcome, d.event) for d in result.detections] == [("hit", 0), ("repeat", 0), ("false accept", None)]
    assert result.detections[0].score == values[8]
    assert result.detections[0].seconds == pytest.approx(2.3)
    (miss,) = result.misses
    assert (miss.start, miss.speaker, result.events) == (5.0, "s", 2)
    assert miss.score == pytest.approx(values[43])
    assert result.negative_hours == pytest.approx((6.1 - 1.0 - 0.8) / 3600)


def test_a_second_word_in_the_lockout_is_a_miss() -> None:
    """T11: two words 0.6 s apart and one detection are a hit and a miss, with its score, not one word."""
    scores = stream(np.full(40, 0.9), [(2.0, 2.3), (2.6, 2.9)])
    result = judge_stream(scores, np.array([7]), "nova", tolerance=0.2)
    assert [found.outcome for found in result.detections] == ["hit"]
    assert [(miss.start, miss.end, miss.score) for miss in result.misses] == [(2.6, 2.9, 0.9)]
    assert result.events == 2


def test_a_word_between_two_scores_is_a_miss_and_an_empty_stream_nothing() -> None:
    """T3: a hop too coarse to see a word does not hide it; a stream shorter than a window has no word and no hours."""
    result = judge_stream(stream([0.1, 0.2, 0.3], [(2.1, 2.2)], hop=1.0), np.array([], np.int64), "nova", tolerance=0.1)
    assert (result.events, result.misses[0].score) == (1, 0.2)
    empty = judge_stream(stream([], [(0.1, 0.5)]), np.array([], np.int64), "nova", tolerance=0.1)
    assert (empty.events, empty.negative_hours, empty.detections) == (0, 0.0, ())
