"""What a plugin declares of its own conformance: example options, failures it expects, checks it leaves out.

In the `pyproject.toml` of the plugin, or as arguments of `check_plugin`:

    [tool.wakekit.conformance.examples]
    "corpus:tones" = { path = "tests/data" }

    [tool.wakekit.conformance.fails]
    "calibrator:shifted/monotone" = "falls between 0 and 1 by design"

    [tool.wakekit.conformance.skips]
    "callback:tracker/resumed" = "needs a server"

Options whose type is a path are relative to the file. A failure that is expected and does not come is a failure. So is
a check that takes longer than `seconds` (180), in that table itself.
"""

from __future__ import annotations

import importlib.util
import itertools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.converter import ProblemsError, structure
from wakekit.errors import WakekitError
from wakekit.layers import rooted
from wakekit.options import option
from wakekit.registry import installed

if TYPE_CHECKING:
    from collections.abc import Collection

    from wakekit.plugins import Plugin

_INSTALLED = frozenset({"site-packages", "dist-packages"})


@attrs.frozen
class Declared:
    """Examples by `kind:name`; reasons of failures and skips by `kind:name/check`; how long one check may take."""

    examples: dict[str, dict[str, Any]] = option(attrs.Factory(dict), help="options to build components with")
    fails: dict[str, str] = option(attrs.Factory(dict), help="reasons of failures that are expected")
    skips: dict[str, str] = option(attrs.Factory(dict), help="reasons of checks that are left out")
    seconds: float = option(180.0, help="the longest that a check may take", unit="s", above=0)

    def __attrs_post_init__(self) -> None:
        """Refuse expectations without a reason, and those that are of two kinds at once."""
        for key, reason in {**self.fails, **self.skips}.items():
            if not reason.strip():
                raise WakekitError(f"{key!r}: expected a reason, got none")
        both = sorted(self.fails.keys() & self.skips.keys())
        if both:
            raise WakekitError(f"{both[0]!r} is both in fails and in skips; leave it out of one")


def declared_for(names: Collection[str], folder: Path) -> Declared:
    """Return what the projects of plugins declare, named by themselves or by their distribution.

    A project is where a plugin is installed from with `pip install -e`, and `folder` for plugins that are copied.
    """
    plugins = [plugin for plugin in installed().plugins if {plugin.name, plugin.distribution} & set(names)]
    projects = dict.fromkeys(_checkout(plugin) or folder / "pyproject.toml" for plugin in plugins)
    found = [read_declared(project) for project in projects]
    joined = {
        name: dict(itertools.chain.from_iterable(getattr(one, name).items() for one in found))
        for name in ("examples", "fails", "skips")
    }
    return Declared(**joined, seconds=max((one.seconds for one in found), default=Declared().seconds))


def _checkout(plugin: Plugin) -> Path | None:
    """Return the `pyproject.toml` above the folder that a plugin is imported from, None where it is a copy."""
    package = plugin.module.partition(":")[0].partition(".")[0]
    spec = importlib.util.find_spec(package)
    origin = Path(spec.origin) if spec and spec.origin else None
    if origin is None or _INSTALLED & set(origin.parts):
        return None
    return next((path for folder in origin.parents if (path := folder / "pyproject.toml").is_file()), None)


def read_declared(project: Path) -> Declared:
    """Return what a `pyproject.toml` declares, nothing where there is no such file.

    Raises WakekitError for what does not belong there.
    """
    if not project.is_file():
        return Declared()
    try:
        table: Any = tomllib.loads(project.read_text(encoding="utf-8"))
        for key in ("tool", "wakekit", "conformance"):
            table = table.get(key, {}) if isinstance(table, Mapping) else {}
        found: Declared = structure(Declared, rooted(table, project.parent), "conformance")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, WakekitError) as error:
        raise WakekitError(f"{project}: {error}") from error
    except ProblemsError as error:
        told = "; ".join(f"{'.'.join(map(str, one.path))}: {one.message}" for one in error.problems)
        raise WakekitError(f"{project}: tool.wakekit.conformance: {told}") from error
    return found
