"""Speech put together and written: the lines of a speaker become clips and a stream with known times.

Clips of a speaker lie one after another in one file. Everything a speaker says has the same faint noise under it, so
that no label can be told by its silence.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

import attrs
import numpy as np
import soundfile
from scipy.signal import resample_poly

from wakekit import Clip, Event, Stream
from wakekit_data.espeak_noise import faint
from wakekit_data.espeak_speaker import KEYWORD, NEAR_MISS, SPEECH, Line, Speaker
from wakekit_data.espeak_worker import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from wakekit_data.espeak_library import Espeak

    Sound = npt.NDArray[np.float32]

_POOLS = {KEYWORD: "positive", NEAR_MISS: "hard", SPEECH: "negative"}
_AUDIBLE = 0.01  # of a line's peak: what is quieter before and after is trimmed
COMPOSED = "sentences of one synthetic voice (espeak-ng) with pauses"


@attrs.frozen
class Recorded:
    """What one speaker adds to the corpus."""

    clips: tuple[Clip, ...]
    streams: tuple[Stream, ...]


@attrs.frozen(eq=False)
class Take:
    """Lines put together: samples at espeak-ng's rate, the [start, end] of each line, and the seconds of pause."""

    samples: Sound
    spans: tuple[tuple[Line, float, float], ...]
    silence: float


def record(speaker: Speaker, *, espeak: Espeak, folder: Path) -> Recorded:
    """Speak and write all audio of one speaker."""
    corpus = speaker.corpus
    counts = {
        KEYWORD: corpus.positives_per_speaker,
        NEAR_MISS: corpus.near_misses_per_speaker if speaker.script.near_misses else 0,
        SPEECH: corpus.other_per_speaker,
    }
    takes = [speaker.clip(label) for label, count in counts.items() for _ in range(count)]
    takes += [speaker.monologue()] if corpus.stream_seconds_per_speaker else []
    labels = [label for label, count in counts.items() for _ in range(count)]
    spoken = iter(espeak.speak([line.manner for lines in takes for line in lines]))
    heard = [[(line, trimmed(next(spoken), line.level)) for line in lines] for lines in takes]
    floor = speaker.rng.uniform(-80, -55)
    clips = [together(lines, tail=speaker.rng.uniform(0.3, 0.8)) for lines in heard[: len(labels)]]
    streams = [together(lines, most=corpus.stream_seconds_per_speaker) for lines in heard[len(labels) :]]
    return Recorded(
        _write_clips(clips, labels, speaker, floor=floor, path=folder / "voices" / _file(speaker)),
        tuple(_write_stream(take, speaker, floor=floor, path=folder / "streams" / _file(speaker)) for take in streams),
    )


def trimmed(samples: npt.NDArray[np.int16], level: float) -> Sound:
    """Return a line without the silence around it, its peak at `level` dB below full scale."""
    sound = samples.astype(np.float32)
    size = np.abs(sound)
    audible = np.flatnonzero(size > _AUDIBLE * size.max(initial=0))
    if not audible.size:
        return np.zeros(0, np.float32)
    return sound[audible[0] : audible[-1] + 1] * np.float32(10 ** (level / 20) / size.max())


def together(lines: Sequence[tuple[Line, Sound]], *, tail: float = 0.5, most: float = np.inf) -> Take:
    """Put lines and their pauses one after another, as many as fit into `most` seconds with the `tail` of silence."""
    pieces: list[Sound] = []
    spans: list[tuple[Line, float, float]] = []
    at, silence = 0, tail
    for line, sound in lines:
        start = at + round(line.pause * SAMPLE_RATE)
        if (start + sound.size) / SAMPLE_RATE + tail > most:
            break
        pieces += [np.zeros(start - at, np.float32), sound]
        at = start + sound.size
        spans.append((line, start / SAMPLE_RATE, at / SAMPLE_RATE))
        silence += line.pause
    pieces.append(np.zeros(round(tail * SAMPLE_RATE), np.float32))
    return Take(np.concatenate(pieces), tuple(spans), silence)


def _write_clips(
    takes: Sequence[Take], labels: Sequence[str], speaker: Speaker, *, floor: float, path: Path
) -> tuple[Clip, ...]:
    rate, voice = speaker.corpus.sample_rate, speaker.voice
    if not takes:
        return ()
    parts = [resampled(take.samples, rate) for take in takes]
    _write(path, np.concatenate(parts), rate, floor=floor, rng=speaker.rng)
    clips: list[Clip] = []
    at = 0
    for take, label, part in zip(takes, labels, parts, strict=True):
        line, start, end = next(span for span in take.spans if span[0].label == label)
        text = line.manner["text"]
        clips.append(
            Clip(
                audio=path,
                offset=at / rate,
                duration=part.size / rate,
                label=speaker.script.keyword if label == KEYWORD else label,
                pool=_POOLS[label],
                speaker=voice.name,
                group=voice.group,
                source=f"espeak {voice.name}",
                word=(start, end) if label == KEYWORD else None,
                text=text if label == SPEECH else " ".join(each.manner["text"] for each, *_ in take.spans),
                channel="synthetic",
            )
        )
        at += part.size
    return tuple(clips)


def _write_stream(take: Take, speaker: Speaker, *, floor: float, path: Path) -> Stream:
    rate, voice = speaker.corpus.sample_rate, speaker.voice
    samples = resampled(take.samples, rate)
    _write(path, samples, rate, floor=floor, rng=speaker.rng)
    words = [(start, end) for line, start, end in take.spans if line.label == KEYWORD]
    return Stream(
        audio=path,
        duration=samples.size / rate,
        events=tuple(
            Event(start=start, end=end, label=speaker.script.keyword, speaker=voice.name) for start, end in words
        ),
        speakers=(voice.name,),
        group=voice.group,
        source=f"espeak {voice.name}",
        composed=COMPOSED,
        silence=take.silence * rate / samples.size,
    )


def _file(speaker: Speaker) -> str:
    return f"{speaker.voice.name.replace(' ', '_')}.flac"


def resampled(sound: Sound, sample_rate: int) -> Sound:
    """Return speech at espeak-ng's rate at another rate, without aliasing."""
    shared = gcd(sample_rate, SAMPLE_RATE)
    return np.asarray(resample_poly(sound, sample_rate // shared, SAMPLE_RATE // shared), dtype=np.float32)


def _write(path: Path, sound: Sound, sample_rate: int, *, floor: float, rng: np.random.Generator) -> None:
    """Write speech with faint noise of a drawn colour under it, `floor` dB below full scale."""
    write_audio(path, sound + np.float32(10 ** (floor / 20)) * faint(sound.size, rng), sample_rate)


def write_audio(path: Path, sound: Sound, sample_rate: int) -> None:
    """Write samples in [-1, 1] as 16-bit FLAC, turned down where they would clip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    loudest = max(float(np.abs(sound).max()), 1.0)
    soundfile.write(path, np.round(sound * np.float32(32767 / loudest)).astype(np.int16), sample_rate, subtype="PCM_16")
