"""Puts the page of an ablation together: the question, its answers, the forest plot, tables, and every run's place.

Names and reasons are strangers' text: the template escapes everything that is not made here.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

import attrs

from wakekit.ablation import markdown, words
from wakekit.ablation.result import CANNOT_TELL, FAILED, HELPS, HURTS, IDENTICAL, NO_DIFFERENCE, UNFINISHED
from wakekit_evaluation.report import ablation_tables as tables
from wakekit_evaluation.report.ablation_figures import ablation_plots
from wakekit_evaluation.report.headline import Tile
from wakekit_evaluation.report.page import fill, made_by

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.ablation.result import AblationResult, Answer, CellRecord

_CLASSES = {
    HELPS: "helps", HURTS: "hurts", NO_DIFFERENCE: "same", CANNOT_TELL: "open", IDENTICAL: "identical",
    FAILED: "failed", UNFINISHED: "unfinished",
}  # fmt: skip
_OPENED = (("report.html", "report"), ("recipe.toml", "recipe"), ("log.txt", "log"))


@attrs.frozen(kw_only=True)
class Said:
    """An answer as the page says it: the verdict as a sign, a word and a class of the style, then sentences.

    `sentence` is in three parts, the second of which is the subject and stands out.
    """

    subject: str
    sign: str
    verdict: str
    kind: str
    sentence: tuple[str, str, str]
    needed: str
    changes: tuple[str, ...]
    shares: str


@attrs.frozen(kw_only=True)
class Failure:
    """Why runs of a variant came to no end."""

    variant: str
    seeds: str
    reason: str


@attrs.frozen(kw_only=True)
class Link:
    """A file of a run, by its address beside the page."""

    address: str
    text: str


@attrs.frozen(kw_only=True)
class CellRow:
    """A run of the ablation: how it ended, its numbers and its files."""

    variant: str
    seed: int
    state: str
    reason: str
    numbers: tuple[str, ...]
    seconds: str
    made: str
    folder: str
    links: tuple[Link, ...]


def render_ablation(result: AblationResult, folder: Path, *, shown: int) -> str:
    """Return the page for the ablation's folder, whose files it links; lists fold after `shown` rows."""
    answers = words.ranked(result.answers)
    return fill(
        "ablation.html.j2",
        result=result,
        shown=shown,
        question=result.question or f"What earns its place in {result.name}?",
        tally=words.tally(result),
        said=[_said(answer) for answer in answers],
        basis=words.basis(result),
        tiles=_tiles(result),
        plots={plot.name: plot for plot in ablation_plots(result)},
        verdicts=tables.verdict_table(result),
        others=tables.other_measures(result),
        each=[(answer.subject, tables.measures_of(answer)) for answer in answers if answer.effects],
        uncertainty=tables.uncertainty_table(result),
        unsettled=tables.unsettled(result),
        terms=tables.terms_table(result),
        cells=_cells(result, folder),
        cell_names=[words.measure_name(name) for name in tables.cell_measures(result)],
        failures=_failures(result),
        stages_made=tables.stages_table(result),
        total=words.duration(result.seconds),
        readings=_readings(result),
        markdown=markdown.table(result),
        **made_by(result.environment),
    )


def _said(answer: Answer) -> Said:
    before, subject, after = answer.sentence.partition(answer.subject)
    sentence = (before, subject, after) if subject else ("", answer.subject, f": {answer.sentence}")
    return Said(
        subject=answer.subject,
        sign=words.SYMBOLS.get(answer.verdict, ""),
        verdict=answer.verdict,
        kind=_CLASSES.get(answer.verdict, "open"),
        sentence=sentence,
        needed=answer.needed,
        changes=answer.changes,
        shares=", ".join(answer.shares),
    )


def _tiles(result: AblationResult) -> list[Tile]:
    """Return the numbers that say how much the verdicts rest on, and what they cost."""
    done = sum(cell.state == "done" for cell in result.cells)
    found = [
        Tile(
            name="variants × seeds",
            value=f"{len(result.answers)} × {len(result.seeds)}",
            below=f"{words.many(len(result.cells), 'run')}, with those of the recipe",
        )
    ]
    trained = result.reused.get("train", {})
    if {"cells", "distinct", "made"} <= trained.keys():
        below = f"for {words.many(trained['cells'], 'run')}; {trained['made']} made for this"
        found.append(Tile(name="trainings", value=str(trained["distinct"]), below=below))
    judged = {name: words.number(value, "") for name, value in result.judged.items() if words.known(value) is not None}
    if "hours" in judged:
        below = ", ".join(f"{judged[name]} {name}" for name in ("speakers", "words") if name in judged)
        found.append(Tile(name=f"judged on {result.judge}", value=f"{judged['hours']} h", below=below))
    below = f"summed over runs; {done} of {len(result.cells)} are done"
    return [*found, Tile(name="total time", value=words.duration(result.seconds), below=below)]


def _readings(result: AblationResult) -> str:
    """Say how often the test split was read."""
    count = result.readings.get("count")
    if not isinstance(count, int):
        return "How often the test split of this corpus was read is not known."
    own = " This ablation is one of them." if result.judge == "test" else ""
    if not count:
        return "No recipe in this store has read the test split of this corpus."
    first, last, names = (result.readings.get(key) for key in ("first", "last", "recipes"))
    told = ["once" if count == 1 else f"{count} times"]
    if isinstance(names, (list, tuple)) and names:
        told[0] += f" by {', '.join(map(str, names))}"
    told += [f"first {first}"] if first and first != last else []
    told += [f"last {last}"] if last else []
    return f"The test split of this corpus was read {', '.join(told)}.{own}"


def _failures(result: AblationResult) -> list[Failure]:
    """Return why runs failed, those of one variant with one reason together."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for cell in result.cells:
        if cell.reason:
            seeds.setdefault((cell.variant, cell.reason), []).append(cell.seed)
    return [
        Failure(
            variant=variant or "the recipe",
            seeds=f"{'seed' if len(found) == 1 else 'seeds'} {words.seeds_text(found)}",
            reason=reason,
        )
        for (variant, reason), found in seeds.items()
    ]


def _cells(result: AblationResult, folder: Path) -> list[CellRow]:
    names, units = tables.cell_measures(result), tables.units(result)
    return [
        CellRow(
            variant=cell.variant or "the recipe",
            seed=cell.seed,
            state=cell.state,
            reason=cell.reason,
            numbers=tuple(words.amount(cell.measures.get(name), units.get(name, "")) for name in names),
            seconds=words.duration(cell.seconds),
            made=", ".join(cell.made) or (words.DASH if cell.state != "done" else "nothing"),
            folder=cell.folder,
            links=_links(cell, folder),
        )
        for cell in result.cells
    ]


def _links(cell: CellRecord, folder: Path) -> tuple[Link, ...]:
    """Return what can be opened of a run: files that are there, within reach of a relative address."""
    place = PurePosixPath(cell.folder)
    if not cell.folder or place.is_absolute():
        return ()
    there = [(name, text) for name, text in _OPENED if (folder / place / name).is_file()]
    return tuple(Link(address=f"./{quote(str(place / name))}", text=text) for name, text in there)
