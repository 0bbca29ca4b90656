"""The corpus `folder`: audio files sorted into `positive`, `negative`, `background` and perhaps `hard`.

A regular expression finds who speaks in the files' names. Without one no speaker is known, and the same voice may be on
two sides of a split.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import soundfile

from wakekit import Clip, Manifest, WakekitError, option
from wakekit.data import POOLS
from wakekit.manifest import listed
from wakekit_data.word_times import guess_notes, with_word_times

if TYPE_CHECKING:
    from wakekit.progress import Progress

_SUFFIXES = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".opus"}
_NOT_AUDIO = {".raw", ".mat4", ".mat5"}  # formats without a header of their own, or not for sound
_NO_SPEAKERS = (
    "No speaker is known, as the corpus states no pattern in `speaker`: each file counts as a recording of its own, and"
    " one voice may be in several splits."
)


@attrs.frozen
class FolderCorpus:
    """Audio files in `positive`, `negative`, `hard` and `background` below one folder, at any depth."""

    path: Path = option(help="the folder")
    keyword: str = option(help="the wake word; the label of what is in `positive`")
    speaker: str = option(
        "",
        help="regular expression whose group (the first, or one named speaker) is the speaker, e.g. ([^/]+)_\\d+[.]wav",
    )

    def load(self, folder: Path, progress: Progress) -> Manifest:  # noqa: ARG002
        """Return a clip for each file, without splits; positives get the keyword's place estimated from energy."""
        pattern = self._pattern()
        found = {pool: self._audio(pool) for pool in POOLS}
        if not found["positive"]:
            raise WakekitError(f"expected audio of the keyword, got none @ {self.path / 'positive'}")
        speakers = self._speakers(pattern, [path for pool in POOLS if pool != "background" for path in found[pool]])
        clips = [_clip(pool, path, self.keyword, speakers.get(path)) for pool in POOLS for path in found[pool]]
        return Manifest(
            keyword=self.keyword,
            clips=with_word_times(clips, progress),
            notes=((_NO_SPEAKERS,) if pattern is None else ()) + guess_notes(clips),
        )

    def _pattern(self) -> re.Pattern[str] | None:
        if not self.speaker:
            return None
        try:
            pattern = re.compile(self.speaker)
        except re.error as error:
            raise WakekitError(f"speaker: expected a regular expression, got {self.speaker!r} ({error})") from error
        if "speaker" not in pattern.groupindex and pattern.groups != 1:
            raise WakekitError(
                f"speaker: expected one group, or one named speaker as in (?P<speaker>[^/]+), got {pattern.groups}"
                f" @ {self.speaker!r}"
            )
        return pattern

    def _audio(self, pool: str) -> list[Path]:
        if not self.path.is_dir():
            raise WakekitError(f"expected a folder with positive, negative and background, got none @ {self.path}")
        files = (path for path in (self.path / pool).rglob("*") if path.suffix.lower() in _SUFFIXES - _NOT_AUDIO)
        return sorted(path for path in files if path.is_file())

    def _speakers(self, pattern: re.Pattern[str] | None, files: list[Path]) -> dict[Path, str]:
        """Return the speaker of each file; background has none."""
        if pattern is None:
            return {}
        names = {path: path.relative_to(self.path).as_posix() for path in files}
        matches = {path: pattern.search(name) for path, name in names.items()}
        group = "speaker" if "speaker" in pattern.groupindex else 1
        speakers = {path: match[group] for path, match in matches.items() if match and match[group]}
        lost = [f"speaker: {self.speaker!r} finds nobody in {names[path]}" for path in files if path not in speakers]
        if lost:
            raise WakekitError("\n".join(listed(lost, most=5)))
        return speakers


def _clip(pool: str, path: Path, keyword: str, speaker: str | None) -> Clip:
    """Return a clip for a file; one that cannot be read lasts 0 s, and is named when the audio is read in."""
    try:
        duration = soundfile.info(path).duration
    except soundfile.LibsndfileError:
        duration = 0.0
    label = keyword if pool == "positive" else {"negative": "speech", "hard": "near-miss"}.get(pool, pool)
    return Clip(audio=path, duration=duration, label=label, pool=pool, speaker=speaker, source=path.as_posix())
