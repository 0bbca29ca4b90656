"""Frontends and normalizers: from waveforms to the features that a model sees.

Importing this package imports no torch; each component's module is loaded when a recipe names it.
"""

from collections.abc import Iterator

from wakekit import Component, hookimpl

wakekit_api = 1


@hookimpl
def wakekit_components() -> Iterator[Component]:
    """Yield the frontends and normalizers of this package."""
    yield Component("frontend", "log-mel", "wakekit_features.log_mel:LogMel", summary="log energies of mel bands")
    yield Component("frontend", "mfcc", "wakekit_features.mfcc:Mfcc", summary="cosine transform of log mel energies")
    yield Component(
        "frontend", "pcen", "wakekit_features.pcen:Pcen", summary="mel energies over their own recent average"
    )
    yield Component("normalizer", "cmvn", "wakekit_features.cmvn:Cmvn", summary="zero mean, unit variance per feature")
    yield Component("normalizer", "none", "wakekit_features.none:Identity", summary="features as they are")
    yield Component(
        "normalizer",
        "running-cmvn",
        "wakekit_features.running_cmvn:RunningCmvn",
        summary="zero mean, unit variance over the last seconds, for streams",
    )
    yield Component(
        "normalizer",
        "utterance-cmvn",
        "wakekit_features.utterance_cmvn:UtteranceCmvn",
        summary="zero mean, unit variance within each window",
    )
