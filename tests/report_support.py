"""A synthetic run folder, as a finished run leaves it: simulated scores, and every file that a report reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from wakekit.data import Measure, OperatingPoint, as_json
from wakekit.intervals import clustered_proportion, garwood, hours_needed, newcombe, one_sided_upper, wilson

if TYPE_CHECKING:
    from pathlib import Path

RATE = 16000
TARGET = 1.0
POOLS = {"positive": 120, "hard": 60, "negative": 240, "background": 80}
RECIPE = """wakekit = 1
name = "nova"
seed = 0

# a comment with a "quote" and <tag>
[corpus]
type = "manifest"
path = "/gone/from/this/machine/manifest.jsonl"
keyword = "hey nova"

[operating_point]
fa_per_hour = 1.0

[report]
type = "html"
listen = 30
"""


def write_run(folder: Path, *, seed: int = 0, keyword: str = "hey nova", speakers: int = 24, listen: int = 5) -> Path:
    """Write a run of a detector with simulated scores; returns the folder."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    clips = _clips(rng, keyword, speakers)
    dev = _curve(rng, words=150, hours=2.4)
    at = max(row for row, count in enumerate(dev["false_accepts"]) if count / dev["hours"] <= TARGET)
    point = _point(dev, at)
    events, streams = _events(rng, speakers, threshold=point.threshold)
    listens = _excerpts(folder, rng, events, listen)
    test = _curve(rng, words=len(listens["words"]), hours=3.1)
    write_json(folder / "operating_point.json", as_json(point))
    write_json(folder / "curves.json", {"dev": dev, "test": test})
    conditions = {
        name: {
            "metrics": _metrics(rng, missed, words=172, accepts=fas, clips=clips, threshold=point.threshold),
            "streams": [],
            "changes": changes,
            "speakers": [
                {"speaker": f"s{one:02d}", "words": 7, "missed": min(7, one * missed // 500)} for one in range(24)
            ],
        }
        for name, missed, fas, changes in (
            ("cafe", 71, 5, "augmentations.noise.snr_db = [5, 5]"),
            ("far-field", 52, 2, 'augmentations.reverb.kind = "synthetic"'),
            ("telephone", 120, 0, "augmentations.codec.rate = 8000"),
        )
    }
    missed, accepts = len(listens["misses"]), sum(row["false_accepts"] for row in streams)
    metrics = _metrics(
        rng, missed, words=len(listens["words"]), accepts=accepts, clips=clips, threshold=point.threshold
    )
    write_json(
        folder / "metrics.json",
        {
            "keyword": keyword,
            "operating_point": as_json(point),
            "warnings": ["all-zero audio scores above the threshold: this model fires on digital silence"],
            "metrics": metrics,
            "streams": streams,
            "speakers": _speakers(listens["words"]),
            "conditions": conditions,
        },
    )
    write_lines(folder / "detections.jsonl", events)
    write_lines(folder / "clips.jsonl", clips)
    write_lines(folder / "history.jsonl", _history(rng))
    write_json(folder / "environment.json", _environment())
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder


def _speakers(words: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for word in words:
        row = rows.setdefault(word["cluster"], {"speaker": word["cluster"], "words": 0, "missed": 0})
        row["words"] += 1
        row["missed"] += word["kind"] == "miss"
    return list(rows.values())


def write_json(path: Path, value: Any) -> None:
    """Write JSON as a run does."""
    path.write_text(json.dumps(value, indent=2, allow_nan=False), encoding="utf-8")


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a line of JSON per row."""
    path.write_text("".join(json.dumps(row, allow_nan=False) + "\n" for row in rows), encoding="utf-8")


def edit(path: Path, change: Any) -> None:
    """Read a JSON file, let `change` alter it in place, and write it back."""
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    write_json(path, value)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a JSON lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _sigmoid(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def _clips(rng: np.random.Generator, keyword: str, speakers: int) -> list[dict[str, Any]]:
    middle = {"positive": 4.0, "hard": -3.0, "negative": -5.0, "background": -7.0}
    rows = []
    for pool, count in POOLS.items():
        for number in range(count):
            raw = float(rng.normal(middle[pool], 3.6))
            speaker = None if pool == "background" else f"s{rng.integers(speakers):02d}"
            rows.append(
                {
                    "id": f"{len(rows):016x}",
                    "audio": f"{pool}_{number:03d}.wav",
                    "offset": 0.0,
                    "duration": 1.2,
                    "label": keyword if pool == "positive" else pool,
                    "pool": pool,
                    "speaker": speaker,
                    "cluster": speaker or f"{pool}_{number:03d}.wav",
                    "raw": raw,
                    "score": _sigmoid(raw / 1.6),
                }
            )
    return rows


def _events(
    rng: np.random.Generator, speakers: int, threshold: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    streams: list[dict[str, Any]] = []
    for number in range(4):
        name, hours = f"living_room_{number}.flac", (1.6, 0.8, 0.5, 0.2)[number]
        rows = []
        for index, start in enumerate(np.sort(rng.uniform(0, hours * 3600, 43)).round(3).tolist()):
            speaker = f"s{rng.integers(speakers):02d}"
            snr = float(rng.uniform(-3, 22))
            score = _sigmoid(rng.normal(2.0 + 0.12 * snr, 1.4))
            word = {"event": index, "start": start, "end": start + 0.7, "speaker": speaker, "snr_db": snr}
            rows.append(_event(word, name, number, score, cluster=speaker, hit=score >= threshold))
        starts = np.sort(rng.uniform(0, hours * 3600, rng.poisson(2.5 * hours))).round(3).tolist()
        rows += [_false_accept(name, number, start, float(rng.uniform(threshold, 1))) for start in starts]
        misses = sum(row["kind"] == "miss" for row in rows)
        accepts = sum(row.get("outcome") == "false accept" for row in rows)
        events += sorted(rows, key=lambda row: row["seconds"] if row["kind"] == "detection" else row["end"])
        streams.append(
            {
                "stream": name,
                "stream_id": f"{number:016x}",
                "recording": f"{number:016x}",
                "composed": "clips of test in random order" if number == 3 else "",
                "silence": 0.18 if number == 3 else 0.0,
                "hours_without_keyword": hours - 43 * 1.2 / 3600,
                "events": 43,
                "hits": 43 - misses,
                "misses": misses,
                "false_accepts": accepts,
            }
        )
    return events, streams


def _event(word: dict[str, Any], stream: str, number: int, score: float, *, cluster: str, hit: bool) -> dict[str, Any]:
    common = {"stream": stream, "stream_id": f"{number:016x}", "score": score, "cluster": cluster, "listen": ""}
    if hit:
        seconds = word["end"] + 0.06
        return {"kind": "detection", **common, "seconds": seconds, "outcome": "hit", **word}
    return {"kind": "miss", **common, **word}


def _false_accept(stream: str, number: int, seconds: float, score: float) -> dict[str, Any]:
    nothing = {"event": None, "start": None, "end": None, "speaker": None, "snr_db": None, "cluster": None}
    where = {"stream": stream, "stream_id": f"{number:016x}", "seconds": seconds, "score": score}
    return {"kind": "detection", **where, "outcome": "false accept", **nothing, "listen": ""}


def _excerpts(folder: Path, rng: np.random.Generator, events: list[dict[str, Any]], most: int) -> dict[str, Any]:
    """Write excerpts for the worst of each kind, as `evaluate` does, and name them in the rows."""
    accepts = sorted((row for row in events if row.get("outcome") == "false accept"), key=lambda row: -row["score"])
    misses = sorted((row for row in events if row["kind"] == "miss"), key=lambda row: row["score"])
    (folder / "listen").mkdir(exist_ok=True)
    for number, row in enumerate([*accepts[:most], *misses[:most]]):
        row["listen"], row["listen_at"] = f"listen/{number:04d}.flac", 2.0
        time = np.arange(3 * RATE) / RATE
        loud = np.exp(-(((time - 1.7) / 0.25) ** 2)) + 0.4 * np.exp(-(((time - 0.6) / 0.15) ** 2))
        tone = np.sin(2 * np.pi * rng.uniform(180, 400) * time) * (1 + 0.5 * np.sin(2 * np.pi * 9 * time))
        sound = 0.3 * loud * tone + 0.01 * rng.standard_normal(len(time))
        soundfile.write(folder / row["listen"], sound, RATE, format="FLAC", subtype="PCM_16")
    return {"accepts": accepts, "misses": misses, "words": [row for row in events if row["start"] is not None]}


def _curve(rng: np.random.Generator, *, words: int, hours: float) -> dict[str, Any]:
    heard = 1 / (1 + np.exp(-rng.normal(3.0, 1.6, words)))
    wrong = 1 / (1 + np.exp(-rng.normal(0.0, 1.4, int(60 * hours))))
    thresholds = np.sort(np.unique(np.concatenate([heard, wrong])))[::-1]
    thresholds = thresholds[[(wrong >= t).sum() / hours <= 100 for t in thresholds]]
    accepts, hits = ([int((of >= t).sum()) for t in thresholds] for of in (wrong, heard))
    bands = [wilson(words - hit, words) for hit in hits]
    exact = int(0.7 * len(thresholds))
    return {
        "thresholds": thresholds.tolist(),
        "false_accepts": accepts,
        "hits": hits,
        "miss_low": [max(0.0, band.low - 0.02) for band in bands],
        "miss_high": [min(1.0, band.high + 0.02) for band in bands],
        "events": words,
        "hours": hours,
        "distinct": len(thresholds) * 3,
        "exact": exact,
        "exact_down_to": float(thresholds[exact]),
        "max_fa_per_hour": 100.0,
    }


def _point(dev: dict[str, Any], at: int) -> OperatingPoint:
    accepts, hits = dev["false_accepts"][at], dev["hits"][at]
    return OperatingPoint(
        threshold=dev["thresholds"][at],
        target_fa_per_hour=TARGET,
        reachable=True,
        fa_per_hour=accepts / dev["hours"],
        false_accepts=accepts,
        hours=dev["hours"],
        miss_rate=1 - hits / dev["events"],
        misses=dev["events"] - hits,
        events=dev["events"],
        message=f"Asked for at most {TARGET:g} false accepts per hour.",
        calibration="00112233aabbccdd",
        detector={"window": 4, "votes": 3},
        configurations=12,
        optimism="The best of 12 settings looks better on dev than it is.",
    )


def _metrics(
    rng: np.random.Generator, missed: int, *, words: int, accepts: int, clips: list[dict[str, Any]], threshold: float
) -> dict[str, Any]:
    hours, spoken = 3.0427, [row for row in clips if row["pool"] == "positive"]
    rate = garwood(accepts, hours)
    outcomes = [True] * missed + [False] * (words - missed)
    clusters = [f"s{number:02d}" for number in rng.integers(24, size=words)]
    share = clustered_proportion(outcomes, clusters)
    below = [row["score"] < threshold for row in spoken]
    area = newcombe(0.9941, len(spoken), len(clips) - len(spoken))
    counts = {
        "false_accepts": float(accepts),
        "hours": hours,
        "streams": 4.0,
        "composed_share": 0.0645,
        "silence_share": 0.0116,
        "upper_95": one_sided_upper(accepts, hours),
        "hours_needed": hours_needed(TARGET),
    }
    measures = {
        "roc": Measure(
            name="roc-auc", value=0.9941, unit="area", low=area.low, high=area.high, method=area.method,
            counts={"clips": len(clips), "positives": len(spoken)},
        ),
        "false_accepts": Measure(
            name="fa-per-hour", value=accepts / hours, unit="1/h", low=rate.low, high=rate.high, method=rate.method,
            counts=counts, note="shows what it shows",
        ),
        "misses": _missed("false-rejects", "words", missed, words, share),
        "clip_misses": _missed(
            "false-rejects-clips", "clips", sum(below), len(below),
            clustered_proportion(below, [row["cluster"] for row in spoken]),
        ),
        "odd": Measure(name="latency", value=None, unit="s", note="nothing to measure it on"),
    }  # fmt: skip
    return {name: [as_json(measure)] for name, measure in measures.items()}


def _missed(name: str, what: str, missed: int, count: int, interval: Any) -> Measure:
    simple = wilson(missed, count)
    return Measure(
        name=name,
        value=missed / count,
        unit="share",
        low=interval.low,
        high=interval.high,
        method=interval.method,
        simple=(simple.low, simple.high),
        counts={what: count, "missed": missed, "clusters": 24},
    )


def _history(rng: np.random.Generator) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for step in range(60):
        rate = 10 ** (-5 + step / 15)
        loss = 0.69 - 0.45 / (1 + np.exp(-4 * (np.log10(rate) + 3))) + 1.2 * (rate > 0.03) * rate
        rows.append({"series": "LR finder", "x": rate, "y": float(loss), "x_label": "learning rate", "x_log": True})
    rows.append({"series": "LR finder", "x": 3e-3, "y": 0.31, "x_label": "learning rate", "x_log": True, "mark": True})
    for epoch in range(20):
        for step in range(12):
            norm = float(2.5 / (1 + 0.05 * (12 * epoch + step)) * rng.uniform(0.7, 1.3))
            rows.append({"series": "gradient norm", "x": 12 * epoch + step, "y": norm, "x_label": "step"})
        fall = float(np.exp(-epoch / 5))
        rows.append(
            {
                "epoch": epoch,
                "steps": 12 * (epoch + 1),
                "train_loss": 0.62 * fall + 0.04,
                "dev_loss": 0.55 * fall + 0.09 + 0.02 * float(rng.uniform()),
                "dev_accuracy": 0.98 - 0.2 * fall,
                "learning_rate": 3e-3 * float(np.cos(epoch / 13)),
            }
        )
    return rows


def _environment() -> dict[str, Any]:
    return {
        "fingerprint": "3f" * 32,
        "stages": {"corpus": "aa" * 32, "evaluate": "3f" * 32},
        "python": "3.11.7",
        "platform": "Linux-6.1-x86_64",
        "processor": "x86_64",
        "device": "cpu",
        "threads": 2,
        "cpus": 2,
        "commit": None,
        "packages": {"numpy": "2.4.6", "torch": "2.14.1", "wakekit": "0.1.0", "attrs": "26.1.0"},
    }
