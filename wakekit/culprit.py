"""Whose mistake it was: what nobody expected in a stage is told as the failure of the component it came from."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain
from traceback import walk_tb
from typing import TYPE_CHECKING

from wakekit.errors import WakekitError, failure
from wakekit.registry import OWN_DISTRIBUTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wakekit.recipe import Recipe
    from wakekit.registry import Entry


@contextmanager
def accusing(recipe: Recipe) -> Iterator[None]:
    """Turn what a component of a recipe raises into a PluginError that names it, its plugin and the line.

    A mistake of wakekit's own, which no component had a part in, passes, as do WakekitError and OSError.
    """
    try:
        yield
    except WakekitError:
        raise
    except (Exception, SystemExit) as error:
        name = None if isinstance(error, OSError) and not isinstance(error, BrokenPipeError) else culprit(recipe, error)
        if name is None:
            raise
        raise failure(name, error) from error


def culprit(recipe: Recipe, error: BaseException) -> str | None:
    """Return what the component is called whose code an error came from; None where none had a part in it.

    That is the innermost of a stranger, whose answer may have broken what came after it; else the innermost of all.
    """
    chosen = [one.entry for one in chain(recipe.single.values(), *(held.values() for held in recipe.many.values()))]
    strangers = [entry for entry in chosen if entry.plugin.distribution != OWN_DISTRIBUTION]
    return _named(strangers, error) or _named(chosen, error)


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
