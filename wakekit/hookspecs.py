"""The plugin contract on one page: a plugin lists its components, and importing it imports nothing heavy.

A plugin is a package with an entry point in the group `wakekit` whose module implements `wakekit_components`. A module
may state `wakekit_api = 1`, the version of this contract it was written for; a plugin for another version is not
loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable

API_VERSION = 1
GROUP = "wakekit"

hookspec = pluggy.HookspecMarker("wakekit")
hookimpl = pluggy.HookimplMarker("wakekit")


class Component(NamedTuple):
    """One thing a plugin offers.

    `target` is `module:Class` and is imported only when a recipe names the component. `version` goes up when its
    results change: it is part of every fingerprint.

    `formerly` are the names that the component had, oldest first: a recipe may still write one, with a warning, and the
    oldest stays in the fingerprint, so that a new name changes no result. `deprecated` continues the sentence "… is
    deprecated: ", as in "use 'cmvn'; it goes in 0.5".
    """

    kind: str
    name: str
    target: str
    version: int = 1
    summary: str = ""
    formerly: tuple[str, ...] = ()
    deprecated: str = ""

    @property
    def lasting_name(self) -> str:
        """The name under which the component is fingerprinted: its oldest."""
        return (*self.formerly, self.name)[0]


@hookspec
def wakekit_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Yield the components that this plugin offers."""
