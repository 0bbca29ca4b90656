"""Fixtures of the report's tests: a finished run, a copy to change, its page, and a browser."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser_support import CHROMIUM, foreign
from tests.report_page import Page
from tests.report_support import write_run
from wakekit.run_folder import read_run
from wakekit_evaluation.report.html import Html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has everything; tests only read it."""
    return write_run(tmp_path_factory.mktemp("report") / "nova-3f3f3f3f3f")


@pytest.fixture(scope="session")
def html(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its page."""
    return Html().write(read_run(whole), tmp_path_factory.mktemp("page")).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def page(html: str) -> Page:
    """Its page, taken apart."""
    return Page(html)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may change."""
    return shutil.copytree(whole, tmp_path / whole.name)


@pytest.fixture(scope="session")
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
