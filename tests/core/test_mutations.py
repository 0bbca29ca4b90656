"""A thousand recipes with a mistake each: never a traceback, always a place, and nearly always the right one."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.core.mutations import Mutated, mutated
from wakekit.errors import Mistake, RecipeError
from wakekit.geometry import all_geometries
from wakekit.layers import shipped_recipes
from wakekit.recipe import load_recipe
from wakekit.registry import Registry, installed

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNT = 1000
SEED = 20
# Tables whose keys are the user's own names: another name is another id, not a mistake.
OWN_NAMES = ("metrics.", "callbacks.", "augmentations.", "conditions.", "ablate.axes.", "ablate.variants.")
SHIPPED = ("ablations/cmvn", "ablations/early_stopping", "ablations/speed", "ablations/tta")
BASE = """
extends = "wakekit:quickstart"

[window]
seconds = 1.0

[callbacks.stop]
type = "early-stopping"
"""
CHILD = """
extends = ["base.toml"]
seed = 4
name = "${vars.word}-search"

[vars]
word = "nova"
long = 7

[corpus]
keyword = "hey ${vars.word}"

[train]
epochs = "${vars.long}"

[optimizer]
type = "adamw"
lr = 0.004
betas = [0.9, 0.99]

[detector]
type = "vote"

[operating_point]
fa_per_hour = 8
search = { window = [3, 5], votes = [1, 2] }

[conditions.cafe]
augmentations.noise = { type = "noise", snr_db = [5, 5] }

[conditions.hall]
seed = 3
augmentations.room = { type = "reverb", kind = "synthetic", probability = 1.0 }
"""
ABLATION = """
extends = ["base.toml"]

[ablate]
seeds = [1, 2]
leave_out = ["normalizer", "callbacks.stop"]

[ablate.axes.epochs]
set = "train.epochs"
to = [1, 3]

[ablate.margin]
eer = 0.02

[ablate.variants.both]
unset = ["callbacks.stop"]
normalizer = "none"
detector = { window = 4 }
"""


@attrs.frozen
class Outcome:
    """What became of a mutated recipe: its mistakes, or the warnings of one that was accepted."""

    name: str
    change: Mutated
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()
    lost: str = ""

    @property
    def found(self) -> bool:
        """Whether a reported place, in `recipe.toml`, is that of the change."""
        return any(
            (mistake.file == "recipe.toml" and mistake.line in self.change.lines)
            or any(f"recipe.toml:{line}:" in mistake.message for line in self.change.lines)
            for mistake in self.mistakes
        )

    @property
    def placed(self) -> bool:
        """Whether every mistake has a place, those in the mutated recipe one that is there."""
        lines = self.change.text.decode(errors="replace").split("\n")
        return all(
            mistake.column >= 1 and (mistake.file != "recipe.toml" or self._within(mistake, lines))
            for mistake in self.mistakes
        )

    @staticmethod
    def _within(mistake: Mistake, lines: list[str]) -> bool:
        return 1 <= mistake.line <= len(lines) and mistake.column <= len(lines[mistake.line - 1]) + 1

    def __str__(self) -> str:
        told = "\n    ".join(mistake.text for mistake in self.mistakes)
        return f"{self.name}, {self.change.kind}: {self.change.what}\n    {told or self.lost}"


def outcome(name: str, change: Mutated, registry: Registry) -> Outcome:
    """Resolve a mutated recipe, as `wakekit check` does, in the present folder."""
    Path("recipe.toml").write_bytes(change.text)
    try:
        recipe = load_recipe("recipe.toml", registry)
        all_geometries(recipe)
    except RecipeError as error:
        return Outcome(name, change, error.mistakes)
    except Exception as error:  # noqa: BLE001
        return Outcome(name, change, lost=repr(error))
    return Outcome(name, change, warnings=recipe.warnings)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    """What became of each of the mutated recipes."""
    folder, draw, registry = tmp_path_factory.mktemp("mutations"), random.Random(SEED), installed()  # noqa: S311
    shipped = {name: (shipped_recipes() / f"{name}.toml").read_text() for name in SHIPPED}
    sources = {"quickstart": (shipped_recipes() / "quickstart.toml").read_text(), "child": CHILD, "ablation": ABLATION}
    (folder / "base.toml").write_text(BASE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, text in {**sources, **shipped}.items():
            right = outcome(name, Mutated(text.encode(), "none", ""), registry)
            assert not right.mistakes, str(right)
            assert not right.lost, right.lost
        return [outcome(*_drawn(sources, shipped, draw), registry) for _ in range(COUNT)]


def _drawn(sources: Mapping[str, str], shipped: Mapping[str, str], draw: random.Random) -> tuple[str, Mutated]:
    some = shipped if draw.random() < 0.2 else sources
    name = draw.choice(sorted(some))
    return name, mutated(some[name], draw)


def test_never_a_traceback(outcomes: list[Outcome]) -> None:
    """Whatever is wrong with a recipe is said as its mistake: nothing else is raised."""
    assert len(outcomes) == COUNT
    assert not [str(one) for one in outcomes if one.lost]


def test_every_mistake_has_a_place(outcomes: list[Outcome]) -> None:
    """T41: whenever a recipe is rejected there is a file, a line and a column, and they are in the file."""
    rejected = [one for one in outcomes if one.mistakes]
    assert len(rejected) > COUNT / 2
    assert not [str(one) for one in rejected if not one.placed]


def test_the_right_key_is_named(outcomes: list[Outcome]) -> None:
    """In 95 of 100 recipes with one wrong key, that key, or the table a missing one was in, is among the places."""
    rejected = [one for one in outcomes if one.mistakes and one.change.lines]
    missed = [str(one) for one in rejected if not one.found]
    assert len(rejected) > COUNT / 3
    assert len(missed) <= 0.05 * len(rejected), "\n".join(missed)


def test_no_misspelt_key_is_accepted(outcomes: list[Outcome]) -> None:
    """T35: a key of another name is refused, or warned of, but where it is an id that the user chooses."""
    renamed = [one for one in outcomes if one.change.kind in ("rename key", "rename table")]
    accepted = [one for one in renamed if not one.mistakes and not one.warnings]
    wrong = [one for one in accepted if not one.change.new.startswith(OWN_NAMES) or _level(one) < 0]
    assert len(renamed) > COUNT / 5
    assert not [str(one) for one in wrong]


def _level(one: Outcome) -> int:
    """Return how many ids a key has after its table's name; -1 where another part than an id has changed."""
    prefix = next((prefix for prefix in OWN_NAMES if one.change.new.startswith(prefix)), "")
    return -1 if not one.change.key.startswith(prefix) else one.change.new.removeprefix(prefix).count(".")


def test_every_kind_of_change_was_tried(outcomes: list[Outcome]) -> None:
    """Each of them often enough to be a test, and most of them rejected."""
    tried, rejected = (
        Counter(one.change.kind for one in outcomes),
        Counter(one.change.kind for one in outcomes if one.mistakes),
    )
    assert len(tried) == 9
    assert all(count >= 50 and rejected[kind] >= count / 3 for kind, count in tried.items()), (tried, rejected)
