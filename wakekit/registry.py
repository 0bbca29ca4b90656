"""(kind, name) → component, for listing and for use alike; a component's module is imported only when it is used.

A bare name must be unique among the loaded plugins; `plugin:name` picks one of several. A component is also found under
a name that it had formerly, unless another has that name now.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from wakekit.errors import PluginError, WakekitError, an, in_a_sentence, nearest
from wakekit.plugins import DISABLE_VARIABLE, Plugin, contained, disabled_by_environment, load_plugins

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from wakekit.hookspecs import Component


OWN_DISTRIBUTION = "wakekit"


class Entry(NamedTuple):
    """A component together with the plugin that offers it."""

    component: Component
    plugin: Plugin

    def load(self) -> type:
        """Import the component's class; raises PluginError where that fails."""
        module, _, name = self.component.target.partition(":")
        label = f"{self.component.kind} {self.component.name!r} of plugin {self.plugin.label()}"
        try:
            with contained():
                found = getattr(import_module(module), name)
        except KeyboardInterrupt:
            raise
        except WakekitError as error:
            raise PluginError(f"{label}: {error}") from error
        except BaseException as error:
            said = in_a_sentence(error)
            raise PluginError(f"{label} cannot be imported: {said}{_hint(said)}") from error
        if not isinstance(found, type) or not hasattr(found, "__attrs_attrs__"):
            raise PluginError(f"{label} is not an attrs class: decorate {self.component.target} with attrs.frozen")
        from wakekit.option_types import refuse_unwritable  # noqa: PLC0415 - listing loads no class

        try:
            refuse_unwritable(found)
        except PluginError as error:
            raise PluginError(f"{label}: {error}") from error
        return found


def _hint(said: str) -> str:
    if "torchaudio" not in said:
        return ""
    return "; torch and torchaudio must fit: pip install 'torch>=2.11,<2.15' 'torchaudio>=2.11,<2.12'"


class UnknownComponentError(WakekitError):
    """No plugin offers the name; `suggestion` is the nearest that one does, if any is near."""

    exit_code = 2

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.suggestion = suggestion


class UnknownPluginError(WakekitError):
    """A plugin to disable that is not installed; carries a suggestion."""

    exit_code = 2


class Registry:
    """All components of the loaded plugins; `warnings` are sentences for the user about how they were asked for."""

    def __init__(self, plugins: Sequence[Plugin], *, warnings: Iterable[str] = ()) -> None:
        self.plugins = tuple(plugins)
        self.warnings = tuple(warnings)
        self._entries: dict[str, list[Entry]] = {}
        self._classes: dict[type, Entry] = {}
        for plugin in plugins:
            for component in plugin.components:
                self._entries.setdefault(component.kind, []).append(Entry(component, plugin))

    def entries(self, kind: str) -> list[Entry]:
        """Return the components of a kind, sorted by name."""
        return sorted(self._entries.get(kind, ()), key=lambda entry: (entry.component.name, entry.plugin.name))

    def find(self, kind: str, name: str) -> Entry:
        """Return the component that `name` or `plugin:name` stands for, now or formerly.

        Raises UnknownComponentError with the nearest names, or PluginError where plugins stand in the way.
        """
        plugin, _, bare = name.rpartition(":")
        self._refuse_unusable(plugin, kind, bare)
        known = [entry for entry in self.entries(kind) if plugin in ("", entry.plugin.name)]
        found = [entry for entry in known if entry.component.name == bare]
        found = found or [entry for entry in known if bare in entry.component.formerly]
        if len(found) > 1:
            raise PluginError(
                f"{kind} {name!r} is offered by {' and '.join(entry.plugin.label() for entry in found)}; "
                f"write {' or '.join(repr(f'{entry.plugin.name}:{entry.component.name}') for entry in found)}"
            )
        if not found:
            raise self._unknown(kind, name, bare)
        return found[0]

    def meaning(self, kind: str, name: str) -> tuple[str, str]:
        """Return the plugin and the present name of the component that a name stands for; the name where for none."""
        try:
            entry = self.find(kind, name)
        except WakekitError:
            return "", name
        return entry.plugin.name, entry.component.name

    def remarks(self, name: str, entry: Entry) -> Iterator[tuple[str, str | None]]:
        """Yield what a recipe that names a component so should know, with the name to write instead where there is one.

        `name` is one that `find` took for the entry.
        """
        present = self.name_of(entry)
        if name.rpartition(":")[2] != entry.component.name:
            yield f"{name!r} is now called {present!r}; write that", present
        if entry.component.deprecated:
            yield f"{present!r} is deprecated: {entry.component.deprecated}", None

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

    def own_name(self, kind: str, name: str) -> str:
        """Return what stands for a component that comes with wakekit, also where another plugin offers its name too.

        A table that is left out means that component, whatever else is installed; the name where wakekit has none.
        """
        own = [
            entry
            for entry in self.entries(kind)
            if entry.component.name == name and entry.plugin.distribution == OWN_DISTRIBUTION
        ]
        return self.name_of(own[0]) if len(own) == 1 else name

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
        near = nearest(bare, [entry.component.name for entry in self.entries(kind)])
        hint = f" (did you mean {near!r}?)" if near else ""
        others = [other for other in self._entries if any(one.component.name == bare for one in self._entries[other])]
        if others and not near:
            *most, last = map(an, others)
            hint = f" (it is {' and '.join(filter(None, (', '.join(most), last)))})"
        names = [self.name_of(entry) for entry in self.entries(kind)]
        message = f"unknown {kind} {name!r}{hint}; there are: {', '.join(names) or 'none'}"
        lost = [plugin for plugin in self.plugins if plugin.state != "ok"]
        if lost:
            message += f" — a plugin that could not be used may offer it: {_told(lost)}"
        return PluginError(message) if lost and not near else UnknownComponentError(message, near)


def _told(lost: Sequence[Plugin]) -> str:
    """Return what became of plugins, in few words where there are many."""
    if len(lost) == 1:
        return f"{lost[0].label()} is {lost[0].state}: {lost[0].reason}"
    return f"{', '.join(f'{plugin.name} ({plugin.state})' for plugin in lost)}; wakekit plugins says why"


def installed(disabled: Collection[str] = ()) -> Registry:
    """Return the registry of everything installed, less the disabled plugins.

    A plugin that the environment disables but that is not installed is only warned of, since an environment variable
    may be meant for other installations too.
    """
    plugins = load_plugins(disabled)
    lost = [name for name in disabled_by_environment() if not _is_known(name, plugins)]
    return Registry(plugins, warnings=[f"{DISABLE_VARIABLE}: {_not_installed(name, plugins)}" for name in lost])


def refuse_unknown(disabled: Collection[str], plugins: Sequence[Plugin]) -> None:
    """Raise UnknownPluginError for the names of plugins to disable that none of these plugins has."""
    unknown = [_not_installed(name, plugins) for name in disabled if not _is_known(name, plugins)]
    if unknown:
        raise UnknownPluginError("--disable-plugin: " + "; ".join(unknown))


def _is_known(name: str, plugins: Iterable[Plugin]) -> bool:
    return any(plugin.is_called(name) for plugin in plugins)


def _not_installed(name: str, plugins: Sequence[Plugin]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415

    names = list(dict.fromkeys(text for plugin in plugins for text in (plugin.name, plugin.distribution)))
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(plugin.name for plugin in plugins)}"
    return f"there is no plugin {name!r} to disable ({hint})"
