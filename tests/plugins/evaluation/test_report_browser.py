"""The report in a browser: nothing is asked of the network, everything shows, fits, and plays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wakekit.run_folder import read_run
from wakekit_evaluation.report.figures import all_plots
from wakekit_evaluation.report.html import Html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM = Path("/usr/bin/chromium")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 812}
# The lowest contrast of any text with what lies behind it (WCAG 2.2, 1.4.3), with the text it was found at.
CONTRAST = """() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).slice(0, 3).map((value) => value / 255)
      .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const found = parts(colour);
      if (found.length === 3 || found[3] === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = [99, "", 0];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const own = light(node.closest("svg") ? style.fill : style.color), other = light(behind(node));
    const ratio = (Math.max(own, other) + 0.05) / (Math.min(own, other) + 0.05);
    worst[2] += 1;
    if (ratio < worst[0]) worst = [ratio, walk.currentNode.textContent.trim(), worst[2]];
  }
  return worst;
}"""
# Pairs of labels of one figure that lie on each other, and labels that leave their figure.
CLASHES = """() => {
  const found = [];
  for (const svg of document.querySelectorAll(".plot svg")) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width) continue;
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([name, box], row) => {
      if (box.left < frame.left - 3 || box.right > frame.right + 3) found.push([name, "leaves"]);
      for (const [other, next] of texts.slice(row + 1)) {
        const wide = Math.min(box.right, next.right) - Math.max(box.left, next.left);
        const high = Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top);
        if (wide > 1 && high > 3) found.push([name, other]);
      }
    });
  }
  return found;
}"""
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    with driver.sync_playwright() as started:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        found = started.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        yield found
        found.close()


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open the page at a size and in a scheme; whatever it asks for or complains about fails the test."""
    complaints: list[str] = []
    pages: list[Any] = []

    def show(size: dict[str, int], scheme: str = "light") -> Any:
        page = browser.new_page(viewport=size, color_scheme=scheme)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if foreign(request.url, address) else None)
        page.goto(address)
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()
    assert complaints == []


def foreign(url: str, address: str) -> bool:
    """Say whether an address is neither the page nor inside it."""
    return not url.startswith(("data:", address))


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
