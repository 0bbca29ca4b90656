"""Main effects and interactions of grids, of cells whose misses are planted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.ablation.simulated import TARGET, counted
from wakekit.ablation.factors import terms
from wakekit.ablation.verdicts import holm
from wakekit.variants import Ablate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.ablation.evidence import Evidence
    from wakekit.ablation.result import Term

LEVELS = {
    "": {"cmvn": "on", "ema": "no"},
    "a": {"cmvn": "off", "ema": "no"},
    "b": {"cmvn": "on", "ema": "yes"},
    "c": {"cmvn": "off", "ema": "yes"},
}
MISSED = {"": 1, "a": 3, "b": 2, "c": 7}


def planted(missed: Mapping[str, int]) -> dict[str, dict[int, Evidence]]:
    """Return three seeds of each cell, in which one speaker in seeds 1 and 2 misses one word more."""
    return {
        name: {seed: counted([count] * 5 + [count + int(seed > 0)], noise=10 * at + seed) for seed in range(3)}
        for at, (name, count) in enumerate(missed.items())
    }


def found_in(levels: Mapping[str, Mapping[str, str]], missed: Mapping[str, int], **more: object) -> dict[str, Term]:
    """Return the terms by name."""
    found = terms(levels, planted(missed), ablate=Ablate(), target=TARGET, **more)
    return {term.name: term for term in found}


def test_a_grid_of_two_by_two_is_worked_by_hand() -> None:
    """Main effects are means over the other axis, the interaction is the difference of the differences."""
    found = found_in(LEVELS, MISSED)
    values = {name: term.effect.value for name, term in found.items()}
    assert values == pytest.approx(
        {"cmvn = off (against on)": 0.35, "ema = yes (against no)": 0.25, "cmvn = off × ema = yes": 0.3}
    )
    assert [term.order for term in found.values()] == [1, 1, 2]
    assert [term.effect.adjusted_p for term in found.values()] == holm(
        [term.effect.p or 0.0 for term in found.values()]
    )


def test_what_an_axis_leaves_out_is_told_as_what_it_does() -> None:
    """The sign turns, for an interaction once per such axis."""
    found = found_in(LEVELS, MISSED, left_out={"cmvn"})
    assert {name: term.effect.value for name, term in found.items()} == pytest.approx(
        {"cmvn": -0.35, "ema = yes (against no)": 0.25, "cmvn × ema = yes": -0.3}
    )


def test_a_cell_without_its_counterpart_is_not_used() -> None:
    """Without the cell in which both change there is no interaction, and main effects are those of one pair."""
    levels = {name: LEVELS[name] for name in ("", "a", "b")}
    found = found_in(levels, {name: MISSED[name] for name in levels})
    assert {name: term.effect.value for name, term in found.items()} == pytest.approx(
        {"cmvn = off (against on)": 0.2, "ema = yes (against no)": 0.1}
    )


def test_each_level_is_set_against_the_recipes_own() -> None:
    """An axis of three levels has two effects, and so many interactions with an axis of two."""
    levels = {**LEVELS, "d": {"cmvn": "half", "ema": "no"}, "e": {"cmvn": "half", "ema": "yes"}}
    found = found_in(levels, {**MISSED, "d": 1, "e": 4})
    values = {name: term.effect.value for name, term in found.items()}
    assert values["cmvn = half (against on)"] == pytest.approx(0.1)
    assert values["cmvn = half × ema = yes"] == pytest.approx(0.2)
    assert values["ema = yes (against no)"] == pytest.approx((1 + 4 + 3) / 30)
    assert len(values) == 5


def test_seeds_that_a_cell_lacks_are_left_out() -> None:
    """A seed counts for a term where all of its cells have it; a cell that failed altogether is as if excluded."""
    evidence = planted(MISSED)
    del evidence["c"][2]
    found = terms(LEVELS, evidence, ablate=Ablate(), target=TARGET)
    assert [term.effect.value for term in found] == pytest.approx([0.35, 0.25, 0.3])
    evidence["c"] = {}
    assert [term.order for term in terms(LEVELS, evidence, ablate=Ablate(), target=TARGET)] == [1, 1]
