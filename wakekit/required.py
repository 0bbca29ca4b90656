"""`[plugins] require`: the distributions of plugins that a recipe needs, held against those that are installed."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from wakekit.plugins import normal_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.requirements import Requirement

    from wakekit.plugins import Plugin


def unmet(text: str, plugins: Sequence[Plugin]) -> str | None:
    """Return why the plugins do not meet a requirement as in `acme-wake >=0.3,<1`, None where they do.

    The requirement is as in PEP 508, without a URL. Raises ValueError for a text that is none.
    """
    wanted = _parsed(text)
    if wanted.marker is not None and not wanted.marker.evaluate():
        return None
    mine = [plugin for plugin in plugins if normal_name(plugin.distribution) == normal_name(wanted.name)]
    words = " ".join(text.partition(";")[0].split())
    if not mine:
        return _missing(wanted, words, plugins)
    if not _fits(wanted, mine[0].version):
        return f"the recipe needs {words}, and {mine[0].version} is installed: {_install(words)}"
    if any(plugin.state == "ok" for plugin in mine):
        return None
    lost = "; ".join(f"plugin {plugin.name} is {plugin.state}: {plugin.reason}" for plugin in mine)
    return f"the recipe needs {words}, which is installed but cannot be used: {lost}"


def _parsed(text: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    like = "expected a distribution and its versions, as in 'acme-wake >=0.3,<1'"
    try:
        wanted = Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).partition("\n")[0].rstrip(".:")
        raise ValueError(f"{like}, got {text!r:.80}: {reason}") from error
    if wanted.url:
        raise ValueError(f"{like}, got a URL: {text!r:.80}")
    return wanted


def _fits(wanted: Requirement, installed: str) -> bool:
    from packaging.version import InvalidVersion  # noqa: PLC0415

    try:
        return bool(wanted.specifier.contains(installed, prereleases=True))
    except InvalidVersion:
        return not wanted.specifier


def _missing(wanted: Requirement, words: str, plugins: Sequence[Plugin]) -> str:
    called = next((plugin for plugin in plugins if normal_name(plugin.name) == normal_name(wanted.name)), None)
    if called is not None:
        return (
            f"the recipe needs {words}, but plugin {called.name!r} comes with the distribution "
            f"{called.distribution!r}: write that name"
        )
    try:
        found = version(wanted.name)
    except (PackageNotFoundError, ValueError):
        names = sorted({plugin.distribution for plugin in plugins})
        near = get_close_matches(wanted.name, names, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return f"the recipe needs {words}, which is not installed{hint}: {_install(words)}"
    if _fits(wanted, found):
        return f"the recipe needs {words}: {found} is installed, but offers no wakekit plugin"
    return f"the recipe needs {words}, and {found}, which offers no wakekit plugin, is installed: {_install(words)}"


def _install(words: str) -> str:
    from shlex import quote  # noqa: PLC0415

    return f"pip install {quote(''.join(words.split()))}"
