"""The end of an ablation on the terminal: every answer, within its width, as plain text where it is piped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

from tests.ablation_support import LONG, NASTY, ablation, grid
from wakekit.ablation.text import print_answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wakekit.ablation.result import AblationResult


@pytest.mark.parametrize("make", [ablation, grid])
def test_it_fits_and_is_plain(capsys: pytest.CaptureFixture[str], make: Callable[[], AblationResult]) -> None:
    """Nothing but text is written into a pipe, sentences whole, each on a line; the table is no wider than 80."""
    result = make()
    print_answers(result)
    out = capsys.readouterr().out
    lines = out.splitlines()
    for answer in result.answers:
        assert any(answer.sentence in line for line in lines)
    table = lines[next(number for number, line in enumerate(lines) if "in question   " in line) :]
    assert max(cell_len(line.rstrip()) for line in table[: table.index("")]) <= 80
    assert "\x1b" not in out


def test_every_answer_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Question, tally, each sentence with its sign and what would settle it, the table, its basis and warnings."""
    result = ablation()
    print_answers(result)
    out = capsys.readouterr().out
    text = " ".join(out.split())
    assert text.startswith(f"{result.question} Of 8 things in question, 2 help")
    for answer in result.answers:
        assert " ".join(answer.sentence.split()) in text
        assert answer.needed in text
    assert "\n? With sampler = shuffle" in out
    assert "\n+ Without normalizer (cmvn)" in out
    assert "Judged on dev (20 speakers" in text
    assert f"warning: {result.warnings[0]}" in text
    for part in ("[+1.8, +6.8]", "<0.001", "Brier score", "identical", "95 % interval"):
        assert part in text
    assert "[/" not in NASTY
    assert LONG.split(" ", maxsplit=1)[0] in text


def test_names_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets of a name are printed, whatever they would mean to the printer."""
    print_answers(ablation(question="[bold]why[/bold] [red]", warnings=("[/]",)))
    out = capsys.readouterr().out
    assert "[bold]why[/bold] [red]" in out
    assert "warning: [/]" in out


def test_the_report_is_named_where_there_is_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The last line says which file to open: the page, or the results where no page was asked for."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    print_answers(grid(), folder)
    assert capsys.readouterr().out.splitlines()[-1] == f"results: {folder / 'ablation.json'}"
    (folder / "ablation.html").touch()
    print_answers(grid(), folder)
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {folder / 'ablation.html'}"


def test_an_ablation_without_answers_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to tell is told so."""
    print_answers(ablation(answers=(), cells=(), judged={}, question=""))
    assert "Nothing was compared." in capsys.readouterr().out
