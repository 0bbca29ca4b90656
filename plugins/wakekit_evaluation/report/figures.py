"""All figures of a run, by the section they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit_evaluation.report.clip_figures import clip_plots
from wakekit_evaluation.report.condition_figures import conditions_plot, snr_plot
from wakekit_evaluation.report.curve_figure import curve_plot
from wakekit_evaluation.report.training_figures import training_plots

if TYPE_CHECKING:
    from wakekit.run_folder import Run
    from wakekit_evaluation.report.theming import Plot


def plots_by_section(run: Run) -> dict[str, list[Plot]]:
    """Return the plots that the run's files allow, by section."""
    sections: dict[str, list[Plot | None]] = {
        "curve": [curve_plot(run)],
        "clips": [*clip_plots(run)],
        "training": [*training_plots(run)],
        "conditions": [conditions_plot(run)],
        "snr": [snr_plot(run)],
    }
    return {name: [plot for plot in plots if plot is not None] for name, plots in sections.items()}


def all_plots(run: Run) -> list[Plot]:
    """Return every plot of the run."""
    return [plot for plots in plots_by_section(run).values() for plot in plots]
