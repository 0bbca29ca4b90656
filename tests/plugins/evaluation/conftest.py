"""Fixtures of the report's tests: a finished run, a copy to change, and its page."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.report_page import Page
from tests.report_support import write_run
from wakekit.run_folder import read_run
from wakekit_evaluation.report.html import Html

if TYPE_CHECKING:
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
