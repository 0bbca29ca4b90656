"""The sweep over all thresholds beside a plain loop that does the same, one threshold and one frame after the other."""

from __future__ import annotations

import math
import time
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import pytest

from wakekit.data import Event, Stream, StreamScores
from wakekit.sweep import sweep
from wakekit_evaluation.smoothed import Smoothed
from wakekit_evaluation.vote import Vote

HOP = 0.08


def stream(seed: int, *, hours: float) -> StreamScores:
    """Scores every 0.08 s: smoothed noise in log-odds, a word every three minutes that most often scores high."""
    rng = np.random.default_rng(seed)
    frames = int(hours * 3600 / HOP)
    odds = np.convolve(rng.normal(-6, 4, frames), np.ones(4) / 2, "same")
    starts = np.arange(100, frames - 100, int(180 / HOP))
    for offset in range(8):
        odds[starts + offset] += rng.normal(8, 3, len(starts))
    events = tuple(Event(start=s * HOP, end=s * HOP + 0.6, label="nova", speaker=f"s{s % 40}") for s in starts.tolist())
    truth = Stream(audio=Path(f"{seed}.wav"), duration=frames * HOP, events=events)
    return StreamScores(truth, 1 / (1 + np.exp(-odds)), 0.0, HOP)


def plain_loop(scores: list[float], detector: Vote | Smoothed, threshold: float) -> int:
    """Count detections as a straight reading of the detector's description does."""
    return voted(scores, detector, threshold) if isinstance(detector, Vote) else smoothed(scores, detector, threshold)


def smoothed(scores: list[float], detector: Smoothed, threshold: float) -> int:
    """Count the detections of a moving average with a refractory time."""
    armed, fell, last, count = True, False, 0, 0
    for frame in range(detector.window - 1, len(scores)):
        # Added up one by one: Python's own sum corrects its rounding.
        mean = reduce(add, scores[frame + 1 - detector.window : frame + 1]) / detector.window
        if not armed:
            fell = fell or mean < threshold
            armed = fell and frame - last >= detector.refractory_frames
        if armed and mean >= threshold:
            armed, fell, last, count = False, False, frame, count + 1
    return count


def voted(scores: list[float], detector: Vote, threshold: float) -> int:
    """Count the detections of votes with hysteresis and a lockout."""
    low = 1 / (1 + math.exp(-(math.log(threshold / (1 - threshold)) - detector.hysteresis)))
    window: list[bool] = []
    armed, fell, last, count = True, False, 0, 0
    for frame, score in enumerate(scores):
        if not armed:
            fell = fell or score < low
            armed = fell and frame - last >= detector.lockout_frames
            if not armed:
                continue
        window = [*window[1 - detector.window :], score >= threshold]
        if sum(window) >= detector.votes:
            armed, fell, last, count, window = False, False, frame, count + 1, []
    return count


@pytest.mark.benchmark
@pytest.mark.parametrize("detector", [Vote(), Smoothed()], ids=["vote", "smoothed"])
def test_all_thresholds_beside_a_plain_loop(detector: Vote | Smoothed, capsys: pytest.CaptureFixture[str]) -> None:
    """Per threshold and hour of audio the sweep of 100 h takes at most a fiftieth of the loop, and counts the same."""
    sweep(detector, [stream(0, hours=0.1)], "nova", tolerance=0.5)
    short = stream(0, hours=1.0)
    curve = sweep(detector, [short], "nova", tolerance=0.5)
    rows = np.unique(np.linspace(0, len(curve.thresholds) - 1, 8).astype(int))
    values = short.scores.tolist()
    started = time.perf_counter()
    counted = [plain_loop(values, detector, float(curve.thresholds[row])) for row in rows]
    loop = (time.perf_counter() - started) / len(rows) / curve.hours
    fired = [len(detector.build(float(curve.thresholds[row])).feed(short.scores)) for row in rows]
    assert counted == fired
    streams = [stream(seed, hours=10.0) for seed in range(10)]
    started = time.perf_counter()
    whole = sweep(detector, streams, "nova", tolerance=0.5)
    took = time.perf_counter() - started
    ours = took / len(whole.thresholds) / whole.hours
    with capsys.disabled():
        print(
            f"\nsweep of {type(detector).__name__} over {whole.hours:.0f} h at {HOP} s: {len(whole.thresholds)} "
            f"thresholds in {took:.1f} s, the first {whole.exact} of them every distinct level down to "
            f"{whole.exact_down_to:.3g}; per threshold and hour 1/{loop / ours:.0f} of a plain loop"
        )
    assert loop / ours >= 50
