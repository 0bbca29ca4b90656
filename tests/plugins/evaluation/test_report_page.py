"""The report's page loads nothing, can be walked by headings and keys, and is the same every time."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib as mpl

from wakekit.run_folder import read_run
from wakekit_evaluation.report.html import Html
from wakekit_evaluation.report.none import NoReport

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report_page import Page


def test_the_page_loads_nothing(html: str, page: Page) -> None:
    """No address of a server, no script, no foreign style: all that is loaded is in the page."""
    assert "http://" not in html
    assert "https://" not in html
    assert "@import" not in html
    assert {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "base"} == set()
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), tag
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    policy = next(found for found in page.all("meta") if found.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"].startswith("default-src 'none'")


def test_ids_are_unique_and_every_reference_finds_its_target(html: str, page: Page) -> None:
    """Inlined figures do not share ids, and links, clip paths and labels lead somewhere."""
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    wanted = set(re.findall(r"url\(#([^)]*)\)", html))
    for _, attributes in page.tags:
        wanted |= {attributes[name][1:] for name in ("href", "xlink:href") if attributes.get(name, "").startswith("#")}
        wanted |= {attributes[name] for name in ("aria-labelledby",) if name in attributes}
    assert wanted
    assert wanted <= set(ids)


def test_figures_take_the_colours_of_the_page_and_keep_their_text(html: str, page: Page) -> None:
    """No colour is fixed inside a figure, text is text, and each has a name for those who cannot see it."""
    drawings = re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    assert len(drawings) > 12
    for drawing in drawings:
        assert re.findall(r"#[0-9a-f]{6}\b", drawing) == []
        assert "<style" not in drawing
        assert 'aria-label="' in drawing or 'aria-hidden="true"' in drawing
        assert "<text" in drawing or "wave" in drawing
    assert {name for name in re.findall(r"var\(--([a-z]+)\)", html)} <= set(re.findall(r"--([\w-]+):", html))  # noqa: C416
    assert [found["aria-label"] for found in page.all("audio") if not found["aria-label"]] == []


def test_the_page_can_be_walked_by_headings_and_keys(page: Page) -> None:
    """One first heading, no level skipped, tables that scroll take the focus, the language is said."""
    levels = page.headings()
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    boxes = [found for found in page.all("div") if "scroll" in found.get("class", "")]
    assert boxes
    assert all(found["tabindex"] == "0" and found["role"] == "region" and found["aria-label"] for found in boxes)
    assert page.all("html")[0]["lang"] == "en"
    assert page.all("a")[0] == {"class": "skip", "href": "#result"}


def test_the_same_run_gives_the_same_page(whole: Path, html: str, tmp_path: Path) -> None:
    """Two reports are equal byte for byte, in another process too, and matplotlib's settings are left alone."""
    before = dict(mpl.rcParams)
    again = Html().write(read_run(whole), tmp_path)
    assert again.read_text(encoding="utf-8") == html
    assert dict(mpl.rcParams) == before
    code = (
        "import sys; from pathlib import Path; from wakekit.run_folder import read_run; "
        "from wakekit_evaluation.report.html import Html; Html().write(read_run(sys.argv[1]), Path(sys.argv[2]))"
    )
    other = tmp_path / "other"
    subprocess.run([sys.executable, "-c", code, whole, other], check=True, env={"PYTHONHASHSEED": "7"}, timeout=120)
    assert (other / "report.html").read_text(encoding="utf-8") == html


def test_naming_the_report_imports_nothing_heavy() -> None:
    """A recipe that names the report, or leaves it out, imports neither matplotlib nor Jinja2 nor NumPy."""
    code = (
        "import sys, wakekit_evaluation.report.html, wakekit_evaluation.report.none; "
        "print([m for m in ('matplotlib', 'jinja2', 'numpy', 'scipy', 'soundfile', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_pyplot_is_never_imported(whole: Path, tmp_path: Path) -> None:
    """Figures are made without matplotlib's global state."""
    code = (
        "import sys; from pathlib import Path; from wakekit.run_folder import read_run; "
        "from wakekit_evaluation.report.html import Html; run = read_run(sys.argv[1]); "
        "Html().plots(run, Path(sys.argv[2]), 'png'); print('matplotlib.pyplot' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, whole, tmp_path], capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout == "False\n"


def test_no_report_writes_nothing(whole: Path, tmp_path: Path) -> None:
    """The component `none` leaves the folder as it is and has no plots."""
    assert NoReport().write(read_run(whole), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert not hasattr(NoReport(), "plots")
