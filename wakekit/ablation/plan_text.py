"""The plan of an ablation for a person: what varies, what each stage costs, and what that rests on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from wakekit.ablation import words
from wakekit.ablation.plan import OTHERS, SAME, VARIANTS
from wakekit.data import as_json
from wakekit.terminal import console as make_console
from wakekit.terminal import json_text, table_width
from wakekit.units import large_amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wakekit.ablation.plan import Basis, Plan, StagePlan, VariantPlan

_LISTED = 3
# Of these a recipe may have many, one for each condition or pass.
_FAMILIES = ("score-condition-", "condition-", "score-pass-", "calibrate-pass-")
_UNKNOWN = "not known, as no run of this is finished yet"
_CLOSE = {
    SAME: "with another seed",
    VARIANTS: "of other variants or of the recipe",
    OTHERS: "of other recipes in this folder",
}


def print_plan(found: Plan) -> None:
    """Print a plan to standard output, as wide as a terminal is."""
    console = make_console()
    console.print(Text(headline(found), style="bold"))
    console.print(_variants(found), width=table_width(console))
    console.print()
    console.print(_stages(found), width=table_width(console))
    console.print()
    for sentence in sentences(found):
        console.print(Text(sentence))
    for line in rests(found):
        console.print(Text(line, style="dim"))
    for warning in found.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))


def print_json(found: Plan) -> None:
    """Print a plan as JSON; its keys are the fields of `wakekit.ablation.plan.Plan`."""
    print(json_text(as_json(found), sys.stdout))  # noqa: T201


def headline(found: Plan) -> str:
    """Return what is planned in one line."""
    variants = words.many(len(found.variants), "variant")
    seeds = words.many(len(found.seeds), "seed")
    return f"{found.name}: the recipe and {variants}, {seeds} each ({words.seeds_text(found.seeds)}), on {found.judge}"


def sentences(found: Plan) -> list[str]:
    """Return how many trainings an ablation takes, how long, and how much disk, in a sentence each."""
    return [_trainings(found.training), _time(found), _disk(found)] if found.to_make else [
        _trainings(found.training), "Everything is in the store: nothing is left to make."
    ]  # fmt: skip


def _trainings(stage: StagePlan) -> str:
    count = words.many(stage.distinct, "training")
    told = f"{count} instead of {stage.cells}" if stage.distinct < stage.cells else f"{count}, none of them shared"
    if not stage.to_make:
        return f"{told}; in the store already."
    return f"{told}; {stage.held} of them in the store, {stage.to_make} to make." if stage.held else f"{told}."


def _time(found: Plan) -> str:
    unknown = [stage for stage in found.stages if stage.stage in found.unknown_time]
    if all(stage in unknown for stage in found.stages if stage.to_make):
        return f"Time: {_UNKNOWN}."
    atleast = "at least" if unknown else "about"
    text = f"Time: {atleast} {words.duration(found.seconds)} of work"
    if found.jobs > 1:
        wall = f"{atleast} {words.duration(found.wall_seconds)} with {found.jobs} at once"
        text += f"; {wall}, if the machine can carry them"
    return f"{text}{_besides(unknown)}."


def _disk(found: Plan) -> str:
    unknown = [stage for stage in found.stages if stage.stage in found.unknown_disk]
    free = f"{large_amount(found.free_bytes, 'B')} are free"
    if all(stage in unknown for stage in found.stages if stage.to_make):
        return f"Disk: {_UNKNOWN}; {free}."
    atleast = "at least" if unknown else "about"
    copies = ", and copies of the weights and scores in each run's folder" if found.judge == "test" else ""
    return f"Disk: {atleast} {large_amount(found.bytes, 'B')} in the store{copies}{_besides(unknown)}; {free}."


def _besides(unknown: Sequence[StagePlan]) -> str:
    return f", without {', '.join(_families(stage.stage for stage in unknown))} ({_UNKNOWN})" if unknown else ""


def rests(found: Plan) -> list[str]:
    """Return what the estimates rest on, a sentence for all stages of which the same can be said."""
    told: dict[str, list[str]] = {}
    for stage in found.stages:
        time, disk = (_basis(stage, bases) for bases in (stage.time_basis, stage.disk_basis))
        for what, basis in (("", time),) if time == disk else (("time of ", time), ("disk of ", disk)):
            if basis:
                told.setdefault(basis, []).append(f"{what}{stage.stage}")
    return [f"Estimates for {', '.join(names)} rest on {basis}." for basis, names in told.items()]


def _basis(stage: StagePlan, bases: Sequence[Basis]) -> str:
    parts = []
    for basis in bases:
        some = f" (for {basis.estimates} of {stage.to_make})" if len(bases) > 1 else ""
        parts.append(f"{basis.finished} finished {_CLOSE[basis.kind]}{some}")
    return " and ".join(parts)


def _variants(found: Plan) -> Table:
    table = _table()
    table.add_column("variant", overflow="fold", ratio=4)
    table.add_column("changes", overflow="fold", ratio=5)
    table.add_column("shares with the recipe", overflow="fold", ratio=4)
    stages = [stage.stage for stage in found.stages]
    for variant in found.variants:
        changes = "; ".join(change for change in variant.changes if change != variant.variant)
        table.add_row(Text(variant.variant), Text(changes or words.DASH), Text(_shares(variant, stages)))
    return table


def _shares(variant: VariantPlan, stages: Sequence[str]) -> str:
    """Return the stages that a variant shares, the shorter way round."""
    own = _families(stage for stage in stages if stage not in variant.shares)
    same = _families(variant.shares)
    if not own:
        return "all: identical by construction"
    if not same:
        return "nothing"
    return f"all but {', '.join(own)}" if len(own) <= max(len(same), _LISTED) else ", ".join(same)


def _families(stages: Iterable[str]) -> list[str]:
    """Return names of stages, those of one family under one name."""
    return list(dict.fromkeys(_family(stage) for stage in stages))


def _family(stage: str) -> str:
    return next((f"{start}*" for start in _FAMILIES if stage.startswith(start)), stage)


def _stages(found: Plan) -> Table:
    table = _table()
    table.add_column("stage", no_wrap=True)
    for name in ("runs", "distinct", "in store", "to make", "time", "disk"):
        table.add_column(name, justify="right", no_wrap=True)
    rows: dict[str, list[StagePlan]] = {}
    for stage in found.stages:
        rows.setdefault(_family(stage.stage), []).append(stage)
    for name, stages in rows.items():
        counts = [(stage.cells, stage.distinct, stage.held, stage.to_make) for stage in stages]
        seconds, size = _sum(stage.seconds for stage in stages), _sum(stage.bytes for stage in stages)
        to_make = any(stage.to_make for stage in stages)
        table.add_row(
            name,
            *(str(sum(column)) for column in zip(*counts, strict=True)),
            _amount(words.duration(seconds) if seconds is not None else "?", shown=to_make),
            _amount(str(large_amount(size, "B")) if size is not None else "?", shown=to_make),
        )
    return table


def _sum(values: Iterable[float | None]) -> float | None:
    listed = list(values)
    return None if None in listed else sum(value for value in listed if value is not None)


def _amount(text: str, *, shown: bool) -> str:
    return text if shown else words.DASH


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
