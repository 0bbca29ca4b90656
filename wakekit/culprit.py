"""Whose mistake it was: what nobody expected in a stage is told as the failure of the component it came from."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

from wakekit.errors import PluginError, WakekitError, failure, in_a_sentence, raised_at
from wakekit.registry import OWN_DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wakekit.recipe import Recipe
    from wakekit.registry import Entry


@contextmanager
def accusing(recipe: Recipe) -> Iterator[None]:
    """Turn what a component of a recipe raises into a PluginError that names it, its plugin and the line.

    A mistake of wakekit's own, which no component had a part in, passes, as do WakekitError and OSError; the latter
    with a note where a stranger's own code asked the system. Raises PluginError too where a component left the process
    in another working directory, in which no relative path of the run holds.
    """
    with _staying(recipe):
        try:
            yield
        except WakekitError:
            raise
        except (Exception, SystemExit) as error:
            if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
                _note_who_asked(recipe, error)
                raise
            name = culprit(recipe, error)
            if name is None:
                raise
            raise failure(name, error) from error


@contextmanager
def _staying(recipe: Recipe) -> Iterator[None]:
    """Go back to the working directory, and say so, where something went to another."""
    here = _here()
    try:
        yield
    except Exception as error:
        moved = _moved(recipe, here)
        if moved is None:
            raise
        raise PluginError(f"{moved}; after that: {in_a_sentence(error)}") from error
    moved = _moved(recipe, here)
    if moved is not None:
        raise PluginError(moved)


def _moved(recipe: Recipe, here: Path | None) -> str | None:
    there = _here()
    if here is None or there == here:
        return None
    os.chdir(here)
    plugins = dict.fromkeys(f"plugin {entry.plugin.label()}" for entry in _strangers(_chosen(recipe)))
    return (
        f"the working directory was changed to {there}, where relative paths of a run mean something else; components "
        f"must leave it as it is, see {' and '.join(plugins) or 'those of the recipe'}"
    )


def _here() -> Path | None:
    with suppress(OSError):
        return Path.cwd()
    return None


def _note_who_asked(recipe: Recipe, error: OSError) -> None:
    """Note the component whose own code asked the system, none of wakekit's in between: that may be a user's disk."""
    chosen = _chosen(recipe)
    strangers = _strangers(chosen)
    theirs = {_package(entry) for entry in strangers}
    packages = theirs | {_package(entry) for entry in chosen} | {OWN_DISTRIBUTION}
    frames = [str(frame.f_globals.get("__name__", "")).partition(".")[0] for frame, _ in walk_tb(error.__traceback__)]
    known = [package for package in frames if package in packages]
    if known and known[-1] in theirs:
        error.add_note(f"asked for by {_named(strangers, error)} @ {raised_at(error)}")


def culprit(recipe: Recipe, error: BaseException) -> str | None:
    """Return what the component is called whose code an error came from; None where none had a part in it.

    That is the innermost of a stranger, whose answer may have broken what came after it; else the innermost of all.
    """
    chosen = _chosen(recipe)
    return _named(_strangers(chosen), error) or _named(chosen, error)


def _chosen(recipe: Recipe) -> list[Entry]:
    return [one.entry for one in chain(recipe.single.values(), *(held.values() for held in recipe.many.values()))]


def _strangers(chosen: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in chosen if entry.plugin.distribution != OWN_DISTRIBUTION]


def _package(entry: Entry) -> str:
    return entry.component.target.partition(":")[0].partition(".")[0]


def _named(entries: Sequence[Entry], error: BaseException) -> str | None:
    """Return the name of the one of these components whose module stands innermost in a traceback.

    That of its plugin, where only other modules of it do.
    """
    modules: dict[str, list[Entry]] = {}
    for entry in entries:
        modules.setdefault(entry.component.target.partition(":")[0], []).append(entry)
    packages = {module.partition(".")[0]: held[0].plugin for module, held in modules.items()}
    found: list[Entry] = []
    plugin = None
    for frame, _ in walk_tb(error.__traceback__):
        module = str(frame.f_globals.get("__name__", ""))
        plugin = packages.get(module.partition(".")[0], plugin)
        if module in modules:
            held, cls = modules[module], type(frame.f_locals.get("self")).__name__
            itself = [entry for entry in held if entry.component.target == f"{module}:{cls}"]
            found = itself or (found if found and found[0] in held else held)
    if found:
        named = " or ".join(dict.fromkeys(f"{one.component.kind} {one.component.name!r}" for one in found))
        return f"{named} of plugin {found[0].plugin.label()}"
    return f"plugin {plugin.label()}" if plugin else None
