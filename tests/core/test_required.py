"""`[plugins] require`: what a recipe needs installed, met or not, each in one placed sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import add_plugin
from wakekit.plugins import Plugin, load_plugins
from wakekit.recipe import load_recipe
from wakekit.recipe_table import dump
from wakekit.registry import Registry
from wakekit.required import unmet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

EMPTY = """
from wakekit import hookimpl
@hookimpl
def wakekit_components():
    return []
"""


def plugin(distribution: str, version: str, *, name: str = "", state: str = "ok", reason: str = "") -> Plugin:
    """Return a plugin of a distribution."""
    return Plugin(name or distribution, "m", distribution, version, state, reason)


HOUSE = (
    plugin("acme-wake", "0.3", name="acme"),
    plugin("Bell.Wake", "2.0.dev1"),
    plugin("broken-wake", "1.0", state="failed", reason="ValueError: no"),
    plugin("odd-wake", "not a version"),
    plugin("pair", "1.0", name="pair-one", state="disabled", reason="disabled by the user, not imported"),
    plugin("pair", "1.0", name="pair-two"),
)


@pytest.mark.parametrize(
    "text",
    [
        "acme-wake",
        "acme-wake >=0.3,<1",
        "Acme_Wake~=0.3",
        "acme-wake[extra]>=0.3",
        "bell-wake>=1.9,<2.1",
        "bell-wake>=2.0.dev0",
        "pair==1.0",
        "odd-wake",
        "nobody>=1; python_version < '3'",
        "wakekit-data-of-nobody; sys_platform == 'no such'",
    ],
)
def test_what_is_met(text: str) -> None:
    """Names as packaging tools compare them, pre-releases as installed, markers that do not apply."""
    assert unmet(text, HOUSE) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("acme-wake >=0.4,<1",
         "the recipe needs acme-wake >=0.4,<1, and 0.3 is installed: pip install 'acme-wake>=0.4,<1'"),
        ("acme-wake  <0.3 ; python_version > '3'",
         "the recipe needs acme-wake <0.3, and 0.3 is installed: pip install 'acme-wake<0.3'"),
        ("acme-wak", ("the recipe needs acme-wak, which is not installed (did you mean 'acme-wake'?): "
         "pip install acme-wak")),
        ("nobody-at-all>=1", ("the recipe needs nobody-at-all>=1, which is not installed: pip install "
         "'nobody-at-all>=1'")),
        ("acme>=0.3", ("the recipe needs acme>=0.3, but plugin 'acme' comes with the distribution 'acme-wake': "
         "write that name")),
        ("broken-wake", ("the recipe needs broken-wake, which is installed but cannot be used: plugin broken-wake is "
         "failed: ValueError: no")),
        ("odd-wake>=1", "the recipe needs odd-wake>=1, and not a version is installed: pip install 'odd-wake>=1'"),
        ("pytest>=8", "the recipe needs pytest>=8: {pytest} is installed, but offers no wakekit plugin"),
        ("pytest>=99", ("the recipe needs pytest>=99, and {pytest}, which offers no wakekit plugin, is installed: "
         "pip install 'pytest>=99'")),
    ],
)  # fmt: skip
def test_what_is_not_met_says_what_to_do(text: str, sentence: str) -> None:
    """One sentence each, with the line to type."""
    assert unmet(text, HOUSE) == sentence.replace("{pytest}", pytest.__version__)


@pytest.mark.parametrize("text", ["", "==", "acme wake", "acme-wake>=", "acme-wake=>1", "-e .", "a\nb", "é", "a>=1,,b"])
def test_a_text_that_is_no_requirement_is_the_recipes_mistake(text: str) -> None:
    """It says what one looks like."""
    with pytest.raises(ValueError, match=r"^expected a distribution and its versions, as in 'acme-wake >=0.3,<1', got"):
        unmet(text, HOUSE)


def test_a_url_is_refused() -> None:
    """A recipe names what it needs, not where code is to be had."""
    with pytest.raises(ValueError, match="got a URL"):
        unmet("acme-wake @ https://example.com/acme.whl", HOUSE)


def test_a_recipe_is_held_against_what_is_installed(site: Path, recipe_file: Path, typed: Typed) -> None:
    """Every requirement that is not met is placed at its own text, beside other mistakes, and is exit code 3."""
    add_plugin(site, "acme", EMPTY, distribution="acme-wake", version="0.3")
    text = recipe_file.read_text() + '\n[plugins]\nrequire = [\n  "acme-wake >=0.3,<1",\n  "acme-wake >=0.4",\n]\n'
    recipe_file.write_text(text)
    line = text.count("\n") - 1
    answer = typed("check", recipe_file)
    assert answer.code == 3
    place = f"{recipe_file}:{line}:3: plugins.require.1: the recipe needs acme-wake >=0.4, and 0.3 is installed"
    assert answer.err.startswith(place)
    both = typed("check", recipe_file, "--set", "normalizer.esp=1", "--set", "seed='one'")
    assert both.code == 3
    for words in ("plugins.require.1", "normalizer.esp", "seed"):
        assert words in both.err
    disabled = typed("check", recipe_file, "--disable-plugin", "acme-wake")
    assert "plugin acme is disabled" in disabled.err
    assert typed("check", recipe_file, "--unset", "plugins.require").code == 0


def test_a_requirement_that_is_none_is_the_recipes_mistake(recipe_file: Path, typed: Typed) -> None:
    """Exit code 2, at its place; so are a text in place of the list and an unknown key."""
    for change, words in (
        ('plugins.require=["wakekit >="]', "plugins.require.0: expected a distribution and its versions"),
        ('plugins.require="wakekit"', "plugins.require: expected a list"),
        ("plugins.require=[1]", "plugins.require.0: expected text"),
        ("plugins.requires=[]", "unknown option 'requires' of [plugins] (did you mean 'require'?)"),
        ("plugins=3", "plugins: expected a table"),
    ):
        answer = typed("check", recipe_file, "--set", change)
        assert answer.code == 2, answer.err
        assert words in answer.err


def test_lists_replace_those_of_bases_and_change_no_fingerprint(
    site: Path, recipe_file: Path, tmp_path: Path, typed: Typed
) -> None:
    """As arrays do in `extends`; two recipes that need other plugins are one experiment."""
    add_plugin(site, "acme", EMPTY, distribution="acme-wake", version="0.3")
    recipe_file.write_text(recipe_file.read_text() + '\n[plugins]\nrequire = ["nobody >=1"]\n')
    assert typed("check", recipe_file).code == 3
    child = tmp_path / "child.toml"
    child.write_text('extends = ["tiny.toml"]\nplugins.require = ["${vars.mine} >=0.3"]\nvars.mine = "acme-wake"\n')
    registry = Registry(load_plugins())
    found = load_recipe(child, registry)
    assert found.settings.plugins.require == ("acme-wake >=0.3",)
    assert 'require = [\n    "acme-wake >=0.3",\n]' in dump(found)
    answer = typed("check", child, "--set", 'ablate={seeds=[0], variants={same={plugins={require=["acme-wake"]}}}}')
    assert answer.code == 2
    assert "changes nothing" in answer.err
