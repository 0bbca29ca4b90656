"""What happened to every test clip and on every test stream, as rows for the files of a run's folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wakekit.artifacts import write_text
from wakekit.data import as_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from wakekit.data import Results, Stream, StreamResult


def clip_rows(results: Results) -> list[dict[str, Any]]:
    """Return a row per clip with its scores before and after calibration."""
    clips, rows = results.clips, []
    scored = zip(clips.clips, clips.clusters(), results.raw.scores.tolist(), clips.scores.tolist(), strict=True)
    for clip, cluster, raw, score in scored:
        told = {name: getattr(clip, name) for name in ("offset", "duration", "label", "pool", "speaker")}
        rows.append(
            {"id": clip.sha256[:16], "audio": clip.audio.name, **told, "cluster": cluster, "raw": raw, "score": score}
        )
    return rows


def event_rows(result: StreamResult) -> list[dict[str, Any]]:
    """Return a row per detection and per miss on a stream, in order of time."""
    stream = result.scores.stream
    rows = [("detection", found) for found in result.detections] + [("miss", found) for found in result.misses]
    identity = {"stream_id": _identity(stream)}
    told = [{"kind": kind, **as_json(found), **_word(stream, found.event), **identity} for kind, found in rows]
    return sorted(told, key=lambda row: row["start"] if row["kind"] == "miss" else row["seconds"])


def _word(stream: Stream, event: int | None) -> dict[str, Any]:
    """Return the keyword that a row is about."""
    if event is None:
        return dict.fromkeys(("event", "start", "end", "speaker", "snr_db", "cluster"))
    word = stream.events[event]
    told = {name: getattr(word, name) for name in ("start", "end", "speaker", "snr_db")}
    return {"event": event, **told, "cluster": stream.cluster(word)}


def _identity(stream: Stream) -> str:
    return stream.sha256[:16] or stream.audio.name


def stream_row(result: StreamResult) -> dict[str, Any]:
    """Return the counts of one stream."""
    stream = result.scores.stream
    outcomes = [detection.outcome for detection in result.detections]
    return {
        "stream": stream.audio.name,
        "stream_id": _identity(stream),
        "recording": stream.source or _identity(stream),
        "composed": stream.composed,
        "silence": stream.silence,
        "hours_without_keyword": result.negative_hours,
        "events": result.events,
        "hits": outcomes.count("hit"),
        "misses": len(result.misses),
        "false_accepts": outcomes.count("false accept"),
    }


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSON, a line each, whole or not at all."""
    write_text(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows))
