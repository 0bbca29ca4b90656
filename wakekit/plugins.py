"""Find plugins through their entry points and load each on its own, so that a broken one neither spreads nor vanishes.

A plugin that is disabled is never imported. Whatever a plugin raises while it is imported or asked for its components
(SystemExit included, KeyboardInterrupt not) becomes its `reason`. What it prints meanwhile goes to stderr, and the
working directory stays what it was.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager, redirect_stdout, suppress
from importlib.metadata import Distribution, EntryPoint, distributions
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import pluggy

from wakekit import hookspecs
from wakekit.errors import in_a_sentence, printable
from wakekit.hookspecs import API_VERSION, GROUP, Component
from wakekit.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

DISABLE_VARIABLE = "WAKEKIT_DISABLE_PLUGINS"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_MOST_COMPONENTS = 10_000


class Plugin(NamedTuple):
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

    def is_called(self, name: str) -> bool:
        """Return whether the name is the plugin's or its distribution's, however dashes and capitals are written."""
        return normal_name(name) in {normal_name(self.name), normal_name(self.distribution)}


class _SpecError(Exception):
    pass


class _IncompatibleError(Exception):
    pass


def normal_name(name: str) -> str:
    """Return a name as packaging tools compare them: `Acme_Wake` and `acme.wake` are `acme-wake`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def load_plugins(disabled: Collection[str] = ()) -> tuple[Plugin, ...]:
    """Load every installed plugin but the disabled ones, and report on each, sorted by name.

    A plugin is disabled under its own name or its distribution's.
    """
    blocked = [*disabled, *disabled_by_environment()]
    found = sorted(_found(), key=lambda one: (one[0].name, one[0].module))
    enabled = [plugin.name for plugin, point in found if point and not any(map(plugin.is_called, blocked))]
    return tuple(_loaded(plugin, point, blocked, enabled) for plugin, point in found)


def disabled_by_environment() -> tuple[str, ...]:
    """Return the names in the environment variable `WAKEKIT_DISABLE_PLUGINS`, apart by commas or spaces."""
    return tuple(filter(None, re.split(r"[,\s]+", os.environ.get(DISABLE_VARIABLE, ""))))


def _found() -> Iterator[tuple[Plugin, EntryPoint | None]]:
    """Yield installed plugins that are yet to be loaded; no entry point where a distribution's cannot be read."""
    seen = set()
    for distribution in distributions():
        # The first of a name on the path is the one that is imported.
        name: object = distribution
        # Of a folder that is no distribution's, Python finds no name, and says so in many ways.
        with suppress(Exception):
            name = getattr(distribution, "_normalized_name", None) or distribution
        if name in seen:
            continue
        seen.add(name)
        try:
            if f"[{GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
                continue
            points = [point for point in distribution.entry_points if point.group == GROUP]
        except Exception as error:  # noqa: BLE001
            title, version = _title(distribution)
            reason = f"its entry_points.txt cannot be read: {in_a_sentence(error)}"
            yield Plugin(title, "", title, version, "failed", reason), None
            continue
        title, version = _title(distribution)
        for point in points:
            yield Plugin(printable(point.name), printable(point.value), title, version, "ok"), point


def _title(distribution: Distribution) -> tuple[str, str]:
    """Return a distribution's name and version, of which importlib would read the whole description for each."""
    head: dict[str, str] = {}
    with suppress(Exception):
        lines = (distribution.read_text("METADATA") or "").partition("\n\n")[0].splitlines()
        head = dict(line.split(": ", 1) for line in lines if line.startswith(("Name: ", "Version: ")))
    with suppress(Exception):
        head = head if len(head) > 1 else {"Name": distribution.name, "Version": distribution.version}
    return printable(head.get("Name") or "unknown distribution"), printable(head.get("Version") or "?")


def _loaded(plugin: Plugin, point: EntryPoint | None, blocked: Iterable[str], enabled: list[str]) -> Plugin:
    if any(map(plugin.is_called, blocked)):
        return plugin._replace(state="disabled", reason="disabled by the user, not imported")
    if point is None:
        return plugin
    if enabled.count(plugin.name) > 1:
        reason = (
            f"another plugin is called {plugin.name!r} too, and neither is imported; "
            "uninstall one, or disable one by the name of its distribution"
        )
        return plugin._replace(state="failed", reason=reason)
    try:
        with contained():
            return plugin._replace(components=_components(point))
    except KeyboardInterrupt:
        raise
    except _IncompatibleError as error:
        return plugin._replace(state="incompatible", reason=printable(str(error)))
    except BaseException as error:  # noqa: BLE001
        return plugin._replace(state="failed", reason=_reason(error))


@contextmanager
def contained() -> Iterator[None]:
    """Keep what a plugin prints out of the output, and relative paths what they were."""
    folder = None
    with suppress(OSError):
        folder = os.getcwd()  # noqa: PTH109
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if folder is not None:
            with suppress(OSError):
                os.chdir(folder)


def _reason(error: BaseException) -> str:
    """Return why a plugin could not be loaded, as one line."""
    return printable(" ".join(str(error).split())) if isinstance(error, _SpecError) else in_a_sentence(error)


def _components(point: EntryPoint) -> tuple[Component, ...]:
    parts = point.value.partition("[")[0].strip().replace(":", ".", 1).split(".")
    if not all(part.strip().isidentifier() for part in parts):
        raise _SpecError(f"its entry point {point.value!r} names no module")
    module = point.load()
    wanted = getattr(module, "wakekit_api", API_VERSION)
    if wanted != API_VERSION:
        raise _IncompatibleError(f"made for plugin API {wanted!r:.40}, this wakekit has {API_VERSION}")
    # A manager of its own per plugin: pluggy's results carry no plugin name, and one raising hook would end the call.
    manager = pluggy.PluginManager("wakekit")
    manager.add_hookspecs(hookspecs)
    manager.register(module, name=point.name)
    manager.check_pending()
    if not manager.hook.wakekit_components.get_hookimpls():
        raise _SpecError("it implements no hook 'wakekit_components'; decorate one with @wakekit.hookimpl")
    results = manager.hook.wakekit_components()
    if not results:
        raise _SpecError("its wakekit_components returned nothing; yield the components, or return a list of them")
    listed = [_checked(component) for result in results for component in _each(result)]
    _check_names(listed)
    return tuple(listed)


def _each(result: object) -> Iterator[object]:
    """Yield what a hook gave, up to a number that no plugin reaches."""
    if type(result) is Component:
        yield result
        return
    components = iter(result)  # type: ignore[call-overload]
    yield from islice(components, _MOST_COMPONENTS)
    for _ in components:
        raise _SpecError(f"it lists more than {_MOST_COMPONENTS} components")


def _checked(component: object) -> Component:
    """Return a component that is right in itself, with texts that are one line each."""
    if type(component) is not Component:
        raise _SpecError(f"expected wakekit.Component from wakekit_components, got {component!r:.80}")
    for field in ("kind", "name", "target", "summary", "deprecated"):
        if type(getattr(component, field)) is not str:
            raise _SpecError(f"expected text as the {field} of a component, got {component!r:.160}")
    if component.kind not in KINDS:
        raise _SpecError(f"unknown kind {component.kind!r} of component {component.name!r}; one of {', '.join(KINDS)}")
    if type(component.formerly) is not tuple or not all(type(name) is str for name in component.formerly):
        raise _SpecError(f"formerly of {component.name!r} must be a tuple of names, got {component.formerly!r:.80}")
    for name in (component.name, *component.formerly):
        if not _NAME.fullmatch(name):
            raise _SpecError(f"component name {name!r} may hold letters, digits, '.', '_' and '-' only")
    if not _TARGET.fullmatch(component.target):
        raise _SpecError(f"target {component.target!r} of {component.name!r} is not of the form 'module:Class'")
    if type(component.version) is not int or component.version < 1:
        raise _SpecError(f"version of {component.name!r} must be a whole number from 1, got {component.version!r:.40}")
    summary, deprecated = (printable(" ".join(text.split())) for text in (component.summary, component.deprecated))
    return component._replace(summary=summary, deprecated=deprecated)


def _check_names(listed: Iterable[Component]) -> None:
    """Refuse a name that two components of a kind have, or had, since their results could not be told apart."""
    taken: dict[tuple[str, str], str] = {}
    for component in listed:
        if (component.kind, component.name) in taken:
            raise _SpecError(f"it lists {component.kind} {component.name!r} twice")
        taken[component.kind, component.name] = component.name
    for component in listed:
        for name in component.formerly:
            other = taken.get((component.kind, name))
            if other is not None:
                whose = "it has still" if other == name == component.name else f"{component.kind} {other!r} has or had"
                raise _SpecError(f"{component.kind} {component.name!r} was formerly {name!r}, a name that {whose}")
            taken[component.kind, name] = component.name
