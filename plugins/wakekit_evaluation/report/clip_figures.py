"""What the scores of test clips say: DET and ROC curves, calibration, and how the classes lie apart.

A clip's score says nothing of a stream; it shows what the network tells apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from scipy.special import logit, ndtr, ndtri

from wakekit.intervals import wilson
from wakekit_evaluation.probabilities import of_run
from wakekit_evaluation.ranking import labels
from wakekit_evaluation.report import text
from wakekit_evaluation.report.curve_figure import decade_ticks
from wakekit_evaluation.report.theming import (
    BLUE,
    DASHED,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    PURPLE,
    RED,
    TEAL,
    Plot,
    legend_below,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from wakekit.run_folder import Run

    Floats = npt.NDArray[np.float64]

_TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)
_BINS = 10
_POOLS = {"positive": BLUE, "hard": ORANGE, "negative": PURPLE, "background": TEAL}
_SIZE = 3.3
_APART, _BESIDE = 0.6, 1.0  # inches between names of scores, and beside the axis
_TINY = 2e-4


@attrs.frozen(eq=False, kw_only=True)
class Errors:
    """Both error rates of clips at every threshold from above all scores down: shares from 0 to 1, [n] each."""

    false_alarms: Floats
    missed: Floats
    positives: int
    negatives: int


def clip_plots(run: Run) -> list[Plot]:
    """Return the plots that the clips allow: the curves and the calibration need both classes."""
    if not run.clips:
        return []
    errors = error_rates(run)
    found = [] if errors is None else [_det(run, errors), _roc(run, errors), _reliability(run)]
    return [*found, _histograms(run)]


def error_rates(run: Run) -> Errors | None:
    """Return the error rates of the run's clips; None where one of the classes is missing."""
    truth, scores = labels(run), of_run(run, raw=False)
    positives, negatives = int(truth.sum()), int((1 - truth).sum())
    if not positives or not negatives:
        return None
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    hits = np.concatenate([[0], np.cumsum(truth[order])[last_of_tie]])
    alarms = np.concatenate([[0], np.cumsum(1 - truth[order])[last_of_tie]])
    kept = _corners(alarms, hits)
    return Errors(
        false_alarms=alarms[kept] / negatives,
        missed=1 - hits[kept] / positives,
        positives=positives,
        negatives=negatives,
    )


def brier(scores: Floats, truth: npt.NDArray[np.int64]) -> float:
    """Return the mean squared distance of probabilities [n] from labels [n] (Brier, 1950); 0 is perfect."""
    return float(np.mean((scores - truth) ** 2))


def _corners(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the points of a staircase that a line through it needs."""
    flat, steep = np.diff(x) == 0, np.diff(y) == 0
    straight = (flat[1:] & flat[:-1]) | (steep[1:] & steep[:-1])
    return np.flatnonzero(np.concatenate([[True], ~straight, [True]]))


def _at_threshold(run: Run) -> tuple[float, float]:
    """Return the share of other clips at or above the operating point's threshold, and of keyword clips below it."""
    threshold = run.operating_point.threshold
    above: dict[bool, list[bool]] = {True: [], False: []}
    for clip in run.clips:
        above[clip.pool == "positive"].append(clip.score >= threshold)
    return float(np.mean(above[False])), 1 - float(np.mean(above[True]))


def _det(run: Run, errors: Errors) -> Plot:
    counts = f"{errors.positives} keyword clips and {errors.negatives} others"
    return Plot(
        name="det",
        title="Detection error trade-off of clips",
        caption=f"{counts} of test, on axes of the normal distribution's quantiles; the diagonal is where both errors "
        "are equal. Steps near the edges are single clips.",
        message=f"Detection error trade-off of {counts}",
        draw=lambda width: _draw_det(run, errors, width),
    )


def _draw_det(run: Run, errors: Errors, width: float) -> Figure:
    figure = Figure(figsize=(width, _SIZE), layout="constrained")
    axes = figure.add_subplot()
    lows = [0.5 / errors.negatives, 0.5 / errors.positives]
    most = _top(run, errors)
    ends = [(max(min(low, 0.01), 1e-5), most) for low in lows]
    x, y = (
        ndtri(np.clip(of, low / 10, 1 - 1e-4))
        for of, (low, _) in zip((errors.false_alarms, errors.missed), ends, strict=True)
    )
    axes.plot(x, y, color=BLUE, label="test clips")
    low, high = ndtri(min(end[0] for end in ends)), ndtri(most)
    axes.plot([low, high], [low, high], color=MUTED, linewidth=0.9, linestyle=DASHED, label="equal error")
    axes.set_xlim(*(float(ndtri(end)) for end in ends[0]))
    axes.set_ylim(*(float(ndtri(end)) for end in ends[1]))
    alarms, missed = _at_threshold(run)
    shown = [ndtri(np.clip(value, end[0], end[1])) for value, end in zip((alarms, missed), ends, strict=True)]
    axes.plot(
        shown[:1], shown[1:], marker="o", linestyle="none", markersize=7, color=ORANGE, markeredgecolor=PAPER,
        clip_on=False, zorder=5, label="the chosen threshold",
    )  # fmt: skip
    for axis, (least, most), count in ((axes.xaxis, ends[0], 8), (axes.yaxis, ends[1], 11)):
        ticks = [tick for tick in _TICKS if least <= tick <= most]
        while len(ticks) > count:
            ticks = ticks[::2]
        axis.set_major_locator(FixedLocator([float(ndtri(tick)) for tick in ticks]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * ndtr(value):.3g}"))
    axes.set_xlabel("other clips accepted, %")
    axes.set_ylabel("keyword clips missed, %")
    legend_below(figure, axes, 3)
    return figure


def _top(run: Run, errors: Errors) -> float:
    """Return the end of both axes: it holds the threshold's point, and the curve on both sides of the diagonal."""
    equal = float(np.maximum(errors.false_alarms, errors.missed).min())
    wanted = min(max(4 * equal, 1.3 * max(_at_threshold(run)), 0.2), 0.95)
    return next((tick for tick in _TICKS if tick >= wanted), 0.99)


def _roc(run: Run, errors: Errors) -> Plot:
    area = run.test.measure("roc-auc")
    said = ""
    if area is not None and area.value is not None:
        bounds = text.interval(area.low, area.high, area.unit)
        said = f" Area under the curve {text.amount(area.value, area.unit)} (95 %: {bounds})."
    return Plot(
        name="roc",
        title="ROC curve of clips",
        caption="The axis of other clips is logarithmic with a linear foot, as only its left end matters for a "
        f"keyword that others say all day.{said}",
        message=f"ROC curve of clips.{said}",
        draw=lambda width: _draw_roc(run, errors, width),
    )


def _draw_roc(run: Run, errors: Errors, width: float) -> Figure:
    figure = Figure(figsize=(width, _SIZE), layout="constrained")
    axes = figure.add_subplot()
    floor = 1 / errors.negatives
    axes.step(errors.false_alarms, 1 - errors.missed, where="post", color=BLUE, label="test clips")
    chance = np.concatenate([[0], np.geomspace(min(floor, 0.5) / 10, 1, 60)])
    axes.plot(chance, chance, color=MUTED, linewidth=0.9, linestyle=DASHED, label="chance")
    alarms, missed = _at_threshold(run)
    axes.plot(
        [alarms], [1 - missed], marker="o", linestyle="none", markersize=7, color=ORANGE, markeredgecolor=PAPER,
        clip_on=False, zorder=5, label="the chosen threshold",
    )  # fmt: skip
    axes.set_xscale("symlog", linthresh=min(floor, 0.5), linscale=0.4)
    axes.set_xlim(-0.06 * floor, 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks([0.0, *decade_ticks(min(floor, 0.5), 1, most=6)])
    axes.xaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g}"))
    axes.set_xlabel("other clips accepted, %")
    axes.set_ylabel("keyword clips heard, %")
    legend_below(figure, axes, 3)
    return figure


def _reliability(run: Run) -> Plot:
    before, after, truth = of_run(run, raw=True), of_run(run, raw=False), labels(run)
    unchanged = bool(np.abs(before - after).max() < 1e-9)  # noqa: PLR2004
    numbers = (
        f"Brier score {brier(after, truth):.4f}; the calibrator changed nothing"
        if unchanged
        else f"Brier score {brier(before, truth):.4f} before calibration, {brier(after, truth):.4f} after it"
    )
    return Plot(
        name="reliability",
        title="Reliability of the scores",
        caption=f"{numbers} (0 is perfect). Test clips in {_BINS} bins of their score with Wilson's 95 % interval; the "
        "lower panel counts them. Shares depend on how many clips of the keyword test holds.",
        message=f"Reliability diagram: {numbers}",
        draw=lambda width: _draw_reliability(run, width, unchanged=unchanged),
    )


def _draw_reliability(run: Run, width: float, *, unchanged: bool) -> Figure:
    figure = Figure(figsize=(width, _SIZE), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    before, after, truth = of_run(run, raw=True), of_run(run, raw=False), labels(run)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=DASHED, label="perfect")
    if not unchanged:
        _draw_bins(axes, below, before, truth, (PURPLE, "s", "before calibration", -0.008))
    _draw_bins(axes, below, after, truth, (BLUE, "o", "scores" if unchanged else "after calibration", 0.008))
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("share of keyword")
    below.set_yscale("symlog", linthresh=1, linscale=0.3)
    below.set_ylim(0, None)
    below.set_yticks([10**power for power in range(0, 9, 2) if 10**power <= len(truth)])
    below.yaxis.set_minor_locator(NullLocator())
    below.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    below.set_ylabel("clips")
    below.set_xlim(-0.02, 1.02)
    below.set_xlabel("score")
    legend_below(figure, axes, 3)
    return figure


def _draw_bins(
    axes: Axes, below: Axes, scores: Floats, truth: npt.NDArray[np.int64], look: tuple[str, str, str, float]
) -> None:
    colour, marker, name, aside = look
    bins = np.minimum((scores * _BINS).astype(np.int64), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    filled = np.flatnonzero(counts)
    shares = [wilson(int(truth[bins == row].sum()), int(counts[row])) for row in filled]
    means = np.array([scores[bins == row].mean() for row in filled])
    heights = np.array([truth[bins == row].mean() for row in filled])
    spans = np.array([[height - part.low, part.high - height] for height, part in zip(heights, shares, strict=True)])
    axes.errorbar(
        means + aside, heights, yerr=np.maximum(spans.T, 0), color=colour, marker=marker, markersize=5,
        linestyle="none", markeredgecolor=PAPER, markeredgewidth=0.8, elinewidth=1.1, capsize=2, label=name,
    )  # fmt: skip
    below.stairs(counts, np.linspace(0, 1, _BINS + 1), color=colour, linewidth=1.2)


def _histograms(run: Run) -> Plot:
    pools = [pool for pool in _POOLS if any(clip.pool == pool for clip in run.clips)]
    counts = {pool: sum(clip.pool == pool for clip in run.clips) for pool in pools}
    listed = ", ".join(f"{counts[pool]} {pool}" for pool in pools)
    return Plot(
        name="scores",
        title="Scores of clips, pool by pool",
        caption=f"{listed}. The axis is stretched at both ends (log-odds), where most scores lie; the red line is the "
        "threshold.",
        message=f"Histograms of the calibrated scores of test clips: {listed}",
        draw=lambda width: _draw_histograms(run, pools, width),
    )


def _draw_histograms(run: Run, pools: list[str], width: float) -> Figure:
    figure = Figure(figsize=(width, max(2.0, 0.55 + 0.76 * len(pools))), layout="constrained")
    rows = figure.subplots(len(pools), 1, sharex=True, squeeze=False)[:, 0]
    odds = logit(np.clip([clip.score for clip in run.clips], 1e-9, 1 - 1e-9))
    threshold = float(logit(np.clip(run.operating_point.threshold, 1e-9, 1 - 1e-9)))
    edges = np.linspace(min(odds.min(), threshold) - 0.3, max(odds.max(), threshold) + 0.3, 49)
    of = np.array([clip.pool for clip in run.clips])
    for axes, pool in zip(rows, pools, strict=True):
        counts = np.histogram(odds[of == pool], edges)[0]
        axes.stairs(100 * counts / counts.sum(), edges, fill=True, color=_POOLS[pool], alpha=0.85)
        axes.axvline(threshold, color=RED, linewidth=1.2)
        axes.set_yticks([])
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        axes.set_ylabel(pool, rotation=0, ha="right", va="center", color=INK)
    ticks = _score_ticks(edges[0], edges[-1], apart=_APART / (width - _BESIDE))
    rows[-1].xaxis.set_major_locator(FixedLocator([float(logit(tick)) for tick in ticks]))
    named = {round(float(logit(tick)), 6): _score_name(tick) for tick in ticks}
    rows[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: named.get(round(value, 6), "")))
    rows[-1].set_xlabel("calibrated score")
    return figure


def _score_name(score: float) -> str:
    """Return a score for an axis; near 1 it is written as its distance from 1, as near 0."""
    rest = round(1 - score, 12)
    return f"1{text.MINUS}{text.power(rest)}" if rest < _TINY else text.power(score)


def _score_ticks(low: float, high: float, *, apart: float) -> list[float]:
    """Return scores to name on an axis of log-odds: from the middle outwards, a share `apart` of it between them."""
    small = [10.0**-power for power in range(1, 9)]
    found = [0.5] if low <= 0 <= high else []
    for side in (small, [1 - tick for tick in small]):
        last = 0.0
        for tick in side:
            at = float(logit(tick))
            if low <= at <= high and abs(at - last) > apart * (high - low):
                found.append(tick)
                last = at
    return sorted(found)
