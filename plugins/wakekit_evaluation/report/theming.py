"""How figures look, on paper and inside a page whose colours may turn dark.

A figure is drawn in the colours of the light page. Inside the page each of them becomes a variable of its style, and
text stays text.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import attrs
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

INK, MUTED, GRID, PAPER = "#1b2330", "#566172", "#dfe4ea", "#fefefe"
BLUE, ORANGE, PURPLE, TEAL, RED = "#0b5cad", "#b44a00", "#6f42a8", "#00736a", "#b3261e"
# Lines of one figure differ in colour and in dashes.
CYCLE: tuple[str, ...] = (BLUE, ORANGE, PURPLE, TEAL)
LINE_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
_VARIABLES = {
    INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper",
    BLUE: "blue", ORANGE: "orange", PURPLE: "purple", TEAL: "teal", RED: "red",
}  # fmt: skip
_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.7,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
}
DASHED = (0, (4, 3))
_NARROW, _WIDE = 3.8, 7.4
_DPI = 220


@attrs.frozen(kw_only=True)
class Plot:
    """A figure before it is drawn: `draw` is told its width in inches, as a wide one is drawn again for a phone.

    `message` says what it shows to a person who cannot see it.
    """

    name: str
    title: str
    caption: str
    message: str
    draw: Callable[[float], Figure]
    wide: bool = False


def inline(plot: Plot) -> Markup:
    """Return a plot as SVG for a page: one drawing, or two for a wide one, of which the page shows the fitting one."""
    if not plot.wide:
        return _svg(plot, _NARROW, "")
    wide, narrow = _svg(plot, _WIDE, "-wide"), _svg(plot, _NARROW, "-narrow")
    return Markup('<div class="on-wide">{}</div><div class="on-narrow">{}</div>').format(wide, narrow)


def save(plot: Plot, path: Path) -> Path:
    """Write a plot in the format of the path's ending, in the light colours on white, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _quiet(plot.name):
        figure = plot.draw(_WIDE if plot.wide else _NARROW)
        metadata = {"Date": None} if path.suffix == ".svg" else None
        try:
            figure.savefig(path, dpi=_DPI, facecolor="white", metadata=metadata)
        except OSError as error:
            raise WakekitError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def in_percent(axis: Axis) -> None:
    """Write the shares of an axis in %."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))


def legend_below(figure: Figure, axes: Axes, columns: int = 2) -> None:
    """Put the legend under the plot, clear of the data."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower left", ncols=columns, columnspacing=1.4)


def _svg(plot: Plot, width: float, part: str) -> Markup:
    out = io.StringIO()
    with _quiet(plot.name + part):
        plot.draw(width).savefig(out, format="svg", metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{plot.name}{part}-", text)
    text = re.sub("|".join(_VARIABLES), lambda found: f"var(--{_VARIABLES[found[0]]})", text)
    text = re.sub(r"'DejaVu Sans'|\"DejaVu Sans\"|&quot;DejaVu Sans&quot;", "var(--font)", text)
    shape = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg {shape[0] if shape else ""} role="img" aria-label="{escape(plot.message)}">'
    return Markup(head + re.sub(r"^<svg[^>]*>", "", text))  # noqa: S704  # matplotlib escapes the text in its SVG


@contextmanager
def _quiet(salt: str) -> Iterator[None]:
    """Draw in the house's style; a name in a script that the font lacks is no reason to warn."""
    settings = {**_STYLE, "svg.hashsalt": salt}
    with rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
