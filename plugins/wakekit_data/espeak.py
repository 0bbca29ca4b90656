"""The corpus `espeak`: synthetic speech for any keyword, made offline with espeak-ng.

It serves to try wakekit out and to add voices to real recordings; what a model reaches on it says little about real
speakers. Its audio depends on its options alone: each voice is spoken in a process of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit import Clip, ImpulseResponse, Manifest, WakekitError, option
from wakekit_data.espeak_library import Espeak, find_espeak, in_parallel
from wakekit_data.espeak_noise import KINDS, background, impulse_response
from wakekit_data.espeak_recording import record, write_audio
from wakekit_data.espeak_speaker import Speaker
from wakekit_data.espeak_text import write_script
from wakekit_data.espeak_voices import Voice, usable_voices

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.progress import Progress

_ACCENTS = ("en-us", "en-us-nyc", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
_BACKGROUND_SECONDS = 5.0
_SYNTHETIC = "All speech is synthetic (espeak-ng): numbers measured on it say little about real voices."


@attrs.frozen
class EspeakCorpus:
    """Synthetic speakers who say the keyword, near misses of it and other sentences, with background and rooms.

    A speaker is a voice variant of espeak-ng; accent, speed, pitch and intonation are drawn line by line. Each speaker
    has clips and one long stream with the keyword planted in it. Near misses are derived from the keyword.
    """

    keyword: str = option(help="the wake word, as it is spelt")
    seed: int = option(0, at_least=0, help="seed of all that is drawn")
    speakers: int = option(84, at_least=1, help="number of voices; about 90 are to be had, 100 with robots")
    robots: bool = option(default=False, help="let voices with robotic effects speak too")
    positives_per_speaker: int = option(10, at_least=1, help="clips of the keyword")
    near_misses_per_speaker: int = option(10, at_least=0, help="clips of words close to the keyword")
    near_miss_distance: int = option(
        2, at_least=1, help="sounds in which a near miss differs from the keyword, at least"
    )
    other_per_speaker: int = option(10, at_least=0, help="clips of other sentences")
    stream_seconds_per_speaker: float = option(125.0, at_least=0, unit="s", help="length of each speaker's stream")
    keywords_per_stream: int = option(4, at_least=0, help="keywords planted in each stream")
    near_misses_per_stream: int = option(1, at_least=0, help="near misses planted in each stream")
    background_clips: int = option(240, at_least=0, help="clips of 5 s without speech")
    rooms: int = option(24, at_least=0, help="synthetic impulse responses")
    sample_rate: int = option(16000, at_least=8000, at_most=48000, unit="Hz", help="sample rate of what is written")
    accents: tuple[str, ...] = option(_ACCENTS, help="espeak-ng's names of the accents to draw from")
    rate: tuple[int, int] = option((130, 210), at_least=80, at_most=450, unit="words/min", help="range of speeds")
    pitch: tuple[int, int] = option((30, 70), at_least=0, at_most=99, help="range of pitches; 50 is the voice's own")
    intonation: tuple[int, int] = option((30, 80), at_least=0, at_most=99, help="range of liveliness; 50 is normal")

    def load(self, folder: Path, progress: Progress) -> Manifest:
        """Make all audio in `folder` and return its manifest."""
        espeak = find_espeak()
        voices = self._voices(espeak)
        script = write_script(
            self.keyword, lambda texts: espeak.phonemes(self.accents, texts), least=self.near_miss_distance
        )

        with progress.task("espeak", len(voices)) as advance:
            recorded = in_parallel(
                espeak,
                lambda voice: record(Speaker.of(voice, corpus=self, script=script), espeak=espeak, folder=folder),
                voices,
                advance=advance,
            )
        return Manifest(
            keyword=script.keyword,
            clips=(*(clip for each in recorded for clip in each.clips), *self._background(folder / "background")),
            streams=tuple(stream for each in recorded for stream in each.streams),
            impulse_responses=self._rooms(folder / "rooms"),
            notes=(_SYNTHETIC,),
        )

    def _voices(self, espeak: Espeak) -> list[Voice]:
        if not self.accents:
            raise WakekitError("accents: expected at least one accent such as 'en-us', got none")
        for accent, loads in zip(self.accents, espeak.loads(self.accents), strict=True):
            if not loads:
                raise WakekitError(f"espeak-ng has no accent {accent!r} that loads; use some of {', '.join(_ACCENTS)}")
        voices = usable_voices(espeak, self.accents, robots=self.robots)
        if len(voices) < self.speakers:
            raise WakekitError(f"espeak-ng has {len(voices)} voices, got speakers = {self.speakers}; ask for fewer")
        return voices[: self.speakers]

    def _background(self, folder: Path) -> tuple[Clip, ...]:
        clips = []
        kinds = list(KINDS)
        for number in range(self.background_clips):
            kind, path = kinds[number % len(kinds)], folder / f"{number:04}.flac"
            rng = np.random.default_rng([self.seed, 1, number])
            sound = background(kind, round(_BACKGROUND_SECONDS * self.sample_rate), self.sample_rate, rng)
            write_audio(path, sound, self.sample_rate)
            clips.append(
                Clip(
                    audio=path,
                    duration=sound.size / self.sample_rate,
                    label="background",
                    pool="background",
                    source=f"espeak background {number}",
                    text=kind,
                    channel="synthetic",
                )
            )
        return tuple(clips)

    def _rooms(self, folder: Path) -> tuple[ImpulseResponse, ...]:
        rooms = []
        for number in range(self.rooms):
            rng = np.random.default_rng([self.seed, 2, number])
            rt60, path = float(rng.uniform(0.15, 0.6)), folder / f"{number:03}.flac"
            sound = impulse_response(rt60, self.sample_rate, rng)
            write_audio(path, sound, self.sample_rate)
            rooms.append(
                ImpulseResponse(
                    audio=path, duration=sound.size / self.sample_rate, rt60=rt60, source=f"espeak room {number}"
                )
            )
        return tuple(rooms)
