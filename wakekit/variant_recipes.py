"""Turn the variants of `[ablate]` into recipes, and refuse those that change nothing or are the same as another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit.changes import at, changes, substance
from wakekit.converter import ProblemsError
from wakekit.errors import Problem
from wakekit.kinds import SLOTS
from wakekit.layers import dotted
from wakekit.recipe_table import as_table
from wakekit.variants import FIXED, GRID, Variant, in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from wakekit.ablate_table import Asked, Factor
    from wakekit.recipe import Recipe
    from wakekit.settings import Target

    Resolve = Callable[[Variant], tuple[Sequence[Problem], Recipe | None]]

# What is measured, and how it is cut, shown and carried out, is no part of the detector that an ablation judges.
_AROUND = {"splitter", "trainer", "metric", "exporter", "report", "launcher"}
_TRIED = 100
_OTHER_TARGET = (
    "has another operating point: variants are compared at the recipe's own, of which only search may differ; "
    "change it in the recipe"
)
_OPTIONAL = tuple(slot for slot in SLOTS if (slot.many or slot.neutral) and slot.kind not in _AROUND)


def optional_parts(recipe: Recipe) -> tuple[str, ...]:
    """Return the keys of the components that the recipe could do without, in the order of its stages."""
    found: list[str] = []
    for slot in _OPTIONAL:
        if slot.many:
            found += [dotted((slot.key, name)) for name in recipe.many[slot.key]]
        elif recipe.single[slot.key].entry.component.name != slot.neutral:
            found.append(slot.key)
    return tuple(found)


class VariantsError(ProblemsError):
    """What is wrong with variants that were resolved, one and all."""


def level_problems(asked: Asked, resolve: Resolve) -> list[Problem]:
    """Return what is wrong with each thing that `[ablate]` tries by itself, where not all of it can be resolved."""
    levels = [*(level for factor in asked.factors for level in factor.levels), *asked.spelled]
    problems: dict[tuple[object, ...], Problem] = {}
    for level in levels[:_TRIED]:
        for problem in resolve(level)[0]:
            problems.setdefault(_gist(level, problem), problem)
    return list(problems.values())


def resolve_variants(recipe: Recipe, asked: Asked, variants: Sequence[Variant], *, resolve: Resolve) -> Recipe:
    """Return the recipe with its variants resolved and described.

    `resolve` returns a variant's problems, or its recipe. What a grid combines is resolved only where each level is
    right by itself, so that a mistake is said once. Raises VariantsError with all, with paths within `[ablate]`.
    """
    grid = asked.table.mode == GRID
    levels = {factor.name: _own_level(recipe, factor) for factor in asked.factors} if grid else {}
    seen: dict[str, str] = {substance(recipe): ""}
    found: dict[str, Recipe] = {}
    problems: dict[tuple[object, ...], Problem] = {}
    for wave in (
        [variant for variant in variants if len(variant.levels) <= 1],
        [variant for variant in variants if len(variant.levels) > 1],
    ):
        for variant in wave if not problems else ():
            wrong, other = resolve(variant)
            if other is not None:
                found[variant.name] = other
                same = seen.setdefault(substance(other), variant.name)
                wrong = [] if same == variant.name else [_same(variant, same, grid=grid)]
                if _target(other) != _target(recipe):
                    wrong.append(Problem(variant.place, f"variant {variant.name!r} {_OTHER_TARGET}"))
            for problem in wrong:
                problems.setdefault(_gist(variant, problem), problem)
    if problems:
        raise VariantsError(tuple(problems.values()))
    table = as_table(recipe)
    described = {
        variant.name: attrs.evolve(
            variant,
            subject=_subject(table, variant),
            levels={**levels, **variant.levels} if variant.levels else {},
            changes=changes(recipe, found[variant.name]),
        )
        for variant in variants
    }
    recipes = {name: found[name] for name in described}
    return attrs.evolve(recipe, variants=recipes, ablate=asked.table, described=described, levels=levels)


def _target(recipe: Recipe) -> Target:
    """Return what thresholds are chosen for, without the settings of the detector to choose from."""
    return attrs.evolve(recipe.settings.operating_point, search={})


def _gist(variant: Variant, problem: Problem) -> tuple[object, ...]:
    """Return what two levels of an axis have in common that suffer from the same mistake in its key."""
    return problem.path, problem.message.replace(repr(variant.name), "", 1)


def _same(variant: Variant, other: str, *, grid: bool) -> Problem:
    name = f"variant {variant.name!r}"
    if other:
        way = "exclude one of them" if grid and variant.levels else "leave one out"
        return Problem(variant.place, f"{name} is the same as variant {other!r}; {way}")
    if grid and variant.levels:
        return Problem(
            variant.place, f"{name} changes nothing; a grid has the recipe's own level of every axis already"
        )
    aside = [edit.path[0] for edit in variant.edits]
    if "seed" in aside:
        return Problem(variant.place, f"{name} changes nothing: seeds of training are those of ablate.seeds")
    if "ablate" in aside or "vars" in aside:
        key = "ablate" if "ablate" in aside else "vars"
        return Problem(variant.place, f"{name} changes nothing: {FIXED[key]}")
    return Problem(variant.place, f"{name} changes nothing; leave it out")


def _subject(table: Mapping[str, object], variant: Variant) -> str:
    """Return what a verdict is about: of components left out, their keys and the names of the recipe's own."""
    if not variant.left_out:
        return variant.subject
    return " and ".join(_named(table, edit.path) for edit in variant.edits)


def _named(table: Mapping[str, object], path: tuple[str, ...]) -> str:
    held = at(table, path)
    key = ".".join(path)
    return f"{key} ({held['type']})" if isinstance(held, dict) and "type" in held else key


def _own_level(recipe: Recipe, factor: Factor) -> str:
    """Return the recipe's own level in words: the component's name, or the option's value."""
    if factor.left_out:
        return "with"
    table = as_table(recipe)
    held = at(table, factor.path)
    if held is None:
        held = at(recipe.merged.table, factor.path)
    if held is None:
        return f"no {'.'.join(factor.path)}" if factor.levels[0].edits[0].swaps else "not set"
    return str(held["type"]) if isinstance(held, dict) and "type" in held else in_words(held)
