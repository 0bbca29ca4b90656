"""The `[ablate]` table: what it makes of a recipe, and what is wrong with it, said at its place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wakekit.errors import RecipeError
from wakekit.fingerprint import Contents, stage_fingerprints
from wakekit.recipe import Recipe, load_recipe
from wakekit.recipe_table import dump
from wakekit.registry import installed

if TYPE_CHECKING:
    from tests.support import Typed

TABLES = """
[callbacks.ema]
type = "ema"

[ablate]
seeds = [5, 6]
leave_out = ["normalizer", "callbacks.ema"]

[ablate.axes.sampler]
swap = "sampler"
with = ["shuffle", { type = "balanced", ratio = [1, 2, 1] }]

[ablate.axes.epochs]
set = "train.epochs"
to = [1, 3]

[ablate.variants.both]
unset = ["callbacks.ema"]
normalizer = "none"
detector = { window = 4 }
"""


def loaded(recipe_file: Path, text: str) -> Recipe:
    """Return the tiny recipe with more tables."""
    recipe_file.write_text(recipe_file.read_text() + text)
    return load_recipe(recipe_file, installed())


def complaints(recipe_file: Path, text: str) -> list[str]:
    """Return what is said against more tables."""
    with pytest.raises(RecipeError) as caught:
        loaded(recipe_file, text)
    return [line.removeprefix(f"{recipe_file}:") for line in caught.value.lines]


def test_variants_are_the_recipe_with_one_change(recipe_file: Path) -> None:
    """Each variant is resolved whole; what it does not name is as in the recipe."""
    recipe = loaded(recipe_file, TABLES)
    assert recipe.seeds == (5, 6)
    assert list(recipe.variants) == [
        "without normalizer", "without callbacks.ema", "sampler = shuffle",
        "sampler = balanced (ratio = [1, 2, 1])", "epochs = 1", "epochs = 3", "both",
    ]  # fmt: skip
    kinds = {name: type(found["normalizer"]).__name__ for name, found in recipe.variants.items()}
    assert kinds["without normalizer"] == kinds["both"] == "Identity"
    assert kinds["epochs = 1"] == type(recipe["normalizer"]).__name__ == "Cmvn"
    assert not recipe.variants["without callbacks.ema"].each("callbacks")
    assert recipe.variants["epochs = 3"]["train"].epochs == 3
    swapped = recipe.variants["sampler = balanced (ratio = [1, 2, 1])"]["sampler"]
    assert (swapped.ratio, swapped.batch_size) == ((1, 2, 1), 16)
    assert recipe.variants["both"]["detector"].window == 4
    assert recipe.variants["both"]["detector"].lockout_seconds == recipe["detector"].lockout_seconds


def test_an_ablation_is_no_part_of_a_run(recipe_file: Path, tmp_path: Path) -> None:
    """The recipe itself has the fingerprint that it has without the table, and is saved without it."""
    plain = load_recipe(recipe_file, installed(), changes=["callbacks.ema.type='ema'"])
    recipe = loaded(recipe_file, TABLES)
    assert dump(recipe) == dump(plain)
    memory = Contents(tmp_path / "memory")
    assert stage_fingerprints(recipe, memory) == stage_fingerprints(plain, memory)
    assert "ablate" not in dump(recipe)


def test_mistakes_are_said_at_their_place(recipe_file: Path) -> None:
    """Variants that are invalid, or change nothing, are all reported at once, each where it was written."""
    first = recipe_file.read_text().count("\n") + 1
    found = complaints(
        recipe_file,
        '[ablate]\nleave_out = ["schedule", "callbacks.swa", "corpus"]\n'
        '[ablate.axes.sampler]\nswap = "sampler"\nwith = ["shufle", { type = "balanced", batch_size = 16 }]\n'
        '[ablate.axes.rate]\nset = "optimizer.lr"\nto = [-1.0, 1e-3]\n'
        "[ablate.variants.odd]\ndetector = { windw = 3 }\n",
    )
    told = [
        (first + 1, "variant 'without schedule' changes nothing; leave it out"),
        (first + 1, "the recipe has no 'callbacks.swa' to leave out"),
        (first + 1, "variant 'without corpus': missing [corpus]"),
        (first + 4, "(did you mean 'shuffle'?)"),
        (first + 4, "variant 'sampler = balanced (batch_size = 16)' changes nothing"),
        (first + 7, "variant 'rate = -1.0': expected"),
        (first + 9, "unknown option 'windw' of vote (did you mean 'window'?)"),
    ]
    assert len(found) == len(told), found
    for line, (number, words) in zip(found, told, strict=True):
        assert line.startswith(f"{number}:"), (line, number)
        assert words in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ablate]\nseeds = [0]\n", "expected variants in leave_out, axes or variants, got none"),
        ('[ablate]\nseeds = [1, 1]\nleave_out = ["normalizer"]\n', "expected seeds that differ, got [1, 1]"),
        (
            '[ablate]\nseed = [1]\nleave_out = ["normalizer"]\n',
            "unknown option 'seed' of ablate (did you mean 'seeds'?)",
        ),
        ('[ablate.axes.x]\nswap = "normalizer"\n', "expected swap = '…' with = […], or set = '…' to = […]"),
        ('[ablate.axes.x]\nswap = "normalizer"\nset = "seed"\nto = [1]\n', "expected swap = '…' with = […]"),
        ('[ablate.axes.x]\nswap = "normalizer"\nwith = ["none"]\nto = [3]\n', "and nothing else"),
        ('[ablate.axes.x]\nswap = "normalizer"\nwith_ = ["none"]\n', "and nothing else"),
        ('[ablate.axes.x]\nset = "seed"\nto = [7]\n', "variant 'x = 7' changes nothing"),
        ("[ablate.variants]\nx = 3\n", "expected tables of a recipe, got 3"),
        ('[ablate]\nleave_out = ["normalizer", "normalizer"]\n', "two variants are named 'without normalizer'"),
    ],
)
def test_a_wrong_table_is_refused(recipe_file: Path, text: str, words: str) -> None:
    """Each mistake is one sentence."""
    assert any(words in line for line in complaints(recipe_file, text)), complaints(recipe_file, text)


def test_a_variant_whose_parts_do_not_fit_is_named(recipe_file: Path, typed: Typed) -> None:
    """`check` says in which variant a hop fits no frontend, as the line it points to may be the recipe's own."""
    recipe_file.write_text(recipe_file.read_text() + '[ablate.axes.hop]\nset = "detector.hop_seconds"\nto = [0.013]\n')
    answer = typed("check", recipe_file)
    assert answer.code == 2
    assert answer.err.startswith("variant 'hop = 0.013': "), answer.err
    assert "no multiple of frontend.hop_seconds" in answer.err


SHIPPED = sorted((Path(__file__).parents[2] / "recipes" / "ablations").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_ablation_has_variants(path: Path) -> None:
    """Every technique has its recipe, with the technique switched on and variants to set against it."""
    recipe = load_recipe(path, installed())
    assert len(recipe.variants) >= 1
    assert len(recipe.seeds) >= 3
    assert f"wakekit ablate recipes/ablations/{path.name}" in path.read_text()
