"""Splitters: what belongs together stays together, and shares come out as wanted."""

from __future__ import annotations

import random
from pathlib import Path

import attrs
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wakekit import Clip, ImpulseResponse, Manifest, Stream, WakekitError
from wakekit.leakage import check_leakage
from wakekit_data.by_speaker import BySpeaker
from wakekit_data.given import Given

names = st.none() | st.integers(0, 12).map(str)
clips = st.builds(
    Clip,
    audio=st.integers(0, 400).map(lambda number: Path(f"{number}.wav")),
    duration=st.floats(0.5, 8),
    label=st.just("x"),
    pool=st.sampled_from(["positive", "positive", "negative", "hard", "background"]),
    speaker=names,
    group=names,
    sha256=st.sampled_from(["", "", "a", "b"]),
)
streams = st.builds(
    Stream,
    audio=st.integers(0, 400).map(lambda number: Path(f"{number}.wav")),
    duration=st.floats(30, 90),
    speakers=st.lists(st.integers(0, 12).map(str), max_size=2).map(tuple),
)


def corpus(speakers: int = 40, *, clips_each: int = 4) -> Manifest:
    """Return a regular corpus: each speaker has clips of every spoken pool and a stream; noise and rooms beside."""
    spoken = [
        Clip(audio=Path(f"{who}/{pool}{take}"), duration=1.0, label=pool, pool=pool, speaker=f"p{who}")
        for who in range(speakers)
        for pool in ("positive", "negative", "hard")
        for take in range(clips_each)
    ]
    background = [
        Clip(audio=Path(f"noise{number}"), duration=5.0, label="b", pool="background") for number in range(50)
    ]
    return Manifest(
        keyword="positive",
        clips=(*spoken, *background),
        streams=tuple(Stream(audio=Path(f"s{who}"), duration=60, speakers=(f"p{who}",)) for who in range(speakers)),
        impulse_responses=tuple(ImpulseResponse(audio=Path(f"r{number}"), duration=0.3) for number in range(20)),
    )


def share(manifest: Manifest, split: str, pool: str) -> float:
    """Return a split's share of the seconds of a pool, or of the streams or rooms."""
    found: tuple[Clip, ...] | tuple[Stream, ...] | tuple[ImpulseResponse, ...]
    found = tuple(clip for clip in manifest.clips if clip.pool == pool)
    if pool in ("streams", "rooms"):
        found = manifest.streams if pool == "streams" else manifest.impulse_responses
    return sum(row.duration for row in found if row.split == split) / sum(row.duration for row in found)


@settings(max_examples=60, deadline=None)
@given(st.lists(clips, min_size=3, max_size=60), st.lists(streams, max_size=5), st.integers(0, 5))
def test_nothing_is_on_two_sides(clips: list[Clip], streams: list[Stream], seed: int) -> None:
    """However speakers, groups, files and hashes are entangled, a split has no leak, or the splitter says it cannot."""
    manifest = Manifest(keyword="x", clips=tuple(clips), streams=tuple(streams))
    try:
        done = BySpeaker(seed=seed).split(manifest)
    except WakekitError as error:
        assume("independent" not in str(error))
        raise
    check_leakage(done)
    assert {clip.split for clip in done.clips if clip.pool == "positive"} == {"train", "dev", "test"}
    assert [attrs.evolve(row, split="") for row in done.rows()] == list(manifest.rows())


def test_shares_come_near() -> None:
    """Every pool, the streams and the rooms are divided about as wanted, without a remark."""
    done = BySpeaker(train=0.5, dev=0.2, test=0.3).split(corpus())
    for pool in ("positive", "negative", "hard", "background", "streams", "rooms"):
        assert share(done, "train", pool) == pytest.approx(0.5, abs=0.06)
        assert share(done, "test", pool) == pytest.approx(0.3, abs=0.06)
    assert done.notes == ()


def test_seed_and_order() -> None:
    """The same seed gives the same split in whatever order the rows stand; another seed gives another."""
    manifest = corpus()
    shuffled = list(manifest.clips)
    random.Random(0).shuffle(shuffled)  # noqa: S311
    first = {clip.audio: clip.split for clip in BySpeaker(seed=3).split(manifest).clips}
    again = BySpeaker(seed=3).split(attrs.evolve(manifest, clips=tuple(shuffled), streams=manifest.streams[::-1]))
    assert {clip.audio: clip.split for clip in again.clips} == first
    assert {clip.audio: clip.split for clip in BySpeaker(seed=4).split(manifest).clips} != first


def test_every_split_hears_the_keyword() -> None:
    """Three speakers are just enough, even when one says nearly all; two are an error that counts them."""
    large = [Clip(audio=Path(f"a{n}"), duration=9, label="x", pool="positive", speaker="a") for n in range(50)]
    small = [Clip(audio=Path(who), duration=0.5, label="x", pool="positive", speaker=who) for who in "bc"]
    done = BySpeaker().split(Manifest(keyword="x", clips=(*large, *small)))
    assert {clip.split for clip in done.clips} == {"train", "dev", "test"}
    with pytest.raises(WakekitError, match=r"at least 3 independent speakers.* got 2"):
        BySpeaker().split(Manifest(keyword="x", clips=(*large, small[0])))


def test_a_lopsided_split_is_remarked() -> None:
    """Where one speaker holds most of the streams, a note says which split falls short."""
    manifest = corpus(6)
    streams = (attrs.evolve(manifest.streams[0], duration=10000.0), *manifest.streams[1:])
    notes = BySpeaker().split(attrs.evolve(manifest, streams=streams)).notes
    assert any("streams" in note and "wanted" in note for note in notes)


def test_shares_must_sum_to_one() -> None:
    """Shares that leave audio over, or promise too much, are refused."""
    with pytest.raises(ValueError, match=r"sum to 1, got 1\.1"):
        BySpeaker(train=0.7)
    BySpeaker(train=0.7, dev=0.1, test=0.2)


def test_given_keeps_splits_and_names_rows_without() -> None:
    """The corpus's own splits are kept; rows without a valid one are an error that names the first."""
    done = BySpeaker().split(corpus(6))
    assert Given().split(done) is done
    lost = attrs.evolve(done, streams=(attrs.evolve(done.streams[0], split="tets"), *done.streams[1:]))
    with pytest.raises(WakekitError, match=r"got s0 \('tets'\)"):
        Given().split(lost)
    with pytest.raises(WakekitError, match=r"0/positive0 \('none'\).* and 145 more"):
        Given().split(corpus(6))
