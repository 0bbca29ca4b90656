"""The corpora of real recordings: `manifest` and `folder`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from wakekit import WakekitError
from wakekit.leakage import check_leakage
from wakekit.progress import Silence
from wakekit_data.folder import FolderCorpus
from wakekit_data.given import Given
from wakekit_data.manifest import ManifestCorpus
from wakekit_data.word_times import locate_word

RATE = 16000


def word_at(start: float, end: float, *, seconds: float = 2.0, noise: float = 0.003) -> np.ndarray[Any, Any]:
    """Return faint noise with a tone from `start` to `end`."""
    samples = noise * np.random.default_rng(0).standard_normal(round(seconds * RATE))
    tone = np.arange(round((end - start) * RATE)) / RATE
    samples[round(start * RATE) :][: tone.size] += 0.3 * np.sin(2 * np.pi * 440 * tone)
    return samples


def put(path: Path, samples: np.ndarray[Any, Any]) -> Path:
    """Write audio, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE)
    return path


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Return a manifest of a keyword (with and without its time), speech and background."""
    put(tmp_path / "a.wav", np.concatenate([word_at(0.2, 0.8), word_at(0.7, 1.2)]))
    put(tmp_path / "b.wav", word_at(0, 2))
    clip = {"kind": "clip", "audio_filepath": "a.wav", "duration": 2.0, "split": "train"}
    rows = [
        clip | {"label": "nova", "word": [0.25, 0.75]},
        clip | {"label": "nova", "offset": 2.0, "speaker": "p"},
        clip | {"label": "speech", "audio_filepath": "b.wav"},
        clip | {"label": "hiss", "audio_filepath": "b.wav"},
    ]
    path = tmp_path / "manifest.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_labels_become_pools(listed: Path) -> None:
    """The keyword is positive, the other labels are what the options say, clips of one file share a source."""
    corpus = ManifestCorpus(path=listed, keyword="nova", background=("hiss",))
    manifest = corpus.load(listed.parent, Silence())
    assert [clip.pool for clip in manifest.clips] == ["positive", "positive", "negative", "background"]
    assert manifest.clips[0].source == manifest.clips[1].source != manifest.clips[2].source
    assert list(corpus.files()) == [listed.parent / "a.wav", listed.parent / "b.wav"]
    ignoring = ManifestCorpus(path=listed, keyword="nova", ignore=("hiss",))
    assert len(ignoring.load(listed.parent, Silence()).clips) == 3


def test_missing_word_times_are_estimated(listed: Path) -> None:
    """Only positives that do not state the word's time get one, from their own part of the file; a note says so."""
    manifest = ManifestCorpus(path=listed, keyword="nova", background=("hiss",)).load(listed.parent, Silence())
    assert manifest.clips[0].word == (0.25, 0.75)
    assert manifest.clips[1].word == pytest.approx((0.7, 1.2), abs=0.03)
    assert manifest.clips[2].word is None
    assert ["estimated from energy in 1 clips" in note for note in manifest.notes] == [True, False]


def test_speech_without_a_speaker_is_told(listed: Path) -> None:
    """A note says how many clips of speech state no speaker; background needs none."""
    manifest = ManifestCorpus(path=listed, keyword="nova", background=("hiss",)).load(listed.parent, Silence())
    lost = sum(clip.speaker is None for clip in manifest.clips if clip.pool != "background")
    assert lost
    assert any(note.startswith(f"{lost} clips of speech state no speaker") for note in manifest.notes)


def test_undeclared_labels_and_keywords(listed: Path) -> None:
    """A label in no pool is an error at its line that says what to do; so are a keyword nobody says, a label twice."""
    with pytest.raises(WakekitError, match=r"manifest.jsonl:4: label 'hiss' is in no pool.*did you mean 'his'.*ignore"):
        ManifestCorpus(path=listed, keyword="nova", background=("his",)).load(listed.parent, Silence())
    with pytest.raises(WakekitError, match="expected clips labelled 'astra', the keyword, got hiss, nova, speech"):
        ManifestCorpus(path=listed, keyword="astra", negative=("nova", "speech", "hiss")).load(listed.parent, Silence())
    with pytest.raises(WakekitError, match="'nova' is both positive and hard"):
        ManifestCorpus(path=listed, keyword="nova", hard=("nova",)).load(listed.parent, Silence())


@pytest.mark.parametrize(("start", "end"), [(0.3, 0.8), (0.0, 0.5), (1.5, 2.0)])
def test_word_is_where_the_energy_is(start: float, end: float) -> None:
    """The loudest stretch is found wherever it lies, a pause inside it bridged, a click elsewhere passed over."""
    samples = word_at(start, end)
    samples[round((start + 0.2) * RATE) : round((start + 0.3) * RATE)] *= 0.01
    samples[round((start + 1.0) % 2 * RATE) :][:80] += 0.2
    assert locate_word(samples, RATE) == pytest.approx((start, end), abs=0.03)


@pytest.mark.parametrize("samples", [np.zeros(RATE), np.zeros(10), np.ones(RATE)])
def test_word_in_audio_without_one(samples: np.ndarray[Any, Any]) -> None:
    """Silence, constants and scraps give some stretch within the clip rather than an error."""
    start, end = locate_word(samples, RATE)
    assert 0 <= start < end <= samples.size / RATE


@pytest.fixture
def sorted_folder(tmp_path: Path) -> Path:
    """Return a folder corpus with two speakers in the names of files."""
    put(tmp_path / "positive/ann_1.wav", word_at(0.5, 1.0))
    put(tmp_path / "positive/deep/bob_1.FLAC", word_at(0.5, 1.0))
    put(tmp_path / "negative/ann_2.ogg", word_at(0, 2))
    put(tmp_path / "background/street.wav", word_at(0, 2))
    (tmp_path / "positive/readme.txt").write_text("no audio")
    return tmp_path


def test_folders_become_pools(sorted_folder: Path) -> None:
    """Files are found at any depth, in either case of suffix; the pattern finds who speaks outside background."""
    corpus = FolderCorpus(path=sorted_folder, keyword="nova", speaker=r"(?P<speaker>[a-z]+)_\d")
    manifest = corpus.load(sorted_folder, Silence())
    found = [(clip.pool, clip.label, clip.speaker, clip.audio.name) for clip in manifest.clips]
    assert found == [
        ("positive", "nova", "ann", "ann_1.wav"),
        ("positive", "nova", "bob", "bob_1.FLAC"),
        ("negative", "speech", "ann", "ann_2.ogg"),
        ("background", "background", None, "street.wav"),
    ]
    assert manifest.clips[0].word == pytest.approx((0.5, 1.0), abs=0.03)
    assert manifest.clips[0].duration == 2.0


def test_unknown_speakers_are_remarked(sorted_folder: Path) -> None:
    """Without a pattern no speaker is made up, and a note warns of it."""
    manifest = FolderCorpus(path=sorted_folder, keyword="nova").load(sorted_folder, Silence())
    assert {clip.speaker for clip in manifest.clips} == {None}
    assert any("No speaker is known" in note for note in manifest.notes)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(ann", "expected a regular expression"),
        ("ann|bob", "expected one group"),
        ("(a)(b)", "expected one group.* got 2"),
        ("(ann)_", r"finds nobody in positive/deep/bob_1.FLAC"),
    ],
)
def test_patterns_that_cannot_work(sorted_folder: Path, pattern: str, message: str) -> None:
    """A pattern that does not compile, has no group or misses a file is an error that shows it."""
    with pytest.raises(WakekitError, match=message):
        FolderCorpus(path=sorted_folder, keyword="nova", speaker=pattern).load(sorted_folder, Silence())


def test_folders_that_cannot_work(sorted_folder: Path) -> None:
    """No folder and no positives are errors that name them."""
    with pytest.raises(WakekitError, match="nowhere"):
        FolderCorpus(path=sorted_folder / "nowhere", keyword="nova").load(sorted_folder, Silence())
    with pytest.raises(WakekitError, match="positive"):
        FolderCorpus(path=sorted_folder / "negative", keyword="nova").load(sorted_folder, Silence())


@pytest.mark.skipif("WAKEKIT_DATA" not in os.environ, reason="WAKEKIT_DATA does not name a folder of recordings")
@pytest.mark.parametrize("keyword", ["alexa", "wildfire"])
def test_real_manifest(keyword: str, tmp_path: Path) -> None:
    """The real recordings load, and their given splits do not leak."""
    others = {"speech", "alexa", "wildfire", "yes"} - {keyword}
    path = Path(os.environ["WAKEKIT_DATA"], "manifest.jsonl")
    manifest = ManifestCorpus(path=path, keyword=keyword, negative=tuple(others)).load(tmp_path, Silence())
    check_leakage(Given().split(manifest))
    assert len(manifest.clips) + len(manifest.streams) + len(manifest.impulse_responses) == 1814
