"""The tables of an ablation: what decides, every other measure, what the uncertainty comes from, cells and stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.ablation import words
from wakekit.ablation.result import CANNOT_TELL
from wakekit.ablation.words import DASH
from wakekit_evaluation.report.breakdowns import Table

if TYPE_CHECKING:
    from wakekit.ablation.result import AblationResult, Answer, Effect


def verdict_table(result: AblationResult) -> Table:
    """Return every answer in the measure that decides it, what helps most first."""
    answers = words.ranked(result.answers)
    measures = {answer.measure for answer in answers if words.deciding(answer) is not None}
    one = words.measure_name(min(measures)) if len(measures) == 1 else ""
    columns = (
        "in question",
        "verdict",
        *([] if one else ["measure"]),
        f"difference{f' in {one}' if one else ''}, {words.percent(result.level)} interval",
        "p, Holm (alone)",
        "recipe",
        "variant",
        "counts as none",
        "seeds",
    )
    rows = tuple(_verdict_row(answer, named=not one) for answer in answers)
    return Table(label="Verdicts", columns=columns, rows=rows, numbers_from=2 if one else 3)


def _verdict_row(answer: Answer, *, named: bool) -> tuple[str, ...]:
    effect = words.deciding(answer)
    return (
        answer.subject,
        f"{words.SYMBOLS.get(answer.verdict, '')}\u00a0{answer.verdict}",
        *((words.measure_name(answer.measure),) if named else ()),
        _two_lines(effect),
        DASH if effect is None else f"{words.chance(effect.adjusted_p)}\n({words.chance(effect.p)})",
        *_levels(effect),
        words.margin(answer),
        f"{len(answer.seeds)}\n{words.seeds_text(answer.seeds)}" if answer.seeds else "0",
    )


def other_measures(result: AblationResult) -> Table | None:
    """Return the differences in every measure side by side, an answer a row; None where nothing was measured."""
    answers = [answer for answer in words.ranked(result.answers) if answer.effects]
    names = list(dict.fromkeys(effect.measure for answer in answers for effect in answer.effects))
    if not names:
        return None
    rows = []
    for answer in answers:
        found = {effect.measure: effect for effect in answer.effects}
        rows.append((answer.subject, *(_two_lines(found.get(name)) for name in names)))
    columns = ("in question", *map(words.measure_name, names))
    return Table(label="Differences in every measure", columns=columns, rows=tuple(rows))


def measures_of(answer: Answer) -> Table:
    """Return everything that is known of every measure of one answer."""
    rows = [
        (
            words.measure_name(effect.measure),
            effect.better,
            _two_lines(effect),
            *_levels(effect),
            words.chance(effect.p),
            DASH if words.known(effect.degrees) is None else words.number(effect.degrees, ""),
            effect.note,
        )
        for effect in answer.effects
    ]
    columns = ("measure", "is better", "difference", "recipe", "variant", "p", "degrees of freedom", "note")
    return Table(label=f"Every measure of {answer.subject}", columns=columns, rows=tuple(rows), numbers_from=2)


def uncertainty_table(result: AblationResult) -> Table | None:
    """Return where the variance of each deciding difference comes from; None where that is known of none."""
    effects = [(answer, words.deciding(answer)) for answer in words.ranked(result.answers)]
    found = [(answer, effect) for answer, effect in effects if effect is not None and effect.parts]
    parts = list(dict.fromkeys(part for _, effect in found for part in effect.parts))
    if not found:
        return None
    rows = [
        (
            answer.subject,
            *(_part(effect.parts.get(part)) for part in parts),
            *_spreads(effect),
            DASH if words.known(effect.degrees) is None else words.number(effect.degrees, ""),
        )
        for answer, effect in found
    ]
    columns = ("in question", *parts, "spread over seeds: recipe", "variant", "degrees of freedom")
    return Table(label="Where the uncertainty comes from", columns=columns, rows=tuple(rows))


def unsettled(result: AblationResult) -> list[Answer]:
    """Return the answers that cannot be told, those with what would settle them."""
    return [answer for answer in words.ranked(result.answers) if answer.verdict == CANNOT_TELL and answer.needed]


def terms_table(result: AblationResult) -> Table | None:
    """Return the main effects, then the interactions of a grid; None where there are none."""
    if not result.terms:
        return None
    kinds = {1: "main effect", 2: "interaction of two"}
    rows = [
        (term.name, kinds.get(term.order, f"interaction of {term.order}"), words.measure_name(term.effect.measure),
         _two_lines(term.effect), words.chance(term.effect.p))
        for term in sorted(result.terms, key=lambda term: term.order)
    ]  # fmt: skip
    columns = ("effect", "kind", "measure", f"difference, {words.percent(result.level)} interval", "p")
    return Table(label="Main effects and interactions", columns=columns, rows=tuple(rows), numbers_from=3)


def stages_table(result: AblationResult) -> Table | None:
    """Return how many results of each stage the cells need, how many differ, and how many were made."""
    if not result.reused:
        return None
    rows = [
        (stage, *(_count(counts.get(name)) for name in ("cells", "distinct", "made")), _shared(counts))
        for stage, counts in result.reused.items()
    ]
    columns = ("stage", "runs that need it", "different results", "made for this", "runs that share one")
    return Table(label="Stages", columns=columns, rows=tuple(rows))


def _part(value: float | None) -> str:
    found = words.known(value)
    return DASH if found is None else f"{100 * found:.0f} %"


def _count(value: int | None) -> str:
    return DASH if value is None else str(value)


def _shared(counts: dict[str, int]) -> str:
    return str(counts["cells"] - counts["distinct"]) if {"cells", "distinct"} <= counts.keys() else DASH


def cell_measures(result: AblationResult) -> list[str]:
    """Return the measures that cells have, those that decide first."""
    deciding = dict.fromkeys(answer.measure for answer in result.answers)
    have = dict.fromkeys(name for cell in result.cells for name in cell.measures)
    return [*(name for name in deciding if name in have), *(name for name in have if name not in deciding)]


def units(result: AblationResult) -> dict[str, str]:
    """Return the unit of each measure that an effect names."""
    return {effect.measure: effect.unit for answer in result.answers for effect in answer.effects}


def _two_lines(effect: Effect | None) -> str:
    if effect is None:
        return DASH
    ends, value = words.bounds(effect), words.difference(effect)
    return value if ends == DASH else f"{value}\n{ends}"


def _levels(effect: Effect | None) -> tuple[str, str]:
    """Return the measure of the recipe and of the variant, each with its spread over seeds on a line of its own."""
    if effect is None:
        return DASH, DASH
    spreads = (words.spread(spread, effect.unit) for spread in effect.spread or (None, None))
    first, second = (
        words.amount(value, effect.unit) + ("" if spread == DASH else f"\n± {spread}")
        for value, spread in zip((effect.base, effect.variant), spreads, strict=True)
    )
    return first, second


def _spreads(effect: Effect) -> tuple[str, str]:
    first, second = (_spread(spread, effect) for spread in effect.spread or (None, None))
    return first, second


def _spread(value: float | None, effect: Effect) -> str:
    text = words.spread(value, effect.unit)
    return text if text == DASH else f"{text} {words.unit_name(effect)}".rstrip()
