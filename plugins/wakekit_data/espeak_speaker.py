"""What one synthetic speaker says, and how: the lines of each clip and of the stream.

All that is drawn comes from a generator seeded by the corpus's seed and the voice's name, so that adding voices changes
no other. Lines of every label are drawn alike: nothing but the words tells them apart.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit_data.espeak_text import Script
from wakekit_data.espeak_voices import Voice

if TYPE_CHECKING:
    from wakekit_data.espeak import EspeakCorpus  # noqa: TC004  (at run time it would be a cycle)

KEYWORD, NEAR_MISS, SPEECH = "keyword", "near-miss", "speech"

_LETTER_SECONDS = 0.058  # at 175 words a minute
_HALF, _THIRD = 1 / 2, 1 / 3
_QUIETEST, _LOUDEST = -30.0, -3.0
_SPARE = 1.25  # how much more is spoken than the stream is thought to need


@attrs.frozen
class Line:
    """Something to say: the pause before it in seconds, its peak in dB below full scale, and what espeak-ng is told."""

    label: str
    pause: float
    level: float
    manner: dict[str, Any]

    def seconds(self) -> float:
        """Estimate how long the line and the pause before it take."""
        spoken = len(self.manner["text"]) * _LETTER_SECONDS * 175 / float(self.manner["rate"])
        return self.pause + spoken


@attrs.frozen
class Speaker:
    """A voice with a generator of its own."""

    voice: Voice
    corpus: EspeakCorpus
    script: Script
    rng: np.random.Generator

    @classmethod
    def of(cls, voice: Voice, *, corpus: EspeakCorpus, script: Script) -> Speaker:
        """Return the voice's speaker for a corpus."""
        seed = np.random.SeedSequence([corpus.seed, zlib.crc32(voice.name.encode())])
        return cls(voice, corpus, script, np.random.default_rng(seed))

    def clip(self, label: str) -> list[Line]:
        """Draw the lines of a clip: half of them with a few words before what is labelled, a third with some after."""
        level, draw = self.rng.uniform(-20, _LOUDEST), self.rng.uniform
        lines = [self._line(label, self._text(label), draw(0.3, 1), level)]
        if label != SPEECH and draw() < _HALF:
            lines.insert(0, self._line(SPEECH, self.script.phrase(self.rng), draw(0.1, 0.5), level))
        if label != SPEECH and draw() < _THIRD:
            lines.append(self._line(SPEECH, self.script.phrase(self.rng), draw(0.05, 0.5), level))
        return lines

    def monologue(self) -> list[Line]:
        """Draw the lines of the stream: other speech with keywords and near misses among it, more than will fit."""
        corpus, level = self.corpus, self.rng.uniform(-15, _LOUDEST)
        lines: list[Line] = []
        seconds = 0.0
        while seconds < _SPARE * corpus.stream_seconds_per_speaker:
            lines.append(self._spoken(SPEECH, level))
            seconds += lines[-1].seconds()
        near_misses = corpus.near_misses_per_stream if self.script.near_misses else 0
        for label in [KEYWORD] * corpus.keywords_per_stream + [NEAR_MISS] * near_misses:
            place = int(self.rng.integers(1 + int(len(lines) / _SPARE**2)))
            lines.insert(place, self._spoken(label, level))
        return lines

    def _spoken(self, label: str, level: float) -> Line:
        return self._line(label, self._text(label), 0.2 + 1.3 * self.rng.beta(1, 9), level)

    def _text(self, label: str) -> str:
        if label == KEYWORD:
            return self.script.keyword
        return self.script.near_miss(self.rng) if label == NEAR_MISS else self.script.sentence(self.rng)

    def _line(self, label: str, text: str, pause: float, level: float) -> Line:
        accents, draw = self.corpus.accents, self.rng.uniform
        manner = {
            "voice": f"{accents[self.rng.integers(len(accents))]}+{self.voice.name}",
            "text": text,
            "rate": int(draw(*self.corpus.rate)),
            "pitch": int(draw(*self.corpus.pitch)),
            "range": int(draw(*self.corpus.intonation)),
        }
        return Line(label, pause, float(np.clip(level + self.rng.normal(0, 2), _QUIETEST, _LOUDEST)), manner)
