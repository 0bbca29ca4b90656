"""Colour and width: a terminal's own on a terminal, none in a pipe, whatever encoding there is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tomllib
from textwrap import wrap
from typing import TYPE_CHECKING, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.support import Typed, add_plugin, wakekit
from tests.terminal_support import bare, on_terminal, terminal
from wakekit.cli import main
from wakekit.columns import columns
from wakekit.console import Bars, Lines, make_progress
from wakekit.terminal import colourful, columns_of, console, paint, table_width, write_any_text
from wakekit.widths import beginning, fitted, padded, width_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UMBRELLA = "☂"


@pytest.fixture(autouse=True)
def plain_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the person who runs the tests wishes for."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def screen() -> Iterator[TextIO]:
    """A stream to a terminal of 70 columns."""
    with terminal(70) as (_, theirs), os.fdopen(os.dup(theirs), "w", encoding="utf-8") as stream:
        yield stream


@pytest.mark.parametrize(
    ("settings", "coloured"),
    [
        ({}, {"screen"}),
        ({"NO_COLOR": "1"}, set()),
        ({"NO_COLOR": ""}, {"screen"}),
        ({"FORCE_COLOR": "1"}, {"screen", "pipe"}),
        ({"FORCE_COLOR": ""}, {"screen"}),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, set()),
        ({"TERM": "dumb"}, set()),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, {"screen", "pipe"}),
    ],
)
def test_when_there_is_colour(
    screen: TextIO, settings: dict[str, str], coloured: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terminals have colour unless it is refused, pipes only where it is asked for; empty settings are none."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    pipe = io.StringIO()
    for name, stream in (("screen", screen), ("pipe", pipe)):
        assert colourful(stream) == (name in coloured)
        assert paint("word", "red", stream) == ("\x1b[31mword\x1b[0m" if name in coloured else "word")
        assert paint("", "red", stream) == ""
        rich = console(stream)
        with rich.capture() as shown:
            rich.print("[bold]word[/bold]")
        assert ("\x1b" in shown.get()) == (name in coloured)


def test_width(screen: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal says how wide it is, COLUMNS goes before it, a pipe has no width."""
    assert columns_of(screen) == 70
    assert columns_of(io.StringIO()) is None
    assert (console(screen).width, table_width(console(screen))) == (70, None)
    assert table_width(console(io.StringIO())) == 80
    for wished, width in (("101", 101), ("0", 70), ("-3", 70), ("many", 70), ("", 70)):
        monkeypatch.setenv("COLUMNS", wished)
        assert columns_of(screen) == width
        assert columns_of(io.StringIO()) is None


def test_a_terminal_that_does_not_know_its_width() -> None:
    """It is taken to be as wide as most."""
    with terminal(0) as (_, theirs), os.fdopen(os.dup(theirs), "w", encoding="utf-8") as stream:
        assert columns_of(stream) == 80


def test_sentences_are_whole_in_a_pipe(screen: TextIO) -> None:
    """However long a line is, what reads it need not put it together again."""
    sentence, stream = "word " * 200, io.StringIO()
    console(stream).print(sentence)
    assert stream.getvalue().rstrip() == sentence.rstrip()
    assert console(screen).width == 70


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_what_an_encoding_lacks(encoding: str) -> None:
    """Signs have plain words, other characters a question mark; nothing is raised."""
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding, newline="")
    write_any_text(stream)
    stream.write(f"1 → 2 … ≥ 3 {UMBRELLA} ∞")
    stream.flush()
    text = buffer.getvalue().decode(encoding)
    assert text.startswith("1 -> 2 ... ")
    assert " ? " in text
    assert text.isascii() or encoding == "cp437"


def test_what_is_no_text_can_be_written() -> None:
    """A file's name may hold bytes that are no characters in any encoding."""
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding="utf-8", newline="")
    write_any_text(stream, io.StringIO())
    stream.write("a\udcff → b")
    stream.flush()
    assert buffer.getvalue().decode() == "a? → b"


def test_progress_is_lines_where_a_terminal_cannot_go_back(screen: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars need a terminal that is not dumb."""
    monkeypatch.setattr(sys, "stderr", screen)
    assert isinstance(make_progress(quiet=False), Bars)
    monkeypatch.setenv("NO_COLOR", "1")
    assert isinstance(make_progress(quiet=False), Bars)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_progress(quiet=False), Lines)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_progress(quiet=False), Lines)


LISTINGS = [("components",), ("plugins",), ("components", "optimizer", "adamw"), ("components", "corpus", "espeak")]


@pytest.mark.parametrize("width", [60, 90])
def test_listings_fit_the_terminal(width: int) -> None:
    """Words are not cut and lines are no longer than the terminal is wide; columns begin one below the other."""
    shown = on_terminal("components", columns=width)
    assert "\x1b[1;36mespeak\x1b[0m" in shown
    lines = bare(shown).splitlines()
    assert max(map(len, lines)) <= width
    start = next(line for line in lines if line.startswith("  espeak ")).index("synthetic")
    assert next(line for line in lines if line.startswith("  folder ")).index("folders") == start
    assert " ".join(bare(shown).split()).startswith("corpus espeak wakekit-data synthetic speech for any keyword, made")


@pytest.mark.parametrize("arguments", LISTINGS)
def test_a_pipe_is_plain(arguments: tuple[str, ...], typed: Typed) -> None:
    """A component, an option or a plugin is one line, without colour."""
    answer = typed(*arguments)
    assert (answer.code, answer.err) == (0, "")
    assert "\x1b" not in answer.out
    if arguments == ("components",):
        assert "  mixup         wakekit-data  blends of two rows and their targets\n" in answer.out
    if "espeak" in arguments:
        assert any(
            (line.startswith("accents ") and line.endswith("are")) or "accents" in line
            for line in answer.out.splitlines()
        )
        assert max(map(len, answer.out.splitlines())) > 150


def test_options_on_a_narrow_terminal() -> None:
    """Where columns are too many for the width, what an option is and means stands below its name."""
    lines = bare(on_terminal("components", "optimizer", "adamw", columns=60)).splitlines()
    table = lines[lines.index("") + 3 :]
    assert max(map(len, table)) <= 60
    number = table.index("lr")
    assert table[number + 1 : number + 3] == ["      float  0.001  above 0", "      learning rate"]


WIDE = "抑制后能量的归一化器、训练集上拟合一次。"


@given(text=st.text(alphabet="ab é한日本カ。、(e\u0301 ", max_size=120), columns=st.integers(24, 60))
def test_wide_letters_take_two_columns(text: str, columns: int) -> None:
    """Widths are those that another library counts, and lines are as long as fits and lose nothing but blanks."""
    assert width_of(text) == cell_len(text)
    lines = fitted(text, columns)
    assert "".join("".join(lines).split()) == "".join(text.split())
    words = [word for word in text.split() if cell_len(word) > columns]
    assert words or all(cell_len(line) <= columns for line in lines)
    assert all(not line.startswith(("。", "、", "\u0301")) for line in lines) or text.lstrip()[:1] in "。、\u0301"
    assert cell_len(padded(text, 300)) == 300
    assert cell_len(beginning(text, columns)) in (
        {columns, columns - 1} if cell_len(text) > columns else {cell_len(text)}
    )


@given(text=st.text(alphabet="ab é-…→  ", max_size=120), columns=st.integers(24, 60))
def test_text_without_wide_letters_is_wrapped_as_usual(text: str, columns: int) -> None:
    """Where every letter takes one column, lines end where Python's own wrapping ends them."""
    assert fitted(text, columns) == wrap(text, columns, break_long_words=False, break_on_hyphens=False)


def test_columns_of_wide_letters() -> None:
    """A cell of wide letters is followed by as many blanks as put the next cell below those of other rows."""
    assert columns([("抑制", "x"), ("abcdef", "y"), ("e\u0301", "z")]) == ["抑制    x", "abcdef  y", "e\u0301       z"]


@pytest.mark.parametrize("width", [44, 90])
def test_listings_with_wide_letters(width: int, site: Path) -> None:
    """Columns stay one below the other, and lines within the terminal, where letters take two columns."""
    summaries = {"one": WIDE, "two": "a normalizer of one's own, fitted on the training set once", "three": WIDE * 3}
    yields = "".join(
        f"    yield Component('normalizer', {name!r}, 'x:X', summary={text!r})\n" for name, text in summaries.items()
    )
    head = "from wakekit import Component, hookimpl\n@hookimpl\ndef wakekit_components():\n"
    add_plugin(site, "acme-wide", head + yields)
    lines = bare(on_terminal("components", "normalizer", columns=width)).splitlines()
    assert max(map(cell_len, lines)) <= width
    if width > 80:
        found = {name: next(line for line in lines if line.split()[:1] == [name]) for name in summaries}
        starts = {cell_len(found[name].partition(text[:6])[0]) for name, text in summaries.items()}
        assert len(starts) == 1


def test_origins_on_a_terminal(recipe_file: Path) -> None:
    """What is a default stands back; a place that has no room beside its value stands below it."""
    shown = on_terminal("show", recipe_file, "--origin", columns=60)
    assert "\x1b[2m" in next(line for line in shown.splitlines() if "normalizer.eps" in line)
    lines = bare(shown).splitlines()
    number = lines.index('normalizer.type = "cmvn"')
    assert lines[number + 1].startswith(f"    # {recipe_file}:")


def test_mistakes_on_a_terminal(recipe_file: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are bold, what is wrong and the caret red; the same text as in a pipe."""
    recipe_file.write_text(recipe_file.read_text().replace("lr = 1e-2", "lrr = 1e-2"))
    shown = on_terminal("check", recipe_file, columns=200)
    piped = typed("check", recipe_file)
    assert bare(shown) == piped.err
    assert "\x1b[1m" + str(recipe_file) in shown
    assert "\x1b[31munknown option 'lrr'" in shown
    assert "\x1b[1;31m    ^\x1b[0m" in shown
    assert "\x1b" not in piped.err
    monkeypatch.setenv("NO_COLOR", "1")
    assert on_terminal("check", recipe_file, columns=200) == piped.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--help",), 0),
        ((), 2),
        (("components",), 0),
        (("diff", "{recipe}", "--set", "train.epochs=3"), 0),
        (("plan", "{recipe}"), 0),
        (("show", "{recipe}", "--origin"), 0),
        (("check", "→.toml"), 2),
    ],
)
def test_no_command_fails_for_want_of_a_character(
    arguments: tuple[str, ...], code: int, recipe_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an encoding of a hundred characters everything is said in these."""
    recipe_file.write_text(recipe_file.read_text() + '[ablate]\nleave_out = ["normalizer"]\n')
    buffer = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(buffer, encoding="ascii", write_through=True))
    try:
        answer = main([one.format(recipe=recipe_file) for one in arguments])
    except SystemExit as stop:
        answer = int(stop.code or 0)
    assert answer == code
    assert len(buffer.getvalue().decode("ascii")) > 20


def test_a_summary_that_an_encoding_lacks(site: Path) -> None:
    """A stranger's plugin may describe itself in any script."""
    add_plugin(
        site, "acme-rain",
        "from wakekit import Component, hookimpl\n@hookimpl\ndef wakekit_components():\n"
        f"    yield Component('normalizer', 'rain', 'acme_rain:Rain', summary='{UMBRELLA} → dry')\n",
    )  # fmt: skip
    done = wakekit("components", "normalizer", env={"PYTHONPATH": str(site), "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "? -> dry" in done.stdout


KEYWORD = "hé \u4f60\u597d \U0001f600"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_data_are_the_same_in_every_encoding(recipe_file: Path, encoding: str) -> None:
    """What is printed to be read by programs escapes what the encoding lacks, rather than replace it."""
    text = recipe_file.read_text(encoding="utf-8").replace('"chirp"', f'"{KEYWORD}"')
    recipe_file.write_text(text + '[callbacks.ema]\ntype = "ema"\n', encoding="utf-8")

    def printed(*arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "wakekit", *map(str, arguments)],
            env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False,
        )  # fmt: skip
        assert done.stderr == b""
        return done.stdout.decode(encoding)

    assert tomllib.loads(printed("show", recipe_file))["corpus"]["keyword"] == KEYWORD
    found = json.loads(printed("diff", recipe_file, "--set", "corpus.keyword=nova", "--format", "json"))
    assert found["differences"][0]["first"] == KEYWORD
    recipe_file.write_text(text + f'[callbacks.ema]\ntype = "{KEYWORD}"\n', encoding="utf-8")
    (mistake,) = json.loads(printed("check", recipe_file, "--format", "json"))["mistakes"]
    assert KEYWORD in mistake["source"]
