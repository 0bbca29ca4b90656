"""Find plugins through their entry points and load each on its own, so that a broken one neither spreads nor vanishes.

A plugin that is disabled is never imported. Whatever a plugin raises while it is imported or asked for its components
(SystemExit included, KeyboardInterrupt not) becomes its `reason`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

import pluggy

from wakekit import hookspecs
from wakekit.hookspecs import API_VERSION, GROUP, Component
from wakekit.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection

DISABLE_VARIABLE = "WAKEKIT_DISABLE_PLUGINS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin and what became of it: `state` is ok, disabled, failed or incompatible; `reason` says why."""

    name: str
    module: str
    distribution: str
    version: str
    state: str
    reason: str = ""
    components: tuple[Component, ...] = ()

    def label(self) -> str:
        """Return the plugin's name with its distribution and version."""
        return f"{self.name} ({self.distribution} {self.version})"


class _SpecError(Exception):
    pass


class _IncompatibleError(Exception):
    pass


def load_plugins(disabled: Collection[str] = ()) -> tuple[Plugin, ...]:
    """Load every installed plugin but the disabled ones, and report on each, sorted by name."""
    blocked = {*disabled, *filter(None, re.split(r"[,\s]+", os.environ.get(DISABLE_VARIABLE, "")))}
    found = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    return tuple(_load(point, blocked) for point in found)


def _load(point: EntryPoint, blocked: Collection[str]) -> Plugin:
    state, reason = "ok", ""
    components: tuple[Component, ...] = ()
    if point.name in blocked:
        state, reason = "disabled", "disabled by the user, not imported"
    else:
        try:
            components = _components(point)
        except KeyboardInterrupt:
            raise
        except _IncompatibleError as error:
            state, reason = "incompatible", str(error)
        except BaseException as error:  # noqa: BLE001
            state, reason = "failed", _sentence(error)
    distribution, version = _distribution(point)
    return Plugin(point.name, point.value, distribution, version, state, reason, components)


def _distribution(point: EntryPoint) -> tuple[str, str]:
    if point.dist is None:
        return "unknown distribution", "?"
    return point.dist.name or "unknown distribution", point.dist.version or "?"


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, _SpecError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _components(point: EntryPoint) -> tuple[Component, ...]:
    module = point.load()
    wanted = getattr(module, "wakekit_api", API_VERSION)
    if wanted != API_VERSION:
        raise _IncompatibleError(f"made for plugin API {wanted!r}, this wakekit has {API_VERSION}")
    # A manager of its own per plugin: pluggy's results carry no plugin name, and one raising hook would end the call.
    manager = pluggy.PluginManager("wakekit")
    manager.add_hookspecs(hookspecs)
    manager.register(module, name=point.name)
    manager.check_pending()
    results = manager.hook.wakekit_components()
    if not results:
        raise _SpecError("it implements no hook 'wakekit_components'; decorate one with @wakekit.hookimpl")
    listed = [component for result in results for component in result]
    for component in listed:
        _check(component)
    repeated = {(c.kind, c.name) for c in listed if sum(d.kind == c.kind and d.name == c.name for d in listed) > 1}
    if repeated:
        kind, name = min(repeated)
        raise _SpecError(f"it lists {kind} {name!r} twice")
    return tuple(listed)


def _check(component: object) -> None:
    if not isinstance(component, Component):
        raise _SpecError(f"expected wakekit.Component from wakekit_components, got {component!r:.80}")
    texts = (component.kind, component.name, component.target, component.summary)
    if not all(isinstance(text, str) for text in texts):
        raise _SpecError(f"kind, name, target and summary of a component are text, got {component!r:.160}")
    if component.kind not in KINDS:
        raise _SpecError(f"unknown kind {component.kind!r} of component {component.name!r}; one of {', '.join(KINDS)}")
    if not _NAME.fullmatch(component.name):
        raise _SpecError(f"component name {component.name!r} may hold letters, digits, '.', '_' and '-' only")
    if not _TARGET.fullmatch(component.target):
        raise _SpecError(f"target {component.target!r} of {component.name!r} is not of the form 'module:Class'")
    if type(component.version) is not int or component.version < 1:
        raise _SpecError(f"version of {component.name!r} must be a whole number from 1, got {component.version!r}")
