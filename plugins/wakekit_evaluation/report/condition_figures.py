"""How the frozen operating point fares where things change: under every condition, and by signal-to-noise ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from wakekit.intervals import wilson
from wakekit_evaluation.report.breakdowns import Tally, by_snr
from wakekit_evaluation.report.tables import judged_worst_first
from wakekit_evaluation.report.theming import BLUE, DASHED, INK, MUTED, ORANGE, PAPER, Plot, in_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from wakekit.data import Measure
    from wakekit.run_folder import Run

_LONGEST = 22


def conditions_plot(run: Run) -> Plot | None:
    """Return the misses and false accepts under every condition; None where the run has none."""
    if not run.conditions:
        return None
    return Plot(
        name="conditions",
        title="Miss rate and false accepts under every condition",
        caption="Each at the threshold chosen on dev, with 95 % intervals; the dashed line is test as it is.",
        message="Miss rate and false accepts per hour under each condition; the table below holds the numbers",
        draw=lambda width: _draw_conditions(run, width),
        wide=True,
    )


def _draw_conditions(run: Run, width: float) -> Figure:
    rows = judged_worst_first(run)
    stacked = width < 6  # noqa: PLR2004
    height = 0.9 + 0.3 * len(rows)
    figure = Figure(figsize=(width, 2 * height if stacked else height), layout="constrained")
    panels = figure.subplots(2, 1, sharex=False) if stacked else figure.subplots(1, 2, sharey=True)
    names = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name, _ in rows]
    for axes, measure, colour, label in zip(
        panels, ("false-rejects", "fa-per-hour"), (BLUE, ORANGE), ("keywords missed", "false accepts per hour"),
        strict=True,
    ):  # fmt: skip
        _dots(axes, [judged.measure(measure) for _, judged in rows], colour)
        axes.set_yticks(range(len(rows)), names)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0, labelcolor=INK)
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_xlim(-0.02 * axes.get_xlim()[1], None)
        axes.set_xlabel(label)
    in_percent(panels[0].xaxis)
    return figure


def _dots(axes: Axes, measures: Sequence[Measure | None], colour: str) -> None:
    for row, measure in enumerate(measures):
        if measure is None or measure.value is None:
            continue
        value = measure.value
        low, high = (value if end is None else end for end in (measure.low, measure.high))
        axes.errorbar(
            [value], [row], xerr=[[max(value - low, 0)], [max(high - value, 0)]], color=colour, elinewidth=1.4,
            capsize=3, marker="D" if row == 0 else "o", markersize=6.5, markeredgecolor=PAPER, zorder=3,
        )  # fmt: skip
        if row == 0:
            axes.axvline(value, color=MUTED, linewidth=0.9, linestyle=DASHED, zorder=1)


def snr_plot(run: Run) -> Plot | None:
    """Return the misses by SNR; None where no word carries one."""
    tallies = by_snr(run)
    if not tallies:
        return None
    return Plot(
        name="snr",
        title="Misses by signal-to-noise ratio",
        caption="Words of test streams in steps of 5 dB, with Wilson's 95 % interval and the number of words.",
        message="Share of words missed by signal-to-noise ratio; the table beside it holds the numbers",
        draw=lambda width: _draw_snr(tallies, width),
    )


def _draw_snr(tallies: Sequence[tuple[float, Tally]], width: float) -> Figure:
    figure = Figure(figsize=(width, 2.9), layout="constrained")
    axes = figure.add_subplot()
    for low, tally in tallies:
        bounds, value = wilson(tally.wrong, tally.of), tally.wrong / tally.of
        axes.errorbar(
            [low + 2.5], [value], yerr=[[max(value - bounds.low, 0)], [max(bounds.high - value, 0)]], color=BLUE,
            marker="o", markersize=6, markeredgecolor=PAPER, elinewidth=1.3, capsize=3,
        )  # fmt: skip
        axes.text(low + 2.5, 1.02, str(tally.of), ha="center", va="bottom", color=MUTED, fontsize=7.5)
    axes.set_ylim(0, 1)
    axes.set_xlim(tallies[0][0] - 0.5, tallies[-1][0] + 5.5)
    in_percent(axes.yaxis)
    axes.set_xlabel("SNR, dB")
    axes.set_ylabel("words missed")
    return figure
