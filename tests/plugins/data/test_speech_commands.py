"""The corpus `speech-commands`, on a small folder laid out like the data set."""

from __future__ import annotations

import tarfile
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from torchaudio.datasets import SPEECHCOMMANDS

from wakekit import Manifest, WakekitError
from wakekit.leakage import check_leakage
from wakekit.progress import Silence
from wakekit_data.given import Given
from wakekit_data.speech_commands import SpeechCommands

if TYPE_CHECKING:
    from pathlib import Path

NAME = "speech_commands_v0.02"
WORDS = ("yes", "no", "up")
DEV, TEST = {"d0", "d1"}, {"e0"}


def lay(root: Path) -> Path:
    """Write three words by eight speakers, two takes each, four noises and the lists; return the folder."""
    home, rng = root / NAME, np.random.default_rng(0)
    lists: dict[str, list[str]] = {"validation_list.txt": [], "testing_list.txt": []}
    for speaker in ("a0", "a1", "a2", "a3", "a4", *DEV, *TEST):
        for word in WORDS:
            for take in range(2):
                path = home / word / f"{speaker}_nohash_{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, 0.1 * rng.standard_normal(8000), 16000)
                name = f"{word}/{path.name}"
                if speaker in DEV | TEST:
                    lists["validation_list.txt" if speaker in DEV else "testing_list.txt"].append(name)
    for number in range(4):
        path = home / "_background_noise_" / f"noise{number}.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.1 * rng.standard_normal(16000 * 4 + 8000), 16000)
    for list_name, entries in lists.items():
        (home / list_name).write_text("".join(f"{entry}\n" for entry in entries))
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the small data set."""
    return lay(tmp_path_factory.mktemp("data"))


def load(path: Path, keyword: str = "yes", **options: Any) -> Manifest:
    """Load the corpus."""
    return SpeechCommands(path=path, keyword=keyword, **options).load(path, Silence())


def test_splits_are_torchaudios(home: Path) -> None:
    """Each split holds the very files of torchaudio's subset, and the splitter `given` finds no leak in them."""
    manifest = load(home)
    for split, subset in (("train", "training"), ("dev", "validation"), ("test", "testing")):
        data = SPEECHCOMMANDS(home.parent, folder_in_archive="", subset=subset)
        found = [str(clip.audio) for clip in manifest.clips if clip.split == split and clip.pool != "background"]
        assert sorted(found) == sorted(data._walker)
        assert len(found) == {"train": 30, "dev": 12, "test": 6}[split]
    check_leakage(Given().split(manifest))


def test_words_become_pools(home: Path) -> None:
    """The keyword is positive with its place estimated, other words are negatives; speaker and length are read."""
    manifest = load(home, "no")
    assert Counter(clip.pool for clip in manifest.clips if clip.label in WORDS) == {"positive": 16, "negative": 32}
    for clip in manifest.clips:
        if clip.label in WORDS:
            assert clip.label == clip.audio.parent.name
            assert clip.audio.name.startswith(f"{clip.speaker}_nohash_")
            assert clip.duration == 0.5
            assert (clip.word is not None) == (clip.label == "no")
    assert manifest.keyword == "no"
    assert any("estimated from energy in 16 clips" in note for note in manifest.notes)


def test_noise_is_cut_and_each_recording_stays_on_one_side(home: Path) -> None:
    """A recording becomes equal pieces that cover it, all in one split, and every split has some."""
    pieces = [clip for clip in load(home, piece_seconds=1.5).clips if clip.pool == "background"]
    assert len(pieces) == 12
    by_file: dict[Path, list[tuple[float, float]]] = {}
    for clip in pieces:
        assert clip.speaker is None
        by_file.setdefault(clip.audio, []).append((clip.offset, clip.duration))
    assert all(spans == [(0.0, 1.5), (1.5, 1.5), (3.0, 1.5)] for spans in by_file.values())
    homes = {(clip.audio, clip.split) for clip in pieces}
    assert len(homes) == 4
    assert Counter(split for _, split in homes) == {"train": 2, "dev": 1, "test": 1}
    assert len([clip for clip in load(home).clips if clip.pool == "background"]) == 4


def test_words_and_clips_can_be_limited(home: Path) -> None:
    """Only the words asked for, and no more clips of each than asked for, not those of one speaker; all keywords."""
    manifest = load(home, words=("up",), max_per_word=6)
    found = Counter(clip.label for clip in manifest.clips)
    assert (found["yes"], found["up"], found["no"]) == (16, 6, 0)
    chosen = {clip.audio: clip.split for clip in manifest.clips if clip.label == "up"}
    assert len(set(chosen.values())) > 1, "the first six in order would all be in train"
    again = load(home, words=("up", "no"), max_per_word=6)
    assert {clip.audio for clip in again.clips if clip.label == "up"} == set(chosen)
    assert {clip.audio.name for clip in again.clips if clip.label == "no"} != {audio.name for audio in chosen}


def test_a_word_asked_for_twice_is_taken_once(home: Path) -> None:
    """No recording counts double."""
    assert load(home, words=("up", "no", "up")).clips == load(home, words=("up", "no")).clips


@pytest.mark.parametrize("line", ["", "up/strange.wav"])
def test_a_list_of_other_lines_is_refused(tmp_path: Path, line: str) -> None:
    """What torchaudio cannot take apart is said in a sentence, with the folder."""
    home = lay(tmp_path)
    with (home / "validation_list.txt").open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(WakekitError, match=r"word/speaker_nohash_0\.wav.*unpack"):
        load(home)


@pytest.mark.parametrize("inner", ["", NAME, f"SpeechCommands/{NAME}"])
def test_the_folder_or_what_holds_it(tmp_path: Path, home: Path, inner: str) -> None:
    """The path may be the folder, what holds it, or where torchaudio downloaded it to."""
    place = tmp_path / "anything" / inner
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(home)
    assert len(load(tmp_path / "anything").clips) == len(load(home).clips)


def test_an_archive_that_is_there_is_unpacked(tmp_path: Path, home: Path) -> None:
    """With `download = true` torchaudio unpacks the archive in the folder, and fetches it only if it is not there."""
    with tarfile.open(tmp_path / f"{NAME}.tar.gz", "w:gz") as archive:
        archive.add(home, arcname=".")
    assert len(load(tmp_path, download=True).clips) == len(load(home).clips)
    assert (tmp_path / "SpeechCommands" / NAME / "testing_list.txt").is_file()


def test_what_is_missing_is_said(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No data set, no such word, a failed download: one sentence each, with what to do."""
    with pytest.raises(
        WakekitError, match=rf"{NAME}.*got none @ .*unpack http.*{NAME}.tar.gz there, or set .*download"
    ):
        load(tmp_path)
    with pytest.raises(WakekitError, match=r"expected recordings of 'yess' \(did you mean 'yes'\?\), got none @ "):
        load(home, "yess")
    with pytest.raises(WakekitError, match="expected recordings of 'down', got none"):
        load(home, words=("down",))

    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr("torchaudio.datasets.speechcommands.download_url_to_file", unreachable)
    with pytest.raises(WakekitError, match=r"cannot download http.*\(no route to host\) @ .*unpack it there yourself"):
        load(tmp_path, download=True)


def test_listed_recordings_that_are_gone_are_counted(tmp_path: Path) -> None:
    """A folder with a word removed still loads; a note counts what the lists name and the folder lacks."""
    home = lay(tmp_path)
    for path in (home / "no").glob("*.wav"):
        path.unlink()
    manifest = load(home)
    assert not [clip for clip in manifest.clips if clip.label == "no"]
    assert "6 recordings stand in the lists of Speech Commands but not in its folder." in manifest.notes
