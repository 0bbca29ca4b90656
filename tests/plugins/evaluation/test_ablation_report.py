"""The page of an ablation: every answer, number, run and reason is on it, and strangers' text stays text."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import pytest

from tests.ablation_support import NASTY, ablation, grid, leave_cells
from tests.report_page import Page, said
from wakekit.ablation import markdown, words
from wakekit.ablation.result import CANNOT_TELL, IDENTICAL, AblationResult, CellRecord
from wakekit.ablation.saved import write_result
from wakekit.errors import WakekitError
from wakekit_evaluation.report.html import Html

if TYPE_CHECKING:
    from pathlib import Path


def written(result: AblationResult, folder: Path, **options: int) -> Page:
    """Write the page of an ablation and take it apart."""
    return Page(Html(**options).write_ablation(result, folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an ablation, with the page in it."""
    folder = tmp_path_factory.mktemp("ablation")
    leave_cells(ablation(), folder)
    assert Html().write_ablation(ablation(), folder) == folder / "ablation.html"
    return folder


@pytest.fixture(scope="module")
def html(place: Path) -> str:
    """The page of an ablation with every verdict."""
    return (place / "ablation.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    """The page, taken apart."""
    return Page(html)


def test_the_question_and_every_answer_are_told(page: Page) -> None:
    """The question is the heading; each answer has its verdict in words and a sign, its sentence and what is needed."""
    result = ablation()
    assert result.question in page.text
    assert said(words.tally(result)) in page.text
    for answer in result.answers:
        sign = words.SYMBOLS[answer.verdict]
        before, subject, after = answer.sentence.partition(answer.subject)
        parts = (before, subject, after, answer.needed) if subject else (answer.sentence, answer.needed)
        for part in parts:
            assert said(part) in page.text
        assert f"{sign} {answer.verdict}" in page.text
    assert said(words.basis(result)) in page.text
    assert result.warnings[0] in page.text


def test_the_verdicts_are_a_table_sorted_by_effect(page: Page) -> None:
    """Each row has the difference first, then p, both measures with their spread, the margin and the seeds."""
    head, *rows = page.tables["Verdicts"]
    minus = words.MINUS
    assert [row[0] for row in rows] == [said(answer.subject) for answer in words.ranked(ablation().answers)]
    assert head[:4] == ["in question", "verdict", "measure", "difference, 95 % interval"]
    assert rows[0] == ["normalizer (cmvn)", "+ helps", "miss rate", f"{minus}3.1 points [{minus}5.2, {minus}1.0]",
                       "0.007 (0.001)", "8.2 % ± 0.7", "11.3 % ± 0.9", "±2 points", "5 0 to 4"]  # fmt: skip
    assert rows[6][1:] == ["× failed", "miss rate", *[words.DASH] * 5, "0"]


def test_every_other_measure_is_shown(page: Page) -> None:
    """One table sets the differences in all measures side by side; one for each answer has all that is known of it."""
    head, *rows = page.tables["Differences in every measure"]
    names = {effect.measure for answer in ablation().answers for effect in answer.effects}
    assert set(head[1:]) == set(map(words.measure_name, names))
    assert len(rows) == sum(bool(answer.effects) for answer in ablation().answers)
    assert rows[0][1 + head[1:].index("scoring time")] == words.DASH
    own = page.tables["Every measure of normalizer (cmvn)"]
    assert len(own) == 1 + len(ablation().answers[0].effects)
    assert "interrupted and resumed" in next(row for row in own if row[0] == "scoring time")[-1]


def test_where_uncertainty_comes_from_and_what_would_settle_it(page: Page) -> None:
    """Shares of the variance, spreads over seeds, and what is needed for each answer that cannot be told."""
    head, *rows = page.tables["Where the uncertainty comes from"]
    assert head[1:4] == ["seeds", "speakers", "threshold"]
    assert rows[0][1:] == ["31 %", "52 %", "17 %", "0.7 points", "0.9 points", "11.4"]
    needed = [answer for answer in ablation().answers if answer.verdict == CANNOT_TELL]
    assert page.text.count(needed[0].needed) == 2


def test_every_run_is_listed_and_linked(place: Path, page: Page, html: str) -> None:
    """Each cell is a row with state, numbers, time and what was made; its files are linked where they are."""
    rows = [row for row in page.tables["Runs"] if row[0] != "variant"]
    assert len(rows) == len(ablation().cells)
    assert rows[0] == ["the recipe", "0", "done", "report recipe", "8.0 %", "0.0214", "4.1 %", "1 min 37 s",
                       "train, score, judge"]  # fmt: skip
    links = [found["href"] for found in page.all("a") if not found["href"].startswith("#")]
    done = [cell for cell in ablation().cells if cell.state == "done"]
    assert len(links) == len(done) + 5
    assert all((place / link).is_file() for link in links)
    assert {f"./{cell.folder}/recipe.toml" for cell in done} <= set(links)
    assert "25 more runs" in page.text
    assert html.count("ran out of memory") == 1
    assert f"{NASTY}, seeds 0 to 4: model {NASTY} ran out of memory" in page.text.replace(" , ", ", ").replace(
        " :", ":"
    )


def test_a_link_never_leads_elsewhere(tmp_path: Path) -> None:
    """Only files that are there, by a relative address in which nothing means more than a name."""
    home, odd = tmp_path / "home", ("javascript:alert(1)", "../run 1#a?b%")
    for folder in odd:
        (home / folder).mkdir(parents=True)
        (home / folder / "recipe.toml").touch()
    there = str(home / odd[0])
    folders = (*odd, there, f"/{there}", "//host/x", "", "gone")
    cells = tuple(CellRecord(variant="", seed=0, state="done", folder=folder) for folder in folders)
    page = written(ablation(cells=cells, answers=()), home)
    links = [found["href"] for found in page.all("a") if not found["href"].startswith("#")]
    assert links == ["./javascript%3Aalert%281%29/recipe.toml", "./../run%201%23a%3Fb%25/recipe.toml"]


def test_what_was_reused_and_read_is_told(page: Page) -> None:
    """Stages with their counts, the time in all, and how often test was read, by which recipes."""
    _, *rows = page.tables["Stages"]
    assert rows[1] == ["train", "45", "31", "26", "14"]
    assert "1 h 13 min" in page.text
    assert "was read 3 times by quickstart, first 2026-02-03T10:11:12Z, last 2026-03-01T08:00:00Z." in page.text
    assert ablation().fingerprint in page.text


@pytest.mark.parametrize(
    ("readings", "judge", "told"),
    [
        ({"count": 0, "recipes": [], "first": "", "last": ""}, "dev", "No recipe in this store has read the test"),
        ({"count": 1, "recipes": ["a"], "first": "x", "last": "x"}, "test", "once by a, last x. This ablation is one"),
        ({}, "dev", "is not known"),
    ],
)
def test_readings_of_test(tmp_path: Path, readings: dict[str, object], judge: str, told: str) -> None:
    """None, one, and not known are told apart."""
    assert told in written(ablation(readings=readings, judge=judge, answers=()), tmp_path).text


def test_the_markdown_is_there_to_copy(html: str, page: Page) -> None:
    """The page holds the very text of ablation.md."""
    assert said(markdown.table(ablation())) in page.text
    assert html.count("<pre") == 1


def test_a_grid_shows_main_effects_and_interactions(tmp_path: Path) -> None:
    """A grid has a section, a table and a figure of effects; other ablations have none."""
    page = written(grid(), tmp_path)
    _, *rows = page.tables["Main effects and interactions"]
    assert [row[:2] for row in rows] == [
        ["sampler", "main effect"], ["normalizer", "main effect"], ["sampler × normalizer", "interaction of two"],
    ]  # fmt: skip
    assert {"figure-forest", "figure-effects"} <= {found.get("id") for found in page.all("figure")}
    assert page.tables["Verdicts"][0][2] == "difference in miss rate, 95 % interval"


def test_the_forest_plot_draws_every_number(html: str, page: Page) -> None:
    """Both drawings name each answer that has a number and its verdict; the caption counts those that have none."""
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) == 2
    for drawing in drawings:
        for answer in ablation().answers:
            drawn = words.deciding(answer) is not None or answer.verdict == IDENTICAL
            assert (answer.subject[:18] in drawing.replace("&lt;", "<")) == drawn, answer.subject
        assert Counter(re.findall(r">(helps|hurts|no difference|cannot tell|identical)</text>", drawing)) == {
            "helps": 2, "hurts": 1, "no difference": 1, "cannot tell": 1, "identical": 1,
        }  # fmt: skip
        assert re.findall(r"#[0-9a-f]{6}\b", drawing) == []
    assert "2 of 8 variants have no number and are not drawn." in page.text
    assert "An arrow" not in page.text


def test_an_interval_that_dwarfs_the_rest_is_cut(tmp_path: Path) -> None:
    """An end far outside is drawn as an arrow at the edge, so that the others can still be read."""
    first, *rest = ablation().answers
    far = attrs.evolve(first, effects=(attrs.evolve(first.effects[0], low=-40.0, high=30.0),))
    html = Html().write_ablation(ablation(answers=(far, *rest)), tmp_path).read_text(encoding="utf-8")
    assert f"{words.MINUS}4000.0" in html
    assert "An arrow says that an interval goes on." in html
    assert f">{words.MINUS}10</text>" in html
    assert f">{words.MINUS}1000</text>" not in html


@pytest.mark.parametrize(
    "change",
    [
        {"answers": (), "cells": (), "reused": {}, "judged": {}, "environment": {}, "readings": {}, "question": ""},
        {"answers": tuple(attrs.evolve(one, effects=()) for one in ablation().answers), "seeds": ()},
        {
            "answers": tuple(
                attrs.evolve(one, effects=tuple(attrs.evolve(effect, low=None, high=float("inf"), parts={}, spread=None,
                                                             degrees=None) for effect in one.effects))
                for one in ablation().answers
            )
        },
    ],
    ids=["nothing", "no effects", "no intervals"],
)  # fmt: skip
def test_what_is_missing_is_said(tmp_path: Path, change: dict[str, object]) -> None:
    """A result without answers, effects or intervals still has a page with a heading and no empty table."""
    page = written(ablation(**change), tmp_path)
    assert page.headings().count(1) == 1
    assert all(len(rows) > 1 for rows in page.tables.values() if rows[0][0] not in {"variant", "in question"})
    assert "nan" not in page.text.split()
    assert "None" not in page.text


def test_the_page_loads_nothing_and_strangers_text_stays_text(html: str, page: Page) -> None:
    """No address of a server, no script, no handler, no image: a name that is markup is shown as it was typed."""
    assert "http://" not in html
    assert "https://" not in html
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "base", "img"} == set()
    for tag, attributes in page.tags:
        for name in ("src", "xlink:href", "srcset", "poster", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
        assert attributes.get("href", "#").startswith(("#", "data:", "./cells/")), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), tag
    assert NASTY in page.text
    policy = next(found for found in page.all("meta") if found.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'")


@pytest.mark.parametrize("make", [ablation, grid])
def test_the_page_can_be_walked(tmp_path: Path, make: type[AblationResult]) -> None:
    """Ids are unique, references find their targets, one first heading, no level skipped, tables take the focus."""
    html = Html().write_ablation(make(), tmp_path).read_text(encoding="utf-8")
    page = Page(html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    wanted = set(re.findall(r"url\(#([^)]*)\)", html))
    for _, attributes in page.tags:
        wanted |= {attributes[name][1:] for name in ("href", "xlink:href") if attributes.get(name, "").startswith("#")}
        wanted |= {attributes[name] for name in ("aria-labelledby",) if name in attributes}
    assert wanted <= set(ids)
    levels = page.headings()
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    boxes = [found for found in page.all("div") if "scroll" in found.get("class", "")]
    assert all(found["tabindex"] == "0" and found["role"] == "region" and found["aria-label"] for found in boxes)
    assert page.all("a")[0] == {"class": "skip", "href": "#result"}


def test_the_same_result_gives_the_same_page(place: Path, html: str) -> None:
    """The page is equal byte for byte when written again from the saved result, in another process."""
    write_result(place, ablation())
    code = (
        "import sys; from pathlib import Path; from wakekit.ablation.saved import read_result; "
        "from wakekit_evaluation.report.html import Html; p = Path(sys.argv[1]); "
        "Html().write_ablation(read_result(p), p)"
    )
    subprocess.run([sys.executable, "-c", code, place], check=True, env={"PYTHONHASHSEED": "7"}, timeout=120)
    assert (place / "ablation.html").read_text(encoding="utf-8") == html


def test_lists_fold_after_the_rows_of_the_recipe(tmp_path: Path) -> None:
    """The option `rows` says how many runs are shown before the rest is unfolded."""
    assert "42 more runs" in written(ablation(answers=()), tmp_path, rows=3).text


def test_plots_are_files(tmp_path: Path) -> None:
    """The forest plot, and the effects of a grid, are written for a paper; another form is refused."""
    assert Html().plot_ablation(ablation(), tmp_path, "svg") == [tmp_path / "plots" / "forest.svg"]
    found = Html().plot_ablation(grid(), tmp_path, "png")
    assert [path.name for path in found] == ["forest.png", "effects.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found)
    assert "<svg" in (tmp_path / "plots" / "forest.svg").read_text(encoding="utf-8")
    with pytest.raises(WakekitError, match="svg or png, got 'pdf'"):
        Html().plot_ablation(ablation(), tmp_path, "pdf")
