"""`wakekit report` makes the page of an ablation and its plots again from its folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ablation_support import ablation
from wakekit.ablation.saved import write_result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of an ablation as it was left."""
    write_result(tmp_path, ablation())
    (tmp_path / "recipe.toml").write_text("[report]\ntype = 'html'\nrows = 7\n")
    return tmp_path


def test_the_command_writes_the_page_again(home: Path, typed: Typed) -> None:
    """`wakekit report ABLATION` prints the path of the page, made with the options of the recipe in the folder."""
    answer = typed("report", home)
    assert (answer.code, answer.out, answer.err) == (0, f"{home / 'ablation.html'}\n", "")
    html = (home / "ablation.html").read_text()
    assert html.startswith("<!doctype html>")
    assert "38 more runs" in html


def test_the_command_writes_the_forest_plot(home: Path, typed: Typed) -> None:
    """`--format` writes the figures, prints their paths and leaves the page alone."""
    answer = typed("report", home, "--format", "svg")
    assert (answer.code, answer.out) == (0, f"{home / 'plots' / 'forest.svg'}\n")
    assert (home / "plots" / "forest.svg").is_file()
    assert not (home / "ablation.html").exists()


def test_a_report_without_ablations_writes_none(home: Path, typed: Typed) -> None:
    """A recipe that asks for no report gets none, and has no plots either."""
    (home / "recipe.toml").write_text('report = "none"\n')
    answer = typed("report", home)
    assert (answer.code, answer.out) == (0, f"{home}: its recipe asks for no report\n")
    answer = typed("report", home, "--format", "png")
    assert answer.code == 1
    assert "draws no plots" in answer.err


def test_a_damaged_ablation_is_one_sentence(home: Path, typed: Typed) -> None:
    """A file that was cut off is said to be so, without a trace."""
    path = home / "ablation.json"
    path.write_text(path.read_text()[:100])
    for options in ((), ("--format", "svg")):
        answer = typed("report", home, *options)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err.startswith(f"the ablation in {path} cannot be read")
        assert answer.err.count("\n") == 1
