"""Manifests are read strictly, with every mistake at its line, and written without loss."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import Clip, Event, ImpulseResponse, Manifest, Stream, WakekitError
from wakekit.manifest import read_manifest, read_rows, write_manifest

CLIP = {"kind": "clip", "audio_filepath": "a/b.flac", "duration": 1.5, "label": "nova"}
STREAM = {"kind": "stream", "audio_filepath": "s.ogg", "duration": 60}
POOLS = {"nova": "positive", "speech": "negative"}


def written(folder: Path, *rows: dict[str, Any] | str) -> Path:
    """Write rows as a manifest and return its path."""
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return path


def mistakes(folder: Path, *rows: dict[str, Any] | str) -> list[str]:
    """Return the lines of the error that reading the rows raises, without the manifest's folder."""
    path = written(folder, *rows)
    with pytest.raises(WakekitError) as caught:
        read_rows(path, pools=POOLS)
    return str(caught.value).replace(f"{folder}/", "").split("\n")


def test_reads_every_key(tmp_path: Path) -> None:
    """Each key of the format arrives in its field, paths are relative to the manifest, blank lines are skipped."""
    clip = CLIP | {
        "offset": 2,
        "split": "dev",
        "speaker": "p1",
        "group": "h1",
        "word": [0, 1],
        "text": "nova",
        "channel": "c",
    }
    event = {"start": 1, "end": 2, "label": "nova", "speaker": "p2", "snr_db": -5}
    path = written(
        tmp_path,
        clip,
        "",
        STREAM | {"events": [event], "speakers": ["p2", "p3"], "split": "test"},
        {"kind": "impulse_response", "audio_filepath": "r.flac", "duration": 0.3, "rt60": 0.4},
    )
    manifest = read_manifest(path, keyword="nova", pools=POOLS)
    assert manifest == Manifest(
        keyword="nova",
        clips=(
            Clip(
                audio=tmp_path / "a/b.flac",
                duration=1.5,
                label="nova",
                pool="positive",
                offset=2.0,
                split="dev",
                speaker="p1",
                group="h1",
                word=(0.0, 1.0),
                text="nova",
                channel="c",
            ),
        ),
        streams=(
            Stream(
                audio=tmp_path / "s.ogg",
                duration=60.0,
                split="test",
                events=(Event(start=1.0, end=2.0, label="nova", speaker="p2", snr_db=-5.0),),
                speakers=("p2", "p3"),
            ),
        ),
        impulse_responses=(ImpulseResponse(audio=tmp_path / "r.flac", duration=0.3, rt60=0.4),),
    )
    assert [row.line for row in read_rows(path, pools=POOLS)] == [1, 3, 4]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{broken", "expected a JSON object, got '{broken'"),
        ("[1]", "expected a JSON object, got '[1]'"),
        (CLIP | {"kind": "clop"}, "kind: expected one of clip, stream, impulse_response, manifest, got 'clop'"),
        ({"kind": "stream", "duration": 3}, "stream lacks 'audio_filepath'"),
        (CLIP | {"duration": -1}, "duration: expected a number above 0, got -1"),
        (CLIP | {"duration": "3"}, "duration: expected a number above 0, got '3'"),
        (CLIP | {"duration": True}, "duration: expected a number above 0, got True"),
        (CLIP | {"offset": float("nan")}, "offset: expected a number of at least 0, got nan"),
        (CLIP | {"speaker": 7}, "speaker: expected text, got 7"),
        (CLIP | {"word": [1, 0.5]}, "word: expected [start, end] with 0 <= start < end, got [1, 0.5]"),
        (CLIP | {"word": [1, 2]}, "word: expected times within the clip's 1.5 s, got [1.0, 2.0]"),
        (CLIP | {"ofset": 1}, "unknown key 'ofset' of clip (did you mean 'offset'?)"),
        (CLIP | {"label": "novva"}, "label 'novva' is in no pool (did you mean 'nova'?)"),
        (STREAM | {"events": [{"start": 1, "end": 2}]}, "event lacks 'label'"),
        (STREAM | {"events": 3}, "events: expected a list of objects, got 3"),
        (
            STREAM | {"events": [{"start": 59, "end": 61, "label": "nova"}]},
            "events: expected start < end, both within the stream's 60 s, got 59 and 61",
        ),
        (STREAM | {"speakers": "p1"}, "speakers: expected a list of texts, got 'p1'"),
    ],
)
def test_mistakes_have_their_line(tmp_path: Path, row: dict[str, Any] | str, message: str) -> None:
    """A mistaken row is one sentence with the manifest's name and the row's line."""
    assert mistakes(tmp_path, CLIP, "", row) == [f"manifest.jsonl:3: {message}"]


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Mistakes of all rows, and several of one, are reported together; after twenty only their number."""
    assert len(mistakes(tmp_path, CLIP | {"duration": 0, "offset": -1}, CLIP, "x")) == 3
    found = mistakes(tmp_path, *[CLIP | {"duration": 0}] * 25)
    assert len(found) == 21
    assert found[-1] == "and 5 more"


def test_unknown_keys_are_ignored(tmp_path: Path) -> None:
    """Keys that resemble none of ours belong to other tools; null is the same as leaving a key out."""
    path = written(tmp_path, CLIP | {"lang": "en", "pred_text": "x", "text": None})
    (row,) = read_rows(path, pools=POOLS)
    assert row.value.text is None  # type: ignore[union-attr]


def test_pools_as_function(tmp_path: Path) -> None:
    """A function of labels may leave clips out, and its complaints get the line they belong to."""
    path = written(tmp_path, CLIP, CLIP | {"label": "noise"})
    rows = read_rows(path, pools=lambda label: "positive" if label == "nova" else None)
    assert [row.line for row in rows] == [1]

    def refuse(label: str) -> str:
        raise WakekitError(f"no {label} here")

    with pytest.raises(WakekitError, match=r"manifest\.jsonl:1: no nova here\n.*:2: no noise here"):
        read_rows(path, pools=refuse)


def test_pool_must_come_from_somewhere(tmp_path: Path) -> None:
    """Without declared pools a clip states its own, and without a keyword there is no manifest."""
    with pytest.raises(WakekitError, match="clip lacks 'pool'"):
        read_rows(written(tmp_path, CLIP))
    with pytest.raises(WakekitError, match="keyword"):
        read_manifest(written(tmp_path, CLIP), pools=POOLS)
    with pytest.raises(WakekitError, match=r"none\.jsonl"):
        read_rows(tmp_path / "none.jsonl")


def test_paths_inside_the_folder_are_relative(tmp_path: Path) -> None:
    """A written manifest can be moved together with its audio; audio elsewhere keeps its place."""
    clips = tuple(
        Clip(audio=path, duration=1, label="x", pool="hard") for path in (tmp_path / "in/a.wav", Path("/out/b.wav"))
    )
    write_manifest(tmp_path / "m.jsonl", Manifest(keyword="nova", clips=clips))
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [row.get("audio_filepath") for row in rows] == [None, "in/a.wav", "/out/b.wav"]


words = st.text(min_size=1, max_size=8)
maybe = st.none() | words
seconds = st.floats(0.1, 1e4)
audio = st.sampled_from(["a.wav", "deep/b c.flac", "ü.ogg"]).map(lambda name: Path("/data") / name)
clips = st.builds(
    Clip,
    audio=audio,
    duration=st.floats(2, 10),
    label=words,
    pool=st.sampled_from(["positive", "negative", "hard", "background"]),
    offset=st.floats(0, 100),
    split=st.sampled_from(["", "train", "dev", "test"]),
    speaker=maybe,
    group=maybe,
    source=maybe,
    word=st.none() | st.tuples(st.floats(0, 0.5), st.floats(0.6, 2)),
    text=maybe,
    channel=maybe,
    sha256=st.text("0123456789abcdef", max_size=8),
)
events = st.builds(
    Event,
    start=st.floats(0, 1),
    end=st.floats(1.5, 2),
    label=words,
    speaker=maybe,
    snr_db=st.none() | st.floats(-20, 40),
)
streams = st.builds(
    Stream,
    audio=audio,
    duration=st.floats(3, 100),
    split=words,
    events=st.lists(events, max_size=3).map(tuple),
    speakers=st.lists(words, max_size=3).map(tuple),
    group=maybe,
    source=maybe,
    composed=st.text(max_size=5),
    silence=st.floats(0, 1),
    sha256=st.text(max_size=3),
)
rooms = st.builds(ImpulseResponse, audio=audio, duration=seconds, split=words, rt60=st.none() | seconds, source=maybe)
manifests = st.builds(
    Manifest,
    keyword=words,
    clips=st.lists(clips, max_size=4).map(tuple),
    streams=st.lists(streams, max_size=3).map(tuple),
    impulse_responses=st.lists(rooms, max_size=2).map(tuple),
    notes=st.lists(st.text(max_size=10), max_size=2).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(manifests)
def test_round_trip(manifest: Manifest) -> None:
    """What is written is read back the same: pools, sources, hashes, notes, line breaks in texts and all."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "manifest.jsonl")
        write_manifest(path, manifest)
        assert read_manifest(path) == manifest
