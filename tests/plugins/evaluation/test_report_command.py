"""`wakekit report` makes the page and the plots again from a run's folder alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.report_support import edit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support import Typed


def test_the_command_writes_the_report_again(folder: Path, typed: Typed) -> None:
    """`wakekit report RUN` prints the page's path; that the corpus of the recipe is gone does not matter."""
    answer = typed("report", folder)
    assert (answer.code, answer.out, answer.err) == (0, f"{folder / 'report.html'}\n", "")
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_the_command_writes_plots(folder: Path, typed: Typed) -> None:
    """`--format` writes the figures and prints their paths, and leaves the page alone."""
    answer = typed("report", folder, "--format", "svg")
    assert answer.code == 0
    assert answer.out.splitlines()[0] == str(folder / "plots" / "miss-rate.svg")
    assert all((folder / "plots" / line.rpartition("/")[2]).is_file() for line in answer.out.splitlines())
    assert not (folder / "report.html").exists()


def test_the_recipes_options_count(folder: Path, typed: Typed) -> None:
    """The report is built from the run's own recipe: its options, and the page where it names none."""
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("listen = 30", "listen = 1"))
    assert typed("report", folder).code == 0
    assert (folder / "report.html").read_text().count("<audio") == 2
    recipe.write_text(recipe.read_text().partition("[report]")[0])
    assert typed("report", folder).code == 0
    assert (folder / "report.html").read_text().count("<audio") == 10


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, folder: Path, typed: Typed) -> None:
    """A wrong folder, damaged file, wrong option or unknown report is one sentence, without a trace."""
    empty = typed("report", tmp_path)
    assert (empty.code, empty.out) == (1, "")
    assert empty.err == f"expected the folder of a finished run, which holds recipe.toml, got {tmp_path}\n"
    (folder / "recipe.toml").write_text('[report]\ntype = "html"\nlisten = -1\n')
    answer = typed("report", folder)
    assert (answer.code, answer.out) == (1, "")
    assert "recipe.toml: report.listen: expected a value at least 0" in answer.err
    assert answer.err.count("\n") == 1
    (folder / "recipe.toml").write_text('report = "pdf"\n')
    assert "unknown report 'pdf'" in typed("report", folder).err
    (folder / "recipe.toml").write_text("")
    (folder / "clips.jsonl").write_text("{")
    answer = typed("report", folder)
    assert answer.code == 1
    assert "cannot be read" in answer.err


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: table["streams"][0].pop("hours_without_keyword"), "KeyError: 'hours_without_keyword'"),
        (lambda table: table["streams"][0].update(misses="many"), "expected a number as misses, got 'many'"),
        (lambda table: table["metrics"]["misses"][0].update(value="high"), "expected a number as value, got 'high'"),
    ],
)
def test_a_run_with_other_values_than_numbers_is_refused(
    folder: Path, typed: Typed, damage: Callable[[Any], object], message: str
) -> None:
    """JSON that holds something else than a run writes is one sentence, without a trace."""
    edit(folder / "metrics.json", damage)
    answer = typed("report", folder)
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1


def test_a_report_without_plots_says_so(folder: Path, typed: Typed) -> None:
    """A recipe that asks for no report gets none, and has no plots either."""
    (folder / "recipe.toml").write_text('report = "none"\n')
    answer = typed("report", folder)
    assert (answer.code, answer.out) == (0, f"{folder}: its recipe asks for no report\n")
    assert not (folder / "report.html").exists()
    answer = typed("report", folder, "--format", "png")
    assert answer.code == 1
    assert "draws no plots" in answer.err
