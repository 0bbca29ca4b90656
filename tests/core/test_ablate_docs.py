"""What the recipes' README says about `[ablate]` holds."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest

from wakekit.recipe import load_recipe
from wakekit.registry import installed
from wakekit.variants import MODES, Ablate, Margin

README = Path(__file__).parents[2] / "recipes" / "README.md"
EXAMPLES = re.findall(
    r"```toml\n(.*?)```", README.read_text().partition("## Variants")[2].partition("\n## ")[0], re.DOTALL
)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_examples_in_the_docs_are_valid(number: int, tmp_path: Path) -> None:
    """What the README shows can be laid over the quickstart as it is."""
    path = tmp_path / "mine.toml"
    path.write_text(f"extends = ['wakekit:quickstart']\n{EXAMPLES[number]}")
    recipe = load_recipe(path, installed())
    assert recipe.ablate is not None
    assert recipe.ablate.mode == MODES[number]
    assert len(recipe.variants) == (7, 5, 8)[number]


def test_every_key_is_in_the_docs() -> None:
    """The table of keys names each of `[ablate]` and of its margins."""
    table = README.read_text().partition("## Variants")[2].partition("\n## ")[0]
    keys = [field.name for kind in (Ablate, Margin) for field in attrs.fields(kind)]
    assert not [key for key in keys if not re.search(rf"`\[?(ablate\.)?{key}(\.<\w+>)?\]?`", table)]
