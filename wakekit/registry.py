"""(kind, name) → component, for listing and for use alike; a component's module is imported only when it is used.

A bare name must be unique among the loaded plugins; `plugin:name` picks one of several.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING

from wakekit.errors import PluginError, WakekitError
from wakekit.plugins import Plugin, load_plugins

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wakekit.hookspecs import Component


@dataclass(frozen=True, slots=True)
class Entry:
    """A component together with the plugin that offers it."""

    component: Component
    plugin: Plugin

    def load(self) -> type:
        """Import the component's class; raises PluginError where that fails."""
        module, _, name = self.component.target.partition(":")
        label = f"{self.component.kind} {self.component.name!r} of plugin {self.plugin.label()}"
        try:
            found = getattr(import_module(module), name)
        except KeyboardInterrupt:
            raise
        except WakekitError as error:
            raise PluginError(f"{label}: {error}") from error
        except BaseException as error:
            raise PluginError(f"{label} cannot be imported: {type(error).__name__}: {error}{_hint(error)}") from error
        if not isinstance(found, type) or not hasattr(found, "__attrs_attrs__"):
            raise PluginError(f"{label} is not an attrs class: decorate {self.component.target} with attrs.frozen")
        return found


def _hint(error: BaseException) -> str:
    if "torchaudio" not in str(error):
        return ""
    return "; torch and torchaudio must fit: pip install 'torch>=2.11,<2.15' 'torchaudio>=2.11,<2.12'"


class UnknownComponentError(WakekitError):
    """No plugin offers the name; carries a suggestion."""

    exit_code = 2


class Registry:
    """All components of the loaded plugins."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = tuple(plugins)
        self._entries: dict[str, list[Entry]] = {}
        self._classes: dict[type, Entry] = {}
        for plugin in plugins:
            for component in plugin.components:
                self._entries.setdefault(component.kind, []).append(Entry(component, plugin))

    def entries(self, kind: str) -> list[Entry]:
        """Return the components of a kind, sorted by name."""
        return sorted(self._entries.get(kind, ()), key=lambda entry: (entry.component.name, entry.plugin.name))

    def find(self, kind: str, name: str) -> Entry:
        """Return the component that `name` or `plugin:name` stands for.

        Raises UnknownComponentError with the nearest names, or PluginError where plugins stand in the way.
        """
        plugin, _, bare = name.rpartition(":")
        self._refuse_unusable(plugin, kind, bare)
        found = [
            entry for entry in self.entries(kind) if entry.component.name == bare and plugin in ("", entry.plugin.name)
        ]
        if len(found) > 1:
            raise PluginError(
                f"{kind} {name!r} is offered by {' and '.join(entry.plugin.label() for entry in found)}; "
                f"write {' or '.join(repr(f'{entry.plugin.name}:{bare}') for entry in found)}"
            )
        if not found:
            raise self._unknown(kind, name, bare)
        return found[0]

    def load(self, entry: Entry) -> type:
        """Import the component's class and remember which component it is."""
        found = entry.load()
        known = self._classes.setdefault(found, entry)
        if known != entry:
            raise PluginError(
                f"{entry.component.target} is both {known.component.kind} {known.component.name!r} of plugin "
                f"{known.plugin.label()} and {entry.component.kind} {entry.component.name!r} of plugin "
                f"{entry.plugin.label()}; each component needs a class of its own"
            )
        return found

    def entry_of(self, value: object) -> Entry | None:
        """Return the component that a value built from a recipe is an instance of."""
        return self._classes.get(type(value))

    def name_of(self, entry: Entry) -> str:
        """Return what a recipe must write for a component: its bare name where that is unique."""
        name = entry.component.name
        same = [other for other in self._entries[entry.component.kind] if other.component.name == name]
        return name if len(same) == 1 else f"{entry.plugin.name}:{name}"

    def _refuse_unusable(self, plugin: str, kind: str, bare: str) -> None:
        states = [known for known in self.plugins if known.name == plugin]
        if plugin and not states:
            names = ", ".join(known.name for known in self.plugins) or "none"
            raise PluginError(
                f"{kind} {plugin}:{bare} needs the plugin {plugin!r}, which is not installed ({names} are)"
            )
        if states and all(known.state != "ok" for known in states):
            known = states[0]
            raise PluginError(f"{kind} {bare!r} needs plugin {known.label()}, which is {known.state}: {known.reason}")

    def _unknown(self, kind: str, name: str, bare: str) -> WakekitError:
        names = [entry.component.name for entry in self.entries(kind)]
        near = get_close_matches(bare, names, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        message = f"unknown {kind} {name!r}{hint}; there are: {', '.join(names) or 'none'}"
        lost = [plugin for plugin in self.plugins if plugin.state != "ok"]
        if lost:
            reasons = "; ".join(f"{plugin.label()} is {plugin.state}: {plugin.reason}" for plugin in lost)
            message += f" — a plugin that could not be used may offer it: {reasons}"
        return PluginError(message) if lost and not near else UnknownComponentError(message)


def installed(disabled: Collection[str] = ()) -> Registry:
    """Return the registry of everything installed, less the disabled plugins."""
    return Registry(load_plugins(disabled))
