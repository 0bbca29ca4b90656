"""Names for what is begun: which will do, and what they become in Python."""

from __future__ import annotations

import keyword
import re
import sys
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING

from wakekit.kinds import KINDS
from wakekit.plugins import normal_name
from wakekit.scaffold.writing import ScaffoldError

if TYPE_CHECKING:
    from collections.abc import Collection

LONGEST = 30
"""Letters that a name may have; beyond, lines of code would break in another place."""
_ALLOWED = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE)
# Import names that a package beside its `tests` cannot have, although nothing of the name may be installed.
_TAKEN = {"docs", "recipes", "src", "test", "tests", "wakekit"}
# Modules whose tests would have the names of tests that every package has.
_TESTED = {"conformance", "recipes"}


def known_kind(kind: str) -> str:
    """Return the kind; raises ScaffoldError with the nearest one, and all of them, where there is none of the name."""
    if kind not in KINDS:
        near = get_close_matches(kind.lower(), KINDS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ScaffoldError(f"unknown kind {kind!r}{hint}; kinds are {', '.join(KINDS)}")
    return kind


def plugin_name(typed: str, plugins: Collection[str] = ()) -> str:
    """Return a plugin's name as package indexes write it: small letters, dashes.

    `plugins` are the import packages of installed plugins, which may have the name already. Raises ScaffoldError where
    it will not do for a distribution or for an import package.
    """
    name = _normal(typed, "a plugin", "acme-wake")
    package = import_name(name)
    if name == "wakekit" or name.startswith("wakekit-"):
        raise ScaffoldError(f"{typed!r} looks like a part of wakekit itself; begin with a name of your own")
    if not package.isidentifier() or keyword.iskeyword(package) or keyword.issoftkeyword(package):
        raise ScaffoldError(f"{typed!r} makes no import package ({package!r}); begin with a letter, and use no keyword")
    if package in sys.stdlib_module_names or package in _TAKEN:
        raise ScaffoldError(f"{typed!r}: {package!r} is taken in Python, or in the layout of a package; choose another")
    if package not in plugins and _importable(package):
        raise ScaffoldError(f"{typed!r}: an import package {package!r} is installed already; choose another name")
    return name


def component_name(typed: str) -> str:
    """Return a component's name as recipes write it: small letters, dashes."""
    return _normal(typed, "a component", "log-odds-shift")


def import_name(plugin: str) -> str:
    """Return the import package of a plugin."""
    return plugin.replace("-", "_")


def module_name(component: str) -> str:
    """Return the module of a component: its name, or one beside it where Python has that name."""
    name = component.replace("-", "_")
    taken = keyword.iskeyword(name) or name in sys.stdlib_module_names or name in _TESTED
    return name if name.isidentifier() and not taken else f"own_{name}"


def class_name(component: str, source: str) -> str:
    """Return the class of a component: its name, or one beside it where the source uses that name for something."""
    name = "".join(part.capitalize() for part in component.split("-"))
    used = set(re.findall(r"\w+", source))
    return name if name.isidentifier() and not keyword.iskeyword(name) and name not in used else f"Own{name}"


def _normal(typed: str, what: str, example: str) -> str:
    if not _ALLOWED.fullmatch(typed) or not typed.isascii():
        raise ScaffoldError(
            f"{typed!r} is no name for {what}: letters, digits and dashes between them, as in {example}"
        )
    name = normal_name(typed)
    if len(name) > LONGEST:
        raise ScaffoldError(f"{typed!r} is too long for {what}: {len(name)} letters, {LONGEST} at most")
    return name


def _importable(package: str) -> bool:
    """Return whether something of the name is installed; a mere folder on the path is not."""
    try:
        found = find_spec(package)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None
