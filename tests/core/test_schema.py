"""The schema of recipes: what it takes and refuses is what wakekit does, as far as a schema can know."""

from __future__ import annotations

import functools
import json
import math
import tomllib
from typing import TYPE_CHECKING, Any

import attrs
import jsonschema
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import add_plugin
from wakekit.ablate_table import Axis
from wakekit.converter import ProblemsError, structure_option
from wakekit.errors import WakekitError
from wakekit.kinds import KINDS
from wakekit.layers import shipped_recipes
from wakekit.options import option_info
from wakekit.recipe import load_recipe
from wakekit.recipe_table import as_table
from wakekit.registry import Registry, installed
from wakekit.schema.recipe import recipe_schema
from wakekit.schema.values import SHARED, options_schema
from wakekit.settings import Audio, Compose, Condition, Settings, Target, Window
from wakekit.variants import Ablate, Margin

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

SHIPPED = sorted(path.relative_to(shipped_recipes()).as_posix() for path in shipped_recipes().rglob("*.toml"))
WHOLE = [name for name in SHIPPED if not name.startswith("suites/")]
ANEW = "wakekit schema --shipped --out recipes/schema.json"


@functools.cache
def _registry() -> Registry:
    return installed()


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema of what comes with wakekit."""
    own = [plugin for plugin in installed().plugins if plugin.distribution == "wakekit"]
    made, troubles = recipe_schema(Registry(own))
    assert troubles == []
    return made


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft7Validator:
    """A reader of JSON Schema that knows nothing of wakekit."""
    return jsonschema.Draft7Validator(schema)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders for the recipes that need data."""
    (tmp_path / "manifest.jsonl").touch()
    monkeypatch.setenv("WAKEKIT_DATA", str(tmp_path))
    monkeypatch.setenv("SPEECH_COMMANDS", str(tmp_path))


def test_the_schema_beside_the_recipes_is_what_is_written(typed: Typed) -> None:
    """What the shipped recipes name is what `wakekit schema` writes today."""
    found = typed("schema", "--shipped")
    assert found.code == 0, found.err
    assert (shipped_recipes() / "schema.json").read_text() == found.out, f"write it anew: {ANEW}"


def test_it_is_a_schema_of_its_draft(schema: dict[str, Any]) -> None:
    """It is valid by the schema of schemas, and every reference in it leads somewhere."""
    jsonschema.Draft7Validator.check_schema(schema)
    named = {f"#/definitions/{name}" for name in schema["definitions"]}
    assert set(_references(schema)) <= named


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        inner = [found for item in value.values() for found in _references(item)]
        return [*inner, value["$ref"]] if "$ref" in value else inner
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []


def test_every_component_and_option_is_there_and_described(schema: dict[str, Any]) -> None:
    """Each installed component is a closed object with a sentence on it, and each option has one too."""
    count = 0
    for kind in KINDS:
        for entry in installed().entries(kind):
            if entry.plugin.distribution != "wakekit":
                continue
            made = schema["definitions"][f"{kind}.{entry.component.name}"]
            assert made["additionalProperties"] is False
            assert made["description"]
            fields = {field.name: field for field in attrs.fields(entry.load()) if field.init}
            assert set(made["properties"]) == {"type", *fields}
            for name, field in fields.items():
                info = option_info(field)
                assert info.help in made["properties"][name]["description"]
                assert (info.unit or "") in made["properties"][name]["description"]
                if field.default not in (attrs.NOTHING, None):
                    assert made["properties"][name]["default"] == json.loads(json.dumps(field.default))
            count += 1
    assert count >= 60


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_valid_is_valid(name: str, validator: jsonschema.Draft7Validator) -> None:
    """A recipe that wakekit takes is taken as it is written, and with every default filled in, its variants too."""
    written = tomllib.loads((shipped_recipes() / name).read_text())
    assert list(validator.iter_errors(written)) == []
    if name in WHOLE:
        recipe = load_recipe(shipped_recipes() / name, _registry())
        for one in (recipe, *recipe.variants.values()):
            assert list(validator.iter_errors(json.loads(json.dumps(as_table(one))))) == []


@functools.cache
def options() -> list[tuple[type, str]]:
    """Return every option of every component and table that needs nothing else to be read."""
    components = [entry.load() for kind in KINDS for entry in installed().entries(kind)]
    tables = [Audio, Window, Compose, Target, Condition, Ablate, Margin, Axis, Settings]
    found = []
    for cls in (*components, *tables):
        fields = [field for field in attrs.fields(cls) if field.init]
        found += [(cls, field.name) for field in fields if not attrs.has(field.type)]
    return found


def taken(cls: type, name: str, value: object) -> bool:
    """Return whether wakekit takes a value for an option."""
    try:
        structure_option(cls, name, value)
    except ProblemsError:
        return False
    return True


def unknowable(value: object) -> bool:
    """Return whether JSON cannot tell a value from another, as 1.0 from 1, or has none like it."""
    if isinstance(value, float):
        return not math.isfinite(value) or value.is_integer()
    return any(map(unknowable, value)) if isinstance(value, list) else False


@st.composite
def tries(draw: st.DrawFn) -> tuple[type, str, object]:
    """Draw an option and a value for it: of any type, near a bound, or a choice."""
    cls, name = draw(st.sampled_from(options()))
    info = option_info(attrs.fields_dict(cls)[name])
    edges = [bound for bound in (info.above, info.below, info.at_least, info.at_most) if bound is not None]
    near = [bound + step for bound in edges for step in (-1, -0.25, 0, 0.25, 1)]
    numbers = st.integers(-3, 2**54) | st.floats(-3, 100) | st.sampled_from([*near, *map(int, edges), 0])
    scalars = numbers | st.booleans() | st.text(max_size=4) | st.sampled_from(info.choices or ("auto",))
    values = scalars | st.lists(numbers, max_size=4) | st.lists(scalars, max_size=3) | st.just({}) | st.just({"a": 1})
    return cls, name, draw(values)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tries())
def test_an_option_takes_what_wakekit_takes(case: tuple[type, str, object]) -> None:
    """Type, bounds, choices and lengths of every option are those that wakekit holds recipes to."""
    cls, name, value = case
    if unknowable(value):
        return
    properties = _properties(cls)
    fits = jsonschema.Draft7Validator({**properties[name], "definitions": SHARED}).is_valid(value)
    assert fits == taken(cls, name, value), (cls, name, value)


@functools.cache
def _properties(cls: type) -> dict[str, Any]:
    made: dict[str, Any] = options_schema(cls, lambda _contract: {})["properties"]
    return made


@functools.cache
def _dumps() -> list[dict[str, Any]]:
    found = [load_recipe(f"wakekit:{name}", _registry()) for name in ("quickstart", "ablations/tta", "ablations/pcen")]
    made = [as_table(one) for recipe in found for one in (recipe, *recipe.variants.values())]
    return [*made, tomllib.loads((shipped_recipes() / "ablations/models.toml").read_text())]


def refused(file: Path, table: dict[str, Any]) -> str:
    """Return what wakekit says against a recipe, nothing where it takes it."""
    file.write_text(tomli_w.dumps(table))
    try:
        load_recipe(file, _registry())
    except WakekitError as error:
        return str(error)
    return ""


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    number=st.integers(0, 10**6),
    leaf=st.integers(0, 10**6),
    how=st.sampled_from(["misspelt", "retyped", "moved", "dropped"]),
)
def test_a_mutated_recipe_is_refused_by_both(
    number: int, leaf: int, how: str, validator: jsonschema.Draft7Validator, tmp_path: Path
) -> None:
    """What the schema refuses wakekit refuses; a misspelt key and a value of another type both refuse."""
    table = json.loads(json.dumps(_dumps()[number % len(_dumps())]))
    leaves = _leaves(table, ())
    path = leaves[leaf % len(leaves)]
    inner = functools.reduce(lambda held, key: held[key], path[:-1], table)
    value = inner.pop(path[-1])
    if how == "misspelt":
        inner[f"{path[-1]}q"] = value
    elif how == "retyped":
        inner[path[-1]] = [{}] if isinstance(value, str) else 7 if isinstance(value, list) else "none such"
    elif how == "moved":
        inner[path[-1]] = -value - 1e9 if type(value) in (int, float) else value
    complaints = [error.message for error in validator.iter_errors(table)]
    said = refused(tmp_path / "mutated.toml", table)
    if complaints:
        assert said, (path, how, complaints)
    else:
        assert how in ("moved", "dropped"), (path, how, said)


def _leaves(value: object, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in _leaves(item, (*path, key))]
    return [path]


OFFERS = """
import attrs
from wakekit import Component, hookimpl, option
from wakekit.kinds import Metric

@attrs.frozen
class Rasta:
    "Band-pass every band."
    pole: float = option(0.94, above=0, below=1, unit="1", help="pole of the filter", formerly=("alpha",))
    old: int = option(1, at_least=1, help="what was", deprecated="use 'pole'; it goes in 0.5")

@attrs.frozen
class Cmvn:
    "Another one of the name."

def no_luck():
    raise RuntimeError("no default")

@attrs.frozen
class Odd:
    "Its default cannot be made."
    where: str = option(attrs.Factory(no_luck), help="where")

@attrs.frozen
class Endless:
    "What JSON has no number for."
    most: float = option(float("inf"), at_least=float("-inf"), help="the most")

@attrs.frozen
class Slow:
    "Another loop."
    patience: int = option(1, at_least=1, help="how slow")

@attrs.frozen
class Other:
    "Holds metrics."
    first: Metric
    rest: tuple[Metric, ...] = option((), help="more of them")

@hookimpl
def wakekit_components():
    yield Component("normalizer", "rasta", "acme:Rasta", formerly=("relative",), deprecated="use 'cmvn'")
    yield Component("normalizer", "cmvn", "acme:Cmvn")
    yield Component("normalizer", "gone", "acme_missing:Gone")
    yield Component("normalizer", "odd", "acme:Odd")
    yield Component("normalizer", "endless", "acme:Endless")
    yield Component("trainer", "slow", "acme:Slow")
    yield Component("metric", "all", "acme:Other")
"""

CHILD = {"extends": "wakekit:quickstart"}
ALONE = {
    "corpus": {"type": "espeak", "keyword": "hey nova"},
    "frontend": "log-mel",
    "model": "ds-cnn",
    "loss": "cross-entropy",
    "optimizer": "adamw",
    "detector": "vote",
    "operating_point": {"fa_per_hour": 1},
}


def test_plugins_are_in_it_and_broken_ones_left_out(site: Path, tmp_path: Path, typed: Typed) -> None:
    """A plugin's components are there like any; what cannot be imported is left out with a warning and a note."""
    add_plugin(site, "acme", OFFERS)
    add_plugin(site, "broken", "raise RuntimeError('no luck')")
    out = tmp_path / "schema.json"
    found = typed("schema", "--out", out)
    assert (found.code, found.out) == (0, "")
    told = found.err.splitlines()
    assert all(line.startswith("warning: ") for line in told)
    assert any("broken" in line and "no luck" in line for line in told)
    assert any("'gone'" in line and "acme_missing" in line for line in told)
    assert any("'odd'" in line and "no default" in line for line in told)
    made = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert "default" not in made["definitions"]["normalizer.endless"]["properties"]["most"]
    assert "'gone'" in made["definitions"]["normalizer"]["description"]
    valid = jsonschema.Draft7Validator(made).is_valid
    for normalizer in (
        {"type": "rasta", "pole": 0.5},
        {"type": "acme:rasta"},
        "relative",
        "acme:relative",
        "acme:cmvn",
    ):
        assert valid({**CHILD, "normalizer": normalizer}), normalizer
    for normalizer in (
        {"type": "rasta", "pole": 1},
        {"type": "gone"},
        "acme:gone",
        "cmvn",
        {"type": "rasta", "eps": 1},
    ):
        assert not valid({**CHILD, "normalizer": normalizer}), normalizer
    assert valid({**CHILD, "normalizer": {"type": "rasta", "alpha": 0.5}})
    assert not valid({**CHILD, "normalizer": {"type": "rasta", "alpha": 1.5}})
    metric = {"type": "all", "first": "eer", "rest": [{"type": "pauc", "max_fpr": 0.2}]}
    assert valid({**CHILD, "metrics": {"a": metric}})
    for first in ("err", {"max_fpr": 0.2}, {"type": "pauc", "fpr": 0.2}):
        assert not valid({**CHILD, "metrics": {"a": {**metric, "first": first}}}), first


def test_a_table_whose_type_is_implied_has_the_options_of_that_type(site: Path, typed: Typed) -> None:
    """`[train]` without a type means the trainer that wakekit takes; a base may have named another."""
    add_plugin(site, "acme", OFFERS)
    valid = jsonschema.Draft7Validator(json.loads(typed("schema").out)).is_valid
    assert valid({**ALONE, "train": {"type": "slow", "patience": 2}})
    assert valid({**CHILD, "train": {"patience": 2}})
    assert not valid({**ALONE, "train": {"patience": 2}})


def test_a_schema_that_cannot_be_written_is_one_sentence(tmp_path: Path, typed: Typed) -> None:
    """A folder that is not there ends the command with a sentence that names the file."""
    found = typed("schema", "--out", tmp_path / "none" / "schema.json")
    assert found.code == 1
    assert "schema.json" in found.err
    assert len(found.err.splitlines()) == 1


def test_what_is_on_its_way_out_is_marked(site: Path, typed: Typed) -> None:
    """Former names and what is deprecated carry the mark that editors strike out, and say what to write instead."""
    add_plugin(site, "acme", OFFERS)
    rasta = json.loads(typed("schema").out)["definitions"]["normalizer.rasta"]
    assert rasta["deprecated"] is True
    assert "use 'cmvn'" in rasta["description"]
    assert rasta["properties"]["alpha"]["deprecated"] is True
    assert "'pole'" in rasta["properties"]["alpha"]["description"]
    assert rasta["properties"]["old"]["deprecated"] is True
    assert "use 'pole'; it goes in 0.5" in rasta["properties"]["old"]["description"]
    assert "deprecated" not in rasta["properties"]["pole"]


def test_a_plugin_may_be_called_anything(site: Path, typed: Typed) -> None:
    """Signs in a plugin's name mean themselves where a recipe writes it before a component's."""
    add_plugin(site, "acme", OFFERS)
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text("[wakekit]\na(c|m.e = acme\n")
    valid = jsonschema.Draft7Validator(json.loads(typed("schema").out)).is_valid
    assert valid({**CHILD, "normalizer": "a(c|m.e:rasta"})
    assert not valid({**CHILD, "normalizer": "a(c"})


def test_only_what_comes_with_wakekit_where_asked(site: Path, typed: Typed) -> None:
    """`--shipped` knows no other plugin, and is quiet about broken ones; a disabled plugin is in neither."""
    add_plugin(site, "acme", OFFERS)
    add_plugin(site, "broken", "raise RuntimeError('no luck')")
    found = typed("schema", "--shipped")
    assert (found.code, found.err) == (0, "")
    assert "normalizer.rasta" not in json.loads(found.out)["definitions"]
    less = typed("schema", "--disable-plugin", "acme", "--disable-plugin", "broken")
    assert (less.code, less.err, less.out) == (0, "", found.out)


def test_a_kind_of_which_nothing_is_installed_takes_anything(typed: Typed) -> None:
    """Without the plugins of a kind its table is not held against the writer."""
    found = typed("schema", "--disable-plugin", "wakekit-models")
    made = json.loads(found.out)
    jsonschema.Draft7Validator.check_schema(made)
    assert jsonschema.Draft7Validator(made).is_valid({**CHILD, "model": {"type": "mine", "width": 3}})
    assert "None is installed" in made["definitions"]["model"]["description"]


@pytest.mark.parametrize(
    ("table", "valid"),
    [
        ({**CHILD, "frontend": {"n_mels": "${vars.bands}"}, "vars": {"bands": 20}}, True),
        ({**CHILD, "augmentations": {"noise": {"snr_db": "${vars.range}"}}}, True),
        ({**CHILD, "device": "${env:DEVICE}"}, True),
        ({**CHILD, "normalizer": {"type": "${vars.which}"}}, True),
        ({**CHILD, "frontend": {"n_mels": "${env:BANDS}"}}, False),
        ({**CHILD, "frontend": {"n_mels": "about ${vars.bands}"}}, False),
        ({**CHILD, "plugins": {"require": ["acme-wake >=0.3,<1"]}}, True),
        ({**CHILD, "plugins": {"requires": ["acme-wake"]}}, False),
        ({"extends": 3}, False),
        ({"extends": ["a.toml", 3]}, False),
        ({"conditions": {"far": {"augmentations": {"a": "gain"}}}}, True),
        ({"conditions": {"far": {}}}, False),
        ({"conditions": {"test": {"augmentations": {"a": "gain"}}}}, False),
        ({**CHILD, "conditions": {"far": {"seed": 1}}}, True),
        ({"seed": 1}, False),
        ({**CHILD, "ablate": {"axes": {"a": {"set": "train.epochs", "to": [1, "x", [2], {"b": 1}]}}}}, True),
        ({**CHILD, "ablate": {"axes": {"a": {"swap": "train", "with": [{"epochs": 3}]}}}}, True),
        ({**CHILD, "ablate": {"axes": {"a": {"set": "train.epochs", "to": []}}}}, False),
        ({**CHILD, "ablate": {"variants": {"v": {"unset": ["callbacks.ema"], "train": {"epochs": 3}}}}}, True),
        ({**CHILD, "ablate": {"variants": {"v": {}}}}, False),
        ({**CHILD, "ablate": {"axes": {"a": {"with": ["shuffle"]}}}}, True),
        ({**ALONE, "ablate": {"axes": {"a": {"swap": "sampler", "with": ["shuffle"]}}}}, True),
        ({**ALONE, "ablate": {"axes": {"a": {"swap": "sampler"}}}}, False),
        ({**ALONE, "ablate": {"axes": {"a": {"swap": "sampler", "with": ["shuffle"], "to": [1]}}}}, False),
        ({**ALONE, "ablate": {"axes": {"a": {"set": "train.epochs", "to": [1], "with": ["shuffle"]}}}}, False),
        ({**ALONE, "ablate": {"axes": {"a": {"set": "train.epochs"}}}}, False),
        (ALONE, True),
        ({**ALONE, "corpus": "espeak"}, False),
        ({key: value for key, value in ALONE.items() if key != "model"}, False),
        ({**ALONE, "operating_point": {}}, False),
        ({**ALONE, "train": {"epochs": 3}}, True),
        ({**ALONE, "sampler": {"batch_size": 3}}, False),
        ({**CHILD, "sampler": {"batch_size": 3}}, True),
        ({**CHILD, "ablate": {"seeds": []}}, False),
        ({**CHILD, "ablate": {"seeds": [1, 1]}}, False),
    ],
)
def test_references_bases_and_ablations(
    table: dict[str, Any], *, valid: bool, validator: jsonschema.Draft7Validator
) -> None:
    """Variables stand for any value and environment variables for text; what a base may have stated may be left out."""
    assert validator.is_valid(table) is valid
