"""The forest plot of an ablation: differences with intervals, the zero line, and the margin that counts as none.

Marks differ in shape and colour, and each row says its verdict in words.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import attrs
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from wakekit.ablation import words
from wakekit.ablation.result import CANNOT_TELL, HELPS, HURTS, IDENTICAL, NO_DIFFERENCE
from wakekit_evaluation.report.theming import BLUE, GRID, INK, MUTED, ORANGE, PAPER, RED, TEAL, Plot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from wakekit.ablation.result import AblationResult, Effect, Term

_MARKS = {
    HELPS: ("o", TEAL),
    HURTS: ("X", RED),
    NO_DIFFERENCE: ("s", BLUE),
    CANNOT_TELL: ("D", ORANGE),
    IDENTICAL: ("|", INK),
}
_OTHER = ("o", BLUE)
_PHONE = 6  # inches: below it labels stand over their row
_LABEL, _LINE = 42, 34  # letters of a label on a phone, and of a line of one beside the plot
_FAR = 4.0  # intervals are cut where they are so many times longer than the largest difference


@attrs.frozen(kw_only=True)
class _Row:
    """A row of the plot; without an interval where `low` is None."""

    label: str
    verdict: str
    value: float
    low: float | None
    high: float | None
    margin: float


@attrs.frozen(kw_only=True)
class _Panel:
    """The rows that one measure decides."""

    measure: str
    unit: str
    better: str
    rows: tuple[_Row, ...]


def ablation_plots(result: AblationResult) -> list[Plot]:
    """Return the forest plot, and that of a grid's effects; none where nothing was measured."""
    found = [_forest(result), _effects(result)]
    return [plot for plot in found if plot is not None]


def _forest(result: AblationResult) -> Plot | None:
    panels = _panels(result)
    if not panels:
        return None
    drawn = sum(len(panel.rows) for panel in panels)
    left = len(result.answers) - drawn
    absent = "" if not left else f" {left} of {len(result.answers)} variants have no number and are not drawn."
    if any(_goes_on(row, _limit(panel.rows)) for panel in panels for row in panel.rows):
        absent = f" An arrow says that an interval goes on.{absent}"
    level = words.percent(result.level)
    return Plot(
        name="forest",
        title=f"What each makes of the {_named(panels)}",
        caption=f"Difference with {level} interval, each by itself, what helps most first; the verdict takes p "
        "adjusted over all variants, so that an interval clear of zero can still go with “cannot tell”. The band is "
        f"what counts as no difference.{absent}",
        message=f"Difference in {_named(panels)} that each variant makes, with its {level} interval; the table below "
        "holds the numbers",
        draw=lambda width: _draw(panels, width),
        wide=True,
    )


def _effects(result: AblationResult) -> Plot | None:
    terms = [term for term in result.terms if words.known(term.effect.value) is not None]
    if not terms:
        return None
    groups: dict[str, list[Term]] = {}
    for term in sorted(terms, key=lambda term: term.order):
        groups.setdefault(term.effect.measure, []).append(term)
    panels = [
        _panel(group[0].effect, [_row(term.name, "", term.effect, 0.0) for term in group]) for group in groups.values()
    ]
    return Plot(
        name="effects",
        title="Main effects and interactions",
        caption=f"Difference with {words.percent(result.level)} interval, each by itself. An interaction is what a "
        "combination adds to the sum of its parts.",
        message=f"Main effects and interactions in {_named(panels)}; the table below holds the numbers",
        draw=lambda width: _draw(panels, width),
        wide=True,
    )


def _panels(result: AblationResult) -> list[_Panel]:
    """Return the rows of each measure that decides; what is identical stands on the zero line of its measure."""
    answers = words.ranked(result.answers)
    shown: dict[str, Effect] = {}
    for answer in answers:
        effect = words.deciding(answer)
        if effect is not None:
            shown.setdefault(answer.measure, effect)
    rows: dict[str, list[_Row]] = {measure: [] for measure in shown}
    for answer in answers:
        effect = words.deciding(answer)
        if effect is not None:
            rows[answer.measure].append(_row(answer.subject, answer.verdict, effect, answer.margin))
        elif answer.verdict == IDENTICAL and answer.measure in rows:
            still = attrs.evolve(shown[answer.measure], value=0.0, low=None, high=None)
            rows[answer.measure].append(_row(answer.subject, answer.verdict, still, answer.margin))
    return [_panel(effect, rows[measure]) for measure, effect in shown.items()]


def _panel(effect: Effect, rows: Sequence[_Row]) -> _Panel:
    return _Panel(measure=effect.measure, unit=effect.unit, better=effect.better, rows=tuple(rows))


def _row(label: str, verdict: str, effect: Effect, margin: float) -> _Row:
    low, high = words.known(effect.low), words.known(effect.high)
    bounded = low is not None and high is not None
    return _Row(
        label=" ".join(label.split()), verdict=verdict, value=effect.value or 0.0, low=low if bounded else None,
        high=high if bounded else None, margin=margin,
    )  # fmt: skip


def _named(panels: Sequence[_Panel]) -> str:
    return " and the ".join(words.measure_name(panel.measure) for panel in panels)


def _draw(panels: Sequence[_Panel], width: float) -> Figure:
    phone = width < _PHONE
    heights = [0.85 + (0.52 if phone else 0.4) * len(panel.rows) for panel in panels]
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    stack = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for (axes,), panel in zip(stack, panels, strict=True):
        limit = _limit(panel.rows)
        for at, row in enumerate(panel.rows):
            _draw_row(axes, at, row, limit)
            _label(axes, at, row, phone=phone)
        _dress(axes, panel, limit, phone=phone)
    return figure


def _draw_row(axes: Axes, at: int, row: _Row, limit: float) -> None:
    mark, colour = _MARKS.get(row.verdict, _OTHER)
    if row.margin > 0:
        axes.barh(at, 2 * row.margin, left=-row.margin, height=1, color=GRID, linewidth=0.5, zorder=0.5)
    if row.low is not None and row.high is not None:
        axes.plot([max(row.low, -limit), min(row.high, limit)], [at, at], color=colour, linewidth=1.8, zorder=3)
        for end, cut, arrow in ((row.low, row.low < -limit, "<"), (row.high, row.high > limit, ">")):
            place = min(max(end, -limit), limit)
            axes.plot(place, at, marker=arrow if cut else "|", color=colour, markersize=6, zorder=3)
    still = mark == "|"
    axes.plot(
        row.value,
        at,
        marker=mark,
        color=colour,
        markersize=11 if still else 7.5,
        markeredgewidth=2 if still else 0.8,
        markeredgecolor=colour if still else PAPER,
        zorder=4,
    )


def _label(axes: Axes, at: int, row: _Row, *, phone: bool) -> None:
    verdict = "identical" if row.verdict == IDENTICAL else row.verdict
    sides = axes.get_yaxis_transform()
    if phone:
        name = _cut(row.label, _LABEL - len(verdict))
        axes.text(0, at - 0.3, name, transform=sides, va="center", color=INK, fontsize=8.5, zorder=5)
        axes.text(1, at - 0.3, verdict, transform=sides, va="center", ha="right", color=INK, fontsize=8.5, zorder=5)
        return
    lines = textwrap.wrap(row.label, _LINE, break_on_hyphens=False)
    name = "\n".join([*lines[:1], _cut(" ".join(lines[1:]), _LINE)] if len(lines) > 1 else lines)
    axes.text(-0.02, at, name, transform=sides, va="center", ha="right", color=INK, fontsize=8.5, linespacing=1.15)
    axes.text(1.02, at, verdict, transform=sides, va="center", color=INK, fontsize=8.5)


def _dress(axes: Axes, panel: _Panel, limit: float, *, phone: bool) -> None:
    axes.axvline(0, color=MUTED, linewidth=1.0, zorder=2)
    axes.set_ylim(len(panel.rows) - 0.5, -0.65 if phone else -0.5)
    axes.set_xlim(-1.06 * limit, 1.06 * limit)
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5 if phone else 9, symmetric=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, panel.unit)))
    unit = {"share": ", points", "1/h": " (per hour)"}.get(panel.unit, "")
    # A lower miss rate is better: what helps lies to the left of zero.
    left, right = ("better", "worse") if panel.better == "lower" else ("worse", "better")
    named = f"difference in {words.measure_name(panel.measure)}{unit}"
    arrows = f"← {left} with it · {right} with it →"
    axes.set_xlabel(f"{named}\n{arrows}", color=INK, linespacing=1.35)


def _limit(rows: Sequence[_Row]) -> float:
    """Return how far the axis goes to either side: to the end of every interval, save those that dwarf the rest."""
    near = max(max(abs(row.value), 1.5 * row.margin) for row in rows)
    far = max(abs(end) for row in rows for end in (row.low, row.high, row.value) if end is not None)
    return min(max(near, far), _FAR * near) if near else (far or 1.0)


def _goes_on(row: _Row, limit: float) -> bool:
    return row.low is not None and row.high is not None and (row.low < -limit or row.high > limit)


def _tick(value: float, unit: str) -> str:
    scaled = 100 * value if unit == "share" else value
    return "0" if abs(scaled) < 1e-12 else f"{scaled:+.6g}".replace("-", words.MINUS)  # noqa: PLR2004


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
