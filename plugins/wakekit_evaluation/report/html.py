"""The report as a page: `report.html` holds its style, figures and sounds, and asks the network for nothing.

Only a report that is written imports matplotlib and Jinja2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit import WakekitError, option
from wakekit.artifacts import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.run_folder import Run

_FORMS = ("svg", "png")


@attrs.frozen
class Html:
    """Write one HTML file with every number, figure and excerpt of a run."""

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
        if form not in _FORMS:
            raise WakekitError(f"expected the form of plots to be {' or '.join(_FORMS)}, got {form!r}")
        from wakekit_evaluation.report.figures import all_plots  # noqa: PLC0415
        from wakekit_evaluation.report.theming import save  # noqa: PLC0415

        return [save(plot, folder / "plots" / f"{plot.name}.{form}") for plot in all_plots(run)]
