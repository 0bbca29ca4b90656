"""Metrics of streams count events and hours as a user meets them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest

from wakekit.data import ClipScores, Event, OperatingPoint, Results, Stream, StreamScores
from wakekit.events import judge_stream
from wakekit.intervals import garwood, wilson
from wakekit.sweep import sweep
from wakekit_evaluation.fa_per_hour import FaPerHour
from wakekit_evaluation.false_rejects import FalseRejects
from wakekit_evaluation.vote import Vote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOP = 0.08
POINT = OperatingPoint(0.5, 1.0, True, 0.0, 0, 3.0, 0.1, 1, 10, "", "c")  # noqa: FBT003
NO_CLIPS = ClipScores((), np.zeros(0), np.zeros(0, np.int64))
DETECTOR = Vote(hop_seconds=HOP, window=3, votes=2, lockout_seconds=1.0)


def stream(
    hours: float,
    bursts: Iterable[float] = (),
    words: Sequence[tuple[float, str]] = (),
    *,
    name: str = "a.wav",
    **about: Any,
) -> StreamScores:
    """A stream that scores high for 6 frames from each of the given seconds, with words (second, speaker) of 0.4 s."""
    scores = np.full(round(hours * 3600 / HOP), 0.01)
    for second in bursts:
        scores[round(second / HOP) : round(second / HOP) + 6] = 0.9
    events = tuple(Event(start=at, end=at + 0.4, label="nova", speaker=speaker) for at, speaker in words)
    return StreamScores(Stream(audio=Path(name), duration=hours * 3600, events=events, **about), scores, 0.0, HOP)


def results(*streams: StreamScores, point: OperatingPoint = POINT, detector: Vote = DETECTOR) -> Results:
    """Run the detector over the streams and judge them."""
    judged = tuple(
        judge_stream(scores, detector.build(point.threshold).feed(scores.scores), "nova", tolerance=0.5)
        for scores in streams
    )
    return Results(raw=NO_CLIPS, clips=NO_CLIPS, streams=judged, operating_point=point)


def test_bursts_are_counted_once_per_hour_scored() -> None:
    """T1, T2: three bursts of six frames in half an hour are 6 per hour, with Garwood's interval."""
    (found,) = FaPerHour().compute(results(stream(0.5, [100, 200, 300])))
    assert (found.counts["false_accepts"], found.counts["hours"]) == (3, pytest.approx(0.5))
    bound = garwood(3, 0.5)
    assert (found.value, found.low, found.high) == pytest.approx((6.0, bound.low, bound.high))
    assert found.method == "Garwood"


def test_no_false_accept_shows_no_zero() -> None:
    """T8: none in 2 h is [0, 1.84] and shows fewer than 1.5 per hour; showing the target of 1 takes 3 h."""
    (found,) = FaPerHour().compute(results(stream(2.0)))
    assert (found.value, found.low, found.high) == (0.0, 0.0, pytest.approx(1.844, abs=1e-3))
    assert found.counts["upper_95"] == pytest.approx(1.498, abs=1e-3)
    assert found.counts["hours_needed"] == pytest.approx(2.996, abs=1e-3)
    assert "fewer than 1.5 per hour" in found.note
    assert "takes 3 h" in found.note


def test_words_are_no_false_accepts_and_their_time_no_hours() -> None:
    """Hits and repeats are no false accepts, and the word's time with its tolerance is taken off the hours."""
    twice = results(stream(0.1, [50.0, 50.72], [(50.0, "s")]), detector=attrs.evolve(DETECTOR, lockout_seconds=0.4))
    assert [found.outcome for found in twice.streams[0].detections] == ["hit", "repeat"]
    (rate,), (words, _) = FaPerHour().compute(twice), FalseRejects().compute(twice)
    assert rate.value == 0.0
    assert rate.counts["hours"] * 3600 == pytest.approx(360 - 0.9)
    assert (words.value, words.counts["words"]) == (0.0, 1)


def test_composed_hours_and_silence_are_labelled() -> None:
    """The share of composed audio and of silence stands beside the rate, weighted by the audio scored."""
    found = FaPerHour().compute(
        results(stream(0.3, name="a.wav", composed="clips", silence=0.2), stream(0.1, name="b.wav"))
    )[0]
    assert found.counts["composed_share"] == pytest.approx(0.75)
    assert found.counts["silence_share"] == pytest.approx(0.15)
    assert "75% of the audio is composed, 15% is silence" in found.note


def test_recordings_get_a_clustered_interval() -> None:
    """Of several recordings, one of which has all false accepts, the clustered interval is wider than Garwood's."""
    quiet = [stream(0.1, name=f"{row}.wav") for row in range(7)]
    loud = stream(0.1, range(5, 305, 6), name="loud.wav")
    (found,) = FaPerHour().compute(results(loud, *quiet))
    assert found.counts["recordings"] == 8
    assert found.simple == (garwood(50, found.counts["hours"]).low, garwood(50, found.counts["hours"]).high)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.simple[0]
    assert found.high > found.simple[1]
    assert found.method == "Garwood and cluster bootstrap on logs"
    (silent,) = FaPerHour().compute(results(*quiet))
    assert (silent.low, silent.high, silent.method) == (*silent.simple, "Garwood")
    (one,) = FaPerHour().compute(results(*[stream(0.1, [5.0], name=f"{r}.wav", source="one") for r in range(3)]))
    assert one.method == "Garwood"


def test_a_word_in_the_lockout_is_a_false_reject() -> None:
    """T11: the second of two quick words falls into the lockout and counts as missed."""
    found = results(stream(0.1, [50.2, 50.9], [(50.0, "s"), (50.85, "s")]))
    words, _ = FalseRejects().compute(found)
    assert (words.value, words.counts) == (0.5, {"words": 2, "missed": 1, "clusters": 1})


def test_misses_are_clustered_by_speaker() -> None:
    """Ten speakers heard always or never make an interval wider than Wilson's, which stands beside it."""
    said = [(20.0 + 5 * row, f"s{row % 10}") for row in range(60)]
    bursts = [second + 0.2 for row, (second, _) in enumerate(said) if row % 10 < 5]
    words, clips = FalseRejects().compute(results(stream(0.1, bursts, said)))
    assert (words.value, words.counts["words"], words.counts["clusters"]) == (0.5, 60, 10)
    simple = wilson(30, 60)
    assert words.simple == (simple.low, simple.high)
    assert words.high - words.low > 1.5 * (simple.high - simple.low)
    assert (clips.value, clips.note) == (None, "there are no clips of the keyword")


def test_without_streams_there_is_no_value() -> None:
    """No audio without the keyword has no rate, no word no share; the notes say so."""
    (rate,), (words, _) = FaPerHour().compute(results()), FalseRejects().compute(results())
    assert (rate.value, rate.note) == (None, "there is no audio without the keyword")
    assert (words.value, words.note) == (None, "there are no words of the keyword")


def test_a_target_that_was_not_met_is_said_again() -> None:
    """T7: numbers at an operating point that missed its target carry the fact."""
    missed = attrs.evolve(POINT, reachable=False)
    found = results(stream(0.1, [50.2], [(50.0, "s")]), point=missed)
    for measure in (FaPerHour().compute(found)[0], FalseRejects().compute(found)[0]):
        assert "no threshold met the target on dev" in measure.note


def test_the_sweep_agrees_with_judging() -> None:
    """At every threshold swept, on noisy streams, the counts are those of the frozen detector."""
    rng = np.random.default_rng(0)
    streams = []
    for name in "ab":
        scores = stream(0.02, words=[(second, "s") for second in range(5, 60, 10)], name=name)
        streams.append(attrs.evolve(scores, scores=np.round(rng.random(len(scores.scores)), 2)))
    curve = sweep(DETECTOR, streams, "nova", tolerance=0.5, max_fa_per_hour=1e9)
    assert len(curve.thresholds) > 90
    for row in range(0, len(curve.thresholds), 7):
        found = results(*streams, point=attrs.evolve(POINT, threshold=float(curve.thresholds[row])))
        accepts = FaPerHour().compute(found)[0].counts
        words = FalseRejects().compute(found)[0].counts
        assert accepts["false_accepts"] == curve.false_accepts[row]
        assert words["words"] - words["missed"] == curve.hits[row]
        assert accepts["hours"] == pytest.approx(curve.hours)
