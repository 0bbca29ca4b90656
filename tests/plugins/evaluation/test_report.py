"""The report's page says what the run's files say, each number with its interval and counts."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from scipy.stats import binomtest

from tests.report_page import Page, written
from tests.report_support import edit, read_lines
from wakekit.run_folder import read_run
from wakekit_evaluation.report.html import Html
from wakekit_evaluation.report.tables import passes_table

if TYPE_CHECKING:
    from pathlib import Path


def measured(folder: Path) -> dict[str, Any]:
    """Return the measures of test by name, as JSON."""
    table = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return {row["name"]: row for rows in table["metrics"].values() for row in rows}


def wilson(wrong: int, of: int) -> str:
    """Return Wilson's interval by SciPy, as the report writes it."""
    found = binomtest(wrong, of).proportion_ci(method="wilson")
    return f"{percent(found.low)} to {percent(found.high)} %"


def percent(share: float) -> str:
    """Return a share in %, with one decimal, or two digits where that would say none."""
    return f"{100 * share:.1f}" if share >= 0.001 or not share else f"{100 * share:.2g}"


def test_the_headline_holds_the_numbers_of_the_run(whole: Path, page: Page) -> None:
    """Threshold, miss rate and false accepts per hour are those of metrics.json, each with its interval and counts."""
    miss, rate = measured(whole)["false-rejects"], measured(whole)["fa-per-hour"]
    threshold = json.loads((whole / "operating_point.json").read_text())["threshold"]
    words, missed = miss["counts"]["words"], miss["counts"]["missed"]
    assert miss["value"] == missed / words
    assert (
        f"it missed {percent(miss['value'])} % of {words:g} keywords (95 %: {percent(miss['low'])} to "
        f"{percent(miss['high'])} %) and accepted falsely {rate['value']:.2f} times an hour (95 %: {rate['low']:.2f} "
        f"to {rate['high']:.2f}) in {rate['counts']['hours']:.2f} h of test audio." in page.text
    )
    shown = re.search(r"At threshold (0\.\d+), chosen on dev", page.text)
    assert shown
    assert float(shown[1]) == pytest.approx(threshold, abs=5e-3 * (1 - threshold))
    assert f"shows fewer than {rate['counts']['upper_95']:.2f} an hour (one-sided 95 %)" in page.text


@pytest.mark.parametrize(
    ("hours", "upper", "says"),
    [
        (0.5, 6.0, "0.50 h cannot show the target of at most 1 false accepts per hour: they show fewer than 6.00"),
        (9.0, 1.7, "That does not show the target of at most 1 false accepts per hour: it shows fewer than 1.70"),
        (9.0, 0.9, "That meets the target of at most 1 false accepts per hour: it shows fewer than 0.90"),
    ],
)
def test_the_headline_says_what_the_hours_can_show(folder: Path, hours: float, upper: float, says: str) -> None:
    """The one-sided bound decides whether the target is shown; too few hours for any answer say how many it takes."""

    def change(table: Any) -> None:
        table["metrics"]["false_accepts"][0]["counts"] |= {"hours": hours, "upper_95": upper}

    edit(folder / "metrics.json", change)
    page = written(folder)
    text = page.text
    assert says in text
    limits = [found["class"] for found in page.all("p") if found.get("class", "").startswith("limit")]
    assert limits == ["limit good" if upper < 1 else "limit", "limit"]
    assert ("the target takes 3.00 h without a single one" in text) == (hours < 1)


def test_every_measure_stands_with_its_interval_method_and_counts(whole: Path, page: Page) -> None:
    """The table of measures repeats metrics.json, with the simple interval beside a clustered one."""
    rows = {row[0]: row for row in page.tables["Every measure on test"][1:]}
    assert len(rows) == len(measured(whole)) == 5
    for name, title in (("false-rejects", "keywords missed in streams"), ("roc-auc", "area under the ROC curve")):
        told = measured(whole)[name]
        write = percent if told["unit"] == "share" else "{:.4f}".format
        unit = " %" if told["unit"] == "share" else ""
        assert rows[title][1] == write(told["value"]) + unit
        assert rows[title][2] == f"{write(told['low'])} to {write(told['high'])}{unit} {told['method']}"
        simple = told["simple"]
        assert rows[title][3] == (f"{write(simple[0])} to {write(simple[1])}{unit}" if simple else "–")
        for key, value in told["counts"].items():
            assert f"{value:g} {key}" in rows[title][4]
    assert rows["latency"][1:4] == ["–"] * 3
    assert rows["latency"][4] == "nothing to measure it on"


def test_the_operating_point_stands_on_dev_and_test_side_by_side(whole: Path, page: Page) -> None:
    """Counts, hours, shares and bounds of both splits are those of the files."""
    point = json.loads((whole / "operating_point.json").read_text())
    rate, miss = measured(whole)["fa-per-hour"], measured(whole)["false-rejects"]
    rows = {row[0]: row[1:] for row in page.tables["Operating point"]}
    assert rows["false accepts"] == [str(point["false_accepts"]), f"{rate['counts']['false_accepts']:g}"]
    assert rows["false accepts per hour"] == [f"{point['fa_per_hour']:.2f}", f"{rate['value']:.2f}"]
    assert rows["audio without the keyword"] == [f"{point['hours']:.2f} h", f"{rate['counts']['hours']:.2f} h"]
    assert rows["keywords missed"] == [f"{percent(point['miss_rate'])} %", f"{percent(miss['value'])} %"]
    assert rows["missed of keywords"][0] == f"{point['misses']} of {point['events']}"
    assert rows["shows fewer than (one-sided 95 %)"][1] == f"{rate['counts']['upper_95']:.2f}"
    assert rows["hours that showing the target takes"] == ["3.00 h", "3.00 h"]
    assert rows["composed audio, and silence in all"][1] == "6.5 %, 1.2 %"
    curve = json.loads((whole / "curves.json").read_text())["dev"]
    at = curve["thresholds"].index(point["threshold"])
    band = f"{percent(curve['miss_low'][at])} to {percent(curve['miss_high'][at])} %"
    assert rows["95 % interval"][0] == f"{band} (by speaker)"
    assert page.tables["Settings of the detector that the search chose"][1:] == [["window", "4"], ["votes", "3"]]
    assert "The search tried 12 settings" in page.text
    assert point["optimism"] in page.text


def test_speakers_are_counted_and_the_worst_comes_first(whole: Path, page: Page) -> None:
    """Misses by speaker are those of detections.jsonl, clips those of clips.jsonl; Wilson's lower end orders them."""
    words: dict[str, list[bool]] = defaultdict(list)
    for row in read_lines(whole / "detections.jsonl"):
        if row["kind"] == "miss" or row["outcome"] == "hit":
            words[row["speaker"]].append(row["kind"] == "miss")
    threshold = json.loads((whole / "operating_point.json").read_text())["threshold"]
    clips: dict[str, list[bool]] = defaultdict(list)
    for row in read_lines(whole / "clips.jsonl"):
        if row["pool"] == "positive":
            clips[row["speaker"]].append(row["score"] < threshold)
    rows = [row for row in page.tables["Misses by speaker, worst first"] if row[0] != "speaker"]
    assert {row[0] for row in rows} == {*words, *clips}
    for name, *cells in rows:
        assert cells[:3] == (cell(words[name]) if words[name] else ["–"] * 3), name
        assert cells[3:] == (cell(clips[name]) if clips[name] else ["–"] * 3), name
    lows = [binomtest(sum(words[row[0]]), len(words[row[0]])).proportion_ci(method="wilson").low for row in rows]
    assert lows == sorted(lows, reverse=True)


def cell(wrongs: list[bool]) -> list[str]:
    """Return the three cells of a tally."""
    return [
        f"{sum(wrongs)} of {len(wrongs)}",
        f"{percent(sum(wrongs) / len(wrongs))} %",
        wilson(sum(wrongs), len(wrongs)),
    ]


def test_snr_streams_and_hours_add_up(whole: Path, page: Page) -> None:
    """Words by SNR, counts by stream and false accepts by hour are recounted from the rows."""
    events = read_lines(whole / "detections.jsonl")
    spoken = [row for row in events if row["start"] is not None]
    bins = Counter(int(row["snr_db"] // 5) * 5 for row in spoken)
    missed = Counter(int(row["snr_db"] // 5) * 5 for row in spoken if row["kind"] == "miss")
    rows = page.tables["Misses by signal-to-noise ratio"][1:]
    assert [row[1] for row in rows] == [f"{missed[low]} of {bins[low]}" for low in sorted(bins)]
    assert rows[0][0] == "\u22125 to 0 dB"
    accepts = [row for row in events if row.get("outcome") == "false accept"]
    by_hour = Counter((row["stream"], int(row["seconds"] // 3600)) for row in accepts)
    table = page.tables["False accepts by hour of each stream"]
    assert table[0] == ["stream", "hour 1", "hour 2"]
    for name, *counts in table[1:]:
        assert [int(count or 0) for count in counts] == [by_hour[name, hour] for hour in range(2)]
    assert sum(int(row[3]) for row in page.tables["Stream by stream, most false accepts first"][1:]) == len(accepts)


def test_conditions_stand_worst_first_after_test(whole: Path, page: Page) -> None:
    """Test comes first, then the conditions by miss rate; the worst is named and what it changes is said."""
    rows = page.tables["Conditions, worst first"][1:]
    assert [row[0] for row in rows] == ["test, as it is", "telephone", "cafe", "far-field"]
    told = json.loads((whole / "metrics.json").read_text())["conditions"]["cafe"]
    miss = told["metrics"]["misses"][0]
    assert rows[2][1] == f"{percent(miss['value'])} % {percent(miss['low'])} to {percent(miss['high'])} %"
    assert rows[2][-1] == told["changes"]
    assert "Worst condition is telephone: 69.8 % missed" in page.text
    assert "There: Worst speaker is s21, of 24 with 5 words or more: 5 of 7 words missed, 71.4 %" in page.text
    assert [row[4] for row in rows[1:]] == ["s21 5 of 7", "s22 3 of 7", "s20 2 of 7"]


def test_the_worst_speaker_of_test_is_named_with_what_chance_may_do(whole: Path, page: Page) -> None:
    """Who leads by Wilson's lower end at a level for all speakers at once is named, with counts and interval."""
    rows = json.loads((whole / "metrics.json").read_text())["speakers"]
    enough = [row for row in rows if row["words"] >= 5]
    level = 1 - 0.05 / len(enough)
    bounds = {
        row["speaker"]: binomtest(row["missed"], row["words"]).proportion_ci(level, method="wilson") for row in enough
    }
    worst = max(enough, key=lambda row: (bounds[row["speaker"]].low, row["missed"] / row["words"]))
    low, high = (f"{100 * end:.3g}" for end in bounds[worst["speaker"]])
    assert (
        f"Worst speaker is {worst['speaker']}, of {len(enough)} with 5 words or more: {worst['missed']} of "
        f"{worst['words']} words missed, {100 * worst['missed'] / worst['words']:.3g} % (95 % for all {len(enough)} at "
        f"once: {low} to {high} %"
    ) in page.text
    assert "It does worst under condition telephone (69.8 % missed) and with speaker" in page.text


def test_a_condition_milder_than_test_is_not_where_it_does_worst(folder: Path) -> None:
    """The sentence under the headline names a condition only where it misses more than test as it is."""

    def milder(told: Any) -> None:
        told["conditions"] = {"telephone": {**told["conditions"]["telephone"], "metrics": told["metrics"]}}

    edit(folder / "metrics.json", milder)
    text = written(folder).text
    assert "It does worst with speaker" in text
    assert "Worst condition is telephone" in text


def test_passes_stand_in_two_lines_a_cell(folder: Path) -> None:
    """Each pass has its threshold, what it gave on dev, and its measures with the interval below the value."""

    def passes(told: Any) -> None:
        told["passes"] = [{"operating_point": told["operating_point"], "metrics": told["metrics"], "streams": []}]

    edit(folder / "metrics.json", passes)
    rows = passes_table(read_run(folder)).rows  # type: ignore[union-attr]
    point = json.loads((folder / "metrics.json").read_text())["operating_point"]
    assert [row[0] for row in rows] == ["1", "2"]
    assert rows[0][2].split("\n")[0] == f"{point['misses']} of {point['events']} missed"
    assert all(cell.count("\n") == 1 for cell in rows[1][2:] if cell != "–")
    html = Html().write(read_run(folder), folder / "page").read_text(encoding="utf-8")
    assert ".passes td" in html
    assert re.search(r'class="scroll passes"', html)


def test_recipe_environment_and_warnings_are_all_there(whole: Path, page: Page, html: str) -> None:
    """The recipe reads as it was written, and fingerprint, versions and warnings are on the page."""
    inside = html.partition('<pre class="toml"')[2].partition("<code>")[2].partition("</code>")[0]
    plain = Page(f"<p>{inside}</p>").texts
    assert "".join(plain) == (whole / "recipe.toml").read_text()
    assert 't-key">listen<' in html
    for text in ("3f" * 32, "2.14.1", "26.1.0", "this model fires on digital silence", "x86_64"):
        assert text in page.text


def test_false_accepts_and_misses_can_be_listened_to(whole: Path, page: Page) -> None:
    """Each excerpt is in the page, byte for byte, the worst first, with its time, score and the mark where it fired."""
    rows = [row for row in read_lines(whole / "detections.jsonl") if row["listen"]]
    accepts = sorted((row for row in rows if row["kind"] == "detection"), key=lambda row: -row["score"])
    misses = sorted((row for row in rows if row["kind"] == "miss"), key=lambda row: row["score"])
    players = page.all("audio")
    assert len(players) == len(accepts) + len(misses) == 10
    for player, row in zip(players, [*accepts, *misses], strict=True):
        kind, _, data = player["src"].partition(",")
        assert kind == "data:audio/flac;base64"
        assert b64decode(data) == (whole / row["listen"]).read_bytes()
        assert player["preload"] == "none"
        assert row["stream"] in player["aria-label"]
    marks = [found["d"] for found in page.all("path") if found.get("class") == "mark"]
    assert marks == ["M220.0 0V48"] * 10, "2 s of 3 s"


def test_at_most_as_many_are_embedded_as_asked_for(folder: Path) -> None:
    """The option `listen` bounds the players of each kind; the others are still listed."""
    page = written(folder, listen=2)
    assert len(page.all("audio")) == 4
    total = len([row for row in read_lines(folder / "detections.jsonl") if row["kind"] == "miss"])
    assert len(page.tables["Misses without sound"]) - 1 == total - 2
    assert written(folder, listen=0).all("audio") == []
