"""`[ablate]` by itself: modes, grids, what is excluded, and how much is too much, before any variant is resolved."""

from __future__ import annotations

import itertools
import math
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakekit.ablate_table import Asked, list_variants, read_ablate
from wakekit.converter import ProblemsError
from wakekit.kinds import SLOTS
from wakekit.variant_recipes import _AROUND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.errors import Problem
    from wakekit.variants import Variant

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=4)


def asked_for(table: object) -> Asked:
    """Return what a table asks for; raises ProblemsError where it has mistakes."""
    asked, problems = read_ablate(table)
    if problems:
        raise ProblemsError(problems)
    return asked


def listed(**table: Any) -> list[Variant]:
    """Return the variants of a table."""
    return list_variants(asked_for(table))


def refused(**table: Any) -> list[Problem]:
    """Return what is wrong with a table."""
    with pytest.raises(ProblemsError) as caught:
        listed(**table)
    return list(caught.value.problems)


def settings(**levels: list[Any]) -> dict[str, Any]:
    """Return an axis per option, with its values."""
    return {name: {"set": f"train.{name}", "to": values} for name, values in levels.items()}


@given(st.dictionaries(WORDS, st.integers(1, 3), max_size=3), st.lists(WORDS, unique=True, max_size=2))
def test_a_grid_is_the_product_of_its_levels(axes: Mapping[str, int], left: list[str]) -> None:
    """Each combination occurs once, by its own name, less the recipe itself, which is the first of them all."""
    left_out = [f"callbacks.{name}" for name in left]
    table = {"mode": "grid", "max_variants": 1000, "leave_out": left_out}
    asked = asked_for({**table, "axes": settings(**{name: list(range(count)) for name, count in axes.items()})})
    if not axes and not left:
        return
    found = list_variants(asked)
    assert len(found) == math.prod(1 + count for count in axes.values()) * 2 ** len(left) - 1
    assert len({variant.name for variant in found}) == len(found)
    cells = [variant.levels for variant in found]
    assert all(cells), "a cell without any change is the recipe itself"
    choices = [[None, "without"]] * len(left) + [[None, *map(str, range(count))] for count in axes.values()]
    every = [dict(zip([*left_out, *axes], levels, strict=True)) for levels in itertools.product(*choices)]
    assert [{key: level for key, level in one.items() if level is not None} for one in every[1:]] == cells


@given(
    # Another type is another component, without the options of the first.
    st.dictionaries(
        WORDS.filter(lambda word: word != "type"),
        st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True), min_size=1, max_size=3,
    )
)  # fmt: skip
def test_a_cell_makes_the_changes_of_its_levels(axes: dict[str, list[int]]) -> None:
    """Laid over a recipe, a cell sets what its name says and leaves the rest."""
    for variant in listed(mode="grid", max_variants=1000, axes=settings(**axes)):
        table = variant.applied({"train": {**dict.fromkeys(axes, -1), "type": "standard"}})["train"]
        said = dict(part.split(" = ") for part in variant.name.split(", "))
        assert {name: str(table[name]) for name in said} == said
        assert all(table[name] == -1 for name in axes if name not in said)


def test_what_is_dropped_is_dropped_last() -> None:
    """In a cell that sets an option of what it drops, nothing of the table is left."""
    drop = {"leave_out": ["callbacks.ema"], "axes": {"decay": {"set": "callbacks.ema.decay", "to": [0.5]}}}
    both = listed(mode="grid", **drop)[-1]
    assert both.name == "without callbacks.ema, decay = 0.5"
    assert both.applied({"callbacks": {"ema": {"type": "ema"}}}) == {"callbacks": {}}


def test_a_component_is_swapped_before_its_options_are_set() -> None:
    """In whatever order the axes are written, an option is that of the component swapped in."""
    swap = {"swap": "schedule", "with": ["cosine"]}
    for axes in (
        {"by": {"set": "schedule.by", "to": [2]}, "kind": swap},
        {"kind": swap, "by": {"set": "schedule.by", "to": [2]}},
    ):
        found = listed(mode="grid", axes=axes)[-1].applied({"schedule": {"type": "one-cycle", "by": 1}})
        assert found == {"schedule": {"type": "cosine", "by": 2}}


def test_what_a_kind_demands_is_kept_in_a_swap() -> None:
    """Another sampler takes over the batch size, and only that, unless it states its own."""
    swap = {
        "swap": "sampler",
        "with": ["shuffle", {"type": "shuffle", "batch_size": 8}, {"type": "balanced", "hard": 2}],
    }
    base = {"sampler": {"type": "balanced", "batch_size": 16, "ratio": [1, 1, 1]}}
    found = [variant.applied(base)["sampler"] for variant in listed(leave_out=["sampler"], axes={"by": swap})]
    assert found == [
        {"type": "shuffle", "batch_size": 16},
        {"type": "shuffle", "batch_size": 16},
        {"type": "shuffle", "batch_size": 8},
        {"type": "balanced", "batch_size": 16, "ratio": [1, 1, 1], "hard": 2},
    ]
    assert base == {"sampler": {"type": "balanced", "batch_size": 16, "ratio": [1, 1, 1]}}


def test_only_a_grid_has_levels() -> None:
    """Main effects are of grids: other variants, and those spelled out beside a grid, have no levels."""
    table = {"leave_out": ["callbacks.ema"], "axes": settings(epochs=[1]), "variants": {"odd": {"seed": 1}}}
    assert [variant.levels for variant in listed(**table)] == [{}, {}, {}]
    assert [variant.levels for variant in listed(**table, mode="grid")] == [
        {"epochs": "1"}, {"callbacks.ema": "without"}, {"callbacks.ema": "without", "epochs": "1"}, {},
    ]  # fmt: skip


@given(
    st.text("ab*?[]!.\\", max_size=6), st.lists(st.text("ab[]!.\\", min_size=1, max_size=5), min_size=1, unique=True)
)
def test_only_stars_and_question_marks_are_wildcards(pattern: str, names: list[str]) -> None:
    """A pattern excludes what a regular expression of its own says; brackets and dots stand for themselves."""
    rule = "".join({"*": "(?s:.*)", "?": "(?s:.)"}.get(letter, re.escape(letter)) for letter in pattern)
    left = [name for name in names if not re.fullmatch(rule, name)]
    table = {"exclude": [pattern], "variants": {name: {"seed": 1} for name in names}}
    if left and len(left) < len(names):
        assert [variant.name for variant in listed(**table)] == left
        return
    words = "excludes every variant" if not left else "excludes no variant; the nearest is"
    assert words in refused(**table)[-1].message


def test_a_useless_pattern_is_said_with_the_nearest_name() -> None:
    """All useless patterns are reported, each at its place."""
    wrong = refused(axes=settings(epochs=[1, 2]), exclude=["epochs = 1", "epoch = 2", "e[1]"])
    assert [(problem.path, problem.message) for problem in wrong] == [
        (("exclude", 1), "'epoch = 2' excludes no variant; the nearest is 'epochs = 2'"),
        (("exclude", 2), "'e[1]' excludes no variant; the nearest is 'epochs = 1'"),
    ]


def test_what_is_excluded_does_not_count() -> None:
    """`max_variants` is for what is left, and the message says how many that are."""
    grid = {"mode": "grid", "axes": settings(a=[1, 2, 3], b=[1, 2, 3])}
    assert len(listed(**grid, exclude=["a = *, b = 3"], max_variants=12)) == 12
    (wrong,) = refused(**grid, exclude=["a = *, b = 3"], max_variants=11)
    assert wrong.path == ("max_variants",)
    assert "there would be 12 variants, and max_variants is 11: drop levels or axes" in wrong.message
    (wrong,) = refused(axes=settings(a=[1, 2, 3]), max_variants=2)
    assert "there would be 3 variants, and max_variants is 2: drop some" in wrong.message


@pytest.mark.parametrize("exclude", [[], ["a1 = *"]])
@pytest.mark.parametrize(("axes", "count"), [(9, "999999999"), (400, f"more than {10**15}")])
def test_a_grid_that_explodes_is_refused_at_once(axes: int, count: str, exclude: list[str]) -> None:
    """A thousand million variants, or more than there are atoms, are counted and not listed."""
    begun = time.perf_counter()
    table = settings(**{f"a{number}": list(range(9)) for number in range(axes)})
    (wrong,) = refused(mode="grid", axes=table, exclude=exclude)
    assert f"there would be {count} variants, and max_variants is 50" in wrong.message
    assert time.perf_counter() - begun < 5


def test_leave_one_out_takes_what_the_recipe_has() -> None:
    """Without a list all optional components are left out in turn; with one, those of the list."""
    asked = asked_for({"mode": "leave-one-out"}).told(["normalizer", "callbacks.ema"])
    assert [variant.name for variant in list_variants(asked)] == ["without normalizer", "without callbacks.ema"]
    asked = asked_for({"mode": "leave-one-out", "leave_out": ["sampler"]}).told(["normalizer", "callbacks.ema"])
    assert [variant.name for variant in list_variants(asked)] == ["without sampler"]
    with pytest.raises(ProblemsError, match="no component that it could do without"):
        list_variants(asked_for({"mode": "leave-one-out"}).told([]))


def test_every_kind_is_either_left_out_or_around() -> None:
    """A kind that is added needs a decision: is it a part of the detector, or around it?"""
    assert {slot.kind for slot in SLOTS if slot.many or slot.neutral} == _AROUND | {
        "augmentation", "normalizer", "sampler", "schedule", "callback", "scorer", "calibrator",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("table", "path", "words"),
    [
        (
            {"mode": "leave-one-out", "axes": settings(a=[1])},
            ("axes",),
            "mode 'leave-one-out' tries no axes; leave them",
        ),
        (
            {"mode": "all", "axes": settings(a=[1])},
            ("mode",),
            "expected one of 'one-at-a-time', 'leave-one-out', 'grid'",
        ),
        ({"max_variants": 0, "axes": settings(a=[1])}, ("max_variants",), "expected a value at least 1, got 0"),
        ({"seeds": []}, ("seeds",), "expected at least one seed, got none"),
        ({"seeds": [2, 2]}, ("seeds",), "expected seeds that differ, got [2, 2]"),
        ({"measure": "miss_rate"}, ("measure",), "expected one of 'miss-rate', 'eer', 'pauc', 'brier', got 'miss_"),
        ({"axes": {"a": {"set": "", "to": [1]}}}, ("axes", "a", "set"), "expected the key of an option, as in"),
        ({"axes": {"a": {"swap": "callbacks.", "with": ["ema"]}}}, ("axes", "a", "swap"), "expected the key of a com"),
        ({"axes": {"a": {"swap": "callbacks", "with": ["ema"]}}}, ("axes", "a", "swap"), "'callbacks' holds compone"),
        (
            {"axes": {"a": {"swap": "model", "with": ["crnn"], "set": "train.epochs", "to": [2]}}},
            ("axes", "a"),
            "expected swap = '…' with = […], or set = '…' to = […], and nothing else; an axis of a recipe below",
        ),
        ({"variants": {"a": {}}}, ("variants", "a"), "expected tables of a recipe, got an empty one"),
        ({"variants": {"a\nb": {"model": "crnn"}}}, ("variants", "a\nb"), "expected a name on one line"),
        ({"axes": {"a": {"set": "train.a", "to": []}}}, ("axes", "a", "to"), "expected at least one, got none"),
        ({"axes": {"a": {"swap": "model", "with": "crnn"}}}, ("axes", "a", "with"), "expected a list, got 'crnn'"),
        ({"axes": {"a": {"swap": 3, "with": ["crnn"]}}}, ("axes", "a", "swap"), "expected text, got 3"),
        ({"variants": {"": {"seed": 1}}}, ("variants", ""), "expected a name for the variant, got none"),
        ({"margin": {"err": 0.1}}, ("margin", "err"), "unknown option 'err' of [ablate.margin] (did you mean 'eer'?)"),
        ({"axes": settings(a=[1, 1])}, ("axes", "a", "to", 1), "two variants are named 'a = 1'; leave one out"),
        (
            {"axes": settings(a=[1]), "variants": {"a = 1": {"seed": 1}}},
            ("variants", "a = 1"),
            "two variants are named 'a = 1'",
        ),
        (
            {"mode": "grid", "axes": settings(a=[1], b=[2]), "variants": {"a = 1, b = 2": {"seed": 1}}},
            ("variants", "a = 1, b = 2"),
            "two variants are named 'a = 1, b = 2'",
        ),
        (
            {"mode": "grid", "leave_out": ["model"], "axes": {"arch": {"swap": "model", "with": ["crnn"]}}},
            ("axes", "arch", "swap"),
            "'model' is changed by 'model' already, and a grid combines changes of different keys",
        ),
        (
            {"mode": "grid", "leave_out": ["sampler"], "axes": {"sampler": {"set": "sampler.batch_size", "to": [8]}}},
            ("axes", "sampler", "set"),
            "leave_out has a 'sampler' too; name the axis otherwise",
        ),
    ],
)
def test_a_mistake_has_its_place(table: dict[str, Any], path: tuple[str, ...], words: str) -> None:
    """What is wrong with the table alone is said at the key that is wrong."""
    assert any(problem.path == path and problem.message.startswith(words) for problem in refused(**table)), refused(
        **table
    )


def test_all_mistakes_of_the_table_are_said_at_once() -> None:
    """One wrong part hides no other."""
    wrong = refused(
        seeds=[1, 1],
        mode="grd",
        level=2.0,
        leave_ot=[],
        axes={"a": {}, "b": {"set": "seed", "to": 1}},
        variants={"c": 3},
    )
    assert {problem.path for problem in wrong} == {
        ("seeds",), ("mode",), ("level",), ("leave_ot",), ("axes", "a"), ("axes", "b", "to"), ("variants", "c"),
    }  # fmt: skip
