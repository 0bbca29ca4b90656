"""The arithmetic of mining against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import Event, Stream
from wakekit_training.mining.choosing import STRETCH, choose, near, peaks
from wakekit_training.mining.hunting import Grid, free_of_keyword

tables = st.tuples(st.integers(1, 4), st.integers(0, 40)).flatmap(
    lambda shape: st.permutations(range(shape[0] * shape[1])).map(
        lambda order: np.array(order, dtype=np.float64).reshape(shape)
    )
)


@settings(max_examples=150, deadline=None)
@given(scores=tables, apart=st.integers(1, 12), least=st.integers(0, 60), holes=st.randoms(use_true_random=False))
def test_peaks_are_those_of_a_plain_search(scores: np.ndarray, apart: int, least: int, holes: object) -> None:
    """Of the local maxima of a row the highest is taken, those too near are dropped, and so on to the lowest."""
    mask = np.array([holes.random() < 0.15 for _ in range(scores.size)], dtype=bool)  # type: ignore[attr-defined]
    scores = np.where(mask.reshape(scores.shape), -np.inf, scores)
    expected = []
    for row, line in enumerate(scores):
        wall = np.concatenate([[-np.inf], line, [-np.inf]])
        tops = [k for k in range(len(line)) if wall[k + 1] > wall[k] and wall[k + 1] > wall[k + 2] and line[k] >= least]
        kept: list[int] = []
        for top in sorted(tops, key=lambda k: -line[k]):
            if all(abs(top - other) >= apart for other in kept):
                kept.append(top)
        expected += [(row, column) for column in sorted(kept)]
    found = peaks(scores, apart=apart, least=least)
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == expected


def test_a_flat_top_is_one_peak() -> None:
    """Digital silence, where every window scores the same, is one candidate and not hundreds."""
    rows, columns = peaks(np.full((2, 9), 1.5), apart=2, least=0.0)
    assert (rows.tolist(), columns.tolist()) == ([0, 1], [4, 4])


places = st.lists(st.integers(-30, 200), max_size=30).map(lambda found: np.array(found, dtype=np.int64))


@settings(max_examples=100, deadline=None)
@given(some=places, marks=places, reach=st.integers(1, 20))
def test_near_is_any_distance_below_the_reach(some: np.ndarray, marks: np.ndarray, reach: int) -> None:
    """The search equals looking at every pair."""
    expected = (np.abs(some[:, None] - marks[None]) < reach).any(axis=1)
    np.testing.assert_array_equal(near(some, marks, reach), expected)


@settings(max_examples=150, deadline=None)
@given(
    some=places, taken=places, apart=st.integers(1, 20), quota=st.integers(1, 4), most=st.integers(1, 12),
    sources=st.lists(st.integers(0, 3), min_size=30, max_size=30),
)  # fmt: skip
def test_choice_keeps_distance_and_quotas(
    some: np.ndarray, taken: np.ndarray, apart: int, quota: int, most: int, sources: list[int]
) -> None:
    """From the best down each is taken unless it is too near, its source has given enough, or there are enough."""
    kept: list[int] = []
    for index, place in enumerate(some):
        others = [*taken, *some[kept]]
        used = sum(sources[k] == sources[index] for k in kept)
        if len(kept) < most and used < quota and all(abs(place - other) >= apart for other in others):
            kept.append(index)
    home = np.array(sources[: len(some)], dtype=np.int64)
    assert choose(some, home, taken=taken, apart=apart, quota=quota, most=most).tolist() == kept


def test_files_are_never_near_each_other() -> None:
    """The end of one file and the beginning of the next are far apart on the line of places."""
    day = 24 * 3600 * 48000
    assert not near(np.array([STRETCH - 480_000]), np.array([365 * day]), 480_000).any()


@pytest.mark.parametrize("hop", [7, 10, 130])
@settings(max_examples=40, deadline=None)
@given(starts=st.lists(st.floats(0, 3), max_size=3), margin=st.integers(0, 60), jitter=st.integers(0, 40))
def test_no_mined_window_hears_a_keyword(hop: int, starts: list[float], margin: int, jitter: int) -> None:
    """A window is free exactly where no crop of it, early or late, comes within the margin of a keyword."""
    rate, window, count = 100, 50, 60
    events = tuple(Event(start=start, end=start + 0.4, label="nova") for start in starts)
    other = Event(start=1.0, end=2.0, label="other")
    stream = Stream(audio="s", duration=99, events=(*events, other))  # type: ignore[arg-type]
    grid = Grid(window=window, hop=hop, jitter=jitter, margin=margin, apart=1, least=0)
    found = free_of_keyword(stream, "nova", count, grid, rate)
    for index in range(count):
        first, last = index * hop - jitter, index * hop + jitter + window
        touched = any(last > e.start * rate - margin and first < e.end * rate + margin for e in events)
        assert bool(found[index]) is not touched
