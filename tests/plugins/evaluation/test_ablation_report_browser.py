"""The page of an ablation in a browser: nothing is asked of the network, everything shows, fits, and can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.ablation_support import ablation, grid, leave_cells
from tests.browser_support import CLASHES, CONTRAST, PHONE, WIDE
from wakekit_evaluation.report.html import Html

if TYPE_CHECKING:
    from collections.abc import Callable

UNFOLD = "document.querySelectorAll('details').forEach((one) => { one.open = true })"
SMALLEST = """() => Math.min(...[...document.querySelectorAll('.plot svg')].filter((svg) => svg.clientWidth).map(
    (svg) => Math.min(...[...svg.querySelectorAll('text')].map((text) => parseFloat(getComputedStyle(text).fontSize)))
        * svg.clientWidth / svg.viewBox.baseVal.width))"""


@pytest.fixture(scope="module", params=[ablation, grid])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the page is."""
    folder = tmp_path_factory.mktemp("ablation-browser")
    leave_cells(request.param(), folder)
    return Html().write_ablation(request.param(), folder).as_uri()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_figures_show_and_their_labels_are_apart(opened: Callable[..., Any], size: Any) -> None:
    """Each figure has one drawing with a size; no label lies on another or leaves its figure, and all can be read."""
    page = opened(size)
    figures = page.query_selector_all("figure.plot")
    assert figures
    for figure in figures:
        boxes = [svg.bounding_box() for svg in figure.query_selector_all("svg")]
        assert len([box for box in boxes if box and box["width"] > 200 and box["height"] > 100]) == 1
    assert page.evaluate(CLASHES) == []
    assert page.evaluate(SMALLEST) > 8


@pytest.mark.parametrize(("scheme", "medium"), [("light", "screen"), ("dark", "screen"), ("dark", "print")])
def test_every_text_can_be_read(opened: Callable[..., Any], scheme: str, medium: str) -> None:
    """All text, that of the figures too, has a contrast of at least 4.5; paper is never dark."""
    page = opened(WIDE, scheme)
    page.emulate_media(media=medium)
    page.evaluate(UNFOLD)
    ratio, text, count = page.evaluate(CONTRAST)
    assert ratio >= 4.5, text
    assert count > 300
    ground = page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
    light = sum(int(part) for part in ground.strip("rgb()").split(","))
    assert (light > 600) == (scheme == "light" or medium == "print")


def test_a_phone_never_scrolls_sideways(opened: Callable[..., Any]) -> None:
    """At 375 px the page is as wide as the screen, all unfolded; what is wider scrolls in its own box."""
    page = opened(PHONE)
    page.evaluate(UNFOLD)
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    outside = """() => [...document.querySelectorAll('main *')].filter((one) => !one.closest('.scroll, pre, svg')
        && one.getClientRects().length && one.getBoundingClientRect().right > 376).map((one) => one.textContent)"""
    assert page.evaluate(outside) == []


def test_everything_is_reached_by_keyboard(opened: Callable[..., Any]) -> None:
    """Tab goes to the skip link, then to tables, runs and details, each seen; a detail unfolds with Enter."""
    page = opened(WIDE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    tags = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        tag, outline = page.evaluate(
            "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]"
        )
        if tag == "BODY":
            break
        assert outline != "none", tag
        tags.add(tag)
    assert {"A", "DIV", "SUMMARY", "PRE"} <= tags
    page.focus("summary")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details').open")


def test_a_run_is_opened_by_its_link(opened: Callable[..., Any]) -> None:
    """The first link among the runs leads to a file that opens."""
    page = opened(WIDE)
    link = page.query_selector(".cells a").evaluate("(one) => one.href")
    assert link.startswith("file:")
    assert link.endswith("/cells/recipe/seed-0/report.html")
