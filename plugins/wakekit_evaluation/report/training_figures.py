"""How training went: a figure per family of numbers in an epoch's row, and one per series that a callback recorded."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from wakekit_evaluation.report import text
from wakekit_evaluation.report.theming import BLUE, ORANGE, PURPLE, RED, TEAL, Plot, legend_below

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakekit.run_folder import Run

    Rows = Sequence[Mapping[str, Any]]

_COLOURS = {"train": ORANGE, "dev": BLUE}
_CYCLE = (BLUE, ORANGE, PURPLE, TEAL)
_STYLES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
_POSITIONS = ("epoch", "step", "steps")
_HEIGHT = 2.5


def training_plots(run: Run) -> list[Plot]:
    """Return a plot per family of numbers over epochs, then one per series."""
    epochs = [row for row in run.history if "series" not in row and _number(row.get("epoch"))]
    series: dict[str, list[Mapping[str, Any]]] = {}
    for row in run.history:
        if "series" in row and _number(row.get("x")) and _number(row.get("y")):
            series.setdefault(str(row["series"]), []).append(row)
    families = [_family_plot(name, keys, epochs) for name, keys in _families(epochs).items()]
    return families + [_series_plot(number, name, rows) for number, (name, rows) in enumerate(series.items())]


def _families(epochs: Rows) -> dict[str, list[str]]:
    """Group the numbers of an epoch that are drawn on one axis: losses, accuracies, the learning rate, each other."""
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for row in epochs for key in row):
        if key not in _POSITIONS and any(_number(row.get(key)) for row in epochs):
            found.setdefault(_family(key), []).append(key)
    return found


def _family(key: str) -> str:
    if "loss" in key:
        return "loss"
    if "accuracy" in key:
        return "accuracy"
    return "learning rate" if key in {"lr", "learning_rate"} else key.replace("_", " ")


def _family_plot(family: str, keys: list[str], epochs: Rows) -> Plot:
    last = ", ".join(f"{key.replace('_', ' ')} {epochs[-1][key]:.4g}" for key in keys if _number(epochs[-1].get(key)))
    return Plot(
        name=f"training-{_slug(family)}",
        title=f"Training: {family}",
        caption=f"After the last epoch: {last}." if last else f"{family} by epoch",
        message=f"Training curve of {family} over {len(epochs)} epochs. {last}",
        draw=lambda width: _draw_family(family, keys, epochs, width),
    )


def _draw_family(family: str, keys: list[str], epochs: Rows, width: float) -> Figure:
    figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    for number, key in enumerate(keys):
        rows = [row for row in epochs if _number(row.get(key))]
        colour = _COLOURS.get(key.split("_")[0], _CYCLE[number % len(_CYCLE)])
        axes.plot(
            [row["epoch"] for row in rows], [row[key] for row in rows], color=colour, label=key.replace("_", " "),
            linestyle=_STYLES[number % len(_STYLES)], marker="o" if len(rows) == 1 else None,
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel("epoch")
    axes.set_ylabel(family)
    if len(keys) > 1:
        legend_below(figure, axes, 3)
    return figure


def _series_plot(number: int, name: str, rows: Rows) -> Plot:
    marked = [f"{row['x']:.4g}" for row in rows if row.get("mark")]
    said = f" Marked: {', '.join(marked)}." if marked else ""
    return Plot(
        name=f"series-{number}-{_slug(name)}",
        title=name,
        caption=f"{len(rows)} values recorded in training.{said}",
        message=f"{name}, {len(rows)} values.{said}",
        draw=lambda width: _draw_series(name, rows, width),
    )


def _draw_series(name: str, rows: Rows, width: float) -> Figure:
    figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    line, marks = [row for row in rows if not row.get("mark")], [row for row in rows if row.get("mark")]
    axes.plot(
        [row["x"] for row in line], [row["y"] for row in line], color=BLUE, linewidth=1.3,
        marker="o" if len(line) == 1 else None,
    )  # fmt: skip
    for mark in marks:
        axes.axvline(mark["x"], color=RED, linewidth=1)
        axes.text(
            mark["x"], 1.01, f"{mark['x']:.3g}", transform=axes.get_xaxis_transform(), ha="center", va="bottom",
            color=RED,
        )  # fmt: skip
    axes.plot([row["x"] for row in marks], [row["y"] for row in marks], "o", color=RED, zorder=4)
    if any(row.get("x_log") for row in rows) and all(row["x"] > 0 for row in rows):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: text.power(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(str(rows[0].get("x_label", "")))
    axes.set_ylabel(name)
    return figure


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "series"
