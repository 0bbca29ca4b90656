"""Splits must share no speaker, group, source recording or content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wakekit import Clip, Event, ImpulseResponse, Manifest, Stream, WakekitError
from wakekit.leakage import check_leakage


def clip(name: str, split: str, **more: Any) -> Clip:
    """Return a clip of a file of its own."""
    return Clip(audio=Path(name), duration=1, label="x", pool="negative", split=split, **more)


def manifest(*rows: Clip | Stream | ImpulseResponse) -> Manifest:
    """Return a manifest of the rows."""
    return Manifest(
        keyword="x",
        clips=tuple(row for row in rows if isinstance(row, Clip)),
        streams=tuple(row for row in rows if isinstance(row, Stream)),
        impulse_responses=tuple(row for row in rows if isinstance(row, ImpulseResponse)),
    )


def test_clean_splits_pass() -> None:
    """Sharing within a split is fine, and so is audio without a hash on two sides."""
    check_leakage(
        manifest(
            clip("a", "train", speaker="p", group="h", source="r", sha256="1"),
            clip("b", "train", speaker="p", group="h", source="r", sha256="1"),
            clip("c", "test", sha256=""),
            clip("d", "train", sha256=""),
        )
    )


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [
        (
            clip("a", "train", speaker="p"),
            clip("b", "dev", speaker="p"),
            r"speaker 'p' is in train \(a\) and dev \(b\)",
        ),
        (clip("a", "dev", group="h"), clip("b", "test", group="h"), "group 'h'"),
        (clip("a", "train", source="r"), clip("b", "test", source="r"), "source recording 'r'"),
        (clip("a", "train"), clip("a", "test"), "source recording 'a'"),
        (clip("a", "train", sha256="f0"), clip("b", "test", sha256="f0"), "content 'f0'"),
        (
            clip("a", "train", speaker="p"),
            Stream(audio=Path("s"), duration=9, split="test", speakers=("q", "p")),
            "speaker 'p'",
        ),
        (
            clip("a", "train", speaker="p"),
            Stream(audio=Path("s"), duration=9, split="test", events=(Event(start=1, end=2, label="x", speaker="p"),)),
            "speaker 'p'",
        ),
        (clip("a", "train", group="h"), Stream(audio=Path("s"), duration=9, split="test", group="h"), "group 'h'"),
        (
            ImpulseResponse(audio=Path("r1"), duration=1, split="train", source="hall"),
            ImpulseResponse(audio=Path("r2"), duration=1, split="test", source="hall"),
            "source recording 'hall'",
        ),
        (
            clip("a", "train", sha256="f0"),
            ImpulseResponse(audio=Path("r"), duration=1, split="test", sha256="f0"),
            "content 'f0'",
        ),
    ],
)
def test_a_clash_is_named(first: Clip, second: Clip, named: str) -> None:
    """Whatever is on two sides is named, with the splits and a file of each."""
    with pytest.raises(WakekitError, match=named):
        check_leakage(manifest(first, second))


def test_clashes_are_counted() -> None:
    """All clashes are counted and the first three named."""
    rows = [clip(f"{split}{place}", split, speaker=f"p{place}") for place in range(5) for split in ("train", "test")]
    with pytest.raises(WakekitError, match=r"5 clashes: .*'p0'.*'p1'.*'p2'.*; and 2 more") as caught:
        check_leakage(manifest(*rows))
    assert "'p3'" not in str(caught.value)


def test_one_file_is_one_recording_whatever_its_cuts_are_called() -> None:
    """T15: two cuts of one file on two sides leak, even where each names another source."""
    with pytest.raises(WakekitError, match="source recording"):
        check_leakage(manifest(clip("a", "train", source="one"), clip("a", "test", source="two")))
