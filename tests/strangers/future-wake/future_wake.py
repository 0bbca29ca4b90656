"""A plugin made for a wakekit that is yet to come."""

from wakekit import Component, hookimpl

wakekit_api = 99


@hookimpl
def wakekit_components() -> list[Component]:
    """List what it adds."""
    return [Component("normalizer", "foresight", "future_wake:Foresight")]
