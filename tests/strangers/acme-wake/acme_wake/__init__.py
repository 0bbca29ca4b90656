"""Acme's components for wakekit."""

from collections.abc import Iterator

from wakekit import Component, hookimpl

wakekit_api = 1


@hookimpl
def wakekit_components() -> Iterator[Component]:
    """Yield what Acme adds."""
    yield Component("normalizer", "squash", "acme_wake.squash:Squash", summary="Press every feature into -1 to 1.")
    yield Component("callback", "weight-size", "acme_wake.size:WeightSize", summary="Record how large weights become.")
    yield Component("detector", "in-a-row", "acme_wake.row:InARow", summary="Fire on scores that stay high.")
    yield Component("metric", "right", "acme_wake.right:Right", summary="Share of clips that are decided right.")
