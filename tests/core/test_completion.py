"""Completion in shells, driven as the shells drive it: a tab key's candidates, quick and without errors."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import argcomplete
import pytest

from tests.support import TINY, Typed, add_plugin
from tests.terminal_support import Shell, surroundings, terminal
from wakekit.completing import complete
from wakekit.kinds import KINDS
from wakekit.parser import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NORMALIZERS = {"cmvn", "none", "running-cmvn", "utterance-cmvn"}


@pytest.fixture
def folder(tmp_path: Path, corpus: Path) -> Path:
    """A working folder with recipes and runs."""
    place = tmp_path / "work"
    for name in ("runs/tiny-0123456789", "runs/.store", "recipes/mine"):
        (place / name).mkdir(parents=True)
    (place / "runs/tiny-0123456789/metrics.json").touch()
    (place / "tiny.toml").write_text(TINY.format(corpus=corpus) + '[callbacks.ema]\ntype = "ema"\n')
    (place / "recipes/a b.toml").touch()
    (place / "notes.txt").touch()
    return place


def protocol(line: str) -> dict[str, str]:
    """Return what a shell's function says to the program that it asks."""
    return {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }


Ask = Callable[[str], set[str]]


@pytest.fixture
def ask(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Ask for the candidates of a line, in this process; nothing else may be written."""
    monkeypatch.chdir(folder)
    # It would take the file that has the number 9, which in this process may be any.
    monkeypatch.setattr(argcomplete.CompletionFinder, "_init_debug_stream", lambda _: None)

    def answered(line: str) -> set[str]:
        answer = io.StringIO()
        for key, value in protocol(line).items():
            monkeypatch.setenv(key, value)
        with pytest.raises(SystemExit) as left:
            complete(make_parser(), answer=answer, leave=sys.exit)
        assert left.value.code == 0
        assert tuple(capfd.readouterr()) == ("", "")
        return set(filter(None, answer.getvalue().split("\n")))

    return answered


@pytest.mark.parametrize(
    ("line", "all_of", "none_of"),
    [
        ("wakekit ", {"check", "run", "components", "plugins", "diff", "completion"}, {"--help"}),
        ("wakekit components ", set(KINDS), {"cmvn"}),
        ("wakekit components normalizer ", NORMALIZERS, {"adamw"}),
        ("wakekit components nonsense ", set(), NORMALIZERS),
        ("wakekit check ", {"tiny.toml", "recipes/", "runs/", "wakekit:"}, {"notes.txt"}),
        ("wakekit check wakekit:", {"wakekit:quickstart", "wakekit:ablations/"}, {"tiny.toml"}),
        ("wakekit diff tiny.toml wakekit:ablations/c", {"wakekit:ablations/cmvn"}, {"wakekit:ablations/ema"}),
        ("wakekit report ", {"runs/tiny-0123456789"}, {"tiny.toml", "runs/.store/"}),
        ("wakekit compare runs/tiny-0123456789 ru", {"runs/tiny-0123456789"}, set()),
        ("wakekit run tiny.toml --set norm", {"normalizer=", "normalizer."}, {"optimizer="}),
        ("wakekit run tiny.toml --set normalizer=", {f"normalizer={name}" for name in NORMALIZERS}, set()),
        ("wakekit run tiny.toml --set optimizer.", {"optimizer.lr=", "optimizer.weight_decay="}, {"optimizer.type"}),
        ("wakekit run tiny.toml --set callbacks", {"callbacks.ema=", "callbacks.ema."}, {"callbacks="}),
        ("wakekit run tiny.toml --set callbacks.ema.d", {"callbacks.ema.decay="}, set()),
        ("wakekit run tiny.toml --set window.", {"window.seconds="}, set()),
        ("wakekit run tiny.toml --set train.", {"train.epochs=", "train.passes=", "train.type="}, set()),
        ("wakekit run child.toml --set optimizer.", {"optimizer.lr=", "optimizer.weight_decay="}, set()),
        ("wakekit run child.toml --set callbacks.", {"callbacks.ema.", "callbacks.norm."}, set()),
        (
            "wakekit run child.toml --set conditions.q",
            {"conditions.quiet.augmentations.", "conditions.quiet.seed="},
            set(),
        ),
        (
            "wakekit run child.toml --set conditions.quiet.augmentations.",
            {"conditions.quiet.augmentations.level.db=", "conditions.quiet.augmentations.level.type="},
            {"conditions.quiet.augmentations.level.probability.", "conditions.quiet.augmentations.level.decay="},
        ),
        (
            "wakekit run child.toml --set conditions.quiet.augmentations.level.type=lo",
            {"conditions.quiet.augmentations.level.type=low-pass"},
            set(),
        ),
        ("wakekit run odd.toml --set optimizer.", {"optimizer.type=adamw"}, set()),
        ("wakekit run odd.toml --set train.p", {"train.passes="}, set()),
        ("wakekit run tiny.toml --set plugins", {"plugins.require="}, {"plugins="}),
        ("wakekit run tiny.toml --set device=", {"device=cpu", "device=cuda"}, set()),
        ("wakekit run tiny.toml --set operating_point.bound=", {"operating_point.bound=estimate"}, set()),
        ("wakekit run tiny.toml --unset c", {"calibrator", "callbacks", "callbacks."}, {"corpus="}),
        ("wakekit run tiny.toml --unset callbacks.e", {"callbacks.ema"}, set()),
        ("wakekit run nothing.toml --set normalizer=c", {"normalizer=cmvn"}, set()),
        ("wakekit plugins --disable-plugin ", {"wakekit-data", "wakekit-models"}, set()),
        ("wakekit completion ", {"bash", "zsh", "fish"}, set()),
        ("wakekit plan tiny.toml --format ", {"text", "json"}, set()),
        ("wakekit run -", {"--set", "--out", "--folds"}, {"--origin"}),
        ("wakekit run tiny.toml --set nonsense.x", set(), {"nonsense.x="}),
        ("wakekit run tiny.toml --unset seed.x", set(), set()),
        ("wakekit report nowhere/", set(), set()),
        ("wakekit run broken.toml --set ", {"seed=", "normalizer="}, set()),
    ],
)
def test_candidates(ask: Ask, folder: Path, line: str, all_of: set[str], none_of: set[str]) -> None:
    """What fits is offered, what does not fit is not, and nothing else is written whatever the recipe is like."""
    (folder / "broken.toml").write_text("[[[")
    (folder / "odd.toml").write_text("callbacks = 3\nconditions = [1]\noptimizer = []\ntrain = 2\n")
    (folder / "child.toml").write_text(
        'extends = "tiny.toml"\n[callbacks.norm]\ntype = "gradient-norm"\n'
        '[conditions.quiet.augmentations.level]\ntype = "gain"\n'
    )
    found = ask(line)
    assert found >= all_of
    assert not found & none_of


def test_plugins_come_and_break(ask: Ask, folder: Path, site: Path) -> None:
    """A stranger's component is offered as ours are, beside a plugin that cannot be imported and prints."""
    add_plugin(
        site, "acme-wake",
        "from wakekit import Component, hookimpl\n@hookimpl\ndef wakekit_components():\n"
        "    yield Component('normalizer', 'rasta', 'acme_rasta:Rasta')\n",
    )  # fmt: skip
    (site / "acme_rasta.py").write_text("raise ImportError\nclass Rasta:\n    pole: float = 0.94\n")
    add_plugin(site, "acme-broken", "print('loud')\nraise SystemExit(3)\n")
    assert ask("wakekit components normalizer r") == {"rasta", "running-cmvn"}
    (folder / "tiny.toml").write_text('normalizer = "rasta"\n')
    assert ask("wakekit run tiny.toml --set normalizer.p") == {"normalizer.pole="}
    assert ask("wakekit plugins --disable-plugin acme-b") == {"acme-broken"}


def test_nothing_heavy_is_imported(folder: Path, tmp_path: Path) -> None:
    """A tab key waits for neither torch nor numpy, nor for any component."""
    line, answer = "wakekit run tiny.toml --set model.", tmp_path / "candidates"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wakekit"],
        env=surroundings(**protocol(line), _ARGCOMPLETE_STDOUT_FILENAME=str(answer)),
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = {text.rpartition("|")[2].strip() for text in done.stderr.splitlines()}
    assert "model.channels=" in answer.read_text().split("\n")
    assert "argcomplete" in names
    assert not names & {"torch", "numpy", "scipy", "sklearn", "rich", "cattrs", "wakekit_models.ds_cnn"}


def test_argcomplete_is_imported_for_shells_only(folder: Path) -> None:
    """A command that is carried out does not pay for completion."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "wakekit", "plugins"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "argcomplete" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_says_what_to_do_with_it(typed: Typed, shell: str) -> None:
    """Its first line is a comment with the line for the shell's own settings."""
    answer = typed("completion", shell)
    first, second, *_ = answer.out.split("\n")
    assert answer.code == 0
    assert first.startswith("# ")
    assert f"wakekit completion {shell}" in first
    assert second


def test_other_shells_are_refused(typed: Typed) -> None:
    """Only those that are known to work are offered."""
    answer = typed("completion", "tcsh")
    assert answer.code == 2
    assert "invalid choice: 'tcsh'" in answer.err


START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(wakekit completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -u -d /dev/null; eval "$(wakekit completion zsh)"'),
}
# Says what it was given, but to a shell that asks, and prints scripts.
ECHO = """#!/bin/sh
[ -n "$_ARGCOMPLETE" ] || [ "$1" = completion ] && exec "{python}" -m wakekit "$@"
printf '<%s>' "$@"
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """Surroundings of a shell in which `wakekit` says what it was given."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "wakekit").write_text(ECHO.format(python=sys.executable))
    (commands / "wakekit").chmod(0o755)
    own = dict.fromkeys(("HOME", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"), str(tmp_path))
    return {**own, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "PS1": "> "}


def needed(shell: str) -> None:
    """Skip where a shell is not installed."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")


@contextmanager
def prompt(shell: str, folder: Path, home: dict[str, str]) -> Iterator[Shell]:
    """Begin a shell in a terminal that has read how to complete; skip where it is not installed."""
    needed(shell)
    command, read = START[shell]
    with terminal(200) as (ours, theirs):
        started = Shell(command, cwd=folder, env={**home, "TERM": "vt100"}, ours=ours, theirs=theirs)
        try:
            started.type(f"{read}; echo rea''dy\n")
            started.until("ready")
            yield started
        finally:
            started.end()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_tab_key_in_a_real_shell(shell: str, folder: Path, home: dict[str, str]) -> None:
    """Commands, kinds, names with a colon and values after a sign are finished by the tab key."""
    shown = ""
    with prompt(shell, folder, home) as started:
        for keys in ("compon\tnormaliz\tutter\t", "run tin\t--set normalizer=utter\t", "check wakekit:quick\t"):
            started.type(f"wakekit {keys}; echo en''d\n")
            shown += started.until("end")
    assert "<components><normalizer><utterance-cmvn>" in shown
    assert "<run><tiny.toml><--set><normalizer=utterance-cmvn>" in shown
    assert "<check><wakekit:quickstart>" in shown


LINES = {
    "check tiny.toml; wakekit compon\tnormaliz\tutter\t": "<components><normalizer><utterance-cmvn>",
    "check tiny.toml && wakekit check wakekit:quick\t": "<check><wakekit:quickstart>",
    "check tiny.toml | LANG=C wakekit run 'tin\t": "<run><tiny.toml>",
    # Two signs to the left of the end.
    "compon x\x1b[D\x1b[D\t": "<components>",
}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_tab_key_in_a_line_of_several_commands(shell: str, folder: Path, home: dict[str, str]) -> None:
    """What is finished is the command that the cursor is in, wherever in the line that is."""
    with prompt(shell, folder, home) as started:
        for keys, wanted in LINES.items():
            started.type(f"wakekit {keys}\n")
            assert started.until(wanted, seconds=15)


def test_candidates_in_fish(folder: Path, home: dict[str, str]) -> None:
    """Fish says itself what it would offer."""
    needed("fish")
    lines = ["wakekit compon", "wakekit components normalizer ", "wakekit run tiny.toml --set normalizer=utter"]
    asking = "; ".join(f"complete -C '{line}'" for line in lines)
    done = subprocess.run(
        [str(shutil.which("fish")), "--no-config", "-c", f"wakekit completion fish | source; {asking}"],
        cwd=folder, env=surroundings(**home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(done.stdout.split()) == {"components", *NORMALIZERS, "normalizer=utterance-cmvn"}
    assert done.stderr == ""
