"""Strangers' packages, installed by pip in an environment of their own: used, refused, disabled, required, upgraded."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support import TINY
from tests.wheels import STRANGERS, Environment, build_wheel

if TYPE_CHECKING:
    from pathlib import Path

MARK = "NOISY_WAKE_MARK"
ACME = STRANGERS / "acme-wake"
INIT = "acme_wake/__init__.py"
# 0.4 renames the normalizer and its option, moves its module, adds an option, and retires the callback.
RENAMED = {
    INIT: [
        ('"squash", "acme_wake.squash:Squash", ', '"press", "acme_wake.pressing:Squash", formerly=("squash",), '),
        ('size:WeightSize", ', 'size:WeightSize", deprecated="use \'gradient-norm\'; it goes in 0.6", '),
    ],
    "acme_wake/pressing.py": (ACME / "acme_wake" / "squash.py")
    .read_text()
    .replace("gain: float = option(", 'slope: float = option(formerly=("gain",), default=')
    .replace("self.gain)", "self.slope)", 1)
    .replace(
        "    def build",
        '    lift: float = option(0.0, at_least=0, at_most=1, neutral=0.0, help="added before")\n\n    def build',
        1,
    ),
    "acme_wake/squash.py": "raise ImportError('moved')\n",
}
# 0.5 measures otherwise.
MEASURED = RENAMED | {INIT: [*RENAMED[INIT], ('right:Right", ', 'right:Right", version=2, ')]}
STAGES = "stages mine.toml"


@dataclass(frozen=True)
class Answer:
    """What a command answered, `text` being both outputs."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Life:
    """What happened: answers to commands by their words, before and after an upgrade, and fingerprints by version."""

    folder: Path
    before: dict[str, Answer]
    after: dict[str, Answer]
    stages: dict[str, dict[str, str]]


CHECK = "check mine.toml"
REQUIRE = 'check mine.toml --set plugins.require=["{}"]'
BEFORE = (
    "plugins",
    "components",
    CHECK,
    f"{CHECK} --set normalizer=ring",
    f"{CHECK} --set normalizer=chime-wake:ring",
    f"{CHECK} --set normalizer=broken-wake:ring",
    f"{CHECK} --set normalizer=exiting-wake:ring",
    f"{CHECK} --set normalizer=foresight",
    f"{CHECK} --disable-plugin acme-wake",
    REQUIRE.format("acme-wake>=0.4,<1"),
    REQUIRE.format("exiting-wake"),
    STAGES,
    "run mine.toml --out runs",
)
AFTER = (
    "components normalizer",
    "components normalizer squash",
    CHECK,
    STAGES,
    "show mine.toml",
    "run mine.toml --out runs",
)


def type_all(environment: Environment, folder: Path, commands: tuple[str, ...]) -> dict[str, Answer]:
    """Type commands, and return the answers by what was typed."""
    answers = environment.type(*(command.split() for command in commands), cwd=folder)
    return {command: Answer(*answer) for command, answer in zip(commands, answers, strict=True)}


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with all the strangers' packages at once."""
    folder = tmp_path_factory.mktemp("strangers")
    made = Environment(folder / "venv")
    made.install(*(build_wheel(path.parent, folder / "wheels") for path in sorted(STRANGERS.glob("*/pyproject.toml"))))
    return made


@pytest.fixture(scope="session")
def life(environment: Environment, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A recipe of Acme's components checked and run, the plugin upgraded twice, and the recipe run again."""
    folder = tmp_path_factory.mktemp("life")
    text = TINY.format(corpus=corpus).replace('"cmvn"', '"squash"\ngain = 0.2').replace('"vote"', '"in-a-row"')
    text += '\n[callbacks.size]\ntype = "weight-size"\n\n[metrics.right]\ntype = "right"\n'
    (folder / "mine.toml").write_text(text + '\n[plugins]\nrequire = ["acme-wake >=0.3,<1"]\n')
    before = type_all(environment, folder, BEFORE)
    environment.install(build_wheel(ACME, folder / "wheels", version="0.4", edits=RENAMED))
    after = type_all(environment, folder, AFTER)
    environment.install(build_wheel(ACME, folder / "wheels", version="0.5", edits=MEASURED))
    last = type_all(environment, folder, (STAGES,))
    told = {"0.3": before, "0.4": after, "0.5": last}
    stages = {version: json.loads(answers[STAGES].out) for version, answers in told.items()}
    return Life(folder, before, after, stages)


def test_each_plugin_is_listed_with_what_became_of_it(life: Life) -> None:
    """T38: good and bad ones stand in one list, and a plugin that prints is heard on stderr only."""
    answer = life.before["plugins"]
    assert answer.code == 0
    lines = {line.split()[0]: line for line in answer.out.splitlines()}
    for name, words in {
        "acme-wake": "acme-wake 0.3 +ok +4 components",
        "bell-wake": "bell-wake 1.5 +ok +1 component",
        "chime-wake": "chime-wake 1.0 +ok +1 component",
        "noisy-wake": "noisy-wake 0.0.1 +ok +0 components",
        "broken-wake": "broken-wake 2.1 +failed +ModuleNotFoundError: No module named 'a_package_that_is_gone'",
        "exiting-wake": "exiting-wake 1.0 +failed +SystemExit: exiting_wake: no licence found",
        "future-wake": "future-wake 7.0.0 +incompatible +made for plugin API 99, this wakekit has 1",
        "wakekit-data": "wakekit .* ok",
    }.items():
        assert re.search(words, lines[name]), lines[name]
    assert "hello" not in answer.out
    assert "noisy_wake 0.0.1 says hello!" in answer.err


def test_components_lists_what_works_and_names_what_does_not(life: Life) -> None:
    """A clash is listed under names that can be told apart; broken plugins stand below the list."""
    answer = life.before["components"]
    assert answer.code == 0
    for words in ("bell-wake:ring", "chime-wake:ring", "squash  ", "in-a-row", "weight-size", "right  "):
        assert f"  {words}" in answer.out
    assert "foresight" not in answer.out
    for words in ("broken-wake (broken-wake 2.1) is failed", "exiting-wake (exiting-wake 1.0) is failed",
                  "future-wake (future-wake 7.0.0) is incompatible"):  # fmt: skip
        assert words in answer.out
    assert "nothing to see here" not in answer.out


def test_a_recipe_of_a_strangers_components_runs_to_its_end(life: Life) -> None:
    """Normalizer, callback, detector without a sweep and metric: the numbers are in metrics.json."""
    assert life.before[CHECK].code == 0, life.before[CHECK].err
    answer = life.before["run mine.toml --out runs"]
    assert answer.code == 0, answer.err
    (folder,) = (life.folder / "runs").glob("mine-*")
    (share,) = json.loads((folder / "metrics.json").read_text())["metrics"]["right"]
    assert share["value"] == share["counts"]["right"] / share["counts"]["clips"]
    assert share["counts"]["clips"] > 0
    assert "largest weight" in (folder / "history.jsonl").read_text()
    assert 'type = "in-a-row"' in (folder / "recipe.toml").read_text()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"{CHECK} --set normalizer=ring",
         "by bell-wake (bell-wake 1.5) and chime-wake (chime-wake 1.0); write 'bell-wake:ring' or 'chime-wake:ring'"),
        (f"{CHECK} --set normalizer=broken-wake:ring",
         "needs plugin broken-wake (broken-wake 2.1), which is failed: ModuleNotFoundError"),
        (f"{CHECK} --set normalizer=exiting-wake:ring", "which is failed: SystemExit: exiting_wake: no licence found"),
        (f"{CHECK} --set normalizer=foresight",
         "broken-wake (failed), exiting-wake (failed), future-wake (incompatible); wakekit plugins says why"),
        (f"{CHECK} --disable-plugin acme-wake",
         "the recipe needs acme-wake >=0.3,<1, which is installed but cannot be used: plugin acme-wake is disabled"),
        (REQUIRE.format("acme-wake>=0.4,<1"),
         "the recipe needs acme-wake>=0.4,<1, and 0.3 is installed: pip install 'acme-wake>=0.4,<1'"),
        (REQUIRE.format("exiting-wake"), "plugin exiting-wake is failed: SystemExit: exiting_wake: no licence found"),
    ],
)  # fmt: skip
def test_a_recipe_that_needs_what_cannot_be_used_says_so(life: Life, command: str, words: str) -> None:
    """Plugin trouble is exit code 3 and a sentence, never a traceback."""
    answer = life.before[command]
    assert answer.code == 3
    assert words in answer.err
    assert "Traceback" not in answer.err


def test_a_qualified_name_picks_one_of_two(life: Life) -> None:
    """T39: either of two that clash can be had."""
    assert life.before[f"{CHECK} --set normalizer=chime-wake:ring"].code == 0


def test_help_loads_no_plugin_and_disabling_comes_before_the_import(environment: Environment, tmp_path: Path) -> None:
    """The plugin that leaves a mark when it is imported leaves none, unless plugins are asked for."""
    mark = tmp_path / "mark"
    ((code, out, _),) = environment.type(["--help"], **{MARK: str(mark)})
    assert (code, mark.exists()) == (0, False)
    assert "components" in out
    ((code, out, err),) = environment.type(["plugins", "--disable-plugin", "noisy_wake"], **{MARK: str(mark)})
    assert (code, mark.exists()) == (0, False)
    assert re.search("noisy-wake.*disabled", out)
    names = {"WAKEKIT_DISABLE_PLUGINS": "noisy-wake, bell-wake acme-wke"}
    ((code, out, err),) = environment.type(["plugins"], **{MARK: str(mark)}, **names)
    assert (code, mark.exists()) == (0, False)
    assert re.search("bell-wake.*disabled", out)
    assert "there is no plugin 'acme-wke' to disable (did you mean 'acme-wake'?)" in err
    environment.type(["plugins"], **{MARK: str(mark)})
    assert mark.exists()


def test_an_upgrade_that_changes_no_result_changes_no_fingerprint(life: Life) -> None:
    """A new name, a moved module, a renamed option and one more with its neutral value: every stage is reused."""
    assert life.stages["0.4"] == life.stages["0.3"]
    answer = life.after["run mine.toml --out runs"]
    assert answer.code == 0, answer.err
    for stage in ("corpus", "prepare", "train", "score-dev", "calibrate", "score-test", "evaluate"):
        assert f"{stage}: reused " in answer.err
    assert len(list((life.folder / "runs").glob("mine-*"))) == 1


def test_an_upgrade_that_changes_results_changes_exactly_their_stages(life: Life) -> None:
    """A metric of another version is measured again; nothing before it is."""
    old, new = life.stages["0.4"], life.stages["0.5"]
    assert {stage for stage in old if old[stage] != new[stage]} == {"evaluate"}


def test_former_names_and_deprecated_components_warn_with_place_and_successor(life: Life) -> None:
    """On stderr, and the saved form has the present names."""
    answer = life.after[CHECK]
    assert answer.code == 0
    for line in (
        "warning: mine.toml:26:8: normalizer.type: 'squash' is now called 'press'; write that",
        "warning: mine.toml:27:1: normalizer.gain: 'gain' of press is now called 'slope'; write that",
        "callbacks.size.type: 'weight-size' is deprecated: use 'gradient-norm'; it goes in 0.6",
    ):
        assert line in answer.err
    assert "warning" not in answer.out
    assert '[normalizer]\ntype = "press"\nslope = 0.2\nlift = 0.0\n' in life.after["show mine.toml"].out
    assert "press" in life.after["components normalizer"].out
    described = life.after["components normalizer squash"].out
    assert "normalizer press, version 1, of plugin acme-wake (acme-wake 0.4)\n(formerly squash)" in described
    assert "(formerly gain)" in described
