"""The corpus `espeak`: reproducible, honest about its times, and never the keyword where it should not be."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
import soundfile

from wakekit import Manifest, WakekitError
from wakekit.leakage import check_leakage
from wakekit.progress import Silence
from wakekit_data.by_speaker import BySpeaker
from wakekit_data.espeak import EspeakCorpus
from wakekit_data.espeak_library import find_espeak
from wakekit_data.espeak_noise import KINDS, background, impulse_response
from wakekit_data.espeak_text import edit_distance, heard, write_script
from wakekit_data.espeak_voices import alike, usable_voices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ACCENTS = ("en-us", "en-gb-x-rp")
TINY = EspeakCorpus(
    keyword="Hey  Nova",
    speakers=4,
    positives_per_speaker=3,
    near_misses_per_speaker=2,
    other_per_speaker=2,
    stream_seconds_per_speaker=30.0,
    keywords_per_stream=2,
    near_misses_per_stream=1,
    background_clips=7,
    rooms=2,
    accents=ACCENTS,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the tiny corpus is made."""
    return tmp_path_factory.mktemp("espeak")


@pytest.fixture(scope="module")
def tiny(folder: Path) -> Manifest:
    """Return the tiny corpus."""
    pytest.importorskip("espeakng_loader")
    return TINY.load(folder, Silence())


@pytest.fixture(scope="module")
def pronounce() -> Callable[[Sequence[str]], list[list[str]]]:
    """Return how espeak-ng says texts."""
    pytest.importorskip("espeakng_loader")
    espeak = find_espeak()
    return lambda texts: espeak.phonemes(ACCENTS, texts)


def audio(manifest: Manifest) -> dict[str, bytes]:
    """Return the bytes of every file, by its name and folder."""
    rows: list[Any] = [*manifest.clips, *manifest.streams, *manifest.impulse_responses]
    return {f"{row.audio.parent.name}/{row.audio.name}": row.audio.read_bytes() for row in rows}


def test_counts_and_lengths(tiny: Manifest) -> None:
    """Each speaker has the clips that were asked for, and a stream of about the length that was asked for."""
    assert tiny.keyword == "hey nova"
    pools = [clip.pool for clip in tiny.clips]
    assert [pools.count(pool) for pool in ("positive", "hard", "negative", "background")] == [12, 8, 8, 7]
    assert {clip.label for clip in tiny.clips} == {"hey nova", "near-miss", "speech", "background"}
    assert all(25 < stream.duration <= 30 and len(stream.events) == 2 for stream in tiny.streams)
    assert len(tiny.impulse_responses) == 2


def test_clips_lie_within_their_files(tiny: Manifest) -> None:
    """Clips of a speaker follow one another in one file to its end, are not clipped, and are at the rate asked for."""
    for speaker in {clip.speaker for clip in tiny.clips if clip.speaker}:
        clips = [clip for clip in tiny.clips if clip.speaker == speaker]
        info = soundfile.info(clips[0].audio)
        assert info.samplerate == 16000
        assert clips[-1].offset + clips[-1].duration == pytest.approx(info.duration, abs=1e-6)
        assert all(one.offset + one.duration == pytest.approx(two.offset) for one, two in pairwise(clips))
        assert np.abs(soundfile.read(clips[0].audio)[0]).max() < 0.95


def test_word_times_are_where_the_keyword_is(tiny: Manifest) -> None:
    """The stated time of a keyword is loud to its edges, and the pause around it is quiet, in clips and in streams."""
    spans = [(clip.audio, clip.offset, clip.word) for clip in tiny.clips if clip.word]
    spans += [(stream.audio, 0.0, (event.start, event.end)) for stream in tiny.streams for event in stream.events]
    assert len(spans) == 20
    for path, offset, (start, end) in spans:
        samples, rate = soundfile.read(path)
        first, last = round((offset + start) * rate), round((offset + end) * rate)
        assert 0.3 < end - start < 2
        peak = np.abs(samples[first:last]).max()
        assert np.abs(samples[first - 40 : first + 80]).max() > 0.004 * peak
        assert np.abs(samples[first - 700 : first - 100]).max() < 0.1 * peak


def test_streams_say_what_they_are(tiny: Manifest) -> None:
    """Streams are marked as composed, with their share of silence, their speaker and the keyword in order."""
    for stream in tiny.streams:
        assert "synthetic" in stream.composed
        assert 0.05 < stream.silence < 0.25
        (speaker,) = stream.speakers
        assert {event.speaker for event in stream.events} == {speaker}
        assert [event.start for event in stream.events] == sorted(event.start for event in stream.events)


def test_same_options_same_bytes(tiny: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are identical when made again, one at a time instead of several; another seed changes them."""
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    again = audio(TINY.load(tmp_path / "again", Silence()))
    assert again == audio(tiny)
    small = attrs.evolve(TINY, seed=1, speakers=1, background_clips=1, rooms=1)
    other = audio(small.load(tmp_path / "other", Silence()))
    assert all(again[name] != content for name, content in other.items())


def test_more_speakers_change_no_other(tiny: Manifest, tmp_path: Path) -> None:
    """A corpus of fewer speakers has the same audio for those it has."""
    fewer = audio(attrs.evolve(TINY, speakers=2).load(tmp_path, Silence()))
    whole = audio(tiny)
    assert len(fewer) < len(whole)
    assert all(whole[name] == content for name, content in fewer.items())


def test_splits_by_speaker(tiny: Manifest) -> None:
    """Speakers are of different groups while there are enough, and can be split without a leak."""
    assert len({clip.group for clip in tiny.clips if clip.group}) == 4
    check_leakage(BySpeaker().split(tiny))


@pytest.mark.parametrize("keyword", ["hey nova", "alexa", "okay computer", "stop"])
def test_near_misses_never_sound_like_the_keyword(
    keyword: str, pronounce: Callable[[Sequence[str]], list[list[str]]]
) -> None:
    """In no accent does a near miss contain the keyword's sound, yet several families come close to it."""
    script = write_script(keyword, pronounce)
    texts = [text for family in script.near_misses for text in family]
    (target, *_), *_ = said = [[heard(each) for each in spoken] for spoken in pronounce([keyword, *texts])]
    assert not [
        text for text, sounds in zip(texts, said[1:], strict=True) if any(w in s for w in said[0] for s in sounds)
    ]
    distances = [edit_distance(sounds[0], target) for sounds in said[1:]]
    assert len(script.near_misses) >= 3
    assert distances.count(1) >= 5


def test_homophones_are_no_near_misses(pronounce: Callable[[Sequence[str]], list[list[str]]]) -> None:
    """What is only spelt differently is the keyword, not a near miss of it."""
    texts = [text for family in write_script("hey nova", pronounce).near_misses for text in family]
    assert not {"hay nova", "hey nover", "hey novah"} & set(texts)
    assert "nova" in texts


@pytest.mark.parametrize("keyword", ["hey nova", "yes", "turn it off", "garden"])
def test_other_speech_never_holds_the_keyword(
    keyword: str, pronounce: Callable[[Sequence[str]], list[list[str]]]
) -> None:
    """Neither the keyword nor a word that sounds like its longest word is said in other speech."""
    script, rng = write_script(keyword, pronounce), np.random.default_rng(0)
    longest = max(keyword.split(), key=len)
    said = {script.sentence(rng) for _ in range(300)} | {script.phrase(rng) for _ in range(300)}
    assert len(said) > 250
    assert not [text for text in said if longest in text.split()]


@pytest.mark.parametrize("keyword", ["", "42", "hey <nova>", "?"])
def test_keywords_that_cannot_be_said(keyword: str, tmp_path: Path) -> None:
    """A keyword that is no words is an error before any audio is made."""
    pytest.importorskip("espeakng_loader")
    with pytest.raises(WakekitError, match="expected a keyword of letters"):
        attrs.evolve(TINY, keyword=keyword).load(tmp_path, Silence())
    assert not list(tmp_path.iterdir())


def test_wrong_voices_are_errors(tmp_path: Path) -> None:
    """Accents that do not load and more voices than there are get an error that helps."""
    pytest.importorskip("espeakng_loader")
    with pytest.raises(WakekitError, match="no accent 'nowhere' that loads"):
        attrs.evolve(TINY, accents=("en-us", "nowhere")).load(tmp_path, Silence())
    with pytest.raises(WakekitError, match=r"has \d+ voices, got speakers = 5000"):
        attrs.evolve(TINY, speakers=5000).load(tmp_path, Silence())


def test_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without espeak-ng the error holds the command that installs it."""
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(WakekitError, match=r"pip install 'wakekit\[espeak\]'"):
        TINY.load(tmp_path, Silence())


def test_copies_of_a_voice_share_a_group() -> None:
    """Voices alike in timbre or name are one group; numbered people are not."""
    nine = frozenset(f"formant {number} 1" for number in range(9))
    other = frozenset(f"formant {number} 2" for number in range(9))
    near = frozenset([*sorted(nine)[:7], *sorted(other)[7:]])
    far = frozenset([*sorted(nine)[:5], "formant 7 3"])
    groups = alike(
        {"amy": nine, "bea": near, "cleo": far, "dan": frozenset(), "dan2": other, "f1": frozenset(), "f2": far}
    )
    assert groups == {"amy": "amy", "bea": "amy", "cleo": "cleo", "dan": "dan", "dan2": "dan", "f1": "f1", "f2": "cleo"}


def test_voices_that_differ_come_first() -> None:
    """The order of voices begins with one of each group, so that a small corpus has as many people as it can."""
    pytest.importorskip("espeakng_loader")
    voices = usable_voices(find_espeak(), ("en-us",), robots=True)
    groups = [voice.group for voice in voices]
    assert len(voices) >= 90
    assert len(set(groups[: len(set(groups))])) == len(set(groups)) >= 50


@pytest.mark.parametrize("kind", KINDS)
def test_background_is_audible_and_never_the_same(kind: str) -> None:
    """Each kind of background is finite, within full scale, not silent, and differs from draw to draw."""
    one, two = (background(kind, 8000, 16000, np.random.default_rng(seed)) for seed in (0, 1))
    for sound in (one, two):
        assert np.isfinite(sound).all()
        assert 0.0005 < np.abs(sound).max() < 0.75
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("rt60", [0.15, 0.6])
def test_rooms_decay_as_stated(rt60: float) -> None:
    """The energy of an impulse response falls by 60 dB in its reverberation time (Schroeder's backward integral)."""
    sound = impulse_response(rt60, 16000, np.random.default_rng(0)).astype(np.float64)
    left = 10 * np.log10(np.cumsum(sound[::-1] ** 2)[::-1][round(0.02 * 16000) :])
    fall = left - left[0]
    slope = (np.argmax(fall < -25) - np.argmax(fall < -5)) / 16000
    assert 3 * slope == pytest.approx(rt60, rel=0.15)


@pytest.mark.parametrize("variant", ["f2", "whisper"])
def test_breath_does_not_depend_on_the_time_of_day(variant: str) -> None:
    """T22: voices with breath, whose noise espeak-ng seeds with the clock, are the same a second later."""
    pytest.importorskip("espeakng_loader")
    line = {"voice": f"en-us+{variant}", "text": "the weather is cold", "rate": 160, "pitch": 50, "range": 50}
    (one,) = find_espeak().speak([line])
    time.sleep(1.1)
    (two,) = find_espeak().speak([line])
    np.testing.assert_array_equal(one, two)
