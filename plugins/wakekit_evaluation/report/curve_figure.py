"""The miss rate against the false accepts per hour: what every threshold gives, and the one that was chosen.

The axis of false accepts is logarithmic with a linear foot, so that none at all has its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from wakekit.intervals import garwood, wilson
from wakekit_evaluation.report import text
from wakekit_evaluation.report.theming import BLUE, DASHED, INK, MUTED, ORANGE, PAPER, Plot, in_percent, legend_below

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wakekit.data import Measure, OperatingPoint
    from wakekit.run_folder import Run, SavedCurve

_LABELS = {"dev": "dev, where the threshold was chosen", "test": "test: description only, nothing was chosen on it"}
_COLOURS = {"dev": BLUE, "test": ORANGE}
_MARKERS = {"dev": "o", "test": "D"}
_WIDE_FROM = 6.0
_FOOT = 0.45


@attrs.frozen(kw_only=True)
class Chosen:
    """What the chosen threshold gave on a split: false accepts per hour and miss rate, with their intervals."""

    rate: float
    rate_low: float
    rate_high: float
    miss: float
    miss_low: float
    miss_high: float
    method: str


def curve_plot(run: Run) -> Plot | None:
    """Return the plot; None where neither split has a curve."""
    if not run.curves:
        return None
    captions = [
        f"{split}: {text.many(curve.events, 'keyword')}, {text.hours(curve.hours)} without it"
        for split, curve in run.curves.items()
    ]
    coarse = [
        split for split, curve in run.curves.items() if (curve.thresholds[: _drawn(curve)] < curve.exact_down_to).any()
    ]
    if coarse:
        captions.append(
            f"paler parts ({' and '.join(coarse)}) lie below the scores that were all tried: a coarser grid of "
            "thresholds"
        )
    return Plot(
        name="miss-rate",
        title="Miss rate and false accepts, threshold by threshold",
        caption=f"{'; '.join(captions)}. Bands are 95 % of the miss rate, by speaker. Crosses are 95 % of each number "
        "at the chosen threshold. On the axis of false accepts the part below one in all the audio is linear, down "
        "to none.",
        message=_message(run),
        draw=lambda width: _draw(run, width),
        wide=True,
    )


def _message(run: Run) -> str:
    parts = []
    for split, chosen in (("dev", dev_point(run)), ("test", _test_point(run))):
        if chosen is not None:
            parts.append(
                f"on {split} {text.share(chosen.miss)} missed at {text.rate(chosen.rate)} false accepts per hour"
            )
    return "Curves of miss rate against false accepts per hour; at the chosen threshold, " + " and ".join(parts)


def dev_point(run: Run) -> Chosen:
    """Return what the threshold gave on dev; its miss rate has the curve's band, else Wilson's interval."""
    point = run.operating_point
    rate = garwood(point.false_accepts, point.hours)
    band = _band(run.curves.get(point.split), point)
    simple = wilson(point.misses, point.events)
    low, high = band or (simple.low, simple.high)
    return Chosen(
        rate=point.fa_per_hour,
        rate_low=rate.low,
        rate_high=rate.high,
        miss=point.miss_rate,
        miss_low=low,
        miss_high=high,
        method="by speaker" if band else simple.method,
    )


def _band(curve: SavedCurve | None, point: OperatingPoint) -> tuple[float, float] | None:
    if curve is None or not len(curve.thresholds):
        return None
    at = int(np.abs(curve.thresholds - point.threshold).argmin())
    if not np.isclose(curve.thresholds[at], point.threshold, rtol=0, atol=1e-12):
        return None
    return float(curve.miss_low[at]), float(curve.miss_high[at])


def _test_point(run: Run) -> Chosen | None:
    rate, miss = run.test.measure("fa-per-hour"), run.test.measure("false-rejects")
    if rate is None or miss is None or rate.value is None or miss.value is None:
        return None
    (rate_low, rate_high), (miss_low, miss_high) = _ends(rate), _ends(miss)
    return Chosen(
        rate=rate.value,
        rate_low=rate_low,
        rate_high=rate_high,
        miss=miss.value,
        miss_low=miss_low,
        miss_high=miss_high,
        method=miss.method,
    )


def _ends(measure: Measure) -> tuple[float, float]:
    value = measure.value or 0.0
    return (value if measure.low is None else measure.low, value if measure.high is None else measure.high)


def _draw(run: Run, width: float) -> Figure:
    figure = Figure(figsize=(width, 4.6 if width > _WIDE_FROM else 4.5), layout="constrained")
    axes = figure.add_subplot()
    points = {"dev": dev_point(run), "test": _test_point(run)}
    for split, curve in run.curves.items():
        if _drawn(curve):
            _draw_curve(axes, split, curve)
    for split, chosen in points.items():
        if chosen is not None:
            _draw_point(axes, split, chosen)
    target = run.operating_point.target_fa_per_hour
    axes.axvline(target, color=MUTED, linewidth=1, linestyle=DASHED, zorder=1)
    _rate_axis(axes, run, [*points.values()], target, width)
    axes.set_ylim(-0.02, 1.02)
    in_percent(axes.yaxis)
    axes.set_ylabel("keywords missed")
    place = axes.get_xaxis_transform()
    axes.text(target, 1.015, f"target {target:g}", transform=place, ha="center", va="bottom", color=INK, fontsize=8)
    legend_below(figure, axes, 2 if width > _WIDE_FROM else 1)
    return figure


def _draw_curve(axes: Axes, split: str, curve: SavedCurve) -> None:
    """Draw the curve as steps, paler where the thresholds are a coarser grid, over its band."""
    drawn = slice(0, _drawn(curve))
    rates, misses = curve.false_accepts[drawn] / curve.hours, 1 - curve.hits[drawn] / max(curve.events, 1)
    colour = _COLOURS.get(split, MUTED)
    exact = int((curve.thresholds[drawn] >= curve.exact_down_to).sum())
    low, high = curve.miss_low[drawn], curve.miss_high[drawn]
    axes.fill_between(rates, low, high, step="post", color=colour, alpha=0.13, linewidth=0)
    axes.step(
        rates[:exact], misses[:exact], where="post", color=colour, label=_LABELS.get(split, split),
        linestyle="-" if split == "dev" else (0, (5, 1.2)), zorder=3,
    )  # fmt: skip
    rest = slice(max(exact - 1, 0), None)
    axes.step(rates[rest], misses[rest], where="post", color=colour, alpha=0.4, linewidth=1.4, zorder=2)


def _drawn(curve: SavedCurve) -> int:
    """Return how many points from the highest threshold down are drawn: those before the rate that was swept for.

    Further down a detector fires on everything, which makes fewer and fewer events of it.
    """
    beyond = np.flatnonzero(curve.false_accepts > curve.max_fa_per_hour * curve.hours)
    return int(beyond[0]) if beyond.size else len(curve.thresholds)


def _draw_point(axes: Axes, split: str, chosen: Chosen) -> None:
    axes.errorbar(
        [chosen.rate],
        [chosen.miss],
        xerr=[[max(chosen.rate - chosen.rate_low, 0)], [max(chosen.rate_high - chosen.rate, 0)]],
        yerr=[[max(chosen.miss - chosen.miss_low, 0)], [max(chosen.miss_high - chosen.miss, 0)]],
        color=_COLOURS[split],
        marker=_MARKERS[split],
        markersize=7,
        markeredgecolor=PAPER,
        markeredgewidth=1,
        elinewidth=1.3,
        capsize=3,
        zorder=5,
    )
    axes.plot(
        [], [], color=_COLOURS[split], marker=_MARKERS[split], markersize=7, markeredgecolor=PAPER, linestyle="none",
        label="the chosen threshold on dev" if split == "dev" else "the same threshold on test",
    )  # fmt: skip


def _rate_axis(axes: Axes, run: Run, points: list[Chosen | None], target: float, width: float) -> None:
    hours = [curve.hours for curve in run.curves.values() if curve.hours > 0]
    floor = min(1 / max(hours, default=1.0), target)
    ends = [float(curve.false_accepts[: _drawn(curve)].max(initial=0) / curve.hours) for curve in run.curves.values()]
    top = max([target, *ends, *(point.rate_high for point in points if point is not None)]) * 1.15
    axes.set_xscale("symlog", linthresh=floor, linscale=_FOOT)
    axes.set_xlim(-0.08 * floor, top)
    axes.set_xticks([0.0, *decade_ticks(floor, top, most=9 if width > _WIDE_FROM else 6)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("false accepts per hour of audio without the keyword")


def decade_ticks(low: float, high: float, *, most: int) -> list[float]:
    """Return round numbers between two positive ends: 1, 2, 5 of each decade, or fewer where they would crowd."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: len(ticks) // most + 1]
