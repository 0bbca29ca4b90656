"""The report as a page, of a run or of an ablation: it holds its style, figures and sounds, and asks for nothing else.

Only a report that is written imports matplotlib and Jinja2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit import WakekitError, option
from wakekit.artifacts import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.ablation.result import AblationResult
    from wakekit.run_folder import Run
    from wakekit_evaluation.report.theming import Plot

_FORMS = ("svg", "png")


@attrs.frozen
class Html:
    """Write one HTML file with every number, figure and excerpt of a run, or with the answers of an ablation."""

    listen: int = option(
        30, at_least=0, at_most=1000, help="how many false accepts, and how many misses, can be listened to at most"
    )
    rows: int = option(20, at_least=1, help="how many speakers, streams or events a list shows before it is unfolded")

    def write(self, run: Run, folder: Path) -> Path:
        """Write `report.html` into `folder`, whole or not at all, and return its path."""
        from wakekit_evaluation.report.page import render  # noqa: PLC0415

        path = folder / "report.html"
        write_text(path, render(run, listen=self.listen, shown=self.rows))
        return path

    def plots(self, run: Run, folder: Path, form: str) -> list[Path]:
        """Write each figure to `plots/<name>.<form>` in `folder` and return the paths; `form` is svg or png.

        Raises WakekitError for any other form.
        """
        _check_form(form)
        from wakekit_evaluation.report.figures import all_plots  # noqa: PLC0415

        return _save(all_plots(run), folder, form)

    def write_ablation(self, result: AblationResult, folder: Path) -> Path:
        """Write `ablation.html` into `folder`, whole or not at all, and return its path."""
        from wakekit_evaluation.report.ablation_page import render_ablation  # noqa: PLC0415

        path = folder / "ablation.html"
        write_text(path, render_ablation(result, folder, shown=self.rows))
        return path

    def plot_ablation(self, result: AblationResult, folder: Path, form: str) -> list[Path]:
        """Write the forest plot, and that of a grid's effects, as `plots` does the figures of a run."""
        _check_form(form)
        from wakekit_evaluation.report.ablation_figures import ablation_plots  # noqa: PLC0415

        return _save(ablation_plots(result), folder, form)


def _check_form(form: str) -> None:
    if form not in _FORMS:
        raise WakekitError(f"expected the form of plots to be {' or '.join(_FORMS)}, got {form!r}")


def _save(plots: list[Plot], folder: Path, form: str) -> list[Path]:
    from wakekit_evaluation.report.theming import save  # noqa: PLC0415

    return [save(plot, folder / "plots" / f"{plot.name}.{form}") for plot in plots]
