"""The series that callbacks recorded in training, a figure for each.

A row of a series has the keys `series`, `x` and `y` (a number, or lists of as many), and where wanted `line`,
`x_label`, `y_label`, `x_log` and `mark`; values that are no finite numbers are left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from wakekit_evaluation.report import text
from wakekit_evaluation.report.theming import CYCLE, INK, LINE_STYLES, MUTED, RED, Plot, legend_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    Rows = Sequence[Mapping[str, Any]]
    Points = np.ndarray[tuple[int, int], np.dtype[np.float64]]

_HEIGHT = 2.5
_NAMED = len(CYCLE)
# Lines of this name sum up the others and stand out from them.
_MAIN = ("total", "smoothed")
_POINTS, _GREY_POINTS = 600, 120


@attrs.frozen(eq=False, kw_only=True)
class _Series:
    """A figure's data: the points [n, 2] of every line, and the points [m, 2] that are marked."""

    name: str
    lines: Mapping[str, Points]
    marks: Points
    x_label: str
    y_label: str
    x_log: bool

    @property
    def main(self) -> str | None:
        """The line that sums up the others."""
        return next((name for name in _MAIN if name in self.lines), None) if len(self.lines) > 1 else None

    def named(self) -> list[str]:
        """Return the lines that the legend names, those of the highest values on average where there are many."""
        others = [name for name in self.lines if name != self.main]
        if len(others) > _NAMED:
            others = sorted(others, key=lambda name: -float(self.lines[name][:, 1].mean()))[: _NAMED - 1]
        return others

    def everything(self) -> str:
        """Say what was recorded."""
        count = sum(map(len, self.lines.values()))
        grey = len(self.lines) - len(self.named()) - (self.main is not None)
        parts = [f"{count} values recorded in training"]
        parts += [f"{len(self.lines)} lines, of which the {grey} with the lowest values on average are grey"] * (
            grey > 0
        )
        parts += [f"Marked: {', '.join(f'{x:.4g}' for x in self.marks[:, 0])}"] * (len(self.marks) > 0)
        return ". ".join(parts) + "."


def series_plots(history: Rows) -> list[Plot]:
    """Return a plot per series, in the order they were first recorded."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for row in history:
        if "series" in row and len(_points([row])):
            rows.setdefault(str(row["series"]), []).append(row)
    return [_plot(number, _series(name, found)) for number, (name, found) in enumerate(rows.items())]


def _series(name: str, rows: Rows) -> _Series:
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if not row.get("mark"):
            lines.setdefault(str(row.get("line", "")), []).append(row)
    return _Series(
        name=name,
        lines={line: _points(found) for line, found in lines.items()},
        marks=_points([row for row in rows if row.get("mark")]),
        x_label=str(rows[0].get("x_label", "")),
        y_label=str(rows[0].get("y_label", name)),
        x_log=any(bool(row.get("x_log")) for row in rows) and bool((_points(rows)[:, 0] > 0).all()),
    )


def _points(rows: Rows) -> Points:
    """Return the finite points of some rows, float64 [n, 2]."""
    pairs = [
        (x, y)
        for row in rows
        for x, y in zip(_listed(row.get("x")), _listed(row.get("y")), strict=False)
        if is_number(x) and is_number(y)
    ]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plot(number: int, series: _Series) -> Plot:
    said = series.everything()
    return Plot(
        name=f"series-{number}-{slug(series.name)}",
        title=series.name,
        caption=said,
        message=f"{series.name}: {said}",
        draw=lambda width: _draw(series, width),
    )


def _draw(series: _Series, width: float) -> Figure:
    figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    _draw_lines(axes, series)
    for x, _ in series.marks:
        axes.axvline(x, color=RED, linewidth=1)
        axes.text(x, 1.01, f"{x:.3g}", transform=axes.get_xaxis_transform(), ha="center", va="bottom", color=RED)
    axes.plot(*series.marks.T, "o", color=RED, zorder=4)
    if series.x_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text.power(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    elif all((points[:, 0] % 1 == 0).all() for points in series.lines.values()):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel(series.x_label)
    axes.set_ylabel(series.y_label)
    if len(series.lines) > 1:
        legend_below(figure, axes, 2)
    return figure


def _draw_lines(axes: Axes, series: _Series) -> None:
    """Draw the main line thick and on top, those the legend names in colours, the rest in grey below."""
    named, main = series.named(), series.main
    colours = CYCLE if main is None else CYCLE[1:] + CYCLE[:1]
    for name, points in series.lines.items():
        if name != main and name not in named:
            axes.plot(*_thinned(points, _GREY_POINTS).T, color=MUTED, linewidth=0.5, alpha=0.45, zorder=1.5)
    if main is not None:
        axes.plot(*_thinned(series.lines[main], _POINTS).T, color=INK, linewidth=1.7, label=main, zorder=3)
    for place, name in enumerate(named):
        points = _thinned(series.lines[name], _POINTS)
        axes.plot(
            *points.T, color=colours[place % _NAMED], linestyle=LINE_STYLES[place % _NAMED], label=name or series.name,
            linewidth=1.3 if main is None else 0.9, marker="o" if len(points) == 1 else None, zorder=2,
        )  # fmt: skip


def _thinned(points: Points, most: int) -> Points:
    """Keep at most so many points: the lowest and the highest of each stretch, so that no peak is lost."""
    if len(points) <= most:
        return points
    kept = set[int]()
    for part in np.array_split(np.arange(len(points)), most // 2):
        kept |= {int(part[points[part, 1].argmin()]), int(part[points[part, 1].argmax()])}
    return points[sorted(kept)]


def is_number(value: object) -> bool:
    """Say whether a value of a row is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def slug(name: str) -> str:
    """Return a name as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "series"
