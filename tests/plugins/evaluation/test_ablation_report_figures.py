"""What the forest plot draws is what was found: places, intervals, the band of the margin, and marks by verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest

from tests.ablation_support import ablation, grid
from wakekit.ablation import words
from wakekit.ablation.result import IDENTICAL
from wakekit_evaluation.report.ablation_figures import ablation_plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wakekit.ablation.result import Answer

WIDE, PHONE = 7.4, 3.8


def intervals(axes: Axes) -> list[tuple[float, tuple[float, float]]]:
    """Return the row and the ends of each horizontal line."""
    found = [np.asarray(line.get_xydata()) for line in axes.lines]
    return [(xy[0, 1], (xy[0, 0], xy[1, 0])) for xy in found if len(xy) == 2 and xy[0, 1] == xy[1, 1]]


def marks(axes: Axes) -> list[tuple[float, float, Any, Any]]:
    """Return value, row, shape and colour of each mark but the ends of intervals."""
    return [
        (*np.asarray(line.get_xydata())[0], line.get_marker(), line.get_color())
        for line in axes.lines
        if len(np.asarray(line.get_xydata())) == 1 and line.get_zorder() == 4
    ]


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_values_and_intervals_are_where_they_were_found(width: float) -> None:
    """Row by row from the top, what helps most first, in a panel for each measure that decides."""
    plot = ablation_plots(ablation())[0]
    panels: dict[str, list[Answer]] = {}
    for answer in words.ranked(ablation().answers):
        if words.deciding(answer) is not None:
            panels.setdefault(answer.measure, []).append(answer)
    figure = plot.draw(width)
    assert len(figure.axes) == len(panels) == 2
    for axes, answers in zip(figure.axes, panels.values(), strict=True):
        effects = [answer.effects[0] for answer in answers]
        assert intervals(axes) == [(row, (found.low, found.high)) for row, found in enumerate(effects)]
        assert [mark[0] for mark in marks(axes)][: len(effects)] == [found.value for found in effects]
        bottom, top = axes.get_ylim()
        assert bottom > top
        left, right = axes.get_xlim()
        assert left == -right
        assert right > max(abs(end or 0.0) for found in effects for end in (found.low, found.high))
        assert any(list(line.get_xdata()) == [0, 0] for line in axes.lines)
        bands = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in axes.patches]
        assert bands == [(-answers[0].margin, 2 * answers[0].margin, 1)] * len(marks(axes))


def test_verdicts_differ_in_shape_and_colour() -> None:
    """No two verdicts share a mark or a colour, and each row says its own in words; what is identical is at zero."""
    axes = ablation_plots(ablation())[0].draw(WIDE).axes[0]
    order = [answer for answer in words.ranked(ablation().answers) if answer.measure == "miss-rate"]
    drawn = [one.verdict for one in order if words.deciding(one) is not None or one.verdict == IDENTICAL]
    found = marks(axes)
    assert len(found) == len(drawn) == len({mark[2] for mark in found}) == len({mark[3] for mark in found})
    assert found[-1][:2] == (0.0, len(found) - 1)
    texts = [text.get_text() for text in axes.texts]
    assert texts[1::2] == [*drawn[:-1], "identical"]


@pytest.mark.parametrize(("better", "told"), [("lower", "← better with it · worse with it →"),
                                              ("higher", "← worse with it · better with it →")])  # fmt: skip
def test_the_axis_says_which_side_is_better(better: str, told: str) -> None:
    """Left of zero is better where a lower measure is, and worse where a higher one is."""
    first = ablation().answers[0]
    answer = attrs.evolve(first, effects=(attrs.evolve(first.effects[0], better=better),))
    axes = ablation_plots(ablation(answers=(answer,)))[0].draw(WIDE).axes[0]
    assert axes.get_xlabel() == f"difference in miss rate, points\n{told}"


def test_effects_of_a_grid_are_drawn_in_their_order() -> None:
    """Main effects come before interactions, without a band."""
    plots = ablation_plots(grid())
    assert [plot.name for plot in plots] == ["forest", "effects"]
    axes = plots[1].draw(WIDE).axes[0]
    assert [mark[0] for mark in marks(axes)] == [0.016, 0.039, 0.016]
    assert list(axes.patches) == []


def test_long_names_are_cut_to_the_width() -> None:
    """A name takes two lines at most beside the plot, and one over its row on a phone."""
    plot = ablation_plots(ablation())[0]
    for width, lines, letters in ((WIDE, 2, 34), (PHONE, 1, 42)):
        for text in plot.draw(width).axes[0].texts:
            told = text.get_text().split("\n")
            assert len(told) <= lines
            assert max(map(len, told)) <= letters


def test_nothing_to_draw_is_no_figure() -> None:
    """Without a number there is no plot."""
    assert ablation_plots(ablation(answers=tuple(attrs.evolve(one, effects=()) for one in ablation().answers))) == []
