"""Whatever entry points say and plugins do, listing them ends well, a line for each."""

from __future__ import annotations

import json
import os
import random
import string
import sys
import warnings
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import add_plugin
from wakekit import Component, hookimpl, plugins
from wakekit.plugins import load_plugins
from wakekit.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support import Typed

GOOD = Component("metric", "good", "acme:Good")


class Unkind:
    """An object that refuses whatever it is asked."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")

    def __repr__(self) -> str:
        raise RuntimeError("no words")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("incomparable")

    __hash__ = None  # type: ignore[assignment]


class Mute(Exception):  # noqa: N818
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("speechless")


class Distribution:
    """What importlib gives for a package, with the entry points it is told to have."""

    def __init__(self, points: list[tuple[str, str]] | None, *, text: object = None, name: str = "fuzz") -> None:
        self._normalized_name = name
        self._points = points
        self._text = f"{'[wakekit]'}\n" if text is None else text

    @property
    def entry_points(self) -> list[EntryPoint]:
        """The entry points."""
        if self._points is None:
            raise TypeError("a line without =")
        return [EntryPoint(name, value, "wakekit") for name, value in self._points]

    def read_text(self, name: str) -> Any:
        """Return the text of a file of metadata."""
        if isinstance(self._text, Exception):
            raise self._text
        return self._text if name == "entry_points.txt" else None

    @property
    def name(self) -> str:
        """No name."""
        raise KeyError("Name")


def offering(hook: Callable[[], Any], **more: Any) -> ModuleType:
    """Return a plugin's module whose hook is the function given."""

    def wakekit_components() -> Any:
        return hook()

    module = ModuleType("fuzzed")
    vars(module).update(wakekit_components=hookimpl(wakekit_components), **more)
    return module


def raising(error: BaseException) -> Callable[[], Any]:
    """Return a hook that raises."""

    def hook() -> Any:
        raise error

    return hook


def endless() -> Any:
    """Yield components for ever."""
    number = 0
    while True:
        yield Component("metric", f"m{number}", "acme:Good")
        number += 1


def late() -> Any:
    """Yield a good component, then fail."""
    yield GOOD
    raise SystemExit(4)


ANYTHING: tuple[Any, ...] = (
    None, True, 3, 2.5, float("nan"), "", "text", "a b", "a\nb", "\x1b[31mred", "\ud800", "é", b"bytes", (), (1,),
    [], {}, {"a": 1}, set(), object(), Unkind(), Component, GOOD, lambda: None, "x" * 10_000, 10**5000, ["old"],
)  # fmt: skip


def garbage(rng: random.Random) -> Component:
    """Return a component of which some fields are right and others anything."""
    right = ("metric", "good", "acme:Good", 1, "fine", ("old",), "")
    return Component(*(value if rng.random() < 0.6 else rng.choice(ANYTHING) for value in right))


HOOKS: tuple[tuple[str, Any], ...] = (
    ("nothing", lambda: None), ("a number", lambda: 3), ("text", lambda: "components"), ("a table", lambda: {"a": 1}),
    ("endless", endless), ("late", late), ("the class", lambda: [Component]), ("unkind", lambda: [Unkind()]),
    ("unkind itself", Unkind), ("mute", raising(Mute())), ("exit", raising(SystemExit())),
    ("generator exit", raising(GeneratorExit("g"))), ("group", raising(BaseExceptionGroup("g", [SystemExit(1)]))),
    ("long", raising(ValueError("x" * 100_000))), ("escape", raising(ValueError("\x1b[2J\r\n\u2028\ud800"))),
    ("deep", lambda: [deep()]), ("tuple", lambda: [tuple(GOOD)]),
)  # fmt: skip


def deep() -> Any:
    """Recurse too deeply."""
    return deep()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, typed: Typed) -> Callable[[list[Any]], list[str]]:
    """Type `plugins` and `components` with these distributions besides; return the lines of the fuzzed plugins."""

    def tell(found: list[Any]) -> list[str]:
        real = list(plugins.distributions())
        with monkeypatch.context() as patch:
            patch.setattr(plugins, "distributions", lambda: [*real, *found])
            answers = [typed(*words) for words in (["plugins"], ["components"], ["plugins", "--json"])]
        for answer in answers:
            assert answer.code == 0, answer.err
            assert all(one.isprintable() for one in answer.out.split("\n"))
            answer.out.encode()
        listed = json.loads(answers[2].out)
        lines = answers[0].out.strip().split("\n")[1:]
        assert len(lines) == len(listed)
        assert sum(line.split()[0] in {"wakekit-data", "wakekit-models"} for line in lines) == 2
        return [line for line in lines if not line.startswith("wakekit-")]

    return tell


def plug(monkeypatch: pytest.MonkeyPatch, module: object, name: str = "fuzzed") -> Distribution:
    """Return a distribution whose plugin is this object."""
    monkeypatch.setitem(sys.modules, name, module)  # type: ignore[arg-type]
    return Distribution([(name, name)], name=name)


@pytest.mark.parametrize(("name", "hook"), HOOKS, ids=[name for name, _ in HOOKS])
def test_whatever_a_hook_does(monkeypatch: pytest.MonkeyPatch, told: Any, name: str, hook: Any) -> None:
    """It is listed as failed, with a reason that fits a line."""
    (line,) = told([plug(monkeypatch, offering(hook))])
    assert " failed " in line, name
    assert len(line) < 600


def test_whatever_a_component_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """T38: a spec is either right or its plugin failed; what is right can be listed, looked up and sorted."""
    rng = random.Random(0)  # noqa: S311
    states = []
    for _ in range(1500):
        component = garbage(rng)
        found = plug(monkeypatch, offering(lambda component=component: [component]))
        monkeypatch.setattr(plugins, "distributions", lambda found=found: [found])
        (plugin,) = load_plugins()
        states.append(plugin.state)
        if plugin.state == "ok":
            (kept,) = plugin.components
            assert kept.summary.isprintable()
            assert Registry([plugin]).find("metric", kept.name).component == kept
        else:
            assert plugin.reason.isprintable()
            assert plugin.reason
    assert 20 < states.count("ok") < 1400


def test_whatever_stands_in_for_a_module(monkeypatch: pytest.MonkeyPatch, told: Any) -> None:
    """Numbers, classes, functions and objects that refuse everything are failed plugins."""
    things = [3, "text", None, Component, Unkind, Unkind(), lambda: None, SimpleNamespace(wakekit_components=3)]
    things += [offering(lambda: [GOOD], wakekit_api=value) for value in ("2", None, Unkind(), 1e999, "x" * 10_000)]
    found = [plug(monkeypatch, thing, f"fuzzed{number}") for number, thing in enumerate(things)]
    lines = told(found)
    assert len(lines) == len(things)
    assert all(" failed " in line or " incompatible " in line for line in lines), lines


def test_whatever_entry_points_say(monkeypatch: pytest.MonkeyPatch, told: Any) -> None:
    """Garbage in place of a module's name, and files that cannot be read, cost the others nothing."""
    monkeypatch.setitem(sys.modules, "fuzzed", offering(lambda: [GOOD]))
    rng = random.Random(1)  # noqa: S311
    letters = string.printable + "\ud800é\u2028\x00"
    texts = ["".join(rng.choices(letters, k=rng.randrange(12))) for _ in range(200)]
    values = ["", ":", "fuzzed:", ":fuzzed", "fuzzed:nothing", "fuzzed:a.b", "no.such.module", "os:path", "fuzzed [x]"]
    points = [(f"p{number}", value) for number, value in enumerate([*values, *texts])]
    points += [(text or "none", "fuzzed") for text in texts]
    odd = [
        Distribution(None, name="unparsed"),
        Distribution([], text=UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), name="undecoded"),
        Distribution([], text=3, name="number"),
    ]
    lines = told([Distribution(points), *odd])
    assert len(lines) == len(points) + 3
    assert sum("its entry_points.txt cannot be read" in line for line in lines) == 3
    assert sum("names no module" in line for line in lines) > 150


def test_two_plugins_of_one_name_are_both_refused(site: Path, typed: Typed) -> None:
    """T39: neither is imported, since none could be told from the other; disabling one frees the other."""
    source = "from wakekit import Component, hookimpl\n@hookimpl\ndef wakekit_components():\n    return []\n"
    add_plugin(site, "acme", source, distribution="acme-one")
    add_plugin(site, "acme", source, distribution="acme-two")
    states = [line for line in typed("plugins").out.splitlines() if line.startswith("acme")]
    assert len(states) == 2
    assert all("failed" in line and "another plugin is called 'acme' too" in line for line in states)
    freed = [line for line in typed("plugins", "--disable-plugin", "acme-two").out.splitlines() if "acme" in line]
    assert ["ok" in line.split() for line in freed] == [True, False]


def test_what_a_plugin_does_to_the_process_stays_within(site: Path, typed: Typed, tmp_path: Path) -> None:
    """It prints, warns, changes the folder, the arguments and the streams: commands and relative paths work on."""
    add_plugin(
        site,
        "acme-rude",
        "import os, sys, warnings, atexit\n"
        "from wakekit import Component, hookimpl\n"
        "print('HELLO'); os.chdir('/'); sys.argv[:] = []\n"
        "atexit.register(lambda: None)\n"
        "sys.stdout = None\n"
        "@hookimpl\n"
        "def wakekit_components():\n"
        "    print('AGAIN')\n"
        "    return Component('metric', 'rude', 'acme_rude:Rude', summary='two\\n lines \\x1b[31m')\n",
    )
    here, arguments = os.getcwd(), sys.argv[:]  # noqa: PTH109
    try:
        with warnings.catch_warnings():
            answer = typed("components", "metric")
    finally:
        after, sys.argv[:] = os.getcwd(), arguments  # noqa: PTH109
    assert after == here
    assert answer.code == 0
    assert "HELLO" not in answer.out
    assert "AGAIN" not in answer.out
    assert "HELLO" in answer.err
    assert "two lines \\x1b[31m" in answer.out
    assert not list(tmp_path.glob("HELLO"))
