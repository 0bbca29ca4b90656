"""The end of an ablation on the terminal: a sentence for each thing in question, a table, and where the report lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from wakekit.ablation import words
from wakekit.ablation.result import CANNOT_TELL, FAILED, HELPS, HURTS, IDENTICAL, UNFINISHED
from wakekit.ablation.saved import FILE
from wakekit.terminal import console as make_console
from wakekit.terminal import table_width

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console

    from wakekit.ablation.result import AblationResult, Answer

_COLOURS = {HELPS: "green", HURTS: "red", CANNOT_TELL: "yellow", FAILED: "magenta", UNFINISHED: "magenta"}
_SHORT = {IDENTICAL: "identical"}


def print_answers(result: AblationResult, folder: Path | None = None) -> None:
    """Print what an ablation found to standard output, as wide as a terminal is.

    `folder` is the ablation's: the last line says what lies there to be opened.
    """
    console = make_console()
    answers = words.ranked(result.answers)
    console.print(Text(f"\n{result.question or result.name}", style="bold"))
    console.print(Text(words.tally(result)))
    _print_sentences(console, answers)
    if answers:
        console.print()
        console.print(_table(answers, result), width=table_width(console))
        console.print()
    console.print(Text(words.basis(result), style="dim"))
    for warning in result.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    if folder is not None:
        page = folder / "ablation.html"
        found = f"report: {page}" if page.is_file() else f"results: {folder / FILE}"
        console.print(found, markup=False, soft_wrap=True)


def _print_sentences(console: Console, answers: Sequence[Answer]) -> None:
    """Print a sentence for each answer, beside its sign on a terminal, on one line elsewhere."""
    signs = [Text(words.SYMBOLS.get(answer.verdict, " "), style=_style(answer)) for answer in answers]
    if table_width(console) is not None:
        for sign, answer in zip(signs, answers, strict=True):
            console.print(Text.assemble(sign, " ", _said(answer)))
        return
    lines = Table.grid(padding=(0, 1))
    for sign, answer in zip(signs, answers, strict=True):
        lines.add_row(sign, Text(_said(answer)))
    console.print(lines)


def _style(answer: Answer) -> str:
    return f"bold {_COLOURS.get(answer.verdict, 'default')}"


def _said(answer: Answer) -> str:
    return " ".join(part for part in (answer.sentence, answer.needed) if part)


def _table(answers: list[Answer], result: AblationResult) -> Table:
    measures = [answer.measure for answer in answers if words.deciding(answer) is not None]
    mixed = len(set(measures)) > 1
    what = "difference" if mixed or not measures else f"difference in {words.measure_name(measures[0])}"
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("in question", overflow="fold", min_width=23)
    table.add_column("verdict", no_wrap=True)
    if mixed:
        table.add_column("measure", overflow="fold")
    table.add_column(f"{what}\n{words.percent(result.level)} interval", justify="right", no_wrap=True)
    table.add_column("p\n(Holm)", justify="right", no_wrap=True)
    for answer in answers:
        effect = words.deciding(answer)
        bounds = words.bounds(effect)
        table.add_row(
            Text(answer.subject),
            Text(_SHORT.get(answer.verdict, answer.verdict), style=_style(answer)),
            *([Text(words.measure_name(answer.measure))] if mixed else []),
            Text(words.difference(effect) + ("" if bounds == words.DASH else f"\n{bounds}")),
            Text(words.chance(None if effect is None else effect.adjusted_p)),
        )
    return table
