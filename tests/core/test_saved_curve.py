"""The curve that a run keeps for drawing, and the excerpts that a person listens to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from wakekit.data import Event, Stream, StreamScores
from wakekit.events import judge_stream
from wakekit.excerpts import WORST, Sounds, cut
from wakekit.intervals import clustered_proportion
from wakekit.saved_curve import saved_curve
from wakekit.sweep import sweep
from wakekit_evaluation.vote import Vote

DETECTOR = Vote(window=1, votes=1)


def stream(seed: int, *, frames: int = 40_000, words: bool = True) -> StreamScores:
    """Noise with words of ten speakers."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-4, 2, frames)
    starts = np.arange(50, frames - 50, 400) if words else np.zeros(0, np.int64)
    odds[starts] += rng.normal(7, 4, len(starts))
    events = tuple(
        Event(start=s * 0.08, end=s * 0.08 + 0.2, label="nova", speaker=f"s{row % 10}")
        for row, s in enumerate(starts.tolist())
    )
    truth = Stream(audio=Path(f"{seed}.wav"), duration=frames * 0.08, events=events)
    return StreamScores(truth, 1 / (1 + np.exp(-odds)), 0.0, 0.08)


def test_points_are_few_and_each_is_what_judging_gives() -> None:
    """At most 200 of thousands of thresholds, ends included; counts and band are those of judging anew."""
    streams = [stream(0), stream(1)]
    curve = sweep(DETECTOR, streams, "nova", tolerance=0.5)
    saved = saved_curve(curve, DETECTOR, streams, "nova", tolerance=0.5, seed=3)
    assert saved is not None
    assert 50 < len(saved["thresholds"]) <= 200 < len(curve.thresholds)
    assert saved["thresholds"] == sorted(saved["thresholds"], reverse=True)
    assert saved["false_accepts"][0] == curve.false_accepts[0]
    assert saved["hits"][-1] == curve.hits[-1]
    for row in (0, len(saved["thresholds"]) // 2):
        results = [
            judge_stream(s, DETECTOR.build(saved["thresholds"][row]).feed(s.scores), "nova", tolerance=0.5)
            for s in streams
        ]
        outcomes = [found.outcome for result in results for found in result.detections]
        assert saved["false_accepts"][row] == outcomes.count("false accept")
        assert saved["hits"][row] == outcomes.count("hit")
        words = [(event, result) for result in results for event in range(result.events)]
        missed = [any(miss.event == event for miss in result.misses) for event, result in words]
        speakers = [str(result.scores.stream.events[event].speaker) for event, result in words]
        interval = clustered_proportion(missed, speakers, seed=3)
        assert saved["miss_low"][row] == pytest.approx(interval.low)
        assert saved["miss_high"][row] == pytest.approx(interval.high)


def test_neighbours_are_close_to_the_eye() -> None:
    """Between two points neither the misses nor the logarithm of the false accepts leaps where the curve does not."""
    streams = [stream(2)]
    curve = sweep(DETECTOR, streams, "nova", tolerance=0.5)
    saved = saved_curve(curve, DETECTOR, streams, "nova", tolerance=0.5, seed=0)
    assert saved is not None
    corners = curve.corners()
    longest = np.abs(np.diff(corners.hits)).max() / curve.events
    assert np.abs(np.diff(saved["hits"])).max() / curve.events <= longest + 0.05


def test_without_words_there_is_no_curve() -> None:
    """A rate of misses needs words."""
    streams = [stream(0, words=False)]
    curve = sweep(DETECTOR, streams, "nova", tolerance=0.5)
    assert saved_curve(curve, DETECTOR, streams, "nova", tolerance=0.5, seed=0) is None


def row(kind: str, at: float, score: float) -> dict[str, Any]:
    """A row of detections.jsonl."""
    if kind == "miss":
        return {"kind": "miss", "start": at, "end": at + 0.5, "score": score}
    return {"kind": "detection", "outcome": kind, "seconds": at, "score": score}


def test_excerpts_hold_the_moment(tmp_path: Path) -> None:
    """An excerpt is the stream's own samples, with the moment at `listen_at`, also at the stream's very start."""
    rate = 1000
    samples = torch.arange(20_000, dtype=torch.int16)
    rows = [row("false accept", 10.0, 0.9), row("false accept", 0.5, 0.8), row("miss", 4.0, 0.1), row("hit", 5.0, 1.0)]
    found = cut(tmp_path / "listen", rows, [0] * 4, Sounds([samples], rate))
    for told, moment in zip(found[:3], (10.0, 0.5, 4.5), strict=True):
        heard, _ = soundfile.read(tmp_path / told["listen"], dtype="int16")
        assert heard[round(told["listen_at"] * rate)] == moment * rate
    assert found[0]["listen"] == "listen/0000.flac"
    assert found[3] == {**rows[3], "listen": "", "listen_at": 0.0}
    assert len(list((tmp_path / "listen").iterdir())) == 3


def test_only_the_worst_are_cut(tmp_path: Path) -> None:
    """The loudest false accepts and the quietest misses, thirty of each."""
    rows = [row("false accept", 1.0, n / 100) for n in range(40)] + [row("miss", 1.0, n / 100) for n in range(40)]
    found = cut(tmp_path / "listen", rows, [0] * 80, Sounds([torch.zeros(9000, dtype=torch.int16)], 1000))
    chosen = {number for number, told in enumerate(found) if told["listen"]}
    assert chosen == set(range(40 - WORST, 40)) | set(range(40, 40 + WORST))
