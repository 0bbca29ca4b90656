"""The report in a browser: nothing is asked of the network, everything shows, fits, and plays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser_support import CLASHES, CONTRAST, PHONE, WIDE
from wakekit.run_folder import read_run
from wakekit_evaluation.report.figures import all_plots
from wakekit_evaluation.report.html import Html

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PLAY = """async (player) => {
  player.muted = true;
  await player.play();
  for (let tries = 0; tries < 200 && player.currentTime < 0.2 && !player.ended; tries++)
    await new Promise((done) => setTimeout(done, 25));
  player.pause();
  return [player.currentTime, player.duration];
}"""


@pytest.fixture(scope="module")
def address(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the page is."""
    return Html().write(read_run(whole), tmp_path_factory.mktemp("browser")).as_uri()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_figure_shows_and_its_labels_are_apart(whole: Path, opened: Callable[..., Any], size: Any) -> None:
    """Each figure of the run has a drawing with a size, and no label lies on another or leaves its figure."""
    page = opened(size)
    for plot in all_plots(read_run(whole)):
        boxes = [svg.bounding_box() for svg in page.query_selector_all(f"#figure-{plot.name} svg")]
        seen = [box for box in boxes if box and box["width"] > 200 and box["height"] > 100]
        assert len(seen) == 1, plot.name
    assert page.evaluate(CLASHES) == []


@pytest.mark.parametrize(("scheme", "medium"), [("light", "screen"), ("dark", "screen"), ("dark", "print")])
def test_every_text_can_be_read(opened: Callable[..., Any], scheme: str, medium: str) -> None:
    """All text, that of figures too, has a contrast of at least 4.5 with what lies behind it; paper is never dark."""
    page = opened(WIDE, scheme)
    page.emulate_media(media=medium)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    ratio, text, count = page.evaluate(CONTRAST)
    assert ratio >= 4.5, text
    assert count > 0
    ground = page.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
    light = sum(int(part) for part in ground.strip("rgb()").split(","))
    assert (light > 600) == (scheme == "light" or medium == "print")


def test_a_phone_never_scrolls_sideways(opened: Callable[..., Any]) -> None:
    """At 375 px the page is as wide as the screen; what is wider scrolls in its own box. Text stays readable."""
    page = opened(PHONE)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    over = (
        """() => [...document.querySelectorAll('.scroll')].filter((box) => box.scrollWidth > box.clientWidth).length"""
    )
    assert page.evaluate(over) > 0
    small = """() => Math.min(...[...document.querySelectorAll('.plot svg')].filter((svg) => svg.clientWidth).map(
        (svg) => parseFloat(getComputedStyle(svg.querySelector('text')).fontSize)
            * svg.clientWidth / svg.viewBox.baseVal.width))"""
    assert page.evaluate(small) > 8


def test_everything_is_reached_by_keyboard(opened: Callable[..., Any]) -> None:
    """Tab goes to the skip link first, then to tables, figures' sections, details and every player, and is seen."""
    page = opened(WIDE)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    seen = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        where = page.evaluate(
            "(() => { const at = document.activeElement; return [at.tagName, at.getAttribute('aria-label') || "
            "at.textContent.slice(0, 40), getComputedStyle(at).outlineStyle] })()"
        )
        if where[0] == "BODY":
            break
        assert where[2] != "none", where
        seen.add((where[0], where[1]))
    wanted = page.evaluate("[...document.querySelectorAll('audio')].map((one) => one.getAttribute('aria-label'))")
    assert {name for tag, name in seen if tag == "AUDIO"} == set(wanted)
    assert {"SUMMARY", "DIV", "A"} <= {tag for tag, _ in seen}
    page.focus("summary")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details').open")


def test_every_player_plays(opened: Callable[..., Any]) -> None:
    """Each excerpt loads from the page itself, is as long as its file and moves on when played."""
    players = opened(WIDE).query_selector_all("audio")
    assert len(players) == 10
    for player in players:
        at, seconds = player.evaluate(PLAY)
        assert at > 0
        assert seconds == pytest.approx(3.0, abs=0.1)
