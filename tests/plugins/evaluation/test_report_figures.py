"""The report's figures draw the numbers of the run, and its numbers read one way."""

from __future__ import annotations

import json
import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from scipy.special import expit
from sklearn.metrics import brier_score_loss, det_curve

from tests.report_support import read_lines
from wakekit.data import Measure
from wakekit.errors import WakekitError
from wakekit.run_folder import ScoredClip, read_run
from wakekit_evaluation.report import text
from wakekit_evaluation.report.breakdowns import Tally
from wakekit_evaluation.report.clip_figures import brier, clip_plots, error_rates
from wakekit_evaluation.report.curve_figure import decade_ticks
from wakekit_evaluation.report.figures import all_plots, plots_by_section
from wakekit_evaluation.report.html import Html
from wakekit_evaluation.report.series_figures import series_plots
from wakekit_evaluation.report.theming import MUTED
from wakekit_evaluation.report.toml_markup import highlighted
from wakekit_evaluation.report.training_figures import training_plots

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from wakekit.run_folder import Run


@pytest.fixture(scope="module")
def run(whole: Path) -> Run:
    """A run that has everything, read."""
    return read_run(whole)


def test_the_curve_is_drawn_as_it_was_saved(whole: Path, run: Run) -> None:
    """Each split's line runs through its rates and miss rates, the coarser part apart, and so do the points."""
    saved = json.loads((whole / "curves.json").read_text())
    axes = plots_by_section(run)["curve"][0].draw(7.0).axes[0]
    drawn = [(np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)) for line in axes.lines]
    for split, first in (("dev", 0), ("test", 2)):
        rates = np.array(saved[split]["false_accepts"]) / saved[split]["hours"]
        misses = 1 - np.array(saved[split]["hits"]) / saved[split]["events"]
        exact = sum(threshold >= saved[split]["exact_down_to"] for threshold in saved[split]["thresholds"])
        assert np.allclose(drawn[first], (rates[:exact], misses[:exact]))
        assert np.allclose(drawn[first + 1], (rates[exact - 1 :], misses[exact - 1 :]))
    point = json.loads((whole / "operating_point.json").read_text())
    measures = {row["name"]: row for rows in json.loads((whole / "metrics.json").read_text())["metrics"].values()
                for row in rows}  # fmt: skip
    single = [(x[0], y[0]) for x, y in drawn if len(x) == 1]
    assert (point["fa_per_hour"], point["miss_rate"]) in single
    assert (measures["fa-per-hour"]["value"], measures["false-rejects"]["value"]) in single
    low, high = axes.get_xlim()
    assert low < 0 < high
    assert all(low <= x <= high and axes.get_ylim()[0] <= y <= axes.get_ylim()[1] for x, y in single)
    assert [label.get_text() for label in axes.texts] == ["target 1"]


@pytest.mark.parametrize("first", [0, 40])
def test_the_curve_ends_where_the_sweep_did(run: Run, first: int) -> None:
    """What lies beyond the rate that was swept for is not drawn, though the rate falls again further down."""
    curve = run.curves["test"]
    rows = np.arange(len(curve.hits))
    beyond = np.where(rows == first, int(curve.max_fa_per_hour * curve.hours) + 1, curve.false_accepts)
    changed = attrs.evolve(run, curves={"test": attrs.evolve(curve, false_accepts=beyond)})
    axes = plots_by_section(changed)["curve"][0].draw(7.0).axes[0]
    drawn = [line for line in axes.lines if len(np.asarray(line.get_xdata())) > 2]
    assert [len(np.asarray(line.get_xdata())) for line in drawn] == [first] * bool(first)
    assert axes.get_xlim()[1] < 100


def test_training_and_series_are_drawn_as_they_were_recorded(whole: Path, run: Run) -> None:
    """Every number of an epoch has its line, every series its plot, a marked point its mark, a log axis its scale."""
    rows = read_lines(whole / "history.jsonl")
    epochs = [row for row in rows if "epoch" in row]
    plots = {plot.title: plot for plot in plots_by_section(run)["training"]}
    assert list(plots) == [
        "Training: loss", "Training: accuracy", "Training: learning rate", "LR finder", "gradient norm",
    ]  # fmt: skip
    loss = plots["Training: loss"].draw(4.0).axes[0]
    for line, key in zip(loss.lines, ("train_loss", "dev_loss"), strict=True):
        assert np.allclose(line.get_ydata(), [row[key] for row in epochs])
    norm = plots["gradient norm"].draw(4.0).axes[0]
    assert np.allclose(norm.lines[0].get_ydata(), [row["y"] for row in rows if row.get("series") == "gradient norm"])
    assert (norm.get_xlabel(), norm.get_xscale()) == ("step", "linear")
    finder = plots["LR finder"].draw(4.0).axes[0]
    assert (finder.get_xlabel(), finder.get_xscale()) == ("learning rate", "log")
    assert [label.get_text() for label in finder.texts] == ["0.003"]
    assert np.allclose(finder.lines[-1].get_xydata(), [[3e-3, 0.31]])


def series(history: list[dict[str, Any]], width: float = 4.0) -> Axes:
    """Return the drawn axes of a history's one series."""
    (plot,) = series_plots(history)
    return plot.draw(width).axes[0]


def test_a_series_may_have_several_lines_and_lists_of_points() -> None:
    """Lists and single numbers of a line are joined in order, each line is named, and what is no number is skipped."""
    history: list[dict[str, Any]] = [
        {"series": "s", "line": "a", "x": [1, 2, 3], "y": [4.0, math.nan, 6.0], "x_label": "step"},
        {"series": "s", "line": "b", "x": [1, 2, 3], "y": [None, 1.0, math.inf]},
        {"series": "s", "line": "a", "x": 4, "y": 7.0},
        {"series": "s", "line": "b", "x": 3.5, "y": 0.5, "mark": True},
        {"series": "nothing", "x": [1, 2], "y": [math.nan, None]},
    ]
    axes = series(history)
    drawn = {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in axes.lines}
    assert drawn["a"] == [[1, 4], [3, 6], [4, 7]]
    assert drawn["b"] == [[2, 1]]
    assert np.asarray(axes.lines[-1].get_xydata()).tolist() == [[3.5, 0.5]]
    assert axes.get_xlabel() == "step"
    figure = axes.figure
    assert [entry.get_text() for legend in figure.legends for entry in legend.get_texts()] == ["a", "b"]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines[:2]}) == 2


@pytest.mark.parametrize("sums_up", [True, False])
def test_many_lines_stay_readable(*, sums_up: bool) -> None:
    """Of thirty lines the total stands out, the three largest have a name and colour, and the rest is grey below."""
    rng = np.random.default_rng(0)
    history: list[dict[str, Any]] = [
        {"series": "s", "line": f"layer.{row}", "x": list(range(50)), "y": (row % 7 + rng.random(50) / 9).tolist()}
        for row in range(4, 34)
    ]
    history += [{"series": "s", "line": "total", "x": [0, 49], "y": [9.0, 9.0]}] * sums_up
    axes = series(history)
    (legend,) = axes.figure.legends
    named = [entry.get_text() for entry in legend.get_texts()]
    means = {row["line"]: float(np.mean(row["y"])) for row in history if row["line"] != "total"}
    assert named == ["total"] * sums_up + sorted(means, key=means.__getitem__)[-1:-4:-1]
    lines = {str(line.get_label()): line for line in axes.lines}
    grey = [line for line in axes.lines if line.get_color() == MUTED]
    assert len(grey) == 27
    assert all(line.get_zorder() < lines[name].get_zorder() for line in grey for name in named)
    assert len({lines[name].get_color() for name in named}) == len(named)
    if sums_up:
        assert all(lines["total"].get_linewidth() > 1.5 * lines[name].get_linewidth() for name in named[1:])
    assert "27 with the lowest values on average are grey" in series_plots(history)[0].caption


@given(st.integers(601, 5000), st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_a_long_line_keeps_its_peaks(count: int, seed: int) -> None:
    """However long, a line is drawn with few points, its own, in order, its highest and lowest among them."""
    y = np.random.default_rng(seed).normal(size=count)
    plot = series([{"series": "s", "x": list(range(count)), "y": y.tolist()}]).lines[0]
    x, drawn = (np.asarray(part) for part in plot.get_data())
    assert len(x) <= 600
    assert np.array_equal(drawn, y[x.astype(int)])
    assert (np.diff(x) > 0).all()
    assert (drawn.min(), drawn.max()) == (y.min(), y.max())


def test_the_number_of_a_pass_is_no_curve(run: Run) -> None:
    """A row's pass says where it stands, like its epoch, and is not drawn."""
    rows = ({"epoch": 0, "pass": 0, "dev_loss": 1.0}, {"epoch": 1, "pass": 1, "dev_loss": 0.5})
    assert [plot.title for plot in training_plots(attrs.evolve(run, history=rows))] == ["Training: loss"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 12).map(lambda step: step / 12)), min_size=2, max_size=80).filter(
        lambda rows: 0 < sum(label for label, _ in rows) < len(rows)
    )
)
def test_error_rates_are_those_of_scikit_learn(run: Run, rows: list[tuple[bool, float]]) -> None:
    """At every threshold both error rates agree with scikit-learn's, ties and all, and only corners are kept."""
    clips = tuple(
        ScoredClip(
            id="0", audio="a", offset=0.0, duration=1.0, label="", pool="positive" if label else "negative",
            speaker=None, cluster="", raw=0.0, score=score,
        )
        for label, score in rows
    )  # fmt: skip
    found = error_rates(attrs.evolve(run, clips=clips))
    assert found is not None
    labels, scores = [label for label, _ in rows], [score for _, score in rows]
    alarms, missed, _ = det_curve(labels, scores)
    ours = set(zip(found.false_alarms.round(9).tolist(), found.missed.round(9).tolist(), strict=True))
    theirs = set(zip(alarms.round(9).tolist(), missed.round(9).tolist(), strict=True))
    for x, y in theirs:
        assert (x, y) in ours or on_a_line((x, y), found.false_alarms, found.missed)
    assert (0.0, 1.0) in ours
    area = float(np.trapezoid(1 - found.missed, found.false_alarms))
    full = sorted({*theirs, (0.0, 1.0), (1.0, 0.0)}, key=lambda point: (point[0], -point[1]))
    assert area == pytest.approx(np.trapezoid([1 - y for _, y in full], [x for x, _ in full]), abs=1e-9)


def on_a_line(point: tuple[float, float], xs: np.ndarray, ys: np.ndarray) -> bool:
    """Say whether a point lies on a level or upright part of a curve."""
    for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False):
        inside = min(x0, x1) - 1e-9 <= point[0] <= max(x0, x1) + 1e-9 and y1 - 1e-9 <= point[1] <= y0 + 1e-9
        if inside and (abs(x0 - x1) < 1e-12 or abs(y0 - y1) < 1e-12):
            return True
    return False


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=50))
def test_the_brier_score_is_that_of_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    """The number in the caption of the reliability diagram agrees with an independent one."""
    labels, scores = np.array([label for label, _ in rows]), np.array([score for _, score in rows])
    assert brier(scores, labels) == pytest.approx(brier_score_loss(labels.astype(int), scores, labels=[0, 1]))


def test_the_reliability_diagram_counts_every_clip(run: Run) -> None:
    """Points stand at the mean score and the share of the keyword of their bin; the bars below add up to all clips."""
    figure = next(plot for plot in plots_by_section(run)["clips"] if plot.name == "reliability").draw(4.0)
    scores = np.array([clip.score for clip in run.clips])
    labels = np.array([clip.pool == "positive" for clip in run.clips])
    after = next(box for box in figure.axes[0].containers if box.get_label() == "after calibration")
    x, y = after.lines[0].get_xdata(), after.lines[0].get_ydata()
    for low, mean, share in zip(np.arange(10) / 10, x, y, strict=True):
        inside = (scores >= low) & (scores < low + 0.1)
        assert mean - 0.008 == pytest.approx(scores[inside].mean())
        assert share == pytest.approx(labels[inside].mean())
    bars = [patch.get_data().values.sum() for patch in figure.axes[1].patches]
    assert bars == [len(scores)] * 2


@pytest.mark.parametrize("form", ["svg", "png"])
def test_plots_are_files_for_a_paper(run: Run, tmp_path: Path, form: str) -> None:
    """Each figure is a file of its name: SVG that parses, with text, or PNG of 200 dpi or more, on white."""
    paths = Html().plots(run, tmp_path, form)
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        f"plots/{plot.name}.{form}" for plot in all_plots(run)
    ]
    assert len(paths) == 12
    for path in paths:
        if form == "svg":
            root = ET.fromstring(path.read_text())  # noqa: S314
            assert root.findall(".//{http://www.w3.org/2000/svg}text")
            assert "var(--" not in path.read_text()
        else:
            with Image.open(path) as image:
                assert min(image.info["dpi"]) >= 200
                assert image.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in Html().plots(run, tmp_path, form)] == first


def test_another_form_is_refused(run: Run, tmp_path: Path) -> None:
    """Only svg and png are written."""
    with pytest.raises(WakekitError, match="expected the form of plots to be svg or png, got 'pdf'"):
        Html().plots(run, tmp_path, "pdf")


# ---- numbers as text


@pytest.mark.parametrize(
    ("value", "unit", "reads"),
    [
        (0.27345, "share", "27.3 %"),
        (1.0, "share", "100.0 %"),
        (0.0, "share", "0.0 %"),
        (0.00042, "share", "0.042 %"),
        (0.7627, "1/h", "0.76 per hour"),
        (0.00123, "1/h", "0.0012 per hour"),
        (0.99964, "area", "0.9996"),
        (0.12345, "s", "0.1235 s"),
        (123456, "clips", "123456 clips"),
        (2.71828, "", "2.718"),
        (None, "share", "–"),
    ],
)
def test_a_number_reads_one_way(value: float | None, unit: str, reads: str) -> None:
    """Shares are in % with one decimal, rates per hour with two, and what rounding would hide keeps two digits."""
    assert text.amount(value, unit).replace("\u00a0", " ") == reads


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("f1", "F1 of clips"),
        ("false-accepts-clips", "other clips accepted"),
        ("false-accepts-clips-hard", "other clips accepted: hard"),
        ("frr-at-fpr-0.001", "keyword clips missed at an FPR of 0.001"),
        ("of-a-stranger", "of-a-stranger"),
    ],
)
def test_a_measure_has_a_name_in_words(name: str, reads: str) -> None:
    """Also where the name carries a rate, a pool or a label; an unknown measure keeps its own."""
    assert text.measure_name(Measure(name=name, value=None, unit="")) == reads


@pytest.mark.parametrize(
    ("seconds", "reads"), [(0.04, "0:00.0"), (61.27, "1:01.3"), (59.96, "1:00.0"), (3661.0, "1:01:01.0")]
)
def test_a_time_reads_as_minutes_and_seconds(seconds: float, reads: str) -> None:
    """Minutes and tenths of a second, with hours where there are any; rounding carries over."""
    assert text.clock(seconds) == reads


@given(st.floats(0, 1))
def test_a_threshold_is_told_from_0_and_1(value: float) -> None:
    """However near the end, a score does not read as the end itself, and is true to 1 % of its distance."""
    reads = float(text.probability(value))
    edge = min(value, 1 - value)
    if edge > 1e-13:
        assert abs(reads - value) <= 0.01 * edge
        assert 0 < reads < 1


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_tally_says_nothing_of_nothing(wrong: int, right: int) -> None:
    """A tally's share lies in its interval; one of nothing is dashes and ranks last."""
    tally, of = Tally(wrong, wrong + right), wrong + right
    if not of:
        assert (tally.count, tally.share, tally.interval) == ("–", "–", "–")
        return
    low, high = (float(part) for part in re.findall(r"[\d.]+", tally.interval))
    assert low - 0.1 <= 100 * wrong / of <= high + 0.1
    assert tally.rank < Tally(0, 0).rank


@given(st.floats(1e-4, 1e3), st.floats(1.5, 1e5), st.integers(4, 10))
def test_ticks_lie_inside_and_do_not_crowd(low: float, factor: float, most: int) -> None:
    """Ticks of a logarithmic axis are round, rise, and are as few as asked for."""
    ticks = decade_ticks(low, low * factor, most=most)
    assert len(ticks) <= most
    assert ticks == sorted(ticks)
    assert all(low <= tick <= low * factor for tick in ticks)
    assert all(f"{tick:.0e}"[0] in "1235" for tick in ticks)


@given(st.text(alphabet=st.sampled_from("ab=[]\"'#<&>\n \\1.5-"), max_size=60))
def test_colours_leave_the_recipe_as_it_is(toml: str) -> None:
    """Taking the spans out again gives the recipe, whatever is in it."""
    markup = re.sub(r'<span class="t-\w+">|</span>', "", str(highlighted(toml)))
    for name, character in (("lt", "<"), ("gt", ">"), ("#34", '"'), ("#39", "'"), ("amp", "&")):
        markup = markup.replace(f"&{name};", character)
    assert markup == toml


@settings(max_examples=12, deadline=None)
@given(low=st.floats(-20, 10), span=st.floats(2, 40))
def test_names_of_scores_do_not_lie_on_each_other(run: Run, low: float, span: float) -> None:
    """However near scores are to 0 and 1, each named score has room in the figure of the page."""
    odds = np.linspace(low, low + span, len(run.clips))
    clips = [attrs.evolve(clip, score=float(expit(at))) for clip, at in zip(run.clips, odds, strict=True)]
    point = attrs.evolve(run.operating_point, threshold=float(expit(low + span / 2)))
    (plot,) = (
        plot
        for plot in clip_plots(attrs.evolve(run, clips=tuple(clips), operating_point=point))
        if plot.title == "Scores of clips, pool by pool"
    )
    figure = plot.draw(3.8)
    FigureCanvasAgg(figure).draw()
    boxes = [label.get_window_extent() for label in figure.axes[-1].get_xticklabels() if label.get_text()]
    assert boxes
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_a_series_names_what_it_measures() -> None:
    """The upward axis has the name given to it, else that of the series."""
    row: dict[str, Any] = {"series": "finder", "x": [1, 2], "y": [1.0, 2.0]}
    assert series([row]).get_ylabel() == "finder"
    assert series([{**row, "y_label": "loss"}]).get_ylabel() == "loss"
