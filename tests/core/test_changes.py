"""What a recipe has other than another, said in words, and what of it can change a result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wakekit.changes import changes, substance
from wakekit.recipe import Recipe, load_recipe
from wakekit.registry import installed

if TYPE_CHECKING:
    from pathlib import Path

MORE = """
[callbacks.ema]
type = "ema"

[augmentations.noise]
type = "noise"

[augmentations.level]
type = "gain"

[operating_point.search]
window = [3, 5]
"""


@pytest.fixture
def base(recipe_file: Path) -> Recipe:
    """The tiny recipe with some of everything."""
    recipe_file.write_text(recipe_file.read_text() + MORE)
    return load_recipe(recipe_file, installed())


def edited(recipe_file: Path, *changed: str, drops: tuple[str, ...] = ()) -> Recipe:
    """Return the recipe with some keys changed."""
    return load_recipe(recipe_file, installed(), changes=changed, drops=drops)


@pytest.mark.parametrize(
    ("changed", "drops", "told"),
    [
        (["train.epochs=20"], (), ["train.epochs: 2 → 20"]),
        (["normalizer=none"], (), ["normalizer.type: cmvn → none"]),
        (["optimizer={type='sgd', lr=0.5}"], (), ["optimizer.type: adamw → sgd (lr = 0.5)"]),
        (
            ["sampler={type='weighted', hard=7.0}"],
            (),
            ["sampler.type: balanced → weighted (hard = 7.0)", "sampler.batch_size: 16 → 96"],
        ),
        (["detector.hop_seconds=0.02"], (), ["detector.hop_seconds: 0.08 → 0.02"]),
        ([], ("callbacks.ema",), ["callbacks.ema: dropped"]),
        (["callbacks.stop.type='early-stopping'"], (), ["callbacks.stop: added early-stopping"]),
        (["callbacks.norm={type='gradient-norm', clip=1.5}"], (), ["callbacks.norm: added gradient-norm (clip = 1.5)"]),
        (
            ["conditions.loud.augmentations.level.type='gain'"],
            (),
            ["conditions.loud: added (augmentations = (level = gain"],
        ),
        (["operating_point.search.window=[3, 5, 7]"], (), ["operating_point.search.window: [3, 5] → [3, 5, 7]"]),
        (["operating_point.search.votes=[1]"], (), ["operating_point.search.votes: not set → [1]"]),
        (["callbacks.ema.warmup=false"], (), ["callbacks.ema.warmup: true → false"]),
        (["audio.bad_files=skip"], (), ["audio.bad_files: error → skip"]),
    ],
)
def test_a_difference_is_a_line(
    base: Recipe, recipe_file: Path, changed: list[str], drops: tuple[str, ...], told: list[str]
) -> None:
    """Options by their values, components by their names, each once; and no result can be the same."""
    other = edited(recipe_file, *changed, drops=drops)
    found = changes(base, other)
    assert len(found) == len(told), found
    for line, words in zip(found, told, strict=True):
        assert line.startswith(words), found
    assert substance(base) != substance(other)


def test_an_option_can_be_taken_away(base: Recipe, recipe_file: Path) -> None:
    """Where an option is none by default, its value is gone."""
    with_clip = edited(recipe_file, "callbacks.norm={type='gradient-norm', clip=1.5}")
    without = edited(recipe_file, "callbacks.norm.type='gradient-norm'")
    assert changes(with_clip, without) == ("callbacks.norm.clip: 1.5 → not set",)
    assert changes(without, base) == ("callbacks.norm: dropped",)


def test_the_order_of_augmentations_counts(base: Recipe, recipe_file: Path) -> None:
    """They apply in the order written."""
    noise, level = '[augmentations.noise]\ntype = "noise"\n', '[augmentations.level]\ntype = "gain"\n'
    text = recipe_file.read_text()
    assert f"{noise}\n{level}" in text
    recipe_file.write_text(text.replace(f"{noise}\n{level}", f"{level}\n{noise}"))
    other = edited(recipe_file)
    assert changes(base, other) == ("augmentations: order noise, level → level, noise",)
    assert substance(base) != substance(other)


def test_what_changes_no_result_is_told_but_counts_for_nothing(base: Recipe, recipe_file: Path) -> None:
    """A place to run, a report and a name are no substance; name and seed are not even changes."""
    other = edited(recipe_file, "threads=2", "device='cpu'", "report='html'", "name='other'", "seed=9")
    assert substance(base) == substance(other)
    assert changes(base, other) == ("device: auto → cpu", "threads: 1 → 2", "report.type: none → html")
    assert changes(base, edited(recipe_file)) == ()
