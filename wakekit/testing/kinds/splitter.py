"""Splitters: every row to train, dev or test, and nothing that hangs together to two of them.

The manifests of 24 speakers also state splits, which do not leak, for splitters that keep what is stated.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.data import SPLITS, Clip, Event, ImpulseResponse, Manifest, Stream
from wakekit.errors import WakekitError
from wakekit.leakage import check_leakage
from wakekit.testing.checks import check, exercise

if TYPE_CHECKING:
    import torch

    from wakekit.testing.subject import Subject

_SPEAKERS = 24
_SEEDS = 5
_STATED = ("train", "train", "train", "dev", "test")
_POOLS = ("positive", "positive", "positive", "negative", "negative", "hard")
_ROOT = Path("/made-up")


@exercise("splitter")
def splits(subject: Subject, device: torch.device) -> dict[str, Any]:  # noqa: ARG001
    """Return the splits of every row, and the notes."""
    found = _split(subject, _manifest())
    return {"splits": _places(found), "notes": list(found.notes)}


def _manifest(*, tie: str = "speaker", speakers: int = _SPEAKERS, stated: bool = True) -> Manifest:
    """Return clips and a stream of each speaker, background and rooms.

    Beyond speakers, `tie` says what holds speakers 2 k and 2 k + 1 together: a household, a stream, or identical audio.
    With `recording` clips have no speaker, and those cut from one recording hang together.
    """
    everyone = range(speakers)
    clips = [_clip(tie, speaker, take) for speaker in everyone for take in range(len(_POOLS))]
    whole = Manifest(
        keyword="nova",
        clips=(*clips, *(_background(number, half) for number in everyone for half in range(2))),
        streams=tuple(_stream(tie, speaker) for speaker in everyone if tie != "recording"),
        impulse_responses=tuple(_room(number) for number in everyone),
        notes=("kept",),
    )
    return whole if stated else _unstated(whole)


def _stated(number: int) -> str:
    """Return the split stated for what has a number: two in a row have the same."""
    return _STATED[number // 2 % len(_STATED)]


def _unstated(whole: Manifest) -> Manifest:
    return attrs.evolve(
        whole,
        clips=tuple(attrs.evolve(row, split="") for row in whole.clips),
        streams=tuple(attrs.evolve(row, split="") for row in whole.streams),
        impulse_responses=tuple(attrs.evolve(row, split="") for row in whole.impulse_responses),
    )


def _clip(tie: str, speaker: int, take: int) -> Clip:
    path, pool = _ROOT / f"s{speaker:02}-{take}.wav", _POOLS[take]
    alike = tie == "content" and take == 0
    return Clip(
        audio=path,
        duration=1.0 + take / 10,
        label="nova" if pool == "positive" else "speech",
        pool=pool,
        split=_stated(speaker),
        speaker=None if tie == "recording" else f"speaker {speaker}",
        source=f"recording {speaker}" if tie == "recording" else None,
        group=f"household {speaker // 2}" if tie == "household" else None,
        sha256=_sha("alike", speaker // 2) if alike else _sha(path),
    )


def _background(number: int, half: int) -> Clip:
    """Return one half of a recording, which two clips are cut from."""
    path = _ROOT / f"background-{number}.wav"
    return Clip(
        audio=path,
        offset=4.0 * half,
        duration=4.0,
        label="background",
        pool="background",
        split=_stated(number),
        sha256=_sha(path, half),
    )


def _stream(tie: str, speaker: int) -> Stream:
    """Return a stream of a speaker, who with `tie` stream has the next one beside them."""
    path, heard = _ROOT / f"stream-{speaker:02}.wav", [speaker, speaker ^ 1] if tie == "stream" else [speaker]
    events = tuple(
        Event(start=5.0 + 9 * place, end=6.0 + 9 * place, label="nova", speaker=f"speaker {one}")
        for place, one in enumerate(heard)
    )
    return Stream(audio=path, duration=60.0, split=_stated(speaker), events=events, sha256=_sha(path))


def _room(number: int) -> ImpulseResponse:
    path = _ROOT / f"room-{number}.wav"
    source = f"hall {number // 2}"
    return ImpulseResponse(audio=path, duration=0.5, split=_stated(number), source=source, sha256=_sha(path))


def _sha(*what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()


def _split(subject: Subject, manifest: Manifest, **options: Any) -> Manifest:  # noqa: ANN401
    found = subject.build(**options).split(manifest)
    assert isinstance(found, Manifest), f"expected a wakekit.Manifest, got {found!r:.80}"
    return found


def _places(manifest: Manifest) -> dict[str, str]:
    return {f"{row.audio} {getattr(row, 'offset', 0)}": row.split for row in manifest.rows()}


def _assert_all_split(manifest: Manifest) -> None:
    odd = [row for row in manifest.rows() if row.split not in SPLITS]
    told = f"{odd[0].audio} ({odd[0].split!r})" if odd else ""
    assert not odd, f"expected a split of {', '.join(SPLITS)} for every row, and {len(odd)} have none, first {told}"


@check("splitter")
def every_row_gets_a_split(subject: Subject) -> None:
    """Every row is in train, dev or test, or a WakekitError says why that cannot be."""
    _assert_all_split(_split(subject, _manifest()))
    try:
        found = _split(subject, _manifest(stated=False))
    except WakekitError as error:
        told = str(error).strip()
    else:
        _assert_all_split(found)
        return
    assert told, "expected a sentence that says what to do, got none"


@check("splitter")
def rows_kept(subject: Subject) -> None:
    """Rows stay as they were and where they were: only their split is set, and notes may be added."""
    before = _manifest()
    after = _split(subject, before)
    stripped = [[attrs.evolve(row, split="") for row in each.rows()] for each in (after, before)]
    same = [after.keyword, len(after.clips), len(after.streams)] == [
        before.keyword,
        len(before.clips),
        len(before.streams),
    ]
    assert same and stripped[0] == stripped[1], "rows were dropped, changed or put in another order"
    assert set(before.notes) <= set(after.notes), f"notes of the corpus were dropped: {before.notes}"


@check("splitter")
def speakers_on_one_side(subject: Subject) -> None:
    """No speaker is in two splits, in clips or in streams."""
    check_leakage(_split(subject, _manifest()))
    check_leakage(_split(subject, _manifest(tie="stream")))


@check("splitter")
def households_on_one_side(subject: Subject) -> None:
    """What shares a `group` is in one split."""
    check_leakage(_split(subject, _manifest(tie="household")))


@check("splitter")
def recordings_on_one_side(subject: Subject) -> None:
    """What was cut from one file, or states one `source`, is in one split."""
    check_leakage(_split(subject, _manifest(tie="recording")))


@check("splitter")
def identical_audio_on_one_side(subject: Subject) -> None:
    """Rows with the same content, by `sha256`, are in one split."""
    check_leakage(_split(subject, _manifest(tie="content")))


@check("splitter")
def order_of_rows_free(subject: Subject) -> None:
    """The manifest's rows in another order get the same splits."""
    manifest, rng = _manifest(), random.Random(0)  # noqa: S311 - an order, no secret
    expected = _places(_split(subject, manifest))
    shuffled = attrs.evolve(
        manifest,
        clips=tuple(rng.sample(manifest.clips, len(manifest.clips))),
        streams=manifest.streams[::-1],
        impulse_responses=manifest.impulse_responses[::-1],
    )
    found = _places(_split(subject, shuffled))
    moved = sorted(row for row, split in expected.items() if found.get(row) != split)
    assert not moved, f"in another order, {len(moved)} of {len(expected)} rows go to another split, first {moved[:1]}"


@check("splitter")
def keyword_and_others_in_every_split(subject: Subject) -> None:
    """A manifest with enough speakers has the keyword, other speech and background in every split."""
    found = Counter((clip.split, clip.pool) for clip in _split(subject, _manifest()).clips)
    lost = [
        f"{pool} in {split}"
        for split in SPLITS
        for pool in ("positive", "negative", "background")
        if not found[split, pool]
    ]
    assert not lost, f"expected clips of every pool in every split, got none of {', '.join(lost)}"


@check("splitter")
def too_few_speakers_told(subject: Subject) -> None:
    """Where there are too few speakers for three splits, a WakekitError says so, or nothing leaks all the same."""
    try:
        found = _split(subject, _manifest(tie="household", speakers=2))
    except WakekitError as error:
        told = str(error).strip()
    else:
        _assert_all_split(found)
        check_leakage(found)
        return
    assert told, "expected a sentence that says what is missing, got none"


@check("splitter", when=lambda subject: hasattr(subject.value, "seed"))
def seed_decides(subject: Subject) -> None:
    """With another `seed` rows go to other splits."""
    found = [_places(_split(subject, _manifest(), seed=seed)) for seed in range(_SEEDS)]
    assert any(one != found[0] for one in found), f"with each `seed` from 0 to {_SEEDS - 1} every row goes to one split"


def _folds(subject: Subject) -> bool:
    return hasattr(subject.value, "fold") and isinstance(getattr(subject.value, "folds", None), int)


@check("splitter", when=_folds)
def every_row_tested_once(subject: Subject) -> None:
    """Over `fold` = 0 … `folds` - 1 every row is in test once, and each fold has rows in all splits."""
    manifest, tested = _manifest(), Counter[str]()
    for fold in range(subject.value.folds):
        places = _places(_split(subject, manifest, fold=fold))
        assert set(places.values()) == set(SPLITS), f"fold {fold}: expected rows in all splits"
        tested.update(row for row, split in places.items() if split == "test")
    odd = [row for row in _places(manifest) if tested[row] != 1]
    assert not odd, f"expected every row in test once, and {len(odd)} are not, first {odd[:1]}, {tested[odd[0]]} times"
