"""Where in a clip the keyword is, estimated from energy for recordings that do not say.

Good to a few hundredths of a second on clean isolated words; steady noise or a sentence around the word can mislead it
by tenths, so a corpus says for how many clips it guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import soundfile

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from wakekit import Clip
    from wakekit.progress import Progress

_FRAME, _HOP = 0.025, 0.010
_BRIDGED = 0.25  # pauses up to this long lie inside a word: closures of plosives, two short words
_ABOVE_FLOOR = 0.35  # of the way, in dB, from the clip's quiet frames to its loudest
_QUIETEST = 1e-5


def locate_word(samples: npt.NDArray[np.floating], sample_rate: int) -> tuple[float, float]:
    """Return [start, end] in seconds of the loudest stretch of samples [S], against the clip's quiet frames."""
    levels = _levels(samples, sample_rate)
    quiet, loud = np.percentile(levels, 10), levels.max()
    active = np.flatnonzero(levels >= quiet + _ABOVE_FLOOR * (loud - quiet))
    stretches = np.split(active, np.flatnonzero(np.diff(active) > _BRIDGED / _HOP) + 1)
    word = max(stretches, key=lambda frames: float((10 ** (levels[frames] / 10)).sum()))
    seconds = samples.size / sample_rate
    return min(word[0] * _HOP, max(0.0, seconds - _HOP)), min(word[-1] * _HOP + _FRAME, seconds)


def _levels(samples: npt.NDArray[np.floating], sample_rate: int) -> npt.NDArray[np.float64]:
    """Return the level in dB of each frame."""
    frame, hop = round(_FRAME * sample_rate), round(_HOP * sample_rate)
    power = np.concatenate([[0.0], np.cumsum(np.asarray(samples, np.float64) ** 2)])
    starts = np.arange(0, max(samples.size - frame, 0) + 1, hop)
    ends = np.minimum(starts + frame, samples.size)
    return np.asarray(10 * np.log10(np.maximum((power[ends] - power[starts]) / frame, _QUIETEST**2)))


def with_word_times(clips: Sequence[Clip], progress: Progress) -> tuple[Clip, ...]:
    """Return the clips with `word` estimated for positives that lack it."""
    missing = sum(map(_lacks_word, clips))
    if not missing:
        return tuple(clips)
    found = []
    with progress.task("finding the keyword", missing) as advance:
        for clip in clips:
            found.append(attrs.evolve(clip, word=_located(clip)) if _lacks_word(clip) else clip)
            advance(int(_lacks_word(clip)))
    return tuple(found)


def guess_notes(before: Sequence[Clip]) -> tuple[str, ...]:
    """Return the sentence that says for how many of these clips `with_word_times` guesses."""
    count = sum(map(_lacks_word, before))
    return (f"Where the keyword is was estimated from energy in {count} clips that do not state it.",) if count else ()


def _lacks_word(clip: Clip) -> bool:
    return clip.pool == "positive" and clip.word is None


def _located(clip: Clip) -> tuple[float, float]:
    try:
        with soundfile.SoundFile(clip.audio) as file:
            rate = file.samplerate
            file.seek(min(round(clip.offset * rate), file.frames))
            samples = file.read(round(clip.duration * rate), dtype="float32", always_2d=True).mean(axis=1)
    except (OSError, soundfile.LibsndfileError):
        samples = np.zeros(0, np.float32)
    # What cannot be heard is named, and refused or left out, when the audio is read in.
    if not samples.size or not np.isfinite(samples).all():
        return 0.0, clip.duration
    return locate_word(samples, rate)
