"""Run folders for comparisons: simulated answers of a detector, with measures that the real metrics computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit.building import build_component
from wakekit.data import (
    Clip,
    ClipScores,
    Detection,
    Event,
    Miss,
    OperatingPoint,
    Results,
    Stream,
    StreamResult,
    StreamScores,
    as_json,
)
from wakekit.registry import installed

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYWORD = "hey nova"
METRICS = ("roc-auc", "eer", "pauc", "brier", "ece", "fa-per-hour", "false-rejects")
STAGES = {"prepare": "aa", "train": "bb", "compose-test": "cc"}
RECIPE = """wakekit = 1
name = "{name}"
seed = {seed}

[window]
seconds = 1.2

[operating_point]
fa_per_hour = 5.0
tolerance_seconds = 0.5

[calibrator]
type = "temperature"

[detector]
type = "vote"
hop_seconds = 0.08
{metrics}"""


@attrs.frozen
class Said:
    """A word in a stream: what it is and whether a run heard it."""

    stream: str
    start: float
    speaker: str | None
    hit: bool


@attrs.frozen(kw_only=True)
class Made:
    """What a simulated run answered, from which its folder is written."""

    clips: tuple[dict[str, Any], ...] = ()
    words: tuple[Said, ...] = ()
    accepts: dict[str, int] = attrs.field(factory=dict)
    hours: dict[str, float] = attrs.field(factory=dict)
    threshold: float = 0.5


def simulate(seed: int = 0, *, clips: int = 240, speakers: int = 20, words: int = 60, streams: int = 3) -> Made:
    """Simulate a run; the same sizes with another seed give another run on the same test items."""
    items, answers = np.random.default_rng(99), np.random.default_rng(seed)
    rows = []
    for row in range(clips):
        positive, speaker = bool(items.random() < 0.4), f"s{items.integers(speakers):02d}"
        raw = float(answers.normal(1.0 if positive else -1.0, 1.5))
        rows.append(clip(row, positive=positive, speaker=speaker, raw=raw))
    names = [f"stream{row}.flac" for row in range(streams)]
    said = [
        Said(names[row % streams], 10.0 * row, f"s{items.integers(speakers):02d}", bool(answers.random() < 0.8))
        for row in range(words if streams else 0)
    ]
    return Made(
        clips=tuple(rows),
        words=tuple(said),
        accepts={name: int(answers.poisson(4)) for name in names},
        hours={name: 0.5 + 0.25 * row for row, name in enumerate(names)},
    )


def clip(row: int, *, positive: bool, speaker: str | None, raw: float) -> dict[str, Any]:
    """Return a row of clips.jsonl."""
    return {
        "id": f"{row:016x}",
        "audio": f"clip{row}.wav",
        "offset": 0.0,
        "duration": 1.0,
        "label": KEYWORD if positive else "other",
        "pool": "positive" if positive else "negative",
        "speaker": speaker,
        "cluster": speaker or f"clip {row}",
        "raw": raw,
        "score": float(1 / (1 + np.exp(-raw / 1.3))),
    }


def write_run(
    folder: Path,
    made: Made,
    *,
    seed: int = 0,
    metrics: Sequence[tuple[str, str, str]] = (),
    recipe: Sequence[tuple[str, str]] = (),
    environment: dict[str, Any] | None = None,
    point: dict[str, Any] | None = None,
    shuffle: int | None = None,
) -> Path:
    """Write a run's folder; `recipe` are replacements in its text, `shuffle` seeds another order of every file."""
    folder.mkdir(parents=True)
    chosen = [*((name.replace("-", "_"), name, "") for name in METRICS), *metrics]
    tables = "".join(f'\n[metrics.{key}]\ntype = "{name}"\n{options}\n' for key, name, options in chosen)
    text = RECIPE.format(name=folder.name, seed=seed, metrics=tables)
    for old, new in recipe:
        assert old in text
        text = text.replace(old, new)
    operating = operating_point(made.threshold, **(point or {}))
    write_json(
        folder / "metrics.json",
        {
            "keyword": KEYWORD,
            "operating_point": as_json(operating),
            "warnings": [],
            "metrics": _measured(_results(made, operating), chosen),
            "streams": _shuffled(_stream_rows(made), shuffle),
            "conditions": {},
        },
    )
    write_lines(folder / "detections.jsonl", _shuffled(_detection_rows(made), shuffle))
    write_lines(folder / "clips.jsonl", _shuffled(list(made.clips), shuffle))
    write_lines(folder / "history.jsonl", [])
    write_json(folder / "curves.json", {"dev": None, "test": None})
    surroundings = {"fingerprint": f"{seed:08x}", "stages": STAGES, "python": "3.11.7", "device": "cpu", "threads": 2}
    packages = {"packages": {"numpy": "2.4.6"}, "commit": None}
    write_json(folder / "environment.json", {**surroundings, **packages, **(environment or {})})
    (folder / "recipe.toml").write_text(text, encoding="utf-8")
    return folder


def operating_point(threshold: float, **changes: Any) -> OperatingPoint:
    """Return an operating point that was reached."""
    point = OperatingPoint(
        threshold=threshold,
        target_fa_per_hour=5.0,
        reachable=True,
        fa_per_hour=1.0,
        false_accepts=1,
        hours=1.0,
        miss_rate=0.1,
        misses=1,
        events=10,
        message="",
        calibration="c",
    )
    return attrs.evolve(point, **changes)


def write_json(path: Path, value: Any) -> None:
    """Write JSON."""
    path.write_text(json.dumps(value), encoding="utf-8")


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a line of JSON per row."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def edit(path: Path, change: Any) -> None:
    """Read a JSON file, let `change` alter it in place, and write it back."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    write_json(path, value)


def _shuffled(rows: list[Any], seed: int | None) -> list[Any]:
    return rows if seed is None else [rows[row] for row in np.random.default_rng(seed).permutation(len(rows))]


def _results(made: Made, point: OperatingPoint) -> Results:
    clips = tuple(
        Clip(audio=Path(row["audio"]), duration=1.0, label=row["label"], pool=row["pool"], speaker=row["speaker"])
        for row in made.clips
    )
    labels = np.array([int(row["pool"] == "positive") for row in made.clips], np.int64)
    raw, scores = (np.array([row[key] for row in made.clips], np.float64) for key in ("raw", "score"))
    streams = tuple(_stream_result(made, name) for name in made.hours)
    return Results(ClipScores(clips, raw, labels), ClipScores(clips, scores, labels), streams, point)


def _stream_result(made: Made, name: str) -> StreamResult:
    words = [word for word in made.words if word.stream == name]
    events = tuple(Event(start=w.start, end=w.start + 0.5, label=KEYWORD, speaker=w.speaker) for w in words)
    hits = [Detection(name, w.start + 0.5, 0.9, "hit", row) for row, w in enumerate(words) if w.hit]
    accepts = [Detection(name, 1.0 + row, 0.9, "false accept") for row in range(made.accepts[name])]
    misses = tuple(Miss(name, w.start, w.start + 0.5, w.speaker, 0.1) for w in words if not w.hit)
    scores = StreamScores(Stream(audio=Path(name), duration=1.0, events=events), np.zeros(10), 0.0, 0.08)
    return StreamResult(scores, (*hits, *accepts), misses, len(words), made.hours[name])


def _measured(results: Results, chosen: Sequence[tuple[str, str, str]]) -> dict[str, Any]:
    registry, found = installed(), {}
    for key, name, options in chosen:
        table = {"type": name} | ({"max_fpr": float(options.split("=")[1])} if options else {})
        found[key] = [as_json(measure) for measure in build_component(registry, "metric", table).value.compute(results)]
    return found


def _stream_rows(made: Made) -> list[dict[str, Any]]:
    rows = []
    for name, hours in made.hours.items():
        heard = [word.hit for word in made.words if word.stream == name]
        counts = {"events": len(heard), "hits": sum(heard), "misses": len(heard) - sum(heard)}
        about = {"stream": name, "stream_id": name.encode().hex()[:16], "composed": "", "silence": 0.0}
        about |= {"recording": about["stream_id"]}
        about |= {"hours_without_keyword": hours}
        rows.append({**about, **counts, "false_accepts": made.accepts[name]})
    return rows


def _detection_rows(made: Made) -> list[dict[str, Any]]:
    nothing = {"event": None, "start": None, "end": None, "speaker": None, "snr_db": None, "cluster": None}
    rows: list[dict[str, Any]] = []
    for word in made.words:
        where = {"stream": word.stream, "stream_id": word.stream.encode().hex()[:16], "listen": "", "event": 0}
        times = {"start": word.start, "end": word.start + 0.5, "speaker": word.speaker, "snr_db": None}
        about = {**where, **times, "cluster": word.speaker or word.stream}
        hit = {"kind": "detection", "seconds": word.start + 0.5, "outcome": "hit", "score": 0.9}
        rows.append({**about, **(hit if word.hit else {"kind": "miss", "score": 0.1})})
    for name, accepts in made.accepts.items():
        where = {"stream": name, "stream_id": name.encode().hex()[:16], "listen": ""}
        rows += [
            {"kind": "detection", **nothing, **where, "seconds": 1.0 + row, "score": 0.9, "outcome": "false accept"}
            for row in range(accepts)
        ]
    return rows
