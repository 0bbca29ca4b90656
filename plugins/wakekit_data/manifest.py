"""The corpus `manifest`: recordings listed in a JSONL manifest, their labels sorted into pools.

Every label must be declared, so that a misspelt one is an error and not silently a negative.
"""

from __future__ import annotations

# attrs and the converter read annotations when a recipe is loaded
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from wakekit import Clip, ImpulseResponse, Manifest, Stream, WakekitError, option
from wakekit.manifest import Row, read_rows
from wakekit.manifest_line import undeclared
from wakekit_data.word_times import guess_notes, with_word_times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wakekit.progress import Progress


@attrs.frozen
class ManifestCorpus:
    """Recordings that a manifest lists, with the pool of each label stated here."""

    path: Path = option(help="the manifest; audio is named relative to it")
    keyword: str = option(help="the label of the wake word")
    negative: tuple[str, ...] = option(("speech",), help="labels of other speech")
    hard: tuple[str, ...] = option((), help="labels of near misses")
    background: tuple[str, ...] = option(("background",), help="labels without speech; also the source of noise")
    ignore: tuple[str, ...] = option((), help="labels to leave out")

    def load(self, folder: Path, progress: Progress) -> Manifest:  # noqa: ARG002
        """Return what the manifest lists; positives without `word` get one estimated from energy."""
        rows = self._rows()
        clips = [_with_source(row.value) for row in rows if isinstance(row.value, Clip)]
        if not any(clip.pool == "positive" for clip in clips):
            labels = ", ".join(sorted({clip.label for clip in clips})) or "no clips"
            raise WakekitError(f"{self.path}: expected clips labelled {self.keyword!r}, the keyword, got {labels}")
        return Manifest(
            keyword=self.keyword,
            clips=with_word_times(clips, progress),
            streams=tuple(row.value for row in rows if isinstance(row.value, Stream)),
            impulse_responses=tuple(row.value for row in rows if isinstance(row.value, ImpulseResponse)),
            notes=guess_notes(clips) + _speaker_notes(clips),
        )

    def files(self) -> Iterable[Path]:
        """Return every audio file that the manifest names, each once."""
        return dict.fromkeys(row.value.audio for row in self._rows())

    def _rows(self) -> list[Row]:
        pools = self._pools()
        ignored = dict.fromkeys(self.ignore, "ignore")

        def pool(label: str) -> str | None:
            if label in ignored:
                return None
            if label not in pools:
                raise WakekitError(
                    f"{undeclared(label, pools | ignored)}; name it in the corpus: negative, hard, background or ignore"
                )
            return pools[label]

        return read_rows(self.path, pools=pool)

    def _pools(self) -> dict[str, str]:
        declared = {"negative": self.negative, "hard": self.hard, "background": self.background, "ignore": self.ignore}
        pools = {self.keyword: "positive"}
        for pool, labels in declared.items():
            for label in labels:
                if pools.setdefault(label, pool) != pool:
                    raise WakekitError(f"label {label!r} is both {pools[label]} and {pool} @ corpus; name it once")
        return {label: pool for label, pool in pools.items() if pool != "ignore"}


def _speaker_notes(clips: Iterable[Clip]) -> tuple[str, ...]:
    """Return the sentence that says how much speech is by nobody known."""
    count = sum(clip.pool != "background" and not clip.speaker for clip in clips)
    if not count:
        return ()
    return (f"{count} clips of speech state no speaker in the manifest: one voice may be in several splits.",)


def _with_source(clip: Clip) -> Clip:
    return clip if clip.source else attrs.evolve(clip, source=clip.audio.as_posix())
