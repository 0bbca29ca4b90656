"""Carry the checks of the kit out over every component of some plugins, and count what was checked."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from wakekit.errors import PluginError, WakekitError, an, counted, raised_at
from wakekit.kinds import KINDS
from wakekit.plugins import Plugin
from wakekit.registry import Registry, installed
from wakekit.testing.checks import Check, NoDeviceError, SkipError, checks_of
from wakekit.testing.declared import Declared
from wakekit.testing.elsewhere import Elsewhere
from wakekit.testing.minimum import MINIMUM
from wakekit.testing.subject import Subject
from wakekit.testing.surroundings import TooLongError, ended, kept

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wakekit.registry import Entry

PASSED, FAILED, EXPECTED, SKIPPED = "passed", "failed", "failed as expected", "skipped"
# Letters of a reason: what is compared may be a tensor of thousands.
_LONGEST = 600


@attrs.frozen
class Outcome:
    """What came of one check of one component; `reason` says why it did not pass."""

    component: str
    check: str
    state: str
    reason: str = ""


@attrs.frozen(eq=False)
class Task:
    """A check to be carried out on a component."""

    subject: Subject
    check: Check

    @property
    def key(self) -> str:
        """The task as `kind:name/check`, as it is declared by."""
        return f"{self.subject.label}/{self.check.name}"


@attrs.frozen(eq=False)
class Conformance:
    """The tasks over all components of some plugins; `folder` is for what components write."""

    plugins: tuple[Plugin, ...]
    registry: Registry
    declared: Declared
    folder: Path

    @functools.cached_property
    def tasks(self) -> tuple[Task, ...]:
        """All tasks, component by component; raises WakekitError where what is declared concerns none of them."""
        entries = [entry for kind in KINDS for entry in self.registry.entries(kind) if entry.plugin in self.plugins]
        elsewhere = self._elsewhere(entries)
        found = tuple(itertools.chain.from_iterable(self._tasks(entry, elsewhere) for entry in entries))
        self._refuse_strays(entries, found)
        return found

    def _elsewhere(self, entries: Sequence[Entry]) -> Elsewhere:
        tables = {
            _label(entry): (
                entry.component.kind,
                {"type": f"{entry.plugin.name}:{entry.component.name}", **self._options(entry)},
            )
            for entry in entries
        }
        modules = tuple(plugin.module.partition(":")[0] for plugin in self.plugins)
        return Elsewhere(tables, modules, self.declared.seconds)

    def _options(self, entry: Entry) -> dict[str, object]:
        return self.declared.examples.get(_label(entry), {})

    def _tasks(self, entry: Entry, elsewhere: Elsewhere) -> Iterator[Task]:
        folder = self.folder / _label(entry).replace(":", "-")
        subject = Subject(entry, self.registry, self._options(entry), folder, elsewhere)
        yield from (Task(subject, check) for check in checks_of(entry.component.kind) if self._concerns(check, subject))

    def _concerns(self, check: Check, subject: Subject) -> bool:
        try:
            with kept(), ended(self.declared.seconds):
                return check.concerns(subject)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - the checks that concern every component tell what is wrong with this one
            return False

    def _refuse_strays(self, entries: Sequence[Entry], tasks: Sequence[Task]) -> None:
        labels, keys = {_label(entry) for entry in entries}, {task.key for task in tasks}
        # A project may hold several plugins, and prove another than its own.
        others = {_label(entry) for kind in KINDS for entry in self.registry.entries(kind)} - labels
        strays = [key for key in self.declared.examples if key not in labels | others]
        strays += [key for key in (*self.declared.fails, *self.declared.skips) if key not in keys]
        strays = [key for key in strays if key.partition("/")[0] not in others]
        if strays:
            raise WakekitError(
                f"tool.wakekit.conformance speaks of {strays[0]!r}, and there is no such component or check; "
                f"components are {', '.join(sorted(labels))}"
            )

    def outcome(self, task: Task) -> Outcome:
        """Carry a task out and return what came of it."""
        state, reason = self._carried_out(task)
        expected = self.declared.fails.get(task.key)
        if expected is not None:
            if state == PASSED:
                state, reason = FAILED, f"expected to fail ({expected}), and passed: take it out of fails"
            elif state == FAILED:
                state, reason = EXPECTED, expected
        return Outcome(task.subject.label, task.check.name, state, reason)

    def _carried_out(self, task: Task) -> tuple[str, str]:
        if task.key in self.declared.skips:
            return SKIPPED, self.declared.skips[task.key]
        task.subject.folder.mkdir(parents=True, exist_ok=True)
        try:
            with kept(), ended(self.declared.seconds):
                task.check.run(task.subject)
        except NoDeviceError as error:
            return SKIPPED, str(error)
        except SkipError as error:
            return FAILED, f"skipped, and not declared in skips: {error}"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001
            return FAILED, _told(error)
        return PASSED, ""


def prepare(names: Sequence[str], declared: Declared, folder: Path) -> Conformance:
    """Return the tasks for plugins named by themselves or by their distribution; raises PluginError for others."""
    if not __debug__:
        raise WakekitError("python -O leaves assertions out, and with them the checks: run without -O")
    registry = installed()
    found = []
    for name in names:
        plugins = [plugin for plugin in registry.plugins if name in {plugin.name, plugin.distribution}]
        if not plugins:
            there = ", ".join(sorted({plugin.name for plugin in registry.plugins})) or "none"
            raise PluginError(
                f"no plugin {name!r} is installed ({there} are): pip install it first, or -e for a checkout"
            )
        for plugin in plugins:
            if plugin.state != "ok":
                raise PluginError(f"plugin {plugin.label()} is {plugin.state}: {plugin.reason}")
        found += [plugin for plugin in plugins if plugin not in found]
    empty = [plugin.label() for plugin in found if not plugin.components]
    if empty:
        raise PluginError(f"plugin {empty[0]} offers no component")
    return Conformance(tuple(found), registry, declared, folder)


def missing(component: str, ran: int) -> str:
    """Return what is wrong where fewer checks ran on a component than its kind asks for, else an empty text."""
    kind = component.partition(":")[0]
    least = MINIMUM[kind]
    return "" if ran >= least else f"{component}: {counted(ran, 'check')} ran, and {an(kind)} needs {least} at least"


def _label(entry: Entry) -> str:
    return f"{entry.component.kind}:{entry.component.name}"


def _told(error: BaseException) -> str:
    """Return an error in one line, with where it was raised where it says nothing itself."""
    # Behind the sentence of an assertion, pytest writes what the values were.
    text = " ".join(str(error).partition("\nassert ")[0].split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
    if isinstance(error, (AssertionError, WakekitError, TooLongError)) and text:
        return text
    where = raised_at(error)
    return f"{type(error).__name__}: {text} @ {where}" if text else f"{type(error).__name__} @ {where}"
