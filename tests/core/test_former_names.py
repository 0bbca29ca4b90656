"""Renamed, retired and added components and options: what a recipe may still write, what it is told, what counts."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pytest

from wakekit import Component, option
from wakekit.building import build_component
from wakekit.errors import PluginError, RecipeError
from wakekit.fingerprint import Contents, component_fingerprint, stage_fingerprints
from wakekit.kinds import Normalizer
from wakekit.options import former_names
from wakekit.origins import place_of
from wakekit.plugins import Plugin
from wakekit.recipe import load_recipe
from wakekit.recipe_table import dump
from wakekit.registry import Registry, installed

if TYPE_CHECKING:
    from pathlib import Path

FIRST = "acme_first:Thing"


@attrs.frozen
class Pole:
    """A normalizer as it was at first."""

    scope: ClassVar[str] = "corpus"
    pole: float = option(0.9, above=0, below=1, help="pole of the filter")

    def build(self, n_features: int) -> Any:
        """Return nothing of use."""
        return n_features


@attrs.frozen
class Renamed:
    """The same, with another name for its option and one more."""

    scope: ClassVar[str] = "corpus"
    zero: int | None = option(3, at_least=0, neutral=3, help="what came later")
    memory: float = option(0.9, above=0, below=1, formerly=("pole", "leak"), help="pole of the filter")
    build = Pole.build


@attrs.frozen
class OtherDefault:
    """The first one, with another default."""

    pole: float = option(0.8, above=0, below=1, help="pole of the filter")


@attrs.frozen
class OldDetector:
    """A detector with a retired option and a former name that may be searched."""

    searchable: ClassVar[tuple[str, ...]] = ("votes",)
    hop_seconds: float = option(0.08, above=0, help="how often a score is wanted")
    votes: int = option(2, at_least=1, formerly=("count",), help="votes")
    mode: str = option(
        "a", choices=("a", "b"), neutral="a", deprecated="it has no effect; leave it out", help="nothing"
    )

    def build(self, threshold: float) -> Any:
        """Return nothing of use."""
        return threshold


@attrs.frozen
class FirstDetector:
    """The detector before its option was renamed and another came."""

    searchable: ClassVar[tuple[str, ...]] = ("count",)
    hop_seconds: float = option(0.08, above=0, help="how often a score is wanted")
    count: int = option(2, at_least=1, help="votes")
    build = OldDetector.build


@attrs.frozen
class Hiss:
    """An augmentation with a renamed option."""

    domain: ClassVar[str] = "waveform"
    level: float = option(0.1, at_least=0, formerly=("snr",), help="level")


@attrs.frozen
class Narrow:
    """A table with a former name that another table has still."""

    new: int = option(1, formerly=("old",), help="new")


@attrs.frozen
class Wide:
    """That other table."""

    old: int = option(1, help="old")
    more: int = option(1, help="more")


@attrs.frozen
class Nest:
    """A metric that holds other components, one way and another."""

    one: Normalizer = option(help="one")
    some: tuple[Normalizer, ...] = option((), help="some")
    named: dict[str, Normalizer] = option(attrs.Factory(dict), help="by name")
    maybe: Normalizer | int = option(3, help="one, or a number")
    either: Narrow | Wide | None = option(None, help="one table or the other")


def registry_of(*components: Component, plugin: str = "acme", **classes: type) -> Registry:
    """Return the installed registry with one more plugin whose module holds the classes."""
    module = ModuleType("acme_first")
    vars(module).update(classes)
    sys.modules["acme_first"] = module
    extra = Plugin(plugin, "acme_first", f"{plugin}-wake", "0.3", "ok", "", components)
    return Registry([*installed().plugins, extra])


@pytest.fixture(autouse=True)
def _forget() -> Any:
    yield
    sys.modules.pop("acme_first", None)


def fingerprint(component: Component, cls: type, tmp_path: Path, **options: object) -> str:
    """Return what a component built from a recipe's table adds to fingerprints."""
    registry = registry_of(component, Thing=cls)
    chosen = build_component(registry, component.kind, {"type": component.name, **options})
    return component_fingerprint(chosen.value, registry, Contents(tmp_path / "memory"))


def test_a_former_name_finds_the_component() -> None:
    """Bare and with the plugin's name; the remark names what to write, and `name_of` the present name."""
    registry = registry_of(Component("normalizer", "rasta", FIRST, formerly=("band", "old")))
    for name in ("old", "acme:band"):
        entry = registry.find("normalizer", name)
        assert entry.component.name == "rasta"
        assert list(registry.remarks(name, entry)) == [(f"{name!r} is now called 'rasta'; write that", "rasta")]
    assert list(registry.remarks("acme:rasta", registry.find("normalizer", "acme:rasta"))) == []


def test_a_present_name_wins_over_another_plugins_former_one() -> None:
    """`cmvn` stays what it is, whatever was called so elsewhere."""
    registry = registry_of(Component("normalizer", "rasta", FIRST, formerly=("cmvn",)))
    assert registry.find("normalizer", "cmvn").plugin.name == "wakekit-features"
    assert registry.find("normalizer", "acme:cmvn").component.name == "rasta"


def test_a_former_name_of_two_plugins_is_ambiguous() -> None:
    """T39: it names both, with the names to write instead."""
    one = Plugin("acme", "m", "acme-wake", "1", "ok", "", (Component("normalizer", "a", FIRST, formerly=("old",)),))
    two = Plugin("bell", "m", "bell", "2", "ok", "", (Component("normalizer", "b", FIRST, formerly=("old",)),))
    with pytest.raises(PluginError, match=r"acme \(acme-wake 1\) and bell \(bell 2\); write 'acme:a' or 'bell:b'"):
        Registry([one, two]).find("normalizer", "old")


@pytest.mark.parametrize(
    ("component", "cls", "same"),
    [
        (Component("normalizer", "rasta", FIRST, summary="other words"), Pole, True),
        (Component("normalizer", "band", FIRST, formerly=("rasta",)), Pole, True),
        (Component("normalizer", "third", FIRST, formerly=("rasta", "band"), deprecated="go"), Pole, True),
        (Component("normalizer", "rasta", FIRST), Renamed, True),
        (Component("normalizer", "band", FIRST, formerly=("rasta",)), Renamed, True),
        (Component("normalizer", "rasta", FIRST, version=2), Pole, False),
        (Component("normalizer", "band", FIRST), Pole, False),
        (Component("normalizer", "band", FIRST, formerly=("other", "rasta")), Pole, False),
        (Component("normalizer", "rasta", FIRST), OtherDefault, False),
    ],
)
def test_what_an_upgrade_does_to_fingerprints(tmp_path: Path, component: Component, cls: type, *, same: bool) -> None:
    """Names, modules and neutral options change none; a version or a value does."""
    first = fingerprint(Component("normalizer", "rasta", FIRST), Pole, tmp_path)
    assert (fingerprint(component, cls, tmp_path) == first) is same


def test_a_value_other_than_the_neutral_one_counts(tmp_path: Path) -> None:
    """Three values make three fingerprints, of which the neutral one's is that of the component without the option."""
    component = Component("normalizer", "rasta", FIRST)
    found = {fingerprint(component, Renamed, tmp_path, zero=zero) for zero in (3, 4, 0)}
    assert len(found) == 3
    assert fingerprint(component, Pole, tmp_path) in found
    assert fingerprint(component, Renamed, tmp_path, memory=0.5) == fingerprint(component, Pole, tmp_path, pole=0.5)


RETIRED = (
    Component("normalizer", "rasta", "acme_first:Renamed", formerly=("band",)),
    Component("detector", "old-vote", "acme_first:OldDetector", deprecated="use 'vote'; it goes in 0.5"),
)


@pytest.fixture
def retiring() -> Registry:
    """A registry with a renamed normalizer and a retired detector."""
    return registry_of(*RETIRED, Renamed=Renamed, OldDetector=OldDetector)


def warnings(path: Path, registry: Registry, **options: Any) -> list[tuple[str, str | None]]:
    """Return the warnings of a recipe without the path of its file, with their suggestions."""
    found = load_recipe(path, registry, **options).warnings
    return [(mistake.text.replace(f"{path}:", ""), mistake.suggestion) for mistake in found]


def test_what_a_recipe_writes_of_old_is_warned_of_with_its_place(recipe_file: Path, retiring: Registry) -> None:
    """Components and options, renamed and deprecated, in a file and on the command line, in search and conditions."""
    text = recipe_file.read_text().replace('type = "cmvn"', 'type = "band"\nleak = 0.5')
    recipe_file.write_text(text.replace('type = "vote"', 'type = "old-vote"\ncount = 2\nmode = "a"'))
    line = text[: text.index('"band"')].count("\n") + 1
    other = recipe_file.read_text()
    later = other[: other.index('"old-vote"')].count("\n") + 1
    searched = "--set operating_point.search.count=[1, 2]"
    assert warnings(recipe_file, retiring, changes=[searched.removeprefix("--set ")]) == [
        (f"{line}:8: normalizer.type: 'band' is now called 'rasta'; write that", "rasta"),
        (f"{line + 1}:1: normalizer.leak: 'leak' of rasta is now called 'memory'; write that", "memory"),
        (f"{later}:8: detector.type: 'old-vote' is deprecated: use 'vote'; it goes in 0.5", None),
        (f"{later + 1}:1: detector.count: 'count' of old-vote is now called 'votes'; write that", "votes"),
        (f"{later + 2}:1: detector.mode: 'mode' of old-vote is deprecated: it has no effect; leave it out", None),
        (f"{searched}: operating_point.search.count: 'count' is now called 'votes'; write that", "votes"),
    ]


def test_another_name_of_an_option_above_a_base_wins(recipe_file: Path, retiring: Registry, tmp_path: Path) -> None:
    """A recipe, `--set` and a variant have the last word, whichever of its names each calls the option by."""
    base = recipe_file
    base.write_text(base.read_text().replace('type = "cmvn"', 'type = "band"\nleak = 0.5'))
    line = base.read_text()[: base.read_text().index("leak")].count("\n") + 1
    child = tmp_path / "child.toml"
    named = (f"{base}:{line - 1}:8: normalizer.type: 'band' is now called 'rasta'; write that", "rasta")
    told = (f"{base}:{line}:1: normalizer.leak: 'leak' of rasta is now called 'memory'; write that", "memory")
    child.write_text('extends = ["recipe.toml"]\n[normalizer]\nmemory = 0.25\n'.replace("recipe.toml", base.name))
    found = load_recipe(child, retiring)
    assert found["normalizer"].memory == 0.25
    assert [(mistake.text, mistake.suggestion) for mistake in found.warnings] == [named, told]
    assert place_of(found, ("normalizer", "memory")) == f"{child}:3:1"
    for former in ("pole", "leak"):
        child.write_text(f'extends = ["{base.name}"]\n[normalizer]\n{former} = 0.25\n')
        assert load_recipe(child, retiring)["normalizer"].memory == 0.25
    child.write_text(f'extends = ["{base.name}"]\n[normalizer]\nmemory = 0.25\n[ablate]\nseeds = [0]\n'
                     '[ablate.axes.x]\nset = "normalizer.pole"\nto = [0.75]\n')  # fmt: skip
    assert next(iter(load_recipe(child, retiring).variants.values()))["normalizer"].memory == 0.75
    assert load_recipe(child, retiring, changes=["normalizer.pole=0.125"])["normalizer"].memory == 0.125
    child.write_text(f'extends = ["{base.name}"]\n[normalizer]\nmemory = 0.25\npole = 0.5\n')
    with pytest.raises(
        RecipeError, match=r"child.toml:4:1: normalizer.pole: 'pole' of rasta is now called 'memory', and"
    ):
        load_recipe(child, retiring)


def test_components_within_components_warn_at_their_own_places(recipe_file: Path) -> None:
    """In fields, lists, tables and unions; an arm of a union that does not fit says nothing."""
    registry = registry_of(Component("metric", "nest", "acme_first:Nest"), *RETIRED, Renamed=Renamed, Nest=Nest)
    old = "{type='band', pole=0.5}"
    either = "{old=1, more=2}"
    change = (
        f"metrics.n={{type='nest', one={old}, some=['rasta', {old}], named={{a={old}}}, maybe={old}, either={either}}}"
    )
    found = [mistake.path for mistake in load_recipe(recipe_file, registry, changes=[change]).warnings]
    places = ("one", "some.1", "named.a", "maybe")
    assert sorted(found) == sorted(f"metrics.n.{place}.{key}" for place in places for key in ("type", "pole"))


def test_the_saved_form_has_present_names_and_the_same_fingerprints(
    recipe_file: Path, retiring: Registry, tmp_path: Path
) -> None:
    """A recipe in old words, its saved form, and one in new words are one experiment."""
    old = load_recipe(
        recipe_file,
        retiring,
        changes=[
            "normalizer={type='band', pole=0.5}",
            "detector={type='old-vote', count=3}",
            "operating_point.search.count=[1, 3]",
        ],
    )
    saved = tmp_path / "saved.toml"
    saved.write_text(dump(old))
    for words in ('type = "rasta"', "memory = 0.5", "votes = 3", "votes = [\n    1,\n    3,\n]"):
        assert words in dump(old)
    again = load_recipe(saved, retiring)
    # The retired detector is still named, and so is its retired option, now with a value.
    assert {warning.path for warning in again.warnings} == {"detector.type", "detector.mode"}
    contents = Contents(tmp_path / "memory")
    assert stage_fingerprints(again, contents) == stage_fingerprints(old, contents)


def test_a_search_has_the_same_fingerprint_under_either_name(recipe_file: Path, tmp_path: Path) -> None:
    """What the operating point searches goes by the oldest names too."""

    def stages(cls: type, name: str) -> dict[str, str]:
        registry = registry_of(Component("detector", "voting", FIRST), Thing=cls)
        changes = ["detector=voting", f"operating_point.search.{name}=[1, 2]"]
        return stage_fingerprints(load_recipe(recipe_file, registry, changes=changes), Contents(tmp_path / "memory"))

    first = stages(FirstDetector, "count")
    assert stages(OldDetector, "count") == first
    assert stages(OldDetector, "votes") == first


def test_an_option_under_two_names_is_an_error(recipe_file: Path, retiring: Registry) -> None:
    """Neither value is taken silently, whichever file wrote it."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file, retiring, changes=["normalizer={type='rasta', pole=0.5, memory=0.4}"])
    (line,) = caught.value.lines
    assert line.endswith(
        "normalizer.pole: 'pole' of rasta is now called 'memory', and 'memory' is there too; drop one of them"
    )
    with pytest.raises(RecipeError, match="is there too"):
        load_recipe(recipe_file, retiring, changes=["normalizer={type='rasta', pole=0.5, leak=0.4}"])
    search = "operating_point.search={count=[1], votes=[2]}"
    with pytest.raises(RecipeError, match="which is there too; drop one of them"):
        load_recipe(recipe_file, retiring, changes=["detector=old-vote", search])


def test_a_wrong_value_under_a_former_name_is_placed_there(recipe_file: Path, retiring: Registry) -> None:
    """The path is the key that was written, be the value out of bounds or of another type."""
    for value in (5, "'text'"):
        with pytest.raises(RecipeError) as caught:
            load_recipe(recipe_file, retiring, changes=[f"normalizer={{type='rasta', pole={value}, zero=true}}"])
        assert [mistake.path for mistake in caught.value.mistakes] == ["normalizer.pole", "normalizer.zero"]


def test_conditions_and_variants_warn_at_their_own_places(recipe_file: Path) -> None:
    """Once each, also where several variants inherit the base's warning."""
    components = (
        Component("augmentation", "hiss", "acme_first:Hiss", formerly=("fizz",)),
        Component("normalizer", "rasta", "acme_first:Renamed", formerly=("band",)),
    )
    registry = registry_of(*components, Renamed=Renamed, Hiss=Hiss)
    recipe_file.write_text(
        recipe_file.read_text().replace('type = "cmvn"', 'type = "band"')
        + '\n[conditions.cafe]\naugmentations.hiss = { type = "fizz", snr = 0.2 }\n'
        + '\n[ablate]\nseeds = [0]\nleave_out = ["calibrator"]\n'
        + '\n[ablate.axes.pole]\nset = "normalizer.leak"\nto = [0.1, 0.2]\n'
    )
    found = [text.partition(": ")[2] for text, _ in warnings(recipe_file, registry)]
    assert sorted(set(found)) == sorted(found)
    assert [text for text in found if text.startswith("normalizer")] == [
        "normalizer.type: 'band' is now called 'rasta'; write that"
    ]
    assert [text for text in found if text.startswith("conditions")] == [
        "conditions.cafe.augmentations.hiss.type: 'fizz' is now called 'hiss'; write that",
        "conditions.cafe.augmentations.hiss.snr: 'snr' of hiss is now called 'level'; write that",
    ]
    assert any(text.startswith("ablate") and "'leak' of rasta is now called 'memory'" in text for text in found)


@attrs.frozen
class Twice:
    """Two options that had one name."""

    one: int = option(1, formerly=("same",), help="one")
    two: int = option(2, formerly=("same",), help="two")


@attrs.frozen
class Again:
    """An option whose former name is in use again."""

    one: int = option(1, help="one")
    two: int = option(2, formerly=("one",), help="two")


@pytest.mark.parametrize(("cls", "words"), [(Twice, "the former name of 'one' too"), (Again, "an option of its own")])
def test_a_name_that_was_used_once_may_not_be_used_again(recipe_file: Path, cls: type, words: str) -> None:
    """It is the plugin's mistake, and exit code 3."""
    with pytest.raises(PluginError, match=words):
        former_names(cls)
    registry = registry_of(Component("normalizer", "rasta", FIRST), Thing=cls)
    with pytest.raises(RecipeError, match="may not be used again") as caught:
        load_recipe(recipe_file, registry, changes=["normalizer=rasta"])
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("wrong", ["old", ["old"], (3,), ("",)])
def test_former_names_of_an_option_are_a_tuple_of_texts(wrong: Any) -> None:
    """A forgotten comma does not make names of single letters."""
    with pytest.raises(TypeError, match="formerly: expected a tuple of names"):
        option(1, formerly=wrong)


def over_a_base(tmp_path: Path, registry: Registry, base: str, child: str) -> Any:
    """Return a recipe that extends another which stands on the quickstart."""
    (tmp_path / "base.toml").write_text(f'extends = ["wakekit:quickstart"]\n{base}\n')
    (tmp_path / "child.toml").write_text(f'extends = ["base.toml"]\n{child}\n')
    return load_recipe(tmp_path / "child.toml", registry)


@pytest.mark.parametrize("child", ["band", "rasta", "acme:band", "acme:rasta"])
@pytest.mark.parametrize("base", ["band", "rasta", "acme:band", "acme:rasta"])
def test_two_names_of_one_component_are_no_swap(tmp_path: Path, retiring: Registry, base: str, child: str) -> None:
    """What the base says of it stays, whichever name either writes; another component replaces the table."""
    written = f'[normalizer]\ntype = "{base}"\npole = 0.5\n[ablate.variants.slow]\nnormalizer.type = "{child}"\n'
    found = over_a_base(tmp_path, retiring, f"{written}normalizer.zero = 4", f'[normalizer]\ntype = "{child}"')
    assert found["normalizer"].memory == 0.5
    slow = found.variants["slow"]["normalizer"]
    assert (slow.memory, slow.zero) == (0.5, 4)
    other = over_a_base(tmp_path, retiring, written.partition("[ablate")[0], '[normalizer]\ntype = "cmvn"')
    assert not hasattr(other["normalizer"], "memory")


def test_two_names_of_one_augmentation_are_no_swap_in_a_condition(tmp_path: Path) -> None:
    """A condition's augmentations merge as those of training do."""
    registry = registry_of(Component("augmentation", "hiss", "acme_first:Hiss", formerly=("fizz",)), Hiss=Hiss)
    base = (
        '[augmentations.x]\ntype = "fizz"\nlevel = 0.5\n[conditions.cafe.augmentations.x]\ntype = "fizz"\nlevel = 0.7'
    )
    child = '[augmentations.x]\ntype = "hiss"\n[conditions.cafe.augmentations.x]\ntype = "hiss"'
    found = over_a_base(tmp_path, registry, base, child)
    assert found.each("augmentations")["x"].level == 0.5
    assert found.conditions["cafe"].augmentations["x"].level == 0.7
