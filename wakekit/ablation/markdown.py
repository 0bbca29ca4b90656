"""The verdicts as a Markdown table, for a README or a paper."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wakekit.ablation import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.ablation.result import AblationResult, Answer, Effect, Term

# What CommonMark, and GitHub beyond it, could read as more than text.
_MEANS_MORE = re.compile(r"([\\`*_\[\]<>|~&$])")


def table(result: AblationResult) -> str:
    """Return the verdicts as a Markdown table, what helps most first, and below it what they rest on.

    Each row gives the difference in the measure that decides with its own interval, the measure of the recipe and of
    the variant (means over seeds), the seeds that both have finished, and p after Holm's correction.
    """
    answers = words.ranked(result.answers)
    measures = {answer.measure for answer in answers if words.deciding(answer) is not None}
    one = words.measure_name(min(measures)) if len(measures) == 1 else ""
    bounds = f"{words.percent(result.level)} interval"
    columns = [
        "in question",
        "verdict",
        *([] if one else ["measure"]),
        f"difference in {one} [{bounds}]" if one else f"difference [{bounds}]",
        "recipe → variant",
        "seeds",
        "p (Holm)",
    ]
    rows = [_row(answer, named=not one) for answer in answers]
    blocks = [_grid(columns, rows, numbers_from=3 - bool(one)), _plain(words.basis(result))]
    if result.terms:
        blocks.insert(1, _grid(["effect", f"difference [{bounds}]", "p"], list(map(_term, result.terms)), 1))
    return "\n\n".join(blocks) + "\n"


def _row(answer: Answer, *, named: bool) -> list[str]:
    effect = words.deciding(answer)
    change = words.DASH
    if effect is not None and words.known(effect.base) is not None:
        change = f"{words.amount(effect.base, effect.unit)} → {words.amount(effect.variant, effect.unit)}"
    return [
        _plain(answer.subject),
        answer.verdict,
        *([_plain(words.measure_name(answer.measure))] if named else []),
        _bounded(effect),
        change,
        str(len(answer.seeds)),
        _p(None if effect is None else effect.adjusted_p),
    ]


def _term(term: Term) -> list[str]:
    return [_plain(term.name), _bounded(term.effect), _p(term.effect.p)]


def _p(value: float | None) -> str:
    return _plain(words.chance(value))


def _bounded(effect: Effect | None) -> str:
    ends = words.bounds(effect)
    return words.difference(effect) + ("" if ends == words.DASH else f" {ends}")


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int) -> str:
    rules = ["---" if at < numbers_from else "---:" for at in range(len(columns))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (columns, rules, *rows))


def _plain(text: str) -> str:
    """Return text on one line, with nothing in it that Markdown would take for more than text."""
    return _MEANS_MORE.sub(r"\\\1", " ".join(text.split()))
