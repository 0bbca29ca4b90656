"""What options may be: types that a recipe can write, and defaults that it could have stated."""

from __future__ import annotations

import enum
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import attrs
import jsonschema
import numpy as np
import pytest

from wakekit import Component, option
from wakekit.building import build_component
from wakekit.converter import ProblemsError, structure
from wakekit.errors import PluginError, RecipeError
from wakekit.fingerprint import Contents, component_fingerprint, stage_fingerprints
from wakekit.listing import describe
from wakekit.plugins import Plugin
from wakekit.recipe import load_recipe
from wakekit.recipe_table import as_data, as_table
from wakekit.registry import Registry, installed
from wakekit.schema.values import SHARED, options_schema


class Mode(enum.Enum):
    """An enumeration, which TOML has not."""

    FAST = "fast"
    SLOW = "slow"


@attrs.frozen
class Knot:
    """A point of a curve."""

    x: float = option(help="where", at_least=-5, at_most=5)
    y: float = option(1, help="how much", at_least=0, at_most=1)


@attrs.frozen
class Curve:
    """Points, the defaults written with whole numbers."""

    knots: tuple[Knot, ...] = option((Knot(0), Knot(1, 0)), help="its points")
    folder: tuple[Path, ...] = option((Path(__file__),), help="where from")


@attrs.frozen
class Deep:
    """Options in options, of which some have a default that only shows when the component is built."""

    curve: Curve | None = option(attrs.Factory(Curve), help="a curve")
    table: dict[str, float] = option(attrs.Factory(lambda: {"a": 1}), at_least=0, help="by name")
    first: float = option(2, at_least=0, help="a number")
    second: float = option(attrs.Factory(lambda self: int(self.first) * 2, takes_self=True), at_least=0, help="twice")
    some: Literal["auto"] | float | None = option("auto", at_least=0, help="a word or a number")

    def build(self) -> None:
        """Return nothing of use."""


def made_of(wanted: object, default: object = attrs.NOTHING, name: str = "a", **more: Any) -> type:
    """Return a component's class with one option of a type."""
    field = option(default, help="what it is for", **more)
    held = {"__doc__": "Odd.", "__module__": __name__, "__annotations__": {name: wanted}, name: field}
    return attrs.frozen(type("Odd", (), held))


def registry_of(cls: type, kind: str = "calibrator", name: str = "odd") -> Registry:
    """Return the installed registry with one more plugin, which offers the class."""
    module = ModuleType("acme_odd")
    vars(module)["Odd"] = cls
    sys.modules["acme_odd"] = module
    components = (Component(kind, name, "acme_odd:Odd", summary="odd"),)
    return Registry([*installed().plugins, Plugin("acme", "acme_odd", "acme-wake", "0.3", "ok", "", components)])


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    sys.modules.pop("acme_odd", None)


def refused(cls: type) -> str:
    """Return why a component of the class cannot be used: the same, listed and in a recipe."""
    registry = registry_of(cls)
    with pytest.raises(PluginError) as listed:
        describe(registry, "calibrator", "odd")
    with pytest.raises(PluginError) as used:
        build_component(registry, "calibrator", "odd")
    assert str(listed.value) == str(used.value)
    label, _, message = str(used.value).partition("): ")
    assert label == "calibrator 'odd' of plugin acme (acme-wake 0.3"
    return message


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        (Fraction, "Fraction"),
        (Decimal, "Decimal"),
        (complex, "complex"),
        (bytes, "bytes"),
        (object, "object"),
        (set[int], "set[int]"),
        (dict[int, str], "dict[int, str]"),
        (Sequence[int], "collections.abc.Sequence[int]"),
        (Mapping[str, float], "collections.abc.Mapping[str, float]"),
        (Annotated[int, "many"], "typing.Annotated[int, 'many']"),
        (Literal[b"a"], "typing.Literal[b'a']"),
        (tuple[Decimal, ...] | None, "Decimal"),
        (dict[str, list[set[str]]], "set[str]"),
    ],
)
def test_a_type_that_no_recipe_can_write_is_refused(wanted: object, named: str) -> None:
    """With plugin, component, option and type, and the types that there are."""
    assert refused(made_of(wanted)).startswith(
        f"option 'a' is of type {named}, which no recipe can write; recipes hold "
    )


def test_an_enumeration_is_refused_with_what_to_write() -> None:
    """Its values, where a recipe can hold them; inside an option of options too."""
    inner = attrs.frozen(type("Inner", (), {"__annotations__": {"mode": Mode}, "mode": option(Mode.FAST, help="how")}))
    told = "is of type Mode, which no recipe can write; make it Literal['fast', 'slow']"
    assert refused(made_of(Mode, Mode.FAST)) == f"option 'a' {told}"
    assert refused(made_of(tuple[inner, ...], ())) == f"option 'a.mode' {told}"  # type: ignore[valid-type]


def test_names_that_a_recipe_could_not_write_are_refused() -> None:
    """The key that chooses the component, now or formerly, and names that differ where the class is built."""
    taken = "an option may not be called 'type', the key that names the component; call it something else"
    assert refused(made_of(str, "x", name="type")) == taken
    assert refused(made_of(str, "x", formerly=("type",))) == taken
    private = "option '_a' is called 'a' where its class is built; give it one name, without an underscore before it"
    assert refused(made_of(int, 3, name="_a")) == private
    untyped = attrs.frozen(type("Odd", (), {"a": option(3, help="a number")}))
    assert refused(untyped) == "option 'a' has no type; write a: int = …, or what it is"


@pytest.mark.parametrize("choices", [[1, 2], {1, 2}, (Mode.FAST,), "ab"])
def test_choices_are_a_tuple_of_what_recipes_hold(choices: Any) -> None:
    """A set would come in another order in every process."""
    assert refused(made_of(int, 1, choices=choices)).startswith("option 'a': expected a tuple of texts, numbers or ")


@pytest.mark.parametrize(
    ("wanted", "default", "bounds", "told"),
    [
        (int, "x", {}, "expected a whole number, got 'x'"),
        (int, 2.5, {}, "expected a whole number, got 2.5; "),
        (float, math.inf, {}, "expected a finite number, got inf"),
        (int, 30, {"at_most": 9}, "expected a value at most 9, got 30"),
        (str, "r", {"choices": ("p", "q")}, "expected one of 'p', 'q', got 'r'"),
        (tuple[int, ...], (1, "x"), {}, "1: expected a whole number, got 'x'"),
        (float, attrs.Factory(lambda: "x"), {}, "expected a number, got 'x'"),
    ],
)
def test_a_default_that_no_recipe_could_state_is_the_plugins_mistake(
    wanted: object, default: object, bounds: dict[str, Any], told: str
) -> None:
    """It is told with plugin, component and option, and not as if the recipe had written it."""
    registry = registry_of(made_of(wanted, default, **bounds))
    message = f"calibrator 'odd' of plugin acme (acme-wake 0.3): {__name__}.Odd: the default of option 'a' "
    with pytest.raises(PluginError) as caught:
        build_component(registry, "calibrator", "odd")
    assert str(caught.value).startswith(f"{message}is none that a recipe could state: {told.removesuffix('; ')}")


def test_options_in_options_have_defaults_and_come_back(tmp_path: Path) -> None:
    """Points in a tuple, paths, computed values; with all defaults filled in it is the same, fingerprint included."""
    registry = registry_of(Deep)
    made = build_component(registry, "calibrator", "odd").value
    assert made == Deep()
    table = as_data(made, registry)
    assert table == {
        "type": "odd",
        "curve": {"knots": [{"x": 0.0, "y": 1.0}, {"x": 1.0, "y": 0.0}], "folder": [__file__]},
        "table": {"a": 1.0},
        "first": 2.0,
        "second": 4.0,
        "some": "auto",
    }
    again = build_component(registry, "calibrator", table).value
    assert again == made
    contents = Contents(tmp_path / "memory")
    assert component_fingerprint(again, registry, contents) == component_fingerprint(made, registry, contents)
    assert component_fingerprint(made, registry, contents) == component_fingerprint(
        structure(Deep, {"table": {"a": 1.0}, "second": 4}, "odd"), registry, contents
    )


def test_an_option_may_have_the_name_of_what_a_corpus_can_do(tmp_path: Path) -> None:
    """Only a corpus is asked for its files, and only where it has a method of that name."""
    contents = Contents(tmp_path / "memory")
    cls = made_of(str | None, None, name="files")
    for kind in ("calibrator", "corpus"):
        registry = registry_of(cls, kind)
        made = build_component(registry, kind, {"type": "odd", "files": "x"}).value
        other = build_component(registry, kind, "odd").value
        assert component_fingerprint(made, registry, contents) != component_fingerprint(other, registry, contents)


def test_a_partly_written_option_of_options_keeps_its_other_defaults() -> None:
    """A mistake in it has its own place, and not that of a default."""
    registry = registry_of(Deep)
    made = build_component(registry, "calibrator", {"type": "odd", "curve": {"folder": []}, "first": 3}).value
    assert made == Deep(curve=Curve(folder=()), first=3.0, second=6.0)
    with pytest.raises(ProblemsError) as caught:
        build_component(registry, "calibrator", {"type": "odd", "curve": {"knots": [{"x": 9}], "knotz": 1}})
    assert [problem.path for problem in caught.value.problems] == [("curve", "knotz"), ("curve", "knots", 0, "x")]


@pytest.mark.parametrize(
    ("wanted", "value", "told"),
    [
        (float | Literal["auto", "off"], "aut", "expected a number or one of 'auto', 'off', got 'aut'"),
        (tuple[float, float] | float, "x", "expected a list of 2 or a number, got 'x'"),
        (Knot | float, "x", "expected a table or a number, got 'x'"),
        (Literal["x", None], "y", "expected 'x', got 'y'"),  # noqa: PYI061
        (Literal[True, 3], 4, "expected one of true, 3, got 4"),
        (dict[str, int] | list[int] | None, "x", "expected a table or a list, got 'x'"),
    ],
)
def test_types_are_called_what_a_recipe_calls_them(wanted: object, value: object, told: str) -> None:
    """Not by their names in Python."""
    with pytest.raises(ProblemsError, match=r"expected") as caught:
        structure(made_of(wanted), {"a": value}, "odd")
    assert str(caught.value) == told


def test_nothing_may_be_among_literals_and_choices() -> None:
    """An option that may be left unset has nothing to write for that: its schema and messages leave it out."""
    for cls in (made_of(Literal["x", None], None), made_of(str | None, None, choices=(None, "x"))):  # noqa: PYI061
        assert structure(cls, {}, "odd").a is None
        assert structure(cls, {"a": "x"}, "odd").a == "x"
        with pytest.raises(ProblemsError, match=r"^expected 'x', got 'y'$"):
            structure(cls, {"a": "y"}, "odd")
        schema = {**options_schema(cls, lambda _contract: {}), "definitions": SHARED}
        check = jsonschema.Draft7Validator(schema)
        assert check.is_valid({"a": "x"})
        assert not check.is_valid({"a": "y"})
    assert structure(made_of(str | None, None, choices=("x",)), {}, "odd").a is None


def test_bounds_are_any_numbers() -> None:
    """Fractions and numbers of NumPy are taken as JSON has them, and told in full where few digits would be others."""
    cls = made_of(float, np.float64(0.25), at_least=Fraction(1, 8), at_most=np.float64(0.5))
    assert type(structure(cls, {}, "odd").a) is float
    with pytest.raises(ProblemsError, match=r"^expected a value at least 0\.125 and at most 0\.5, got 2\.0$"):
        structure(cls, {"a": 2}, "odd")
    with pytest.raises(ProblemsError, match=r"^expected a value at most 1234567, got 1234568$"):
        structure(made_of(int, at_most=1_234_567), {"a": 1_234_568}, "odd")


@pytest.mark.parametrize("bound", ["1", True, 1j, Decimal(1), math.nan])
def test_a_bound_that_is_no_number_is_refused_at_once(bound: Any) -> None:
    """By its name, when the class is made."""
    with pytest.raises((TypeError, ValueError), match=r"^at_most: expected a number, got "):
        option(1, at_most=bound)


@pytest.mark.parametrize(
    "bounds",
    [{"at_least": 5, "at_most": 1}, {"above": 1, "at_most": 1}, {"at_least": 1, "below": 1}, {"above": math.inf}],
)
def test_bounds_without_a_number_within_are_refused_at_once(bounds: dict[str, Any]) -> None:
    """No default, and no recipe, could keep to them."""
    with pytest.raises(ValueError, match=r"^expected bounds with numbers within, got "):
        option(**bounds)
    assert option(1, at_least=1, at_most=1) is not None


def test_help_is_one_line() -> None:
    """Lines of a longer text are joined, so that tables and schemas stay what they are."""
    field = option(
        1,
        at_least=0,
        help="""words
        on two lines""",
    )
    cls = attrs.frozen(type("Odd", (), {"__doc__": "Odd.", "__annotations__": {"a": int}, "a": field}))
    assert "words on two lines" in describe(registry_of(cls), "calibrator", "odd")


@pytest.mark.parametrize(("kind", "name"), [("normalizer", "none"), ("calibrator", "none"), ("trainer", "standard")])
def test_what_is_left_out_is_wakekits_own_whatever_is_installed(kind: str, name: str, tmp_path: Path) -> None:
    """A plugin that offers the name too changes no recipe that does not write it, and no fingerprint."""
    path = tmp_path / "mine.toml"
    path.write_text('extends = ["wakekit:quickstart"]\n[train]\nepochs = 1\n')
    contents, drops = Contents(tmp_path / "memory"), ["normalizer", "calibrator"]
    before = load_recipe(path, installed(), drops=drops)
    registry = registry_of(made_of(int, 1), kind, name)
    after = load_recipe(path, registry, drops=drops)
    assert stage_fingerprints(after, contents) == stage_fingerprints(before, contents)
    assert as_table(after) != as_table(before)
    with pytest.raises(RecipeError, match="is offered by"):
        load_recipe(path, registry, changes=[f"{'train' if kind == 'trainer' else kind}={name}"])
