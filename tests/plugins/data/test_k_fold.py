"""The `k-fold` splitter: folds alike, nothing shared between them, every row in test once."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from wakekit import Clip, ImpulseResponse, Manifest, Stream, WakekitError
from wakekit.leakage import check_leakage
from wakekit_data.k_fold import KFold

names = st.none() | st.integers(0, 15).map(str)
clips = st.builds(
    Clip,
    audio=st.integers(0, 400).map(lambda number: Path(f"{number}.wav")),
    duration=st.floats(0.5, 8),
    label=st.just("x"),
    pool=st.sampled_from(["positive", "positive", "negative", "hard", "background"]),
    speaker=names,
    group=names,
    sha256=st.sampled_from(["", "", "", "", "a", "b"]),
)
streams = st.builds(
    Stream,
    audio=st.integers(0, 400).map(lambda number: Path(f"{number}.wav")),
    duration=st.floats(30, 90),
    speakers=st.lists(st.integers(0, 15).map(str), max_size=1).map(tuple),
)


class Said(NamedTuple):
    """How many clips a speaker has with the keyword and without."""

    positives: int
    negatives: int


def spoken(speakers: list[Said]) -> list[Clip]:
    """Return clips of a second."""
    return [
        Clip(audio=Path(f"{who}/{pool}{take}"), duration=1.0, label=pool, pool=pool, speaker=f"p{who}")
        for who, said in enumerate(speakers)
        for pool, count in (("positive", said.positives), ("negative", said.negatives))
        for take in range(count)
    ]


def in_test(manifest: Manifest, folds: int, seed: int) -> list[list[Path]]:
    """Return the audio in test, fold by fold."""
    found = [KFold(folds=folds, fold=fold, seed=seed).split(manifest) for fold in range(folds)]
    return [[row.audio for row in done.rows() if row.split == "test"] for done in found]


@settings(max_examples=60, deadline=None)
@given(st.lists(clips, min_size=3, max_size=50), st.lists(streams, max_size=5), st.integers(3, 5), st.integers(0, 5))
def test_every_row_is_tested_once_and_nothing_is_shared(
    clips: list[Clip], streams: list[Stream], folds: int, seed: int
) -> None:
    """However rows are entangled, no fold leaks, dev is the next fold's test, and each split hears the keyword."""
    alone = [Said(positives=1, negatives=0)] * folds
    manifest = Manifest(keyword="x", clips=(*clips, *spoken(alone)), streams=tuple(streams))
    runs = [KFold(folds=folds, fold=fold, seed=seed).split(manifest) for fold in range(folds)]
    splits = [[row.split for row in run.rows()] for run in runs]
    for run in runs:
        check_leakage(run)
        assert {clip.split for clip in run.clips if clip.pool == "positive"} == {"train", "dev", "test"}
        assert [attrs.evolve(row, split="") for row in run.rows()] == list(manifest.rows())
    for row in zip(*splits, strict=True):
        assert Counter(row) == {"test": 1, "dev": 1, "train": folds - 2}
        assert row[row.index("test") - 1] == "dev"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.builds(Said, st.integers(1, 12), st.integers(0, 30)), min_size=12, max_size=30),
    st.integers(3, 6),
    st.integers(0, 100),
)
def test_balances_positives_as_scikit_learn(speakers: list[Said], folds: int, seed: int) -> None:
    """The fullest fold has no more keywords over the emptiest than StratifiedGroupKFold's, plus one speaker's."""
    clips = spoken([*speakers, *[Said(0, 3)] * folds])
    label = {clip.audio: clip.pool == "positive" for clip in clips}
    ours = [
        sum(label[audio] for audio in fold) for fold in in_test(Manifest(keyword="x", clips=tuple(clips)), folds, seed)
    ]
    labels, groups = np.array(list(label.values()), int), [clip.speaker for clip in clips]
    reference = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, groups)
    theirs = [int(labels[rows].sum()) for _, rows in reference]
    assert sum(ours) == sum(theirs)
    assert max(ours) - min(ours) <= max(theirs) - min(theirs) + max(said.positives for said in speakers)


def test_is_on_average_more_even_than_scikit_learn() -> None:
    """Over random corpora, positives and negatives per fold spread less than StratifiedGroupKFold's."""
    draw = random.Random(0)  # noqa: S311
    spreads = []
    for seed in range(6):
        speakers = [Said(draw.randrange(0, 9), draw.randrange(1, 20)) for _ in range(draw.randrange(15, 50))]
        clips = spoken(speakers)
        positive = {clip.audio: clip.pool == "positive" for clip in clips}
        labels = np.array(list(positive.values()), int)
        folds = in_test(Manifest(keyword="x", clips=tuple(clips)), 5, seed)
        reference = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(
            labels, labels, [clip.speaker for clip in clips]
        )
        ours = np.array([[positive[audio] for audio in fold].count(True) for fold in folds])
        theirs = np.array([[labels[rows].sum(), len(rows) - labels[rows].sum()] for _, rows in reference])
        sizes = np.array([len(fold) for fold in folds])
        spreads.append([ours.std(), theirs[:, 0].std(), (sizes - ours).std(), theirs[:, 1].std()])
    mean = np.mean(spreads, axis=0)
    assert mean[0] < mean[1]
    assert mean[2] < mean[3]


def test_all_pools_streams_and_rooms_are_even() -> None:
    """Twenty speakers with streams, noise and rooms make five folds of a fifth of everything each."""
    speakers = spoken([Said(4, 6)] * 20)
    noise = [Clip(audio=Path(f"n{number}"), duration=5.0, label="b", pool="background") for number in range(25)]
    hard = [attrs.evolve(clip, audio=clip.audio / "h", pool="hard") for clip in speakers[::3]]
    manifest = Manifest(
        keyword="x",
        clips=(*speakers, *hard, *noise),
        streams=tuple(Stream(audio=Path(f"s{who}"), duration=60, speakers=(f"p{who}",)) for who in range(20)),
        impulse_responses=tuple(ImpulseResponse(audio=Path(f"r{number}"), duration=0.3) for number in range(15)),
    )
    for fold in range(5):
        done = KFold(fold=fold).split(manifest)
        assert done.notes == ()
        for pool in ("positive", "negative", "hard", "background"):
            rows = [clip for clip in done.clips if clip.pool == pool]
            assert sum(clip.split == "test" for clip in rows) == pytest.approx(len(rows) / 5, abs=len(rows) / 20 + 1)
        assert sum(stream.split == "test" for stream in done.streams) == 4
        assert sum(room.split == "test" for room in done.impulse_responses) == 3


def test_seed_and_order() -> None:
    """The same seed gives the same folds in whatever order the rows stand; another seed gives others."""
    clips = spoken([Said(1 + who % 4, 5) for who in range(20)])
    first = in_test(Manifest(keyword="x", clips=tuple(clips)), 5, seed=3)
    again = in_test(Manifest(keyword="x", clips=tuple(clips[::-1])), 5, seed=3)
    assert list(map(set, first)) == list(map(set, again))
    assert first != in_test(Manifest(keyword="x", clips=tuple(clips)), 5, seed=4)


def test_too_few_speakers_or_no_such_fold() -> None:
    """Fewer speakers of the keyword than folds is an error that counts them; a fold beyond the last is refused."""
    manifest = Manifest(keyword="x", clips=tuple(spoken([Said(3, 1)] * 4)))
    with pytest.raises(WakekitError, match=r"at least 5 independent.* one for each fold, got 4 .*fewer folds"):
        KFold().split(manifest)
    assert KFold(folds=4).split(manifest)
    with pytest.raises(ValueError, match="fold: expected a value below folds, which is 5, got 5"):
        KFold(fold=5)
    with pytest.raises(ValueError, match="folds"):
        KFold(folds=2)
