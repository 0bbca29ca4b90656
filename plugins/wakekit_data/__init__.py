"""Where audio comes from, how it is divided, and how a training batch is disturbed.

Importing this lists the components and imports nothing but `wakekit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit import Component, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

wakekit_api = 1


@hookimpl
def wakekit_components() -> Iterator[Component]:
    """Yield the corpora, splitters and augmentations."""
    yield Component(
        "corpus", "espeak", "wakekit_data.espeak:EspeakCorpus", summary="synthetic speech for any keyword, made offline"
    )
    yield Component(
        "corpus", "manifest", "wakekit_data.manifest:ManifestCorpus", summary="recordings listed in a JSONL manifest"
    )
    yield Component(
        "corpus",
        "folder",
        "wakekit_data.folder:FolderCorpus",
        summary="folders of positive, negative and other audio",
    )
    yield Component(
        "corpus",
        "speech-commands",
        "wakekit_data.speech_commands:SpeechCommands",
        summary="Google's Speech Commands, one of its words the keyword",
    )
    yield Component("splitter", "given", "wakekit_data.given:Given", summary="the splits that the corpus came with")
    yield Component(
        "splitter", "by-speaker", "wakekit_data.by_speaker:BySpeaker", summary="no speaker or recording on two sides"
    )
    yield Component(
        "splitter", "k-fold", "wakekit_data.k_fold:KFold", summary="one of K folds alike, none sharing a speaker"
    )
    yield Component(
        "augmentation", "noise", "wakekit_data.noise:Noise", summary="background audio at a drawn signal-to-noise ratio"
    )
    yield Component("augmentation", "reverb", "wakekit_data.reverb:Reverb", summary="measured or synthetic rooms")
    yield Component("augmentation", "gain", "wakekit_data.gain:Gain", summary="a drawn level")
    yield Component("augmentation", "shift", "wakekit_data.shift:Shift", summary="a drawn shift in time")
    yield Component("augmentation", "speed", "wakekit_data.speed:Speed", summary="another speed, and with it pitch")
    yield Component(
        "augmentation",
        "clipping",
        "wakekit_data.clipping:Clipping",
        summary="a level that is cut off, as when overdriven",
    )
    yield Component(
        "augmentation", "low-pass", "wakekit_data.low_pass:LowPass", summary="a narrow band, as by telephone"
    )
    yield Component(
        "augmentation", "spec-augment", "wakekit_data.spec_augment:SpecAugment", summary="masks over time and frequency"
    )
    yield Component("augmentation", "mixup", "wakekit_data.mixup:Mixup", summary="blends of two rows and their targets")
    yield Component(
        "augmentation", "codec", "wakekit_data.codec:Codec", summary="through an encoder and back, for conditions"
    )
