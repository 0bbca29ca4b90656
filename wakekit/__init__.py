"""wakekit trains and judges wake-word models from recipes that name components, which plugins provide.

Importing it imports neither torch nor numpy: names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from wakekit.hookspecs import API_VERSION, Component, hookimpl

if TYPE_CHECKING:
    from wakekit.batch import Batch, Draws, FeatureBatch, Recorded, Sources
    from wakekit.callbacks import ExtraRows, Hooks, TrainingState
    from wakekit.data import Clip, Event, ImpulseResponse, Manifest, Measure, Results, Stream
    from wakekit.errors import WakekitError
    from wakekit.network import Network
    from wakekit.options import option

__all__ = [
    "API_VERSION",
    "Batch",
    "Clip",
    "Component",
    "Draws",
    "Event",
    "ExtraRows",
    "FeatureBatch",
    "Hooks",
    "ImpulseResponse",
    "Manifest",
    "Measure",
    "Network",
    "Recorded",
    "Results",
    "Sources",
    "Stream",
    "TrainingState",
    "WakekitError",
    "hookimpl",
    "option",
]

_HOME = {
    "batch": ("Batch", "Draws", "FeatureBatch", "Recorded", "Sources"),
    "callbacks": ("ExtraRows", "Hooks", "TrainingState"),
    "data": ("Clip", "Event", "ImpulseResponse", "Manifest", "Measure", "Results", "Stream"),
    "errors": ("WakekitError",),
    "network": ("Network",),
    "options": ("option",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    if name in _MODULE:
        return getattr(import_module(f"wakekit.{_MODULE[name]}"), name)
    message = f"module 'wakekit' has no attribute {name!r}"
    raise AttributeError(message)
