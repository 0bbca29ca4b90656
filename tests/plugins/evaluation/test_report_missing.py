"""The report of a run that lacks something, and of one whose names and sounds are not to be trusted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from tests.report_page import Page, written
from tests.report_support import edit, read_lines, write_json, write_lines
from wakekit.run_folder import read_run
from wakekit_evaluation.report.html import Html

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


SCRIPT = "<script>alert('x')</script>"


def test_what_strangers_wrote_is_shown_and_never_run(folder: Path) -> None:
    """A keyword, speaker, stream, condition, note or series that looks like markup is text on the page."""

    def change(table: Any) -> None:
        table["keyword"] = f"{SCRIPT}keyword"
        table["warnings"] = [f"{SCRIPT}warning"]
        table["metrics"]["odd"][0]["note"] = f"{SCRIPT}note"
        table["conditions"] = {f"{SCRIPT}condition": {**table["conditions"]["cafe"], "changes": f"{SCRIPT}change"}}
        table["streams"][0]["stream"] = f'"{SCRIPT}stream'

    edit(folder / "metrics.json", change)
    rows = read_lines(folder / "detections.jsonl")
    for row in rows:
        row["stream"] = f'"{SCRIPT}stream'
        row["speaker"] = row["speaker"] and f"{SCRIPT}{row['speaker']} 名前 $x^2$"
    write_lines(folder / "detections.jsonl", rows)
    series = {"series": f"{SCRIPT}series", "x": 1, "y": 2, "x_label": f"{SCRIPT}axis"}
    write_lines(folder / "history.jsonl", [series])
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text() + f'\nx = "{SCRIPT}recipe"\n')
    page = written(folder)
    assert page.all("script") == []
    for what in ("keyword", "warning", "note", "condition", "change", "stream", "series", "axis", "s01 名前 $x^2$"):
        assert f"{SCRIPT}{what}" in page.text, what
    assert all(SCRIPT in player["aria-label"] for player in page.all("audio"))
    html = (folder / "report.html").read_text()
    assert "<script" not in html
    assert "</script" not in html


def no_words(folder: Path) -> None:
    """Leave test without streams."""
    write_lines(folder / "detections.jsonl", [])
    write_json(folder / "curves.json", {"dev": None, "test": None})

    def change(table: Any) -> None:
        table["streams"] = []
        for name in ("false_accepts", "misses"):
            table["metrics"][name][0] |= dict.fromkeys(("value", "low", "high", "simple")) | {"note": "nothing there"}

    edit(folder / "metrics.json", change)


def one_clip(folder: Path) -> None:
    """Leave one clip of the keyword."""
    write_lines(folder / "clips.jsonl", read_lines(folder / "clips.jsonl")[:1])


def certain(folder: Path) -> None:
    """Let scores be 0 and 1 exactly, as isotonic calibration gives."""
    rows = read_lines(folder / "clips.jsonl")
    write_lines(folder / "clips.jsonl", [{**row, "score": float(row["pool"] == "positive")} for row in rows])


def uncalibrated(folder: Path) -> None:
    """Let calibration change nothing."""
    rows = read_lines(folder / "clips.jsonl")
    write_lines(folder / "clips.jsonl", [{**row, "score": 1 / (1 + math.exp(-row["raw"]))} for row in rows])


def unreachable(folder: Path) -> None:
    """Let no threshold meet the target, and the one taken hear nothing."""

    def change(table: Any) -> None:
        events = table["operating_point"]["events"]
        table["operating_point"] |= {"reachable": False, "misses": events, "miss_rate": 1.0, "threshold": 1.0}

    edit(folder / "metrics.json", change)


EXTRA = {"training-accuracy", "training-learning-rate", "series-0-lr-finder", "series-1-gradient-norm"}
MISSING: list[tuple[str, Callable[[Path], None], list[str], set[str]]] = [
    ("streams", no_words, ["There is no curve", "Test has no streams", "keyword clips"], {"miss-rate", "snr"}),
    (
        "conditions",
        lambda folder: edit(folder / "metrics.json", lambda table: table.update(conditions={})),
        ["The run has no conditions", "[conditions.<id>]"],
        {"conditions"},
    ),
    (
        "clips",
        lambda folder: write_lines(folder / "clips.jsonl", []),
        ["Test has no clips"],
        {"det", "roc", "reliability", "scores"},
    ),
    ("but one clip", one_clip, ["1 positive"], {"det", "roc", "reliability"}),
    ("doubt", certain, ["Brier score"], set()),
    ("calibration", uncalibrated, ["the calibrator changed nothing"], set()),
    (
        "history",
        lambda folder: write_lines(folder / "history.jsonl", []),
        ["Training recorded nothing"],
        {
            "training-loss",
            "training-accuracy",
            "training-learning-rate",
            "series-0-lr-finder",
            "series-1-gradient-norm",
        },
    ),
    (
        "series",
        lambda folder: write_lines(folder / "history.jsonl", [{"epoch": 0, "dev_loss": 0.5, "note": "text"}]),
        ["After the last epoch: dev loss 0.5"],
        EXTRA,
    ),
    ("reach", unreachable, ["on dev; none hears a keyword.", "not reachable", "It heard none of the 150"], set()),
    (
        "test's curve",
        lambda folder: edit(folder / "curves.json", lambda table: table.update(test=None)),
        ["dev: 150 keywords"],
        set(),
    ),
    (
        "metrics",
        lambda folder: edit(folder / "metrics.json", lambda table: table.update(metrics={})),
        ["was not measured"],
        set(),
    ),
]


@pytest.mark.parametrize(("change", "says", "gone"), [row[1:] for row in MISSING], ids=[row[0] for row in MISSING])
def test_a_run_without_something_has_a_page_without_it(
    folder: Path, page: Page, change: Callable[[Path], None], says: list[str], gone: set[str]
) -> None:
    """What a run does not have is said in a sentence, and all other figures are still drawn."""
    change(folder)
    found = written(folder)
    assert figures(page) - figures(found) == gone
    for sentence in says:
        assert sentence in found.text


def figures(page: Page) -> set[str]:
    """Return the names of the figures on a page."""
    return {found["id"].removeprefix("figure-") for found in page.all("figure")}


@pytest.mark.parametrize(
    "name", ["listen/gone.flac", "../secret.flac", "/etc/hostname", "listen", "listen/broken.flac"]
)
def test_a_sound_that_cannot_be_played_is_a_dash(folder: Path, name: str) -> None:
    """A missing, broken or foreign file leaves a dash; nothing outside the run's folder is read."""
    (folder.parent / "secret.flac").write_bytes(next((folder / "listen").iterdir()).read_bytes())
    (folder / "listen" / "broken.flac").write_bytes(b"fLaC nonsense")
    rows = read_lines(folder / "detections.jsonl")
    next(row for row in rows if row["listen"])["listen"] = name
    write_lines(folder / "detections.jsonl", rows)
    page = written(folder)
    assert len(page.all("audio")) == 9
    assert [found["title"] for found in page.all("div") if found.get("class") == "silent"] == ["no excerpt"]


def test_a_rewritten_page_replaces_the_old_one_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the page cannot be made the old one stays, and no part of a new one is left."""
    path = Html().write(read_run(folder), folder)
    before = path.read_bytes()

    def broken(*_: object, **__: object) -> str:
        raise RuntimeError("no page")

    monkeypatch.setattr("wakekit_evaluation.report.page.render", broken)
    with pytest.raises(RuntimeError):
        Html().write(read_run(folder), folder)
    assert path.read_bytes() == before
    assert not list(folder.glob(".report.html*"))
