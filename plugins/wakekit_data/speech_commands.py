"""The corpus `speech-commands`: Google's Speech Commands (Warden, 2018, arXiv:1804.03209), for one of its words.

Single words of a second, by thousands of people. The data set's own lists say what is dev (validation) and test; the
speaker is the part of a file's name before `_nohash_`. The long recordings of noise are cut into pieces, which all stay
in the split of their recording.
"""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import soundfile
from torchaudio.datasets import SPEECHCOMMANDS

from wakekit import Clip, Manifest, WakekitError, option
from wakekit_data.word_times import guess_notes, with_word_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wakekit.progress import Progress

_NAME = "speech_commands_v0.02"
_ADDRESS = f"http://download.tensorflow.org/data/{_NAME}.tar.gz"
_LIST = "validation_list.txt"
_NOISE = "_background_noise_"
_SUBSETS = {"train": "training", "dev": "validation", "test": "testing"}
_NOISE_SPLITS = ("train", "test", "train", "dev")


@attrs.frozen
class Utterance:
    """One word by one speaker: its file, and the split that the data set's lists give it."""

    path: Path
    word: str
    speaker: str
    split: str


@attrs.frozen
class SpeechCommands:
    """Speech Commands: one word is the keyword, the others are negatives, its noises are background.

    Files of noise go in the order of their names to train, test, train, dev, and so on. The first run after a download
    prepares the audio anew, as the folder is not what it was.
    """

    path: Path = option(help=f"the folder {_NAME}, or one that holds it")
    keyword: str = option(help="the wake word, one of the data set's")
    words: tuple[str, ...] = option((), help="the other words to take; all if left out")
    max_per_word: int | None = option(
        None, at_least=1, help="clips of each other word, drawn once for all; all if left out"
    )
    piece_seconds: float = option(5.0, at_least=1, help="length of the pieces that noise is cut into", unit="s")
    download: bool = option(default=False, help="download the data set, 2.4 GB, into `path` where it is not there")

    def load(self, folder: Path, progress: Progress) -> Manifest:  # noqa: ARG002
        """Return a clip for each recording; the keyword's place in its clips is estimated from energy.

        Raises WakekitError where the data set or the keyword is not there, or cannot be downloaded.
        """
        home = self._home()
        listed = [each for split in _SUBSETS for each in _listed(home, split)]
        present = [each for each in listed if each.path.is_file()]
        chosen = self._chosen(present)
        clips = [self._clip(each) for each in chosen]
        with progress.task("reading lengths", len(clips)) as advance:
            measured = []
            for clip in clips:
                measured.append(attrs.evolve(clip, duration=_seconds(clip.audio)))
                advance()
        lost = len(listed) - len(present)
        return Manifest(
            keyword=self.keyword,
            clips=(*with_word_times(measured, progress), *self._background(home)),
            notes=guess_notes(measured)
            + ((f"{lost} recordings stand in the lists of Speech Commands but not in its folder.",) if lost else ()),
        )

    def _home(self) -> Path:
        """Return the folder of the words, downloaded if that is asked for."""
        for home in (self.path, self.path / _NAME, self.path / "SpeechCommands" / _NAME):
            if (home / _LIST).is_file():
                return home
        if not self.download:
            raise WakekitError(
                f"expected Speech Commands, a folder {_NAME} with {_LIST}, got none @ {self.path}; unpack {_ADDRESS}"
                " there, or set corpus.download = true"
            )
        try:
            SPEECHCOMMANDS(self.path, url=_NAME, download=True)
        except (OSError, RuntimeError) as error:
            raise WakekitError(
                f"cannot download {_ADDRESS} ({' '.join(str(error).split())}) @ {self.path}; unpack it there yourself"
            ) from error
        return self.path / "SpeechCommands" / _NAME

    def _chosen(self, present: Sequence[Utterance]) -> list[Utterance]:
        by_word: dict[str, list[Utterance]] = {}
        for each in present:
            by_word.setdefault(each.word, []).append(each)
        for wanted in (self.keyword, *self.words):
            if wanted not in by_word:
                raise WakekitError(
                    f"expected recordings of {wanted!r}{_nearest(wanted, by_word)}, got none @ {self.path}"
                )
        others = (word for word in dict.fromkeys(self.words or sorted(by_word)) if word != self.keyword)
        return by_word[self.keyword] + [each for word in others for each in self._limited(by_word[word])]

    def _limited(self, found: list[Utterance]) -> list[Utterance]:
        # Names begin with the speaker, so that the first in order would be all that a few people said.
        if self.max_per_word is None or len(found) <= self.max_per_word:
            return found
        drawn = sorted(found, key=lambda each: hashlib.sha256(f"{each.word}/{each.path.name}".encode()).digest())
        kept = set(drawn[: self.max_per_word])
        return [each for each in found if each in kept]

    def _clip(self, each: Utterance) -> Clip:
        return Clip(
            audio=each.path,
            duration=0.0,
            label=each.word,
            pool="positive" if each.word == self.keyword else "negative",
            split=each.split,
            speaker=each.speaker,
            source=each.path.as_posix(),
        )

    def _background(self, home: Path) -> list[Clip]:
        files = sorted((home / _NOISE).glob("*.wav"))
        splits = (_NOISE_SPLITS[number % len(_NOISE_SPLITS)] for number in range(len(files)))
        return [piece for path, split in zip(files, splits, strict=True) for piece in self._pieces(path, split)]

    def _pieces(self, path: Path, split: str) -> list[Clip]:
        """Return equal pieces of a recording that are as near as can be to the wanted length."""
        seconds = _seconds(path)
        count = max(1, round(seconds / self.piece_seconds))
        return [
            Clip(
                audio=path,
                offset=number * seconds / count,
                duration=seconds / count,
                label="background",
                pool="background",
                split=split,
                source=path.as_posix(),
            )
            for number in range(count)
        ]


def _listed(home: Path, split: str) -> list[Utterance]:
    # torchaudio finds the folder as what an archive of this name would unpack to.
    archive = f"{home.name}.tar.gz"
    data = SPEECHCOMMANDS(home.parent, url=archive, folder_in_archive="", subset=_SUBSETS[split])
    try:
        rows = [data.get_metadata(number) for number in range(len(data))]
    except ValueError as error:
        raise WakekitError(
            f"expected lines such as word/speaker_nohash_0.wav, got others @ the lists of Speech Commands in {home}; "
            "unpack them anew"
        ) from error
    return [Utterance(home.parent / name, word, speaker, split) for name, _, word, speaker, _ in rows]


def _seconds(path: Path) -> float:
    """Return a file's length; one that cannot be read lasts 0 s, and is named when the audio is read in."""
    try:
        return float(soundfile.info(path).duration)
    except soundfile.LibsndfileError:
        return 0.0


def _nearest(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""
