"""Made-up results for metrics and reports to read: clips and streams of some speakers, judged at one threshold."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit.data import (
    Clip,
    ClipScores,
    Cost,
    Event,
    OperatingPoint,
    Results,
    Stream,
    StreamResult,
    StreamScores,
    as_json,
)
from wakekit.events import judge_stream
from wakekit.run_folder import Run, read_run
from wakekit.run_rows import clip_rows, event_rows, stream_row, write_lines

if TYPE_CHECKING:
    from wakekit.data import IntArray

_KEYWORD = "chirp"
_THRESHOLD = 0.6
_HOP = 0.1
_POINT = OperatingPoint(_THRESHOLD, 5.0, True, 2.0, 1, 0.5, 0.1, 1, 10, "", "c")  # noqa: FBT003
_COST = Cost(
    parameters=1000,
    macs_per_second=1e6,
    model_bytes=4000,
    seconds_per_score=1e-3,
    calls=10,
    hop_seconds=_HOP,
    window_seconds=1.0,
    latency_seconds=0.0,
    device="cpu",
    threads=1,
)


def made_results(*, positives: int = 40, negatives: int = 60, streams: int = 3, decimals: int = 9) -> Results:
    """Return results over made-up clips and streams; `decimals` rounds the scores, so that 0 or 1 makes ties."""
    rng = np.random.default_rng(7)
    clips = tuple(_clip(row, positive=row < positives) for row in range(positives + negatives))
    labels = np.array([int(row < positives) for row in range(len(clips))], np.int64)
    raw = np.round(rng.normal(2.0 * labels - 1.0, 1.3), decimals)
    scored = ClipScores(clips, raw, labels)
    return Results(
        raw=scored,
        clips=attrs.evolve(scored, scores=1 / (1 + np.exp(-raw))),
        streams=tuple(_stream(number, rng, decimals) for number in range(streams)),
        operating_point=_POINT,
        cost=_COST,
    )


def _clip(row: int, *, positive: bool) -> Clip:
    pool = "positive" if positive else ("negative", "hard", "background")[row % 3]
    return Clip(
        audio=Path(f"clip-{row}.wav"),
        duration=1.0,
        label=_KEYWORD if positive else "other",
        pool=pool,
        split="test",
        speaker=f"s{row % 9}",
        sha256=hashlib.sha256(str(row).encode()).hexdigest(),
    )


def _stream(number: int, rng: np.random.Generator, decimals: int) -> StreamResult:
    """Return ten minutes with a word every half minute, most of them heard, and some false accepts."""
    frames = 6000
    scores = np.clip(rng.beta(1, 8, frames), 0, 0.55)
    spoken = [Event(start=start, end=start + 0.8, label=_KEYWORD, speaker=f"s{number}{word % 3}")
              for word, start in enumerate(np.arange(20.0, 590.0, 30.0).tolist())]  # fmt: skip
    for event in spoken:
        scores[round(event.end / _HOP)] = rng.uniform(0.4, 1.0)
    scores[rng.integers(0, 150, number)] = 0.9
    sha256 = hashlib.sha256(f"stream {number}".encode()).hexdigest()
    about = Stream(audio=Path(f"s-{number}.wav"), duration=600.0, split="test", events=tuple(spoken), sha256=sha256)
    found = StreamScores(about, np.round(scores, decimals), 0.0, _HOP)
    return judge_stream(found, np.flatnonzero(found.scores >= _THRESHOLD), _KEYWORD, tolerance=0.5)


def reordered(results: Results, seed: int = 0) -> Results:
    """Return the same results with clips and streams in another order."""
    rng = np.random.default_rng(seed)
    clips, streams = rng.permutation(len(results.clips.clips)), rng.permutation(len(results.streams))
    return attrs.evolve(
        results,
        raw=_taken(results.raw, clips),
        clips=_taken(results.clips, clips),
        streams=tuple(results.streams[place] for place in streams),
    )


def _taken(scored: ClipScores, order: IntArray) -> ClipScores:
    return ClipScores(tuple(scored.clips[row] for row in order), scored.scores[order], scored.labels[order])


def made_run(results: Results, folder: Path) -> Run:
    """Return a run with these results, its folder written as a run's is, as far as results go."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "keyword": _KEYWORD,
        "operating_point": as_json(results.operating_point),
        "warnings": [],
        "metrics": {},
        "streams": [stream_row(one) for one in results.streams],
        "conditions": {},
    }
    files = {
        "metrics.json": told,
        "curves.json": {},
        "environment.json": {"fingerprint": "0", "stages": {}},
        "cost.json": as_json(results.cost),
    }
    for name, data in files.items():
        (folder / name).write_text(json.dumps(data), encoding="utf-8")
    write_lines(folder / "clips.jsonl", clip_rows(results))
    write_lines(folder / "detections.jsonl", itertools.chain.from_iterable(map(event_rows, results.streams)))
    write_lines(folder / "history.jsonl", [])
    (folder / "recipe.toml").write_text("", encoding="utf-8")
    return read_run(folder)
