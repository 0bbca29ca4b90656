"""The shipped recipes: each is valid, found wherever it lies, and named in the docs."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wakekit.layers import shipped_recipes
from wakekit.recipe import load_recipe
from wakekit.recipe_table import dump
from wakekit.registry import installed

if TYPE_CHECKING:
    from tests.support import Typed

ROOT = Path(__file__).parents[1]
RECIPES = sorted(path.relative_to(ROOT / "recipes").as_posix() for path in (ROOT / "recipes").rglob("*.toml"))

SUITES = [name for name in RECIPES if name.startswith("suites/")]


def test_all_recipes_are_seen() -> None:
    """T43: recipes are searched for in every folder, and what is shipped is what is in the checkout."""
    shipped = sorted(path.relative_to(shipped_recipes()).as_posix() for path in shipped_recipes().rglob("*.toml"))
    assert shipped == RECIPES
    assert len(RECIPES) >= 3
    assert len(SUITES) >= 2
    assert any("/" in name for name in RECIPES)


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_adds_conditions_to_a_recipe_from_anywhere(name: str, tmp_path: Path, typed: Typed) -> None:
    """A suite holds conditions alone, is valid on top of the quickstart, and stands in the recipes' README."""
    held = tomllib.loads((ROOT / "recipes" / name).read_text())
    assert list(held) == ["conditions"]
    whole = tmp_path / "mine.toml"
    whole.write_text(f"extends = ['wakekit:quickstart', 'wakekit:{name.removesuffix('.toml')}']\n")
    found = typed("check", whole)
    assert found.code == 0, found.err
    recipe = load_recipe(whole, installed())
    assert list(recipe.conditions) == list(held["conditions"])
    assert dump(load_recipe("wakekit:quickstart", installed())) in dump(recipe).replace('"mine"', '"quickstart"')
    assert f"`{name}`" in (ROOT / "recipes" / "README.md").read_text()


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in SUITES])
def test_a_recipe_is_valid_and_documented(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Typed
) -> None:
    """Each recipe passes `check`, by path and by its shipped name, and stands in the recipes' README."""
    if "WAKEKIT_DATA" not in os.environ:
        (tmp_path / "manifest.jsonl").touch()
        monkeypatch.setenv("WAKEKIT_DATA", str(tmp_path))
    if "SPEECH_COMMANDS" not in os.environ:
        monkeypatch.setenv("SPEECH_COMMANDS", str(tmp_path))
    assert typed("check", ROOT / "recipes" / name).code == 0
    by_name = typed("show", f"wakekit:{name.removesuffix('.toml')}")
    assert by_name.code == 0, by_name.err
    assert by_name.out == dump(load_recipe(ROOT / "recipes" / name, installed()))
    assert f"`{name}`" in (ROOT / "recipes" / "README.md").read_text()
