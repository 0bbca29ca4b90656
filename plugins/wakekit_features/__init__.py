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
    yield Component("normalizer", "cmvn", "wakekit_features.cmvn:Cmvn", summary="zero mean, unit variance per feature")
    yield Component("normalizer", "none", "wakekit_features.none:Identity", summary="features as they are")
