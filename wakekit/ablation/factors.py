"""Grids: what each level of an axis makes of the deciding measure, and where two axes depend on each other.

A main effect is the mean over all pairs of cells that differ in one axis alone. An interaction is the difference of
such differences. Both go through the same analysis as a single variant, as one contrast of cells.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import attrs

from wakekit.ablation.effects import contrast
from wakekit.ablation.measures import Samples
from wakekit.ablation.result import Term
from wakekit.ablation.verdicts import holm

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from wakekit.ablation.evidence import Evidence
    from wakekit.settings import Target
    from wakekit.variants import Ablate

Levels = frozenset[tuple[str, str]]


def terms(
    levels: Mapping[str, Mapping[str, str]],
    evidence: Mapping[str, Mapping[int, Evidence]],
    *,
    ablate: Ablate,
    target: Target,
    left_out: Collection[str] = (),
    seed: int = 0,
) -> tuple[Term, ...]:
    """Return the main effects of a grid and the interactions of two axes each.

    `levels` gives each variant's level on each axis (the recipe's own where it has none), `evidence` its finished
    seeds, both with the recipe under "". A level is set against the recipe's own on that axis; on axes in `left_out`
    the other way round, as their other level is to be without something. Cells whose counterpart is missing are not
    used, nor are seeds that some cell lacks; a term without any cell is left out. `adjusted_p` is Holm's over them all.
    """
    own = levels[""]
    levels = {name: {**own, **found} for name, found in levels.items()}
    cells = {frozenset(levels[name].items()): name for name in levels if evidence.get(name)}
    others = {
        axis: list(dict.fromkeys(found[axis] for found in levels.values() if found[axis] != own[axis])) for axis in own
    }
    samples = Samples(evidence, target, seed=seed)
    signs = {axis: -1.0 if axis in left_out else 1.0 for axis in own}
    found = []
    for order in (1, 2):
        for axes in combinations(own, order):
            for chosen in _levels(axes, others):
                weights = _weights(cells, {axis: own[axis] for axis in axes}, chosen, signs)
                seeds = sorted(set.intersection(*(set(evidence[name]) for name in weights))) if weights else []
                if seeds:
                    measure = ablate.measure or "miss-rate"
                    effect = contrast(samples, measure, weights, seeds, level=ablate.level).effect
                    found.append(Term(name=_name(chosen, own, left_out), order=order, effect=effect))
    tested = [at for at, term in enumerate(found) if term.effect.p is not None]
    for at, p in zip(tested, holm([found[at].effect.p or 0.0 for at in tested]), strict=True):
        found[at] = attrs.evolve(found[at], effect=attrs.evolve(found[at].effect, adjusted_p=p))
    return tuple(found)


def _levels(axes: tuple[str, ...], others: Mapping[str, list[str]]) -> Iterator[dict[str, str]]:
    if not axes:
        yield {}
        return
    for level in others[axes[0]]:
        for rest in _levels(axes[1:], others):
            yield {axes[0]: level, **rest}


def _weights(
    cells: Mapping[Levels, str], own: Mapping[str, str], chosen: Mapping[str, str], signs: Mapping[str, float]
) -> dict[str, float]:
    """Return the weight of each cell in a contrast; empty where no cell has all its counterparts."""
    groups = []
    for found in cells:
        table = dict(found)
        if all(table[axis] == level for axis, level in chosen.items()):
            group = _group(cells, table, own, chosen, signs)
            if group:
                groups.append(group)
    weights: dict[str, float] = {}
    for group in groups:
        for name, weight in group:
            weights[name] = weights.get(name, 0.0) + weight / len(groups)
    return weights


def _group(
    cells: Mapping[Levels, str],
    table: Mapping[str, str],
    own: Mapping[str, str],
    chosen: Mapping[str, str],
    signs: Mapping[str, float],
) -> list[tuple[str, float]]:
    """Return a cell and its counterparts with the recipe's own levels, with their signs; empty where one is missing."""
    corners: list[tuple[dict[str, str], float]] = [(dict(table), 1.0)]
    for axis in chosen:
        back = [({**corner, axis: own[axis]}, -sign) for corner, sign in corners]
        corners = [(corner, signs[axis] * sign) for corner, sign in corners + back]
    names = [(cells.get(frozenset(corner.items())), sign) for corner, sign in corners]
    return [] if any(name is None for name, _ in names) else [(name or "", sign) for name, sign in names]


def _name(chosen: Mapping[str, str], own: Mapping[str, str], left_out: Collection[str]) -> str:
    parts = [axis if axis in left_out else f"{axis} = {level}" for axis, level in chosen.items()]
    if len(parts) > 1:
        return " × ".join(parts)
    axis = next(iter(chosen))
    return parts[0] if axis in left_out else f"{parts[0]} (against {own[axis]})"
