"""The wait from a word's end to its detection, with an honest interval, and the cost in units a person reads."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tests.report_support import write_json
from wakekit.data import ClipScores, Cost, Event, OperatingPoint, Results, Stream, StreamScores, as_json
from wakekit.events import judge_stream
from wakekit.measured import measured
from wakekit.run_folder import read_run
from wakekit.units import large_amount
from wakekit_evaluation.latency import Latency, _between_ranks, _quantile
from wakekit_evaluation.report import text
from wakekit_evaluation.report.headline import sentences
from wakekit_evaluation.vote import Vote

if TYPE_CHECKING:
    from collections.abc import Sequence

HOP = 0.1
POINT = OperatingPoint(0.5, 1.0, True, 0.0, 0, 3.0, 0.1, 1, 10, "", "c")  # noqa: FBT003
NO_CLIPS = ClipScores((), np.zeros(0), np.zeros(0, np.int64))
COST = Cost(
    parameters=23153, macs_per_second=3.2e6, model_bytes=94212, seconds_per_score=0.004, calls=50, hop_seconds=0.08,
    window_seconds=1.2, latency_seconds=0.16, device="cpu", threads=2,
)  # fmt: skip


def results(delays: Sequence[float | None], speakers: Sequence[str], cost: Cost | None = None) -> Results:
    """Return words of 0.5 s every 10 s that are heard so many frames of 0.1 s after their end, or not at all."""
    scores = np.zeros(100 * (1 + len(delays)))
    for number, delay in enumerate(delays):
        if delay is not None:
            scores[100 * number + 55 + round(delay / HOP)] = 0.9
    events = tuple(
        Event(start=10 * number + 5, end=10 * number + 5.5, label="nova", speaker=speaker)
        for number, speaker in enumerate(speakers)
    )
    stream = Stream(audio=Path("a.wav"), duration=len(scores) * HOP, events=events)
    heard = StreamScores(stream, scores, 0.0, HOP)
    frames = Vote(hop_seconds=HOP, window=1, votes=1).build(0.5).feed(scores)
    judged = judge_stream(heard, frames, "nova", tolerance=4.0)
    return Results(raw=NO_CLIPS, clips=NO_CLIPS, streams=(judged,), operating_point=POINT, cost=cost)


def test_waits_run_from_the_words_end_over_words_heard() -> None:
    """A word heard before its end counts below 0, a missed one not at all, a repeat not again."""
    found = results([-0.2, 0.3, None, 0.5, 2.0], ["a", "b", "c", "d", "e"])
    median, tail = measured("late", Latency(), found)
    assert (median.value, tail.value) == (pytest.approx(0.3), pytest.approx(2.0))
    assert (median.unit, median.counts) == ("s", {"words": 4, "clusters": 4})
    assert median.low is None
    assert "too few words" in median.note


def test_words_that_are_all_missed_have_no_wait() -> None:
    """Without a hit there is no number but a note, never 0."""
    for measure in Latency().compute(results([None, None], ["a", "b"])):
        assert (measure.value, measure.low, measure.note) == (None, None, "no word was heard")


@given(st.lists(st.floats(-2, 9), min_size=1, max_size=120), st.sampled_from([0.5, 0.95]), st.integers(0, 2**32))
@settings(deadline=None)
def test_percentiles_are_numpys_by_nearest_rank(values: list[float], share: float, seed: int) -> None:
    """Plain and under whole-number weights, as resampling gives them, they are NumPy's `inverted_cdf`."""
    waits = np.array(values)
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(waits)))
    weights[0] = 1
    found = _quantile(waits, share)(weights.astype(float))
    for row, times in zip(found, weights, strict=True):
        repeated = np.repeat(waits, times)
        if len(repeated):
            assert row == np.quantile(repeated, share, method="inverted_cdf")
        else:
            assert np.isnan(row)


@pytest.mark.parametrize(("count", "share"), [(6, 0.5), (25, 0.5), (300, 0.5), (72, 0.95), (300, 0.95)])
def test_the_simple_interval_covers_what_it_says(count: int, share: float) -> None:
    """By the binomial distribution the two ranks hold the quantile in at least 95 %, and one rank less would not."""
    found = _between_ranks(np.arange(count, dtype=float), share)
    assert found is not None
    low, high = round(found.low) + 1, round(found.high) + 1
    below = binom(count, share)
    assert below.cdf(high - 1) - below.cdf(low - 1) >= 0.95
    assert below.cdf(low - 1) <= 0.025 < below.cdf(low)
    assert below.sf(high - 1) <= 0.025 < below.sf(high - 2)


@pytest.mark.parametrize(("count", "share"), [(0, 0.5), (5, 0.5), (71, 0.95)])
def test_too_few_words_give_no_interval(count: int, share: float) -> None:
    """Where no two ranks hold the quantile in 95 %, no interval is made up."""
    assert _between_ranks(np.arange(count, dtype=float), share) is None


def test_speakers_widen_the_interval() -> None:
    """Ten speakers who are each always early or late bound the median wider than as many unrelated words."""
    rng = np.random.default_rng(0)
    speakers = [f"s{number % 10}" for number in range(120)]
    delays = [float(0.1 * (number % 10) + 0.1 * rng.integers(0, 2)) for number in range(120)]
    median, _ = Latency().compute(results(delays, speakers))
    alone, _ = Latency().compute(results(delays, [f"p{number}" for number in range(120)]))
    assert median.method == "order statistics and cluster bootstrap"
    for measure in (median, alone):
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low <= measure.value <= measure.high  # type: ignore[operator]
    assert median.high - median.low > alone.high - alone.low  # type: ignore[operator]


def test_statistics_give_the_measures_again() -> None:
    """From a run's words, missed ones among them, weights of 1 give what was recorded."""
    delays = [0.1, None, 0.4, 0.9, None, 0.2]
    found = Latency().compute(results(delays, list("abcdef")))
    words = [
        SimpleNamespace(hit=delay is not None, end=5.5, detected=None if delay is None else 5.5 + delay)
        for delay in delays
    ]
    run: Any = SimpleNamespace(words=words)
    again = Latency().statistics(run)
    assert [one.measure for one in again] == [one.name for one in found]
    for statistic, measure in zip(again, found, strict=True):
        assert statistic.values(np.ones((1, 6)))[0] == pytest.approx(measure.value)
    weights = np.array([[0.0, 1, 0, 0, 1, 0]])
    assert np.isnan(again[0].values(weights)[0])
    deaf: Any = SimpleNamespace(words=[SimpleNamespace(hit=False, end=1.0, detected=None)])
    assert np.isnan(Latency().statistics(deaf)[0].values(np.ones((1, 1)))[0])


def test_the_cost_stands_beside_the_wait() -> None:
    """Compute, counts and bytes carry their units, and the scorer's own delay is told with the wait."""
    found = {one.name: one for one in measured("late", Latency(), results([0.3] * 9, list("abcdefghi"), COST))}
    assert found["real-time-factor"].value == pytest.approx(0.05)
    assert "with nothing kept from the one before, threads: 2, cpu" in found["real-time-factor"].note
    assert found["time-to-detect"].note == "0.16 s of it is the scorer's"
    said = {name: text.amount(one.value, one.unit).replace("\u00a0", " ") for name, one in found.items()}
    assert said["macs"] == "3.2 MMAC/s"
    assert said["parameters"] == "23153"
    assert said["model-size"] == "94.21 kB"
    assert said["compute-per-score"] == "0.004 s"
    assert said["real-time-factor"] == "0.05 s per s of audio"


def test_large_amounts_are_written_with_prefixes() -> None:
    """Bytes and multiply-accumulates from one to billions; other units are left to others."""
    assert [large_amount(value, "B") for value in (0, 999, 1000, 2.5e6, 4e9)] == [
        "0 B",
        "999 B",
        "1 kB",
        "2.5 MB",
        "4 GB",
    ]
    assert large_amount(1.0, "s") is None


def test_the_report_says_what_a_scorer_that_looks_back_costs(folder: Path) -> None:
    """One sentence where the scorer is late, none where it is not or where nothing was measured."""
    assert not any("scorer" in one.text for one in sentences(read_run(folder)))
    for late, told in ((0.16, 1), (0.0, 0)):
        write_json(folder / "cost.json", as_json(attrs.evolve(COST, latency_seconds=late)))
        said = [one.text for one in sentences(read_run(folder)) if "scorer" in one.text]
        assert len(said) == told
        assert all("0.16 s later" in one for one in said)
