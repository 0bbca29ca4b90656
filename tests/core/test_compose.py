"""Composed streams: from the split's own clips, each once, with truthful times and a stated share of silence."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from wakekit.compose import compose
from wakekit.data import Clip, Event, Stream
from wakekit.prepared import Placed, SplitAudio, map_audio
from wakekit.settings import Compose

if TYPE_CHECKING:
    from pathlib import Path

RATE = 1000


def placed(rows: list[object], starts: list[int], lengths: list[int]) -> Placed:
    """Return rows at the given places."""
    return Placed(tuple(rows), torch.tensor(starts, dtype=torch.int64), torch.tensor(lengths, dtype=torch.int64))


def split_audio(*, background: bool = False, streams: tuple[Stream, ...] = ()) -> SplitAudio:
    """Return a dev split of 6 keyword clips and 30 others, each of a constant level of its own."""
    clips: list[object] = [
        Clip(audio=f"p{n}", duration=0.9, label="hi", pool="positive", word=(0.1, 0.5), speaker=f"s{n}")
        for n in range(6)
    ]
    clips += [Clip(audio=f"n{n}", duration=0.9, label="speech", pool="negative") for n in range(30)]
    clips += [Clip(audio="b", duration=0.9, label="noise", pool="background")] if background else []
    audio = torch.cat([torch.full((900,), 1000 + 10 * n, dtype=torch.int16) for n in range(len(clips))])
    return SplitAudio(
        "dev", "hi", RATE, audio, placed(clips, [900 * n for n in range(len(clips))], [900] * len(clips)),
        placed(list(streams), [0] * len(streams), [60_000] * len(streams)), placed([], [], []),
    )  # fmt: skip


def test_every_keyword_once_at_the_time_it_states(tmp_path: Path) -> None:
    """Each keyword clip is in the stream once, its event says when and who, and other clips go around it."""
    found = compose(tmp_path, split_audio(), Compose())
    (stream,) = found.streams
    audio = map_audio(tmp_path / "audio.i16").numpy()
    assert len(audio) == round(stream.duration * RATE)
    levels = Counter()
    for event in stream.events:
        (level,) = set(audio[round(event.start * RATE) : round(event.end * RATE)].tolist())
        assert event.end - event.start == pytest.approx(0.4)
        assert event.speaker == f"s{(level - 1000) // 10}"
        levels[level] += 1
    assert levels == dict.fromkeys(range(1000, 1060, 10), 1)
    runs = Counter(audio[audio > 0].tolist())
    assert set(runs.values()) == {900}, "a clip was used twice, cut or laid over another"
    assert len(runs) == 12
    assert not audio[:3000].any()


def test_the_share_of_silence_is_what_was_asked_and_stated(tmp_path: Path) -> None:
    """Gaps, lead-in and end together take the stated share of the stream."""
    (stream,) = compose(tmp_path, split_audio(), Compose(minutes=0.5, silence=0.2)).streams
    audio = map_audio(tmp_path / "audio.i16").numpy()
    assert np.mean(audio == 0) == pytest.approx(0.2, abs=0.01)
    assert stream.silence == pytest.approx(np.mean(audio == 0), abs=0.01)
    # Few clips cannot make up for the lead-in and the end: then more is silent, and that is what is stated.
    (short,) = compose(tmp_path, split_audio(), Compose(silence=0.2)).streams
    silent = np.mean(map_audio(tmp_path / "audio.i16").numpy() == 0)
    assert silent > 0.25
    assert short.silence == pytest.approx(silent, abs=0.01)


def test_what_the_corpus_has_is_not_composed_again(tmp_path: Path) -> None:
    """With the keyword in a real stream and enough minutes, nothing is composed; with too few, the rest is."""
    event = Event(start=1, end=2, label="hi")
    real = Stream(audio="r", duration=60.0, events=(event,))
    assert compose(tmp_path, split_audio(streams=(real,)), Compose(minutes=0.98)).streams == ()
    more = compose(tmp_path, split_audio(streams=(real,)), Compose(minutes=1.2))
    assert more.streams
    assert not any(stream.events for stream in more.streams)
    other = Stream(audio="r", duration=60.0, events=(Event(start=1, end=2, label="yes"),))
    assert sum(len(s.events) for s in compose(tmp_path, split_audio(streams=(other,)), Compose()).streams) == 6


def test_too_few_clips_are_said_not_repeated(tmp_path: Path) -> None:
    """T1: minutes that the clips cannot fill are reported as missing; no clip is used again."""
    found = compose(tmp_path, split_audio(), Compose(minutes=30))
    assert "short of compose.minutes" in found.note
    without = sum(stream.duration - sum(e.end - e.start for e in stream.events) for stream in found.streams) / 60
    assert f"composed {without:.1f} min" in found.note
    assert f"{30 - without:.1f} min short" in found.note
    assert sum(stream.duration for stream in found.streams) < 36 * 0.9 / 0.8 + 10


def test_background_lies_under_everything_at_its_snr(tmp_path: Path) -> None:
    """With background in the split no sample is silent; seeds change the stream, the same seed does not."""
    options = Compose(snr_db=(10.0, 10.0))
    compose(tmp_path, split_audio(background=True), options)
    audio = map_audio(tmp_path / "audio.i16").numpy().astype(float)
    assert (audio != 0).all()
    gap = audio[:3000]
    speech = np.mean([(1000 + 10 * n) ** 2 for n in range(36)])
    assert 10 * np.log10(speech / np.mean(gap**2)) == pytest.approx(10, abs=1.0)
    first = (tmp_path / "audio.i16").read_bytes()
    compose(tmp_path, split_audio(background=True), options)
    assert (tmp_path / "audio.i16").read_bytes() == first
    compose(tmp_path, split_audio(background=True), Compose(seed=1, snr_db=(10.0, 10.0)))
    assert (tmp_path / "audio.i16").read_bytes() != first
