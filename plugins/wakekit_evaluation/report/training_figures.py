"""How training went: a figure per family of numbers in an epoch's row, and then those of the series of callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wakekit_evaluation.report.series_figures import is_number, series_plots, slug
from wakekit_evaluation.report.theming import BLUE, CYCLE, LINE_STYLES, ORANGE, Plot, legend_below

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakekit.run_folder import Run

    Rows = Sequence[Mapping[str, Any]]

_COLOURS = {"train": ORANGE, "dev": BLUE}
_POSITIONS = ("epoch", "pass", "step", "steps")
_HEIGHT = 2.5


def training_plots(run: Run) -> list[Plot]:
    """Return a plot per family of numbers over epochs, then one per series."""
    epochs = [row for row in run.history if "series" not in row and is_number(row.get("epoch"))]
    families = [_family_plot(name, keys, epochs) for name, keys in _families(epochs).items()]
    return families + series_plots(run.history)


def _families(epochs: Rows) -> dict[str, list[str]]:
    """Group the numbers of an epoch that are drawn on one axis: losses, accuracies, the learning rate, each other."""
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(key for row in epochs for key in row):
        if key not in _POSITIONS and any(is_number(row.get(key)) for row in epochs):
            found.setdefault(_family(key), []).append(key)
    return found


def _family(key: str) -> str:
    if "loss" in key:
        return "loss"
    if "accuracy" in key:
        return "accuracy"
    return "learning rate" if key in {"lr", "learning_rate"} else key.replace("_", " ")


def _family_plot(family: str, keys: list[str], epochs: Rows) -> Plot:
    last = ", ".join(f"{key.replace('_', ' ')} {epochs[-1][key]:.4g}" for key in keys if is_number(epochs[-1].get(key)))
    return Plot(
        name=f"training-{slug(family)}",
        title=f"Training: {family}",
        caption=f"After the last epoch: {last}." if last else f"{family} by epoch",
        message=f"Training curve of {family} over {len(epochs)} epochs. {last}",
        draw=lambda width: _draw_family(family, keys, epochs, width),
    )


def _draw_family(family: str, keys: list[str], epochs: Rows, width: float) -> Figure:
    figure = Figure(figsize=(width, _HEIGHT), layout="constrained")
    axes = figure.add_subplot()
    for number, key in enumerate(keys):
        rows = [row for row in epochs if is_number(row.get(key))]
        colour = _COLOURS.get(key.split("_")[0], CYCLE[number % len(CYCLE)])
        axes.plot(
            [row["epoch"] for row in rows], [row[key] for row in rows], color=colour, label=key.replace("_", " "),
            linestyle=LINE_STYLES[number % len(LINE_STYLES)], marker="o" if len(rows) == 1 else None,
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.set_xlabel("epoch")
    axes.set_ylabel(family)
    if len(keys) > 1:
        legend_below(figure, axes, 3)
    return figure
