"""Options for the first-party components that have no defaults, with the material that they need.

Corpora are as small as they can be and still have all that a corpus may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from wakekit import Clip, Event, ImpulseResponse, Manifest, Stream
from wakekit.manifest import write_manifest
from wakekit.testing.chirps import KEYWORD, RATE, SPEAKER, chirp, write_corpus

if TYPE_CHECKING:
    from pathlib import Path

Examples = dict[str, dict[str, Any]]


def corpus_examples(folder: Path) -> Examples:
    """Return options for the corpora, after making what they read in a folder."""
    return {
        "corpus:folder": {
            "path": str(write_corpus(folder / "chirps", speakers=4)),
            "keyword": KEYWORD,
            "speaker": SPEAKER,
        },
        "corpus:manifest": {"path": str(_manifest(folder / "listed")), "keyword": KEYWORD, "negative": ["other"]},
        "corpus:speech-commands": {"path": str(_speech_commands(folder / "words")), "keyword": "yes"},
        "corpus:espeak": {
            "keyword": "hey nova",
            "speakers": 3,
            "positives_per_speaker": 2,
            "near_misses_per_speaker": 1,
            "other_per_speaker": 1,
            "stream_seconds_per_speaker": 8.0,
            "keywords_per_stream": 1,
            "background_clips": 2,
            "rooms": 1,
        },
    }


def augmentation_examples() -> Examples:
    """Return options for the augmentations."""
    return {"augmentation:codec": {"format": "vorbis"}}


def training_examples() -> Examples:
    """Return options for what trains: those that make components do more than their defaults, in little time."""
    return {
        "sampler:weighted": {"hard": 3.0, "batch_size": 32},
        "model:crnn": {"scores": "frame"},
        "loss:cross-entropy": {"class_weights": [1.0, 2.0], "label_smoothing": 0.1},
        "loss:focal": {"alpha": [2.0, 1.0]},
        "optimizer:sgd": {"nesterov": True, "weight_decay": 1e-4},
        "schedule:one-cycle": {"momentum": [0.85, 0.95]},
        "trainer:standard": {"epochs": 3, "passes": 2, "keep": "best"},
        "callback:ema": {"decay": 0.8, "late_decay": 0.95, "late_from": 0.5},
        "callback:checkpoint-averaging": {"last": 2},
        "callback:early-stopping": {"patience": 1, "min_delta": 0.1},
        "callback:lr-finder": {"steps": 40},
    }


def _manifest(folder: Path) -> Path:
    """Write a manifest of clips, streams and impulse responses with their audio, and return its path."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    clips, streams = [], []
    for speaker in range(3):
        for label, pool in ((KEYWORD, "positive"), ("other", "negative")):
            path = folder / f"{label}-{speaker}.wav"
            _write(path, chirp(rng, up=label == KEYWORD))
            clips.append(Clip(audio=path, duration=0.4, label=label, pool=pool, speaker=f"s{speaker}"))
        path = folder / f"stream-{speaker}.wav"
        _write(path, np.concatenate([np.zeros(RATE, np.float32), chirp(rng, up=True), np.zeros(RATE, np.float32)]))
        event = Event(start=1.0, end=1.4, label=KEYWORD, speaker=f"s{speaker}")
        streams.append(Stream(audio=path, duration=2.4, events=(event,), speakers=(f"s{speaker}",)))
    _write(folder / "noise.wav", 0.05 * rng.standard_normal(RATE))
    clips.append(Clip(audio=folder / "noise.wav", duration=1.0, label="background", pool="background"))
    _write(folder / "room.wav", np.exp(-np.arange(2000) / 300) * rng.standard_normal(2000) * 0.2)
    rooms = (ImpulseResponse(audio=folder / "room.wav", duration=0.125),)
    whole = Manifest(keyword=KEYWORD, clips=tuple(clips), streams=tuple(streams), impulse_responses=rooms)
    write_manifest(folder / "manifest.jsonl", whole)
    return folder / "manifest.jsonl"


def _speech_commands(folder: Path) -> Path:
    """Lay two words by five speakers, noise and the lists out as the data set does; return its folder."""
    home, rng = folder / "speech_commands_v0.02", np.random.default_rng(0)
    lists: dict[str, list[str]] = {"validation_list.txt": [], "testing_list.txt": []}
    where = {"d0": "validation_list.txt", "e0": "testing_list.txt"}
    for speaker in ("a0", "a1", "a2", *where):
        for word in ("yes", "no"):
            path = home / word / f"{speaker}_nohash_0.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, chirp(rng, up=word == "yes"))
            if speaker in where:
                lists[where[speaker]].append(f"{word}/{path.name}")
    (home / "_background_noise_").mkdir()
    for number in range(4):
        _write(home / "_background_noise_" / f"noise{number}.wav", 0.1 * rng.standard_normal(2 * RATE))
    for name, entries in lists.items():
        (home / name).write_text("".join(f"{entry}\n" for entry in entries))
    return home


def _write(path: Path, samples: Any) -> None:
    soundfile.write(path, samples, RATE, subtype="PCM_16")


def examples(folder: Path) -> Examples:
    """Return options for every first-party component that needs some, by `kind:name`."""
    return {**corpus_examples(folder), **augmentation_examples(), **training_examples()}
