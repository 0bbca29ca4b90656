"""Listings for people and for programs: columns within a width, and all that is installed as JSON."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import Typed, add_plugin
from tests.terminal_support import bare
from wakekit.columns import columns, fitted
from wakekit.kinds import KINDS
from wakekit.plugins import load_plugins
from wakekit.registry import installed

if TYPE_CHECKING:
    from pathlib import Path

WORDS = st.text(alphabet="abcdefgh", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, max_size=20).map(" ".join)
ROWS = st.lists(st.tuples(WORDS, WORDS, TEXTS), min_size=1, max_size=8)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def screen(monkeypatch: pytest.MonkeyPatch, width: int) -> TextIO:
    """Return a terminal of a width."""
    monkeypatch.setenv("COLUMNS", str(width))
    return Screen()


@given(rows=ROWS, width=st.integers(30, 120))
def test_columns_say_everything_within_the_width(rows: list[tuple[str, str, str]], width: int) -> None:
    """Every word is there, in order; no line is longer than the terminal, and without one a row is a line."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        lines = columns(rows, screen(monkeypatch, width), styles=("red", "", {"a": "dim"}))
    told = [bare(line) for line in lines]
    assert max(map(len, told)) <= max(width, 30)
    assert " ".join(told).split() == " ".join(" ".join(row) for row in rows).split()
    plain = columns(rows)
    assert len(plain) == len(rows)
    assert plain == columns(rows, io.StringIO())


def test_columns_stand_one_below_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A last column too long for a terminal goes on below where it began, or below its row where that is narrow."""
    rows = [("a", "bb", "one two three four five six seven"), ("aaa", "b", "")]
    assert columns(rows) == ["a    bb  one two three four five six seven", "aaa  b"]
    monkeypatch.setenv("NO_COLOR", "1")
    assert columns(rows, screen(monkeypatch, 34)) == [
        "a    bb  one two three four five", "         six seven", "aaa  b",
    ]  # fmt: skip
    assert columns(rows, screen(monkeypatch, 30)) == [
        "a    bb",
        "      one two three four five",
        "      six seven",
        "aaa  b",
    ]
    assert columns([]) == []
    assert columns([("head", "x"), ("a", "y")], headed=True) == ["head  x", "a     y"]


def test_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell is painted without its padding; a mapping goes by what the cell says; the head is bold."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    lines = columns(
        [("name", "state"), ("  a", "ok"), ("b", "failed")],
        screen(monkeypatch, 80),
        styles=("bold", {"failed": "red"}),
        headed=True,
    )
    assert lines == [
        "\x1b[1mname\x1b[0m  \x1b[1mstate\x1b[0m",
        "  \x1b[1ma\x1b[0m   ok",
        "\x1b[1mb\x1b[0m     \x1b[31mfailed\x1b[0m",
    ]


def test_what_cannot_be_broken_is_not() -> None:
    """A path longer than the width stays whole, to be copied."""
    path = "/a/very/long/path/that-is/longer/than/the/width"
    assert fitted(f"see {path} there", 24) == ["see", path, "there"]


def test_components_as_json(typed: Typed) -> None:
    """Every component of every kind once, with its plugin, distribution and versions."""
    told = json.loads(typed("components", "--json").out)
    registry = installed()
    wanted = [(kind, entry.component.name) for kind in KINDS for entry in registry.entries(kind)]
    assert [(one["kind"], one["name"]) for one in told] == wanted
    (cmvn,) = [one for one in told if one["name"] == "cmvn"]
    entry = registry.find("normalizer", "cmvn")
    assert cmvn == {
        "kind": "normalizer",
        "name": "cmvn",
        "type": "cmvn",
        "version": entry.component.version,
        "summary": entry.component.summary,
        "formerly": [],
        "deprecated": "",
        "plugin": "wakekit-features",
        "distribution": "wakekit",
        "distribution_version": entry.plugin.version,
        "target": "wakekit_features.cmvn:Cmvn",
    }
    assert json.loads(typed("components", "normalizer", "--json").out) == [
        one for one in told if one["kind"] == "normalizer"
    ]


SOURCE = """
import attrs
from pathlib import Path
from wakekit import option
@attrs.frozen
class Part:
    depth: int = option(2, at_least=1, help="how deep")
@attrs.frozen
class Rasta:
    '''Band-pass every band.'''
    word: str = option(help="required")
    pole: float = option(0.94, above=0, below=1, unit="Hz", help="of the filter")
    mode: str = option("a", choices=("a", "b"), help="which", formerly=("way",), deprecated="use 'pole'")
    sizes: tuple[int, ...] = option((1, 2), at_least=1, at_most=9, help="of windows")
    far: float = option(float("inf"), help="how far")
    file: Path | None = option(None, help="where")
    part: Part = attrs.field(factory=Part)
    hidden: int = attrs.field(default=3, init=False)
    def build(self, n_features): ...
"""


@pytest.fixture
def rasta(site: Path) -> Path:
    """A plugin with options of every sort, and a broken one."""
    add_plugin(
        site, "acme-wake",
        "from wakekit import Component, hookimpl\n@hookimpl\ndef wakekit_components():\n"
        "    yield Component('normalizer', 'rasta', 'acme_rasta:Rasta', version=3, summary='filters',\n"
        "                    formerly=('old',), deprecated='use cmvn')\n",
        distribution="acme-dist", version="2.5",
    )  # fmt: skip
    (site / "acme_rasta.py").write_text(SOURCE)
    add_plugin(site, "acme-broken", "raise SystemExit(3)\n")
    return site


def test_a_component_as_json(rasta: Path, typed: Typed) -> None:
    """All that is declared of each option, with null for what is not; defaults as JSON has them."""
    assert rasta
    told = json.loads(typed("components", "normalizer", "rasta", "--json").out)
    assert (told["version"], told["distribution"], told["distribution_version"]) == (3, "acme-dist", "2.5")
    assert (told["formerly"], told["deprecated"]) == (["old"], "use cmvn")
    assert told["documentation"] == "Band-pass every band."
    options = {one["name"]: one for one in told["options"]}
    assert list(options) == ["word", "pole", "mode", "sizes", "far", "file", "part"]
    assert options["pole"] == {
        "name": "pole", "type": "float", "required": False, "default": 0.94, "unit": "Hz", "choices": None,
        "above": 0, "at_least": None, "below": 1, "at_most": None, "help": "of the filter", "formerly": [],
        "deprecated": "",
    }  # fmt: skip
    assert (options["word"]["required"], options["word"]["default"]) == (True, None)
    assert (options["mode"]["choices"], options["mode"]["formerly"]) == (["a", "b"], ["way"])
    assert options["mode"]["deprecated"] == "use 'pole'"
    assert (options["sizes"]["default"], options["sizes"]["at_most"]) == ([1, 2], 9)
    assert options["far"]["default"] == "inf"
    assert (options["file"]["required"], options["file"]["default"]) == (False, None)
    assert options["part"]["default"] == {"depth": 2}


def test_options_of_every_sort_are_told_as_a_recipe_writes_them(rasta: Path, typed: Typed) -> None:
    """Types without their modules, defaults that are made when a component is, tables and lists."""
    text = (
        (rasta / "acme_rasta.py")
        .read_text()
        .replace(
            "    hidden:",
            """
    ways: dict[str, Part | None] = option(attrs.Factory(lambda: {"a": Part()}), help="by name")
    word_: Literal["a.b", "c"] = option("a.b", help="a text")
    twice: int = option(attrs.Factory(lambda self: self.sizes[0], takes_self=True), at_least=0, help="as much")
    flags: tuple[bool, ...] = option((True,), help="on")
    hidden:""",
        )
    )
    (rasta / "acme_rasta.py").write_text("from typing import Literal\n" + text)
    lines = typed("components", "normalizer", "rasta").out.splitlines()
    rows = {line.split()[0]: re.split(r"  +", line)[1:] for line in lines if line}
    assert rows["part"] == ["Part", "{ depth = 2 }"]
    assert rows["ways"] == ["dict[str, Part | None]", "{ a = { depth = 2 } }", "by name"]
    assert rows["word_"] == ["Literal['a.b', 'c']", "'a.b'", "a text"]
    assert rows["twice"] == ["int", "(from other options)", "at least 0", "as much"]
    assert rows["flags"] == ["tuple[bool, ...]", "[true]", "on"]
    assert rows["sizes"][:2] == ["tuple[int, ...]", "[1, 2]"]


def test_a_strangers_texts_cannot_command_the_terminal(rasta: Path, typed: Typed) -> None:
    """What would move the cursor or change colours is shown as what it is, in docstrings and in options."""
    text = (rasta / "acme_rasta.py").read_text()
    text = text.replace("every band.", "every\\x1b[31m band.\n\n    All.").replace("which", "which\\x1b[2J")
    (rasta / "acme_rasta.py").write_text(text)
    out = typed("components", "normalizer", "rasta").out
    assert "Band-pass every\\x1b[31m band.\n\nAll.\n" in out
    assert "which\\x1b[2J" in out
    assert "\x1b" not in out


def test_a_lost_plugin_is_told_beside_the_data(rasta: Path, typed: Typed) -> None:
    """JSON lists what can be used; that something cannot be stands on stderr, where no program takes it for data."""
    assert rasta
    answer = typed("components", "normalizer", "--json")
    assert "rasta" in {one["name"] for one in json.loads(answer.out)}
    assert "plugin acme-broken (acme-broken 1.0) is failed: SystemExit: 3" in answer.err


def test_plugins_as_json(rasta: Path, typed: Typed) -> None:
    """Every plugin with its state; the reason where it is not ok, and what it offers where it is."""
    assert rasta
    answer = typed("plugins", "--json", "--disable-plugin", "wakekit-data")
    told = {one["name"]: one for one in json.loads(answer.out)}
    assert set(told) == {plugin.name for plugin in load_plugins()}
    assert told["acme-wake"] == {
        "name": "acme-wake", "module": "acme_wake", "distribution": "acme-dist", "distribution_version": "2.5",
        "state": "ok", "reason": "", "components": [{"kind": "normalizer", "name": "rasta"}],
    }  # fmt: skip
    assert (told["acme-broken"]["state"], told["acme-broken"]["components"]) == ("failed", [])
    assert told["acme-broken"]["reason"] == "SystemExit: 3"
    assert told["wakekit-data"]["state"] == "disabled"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("components", "normaliser", "--json"), 2, "did you mean 'normalizer'?"),
        (("components", "normalizer", "cmvnn", "--json"), 2, "did you mean 'cmvn'?"),
    ],
)
def test_wrong_names(arguments: tuple[str, ...], code: int, said: str, typed: Typed) -> None:
    """They are refused as in the listing for people, and no half of a document is printed."""
    answer = typed(*arguments)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


def test_data_import_no_component() -> None:
    """A program that lists waits as little as a person."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wakekit", "components", "--json"],
        env={**os.environ}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = {text.rpartition("|")[2].strip() for text in done.stderr.splitlines()}
    assert json.loads(done.stdout)
    assert not names & {"torch", "numpy", "attr", "cattrs", "rich", "argcomplete"}
