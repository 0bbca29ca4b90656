"""A comparison of runs as tables for a person."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

from rich.table import Table

from wakekit.data import as_json
from wakekit.terminal import console as make_console
from wakekit.terminal import json_text
from wakekit.units import large_amount, plain_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from wakekit.compare import Change, Comparison, Shared
    from wakekit.compare_difference import Difference
    from wakekit.compare_measures import Row
    from wakekit.data import Measure

_UNITS = {"area": "", "1/h": "/h", "share": "%", "squared error": ""}
_LONGEST = 60


def print_comparison(found: Comparison) -> None:
    """Print a comparison to standard output."""
    console = make_console()
    for side in found.runs:
        console.print(f"{side.letter}  {side.folder}", style="bold", markup=False, soft_wrap=True)
    letters = [side.letter for side in found.runs]
    _print_changes(console, "recipes", found.recipe, letters)
    _print_changes(console, "environments", found.environment, letters)
    for shared in found.shared:
        console.print(_shared_text(shared, letters[0]), markup=False)
    console.print("on the test split", style="italic")
    console.print(_measures(found.metrics, letters, differences=True))
    for line in _notes(found.metrics, letters):
        console.print(line, markup=False)
    for name, rows in found.conditions.items():
        console.print(f"under the condition {name}", style="italic", markup=False)
        console.print(_measures(rows, letters, differences=False))
    for warning in found.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)


def print_json(found: Comparison) -> None:
    """Print a comparison as JSON; its keys are the fields of `wakekit.compare.Comparison`."""
    print(json_text(_standard(as_json(found)), sys.stdout, default=str))  # noqa: T201


def _standard(value: Any) -> Any:  # noqa: ANN401
    """Return JSON data with null for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: _standard(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_standard(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_changes(console: Console, what: str, changes: Sequence[Change], letters: Sequence[str]) -> None:
    if not changes:
        console.print(f"the {what} are equal")
        return
    console.print(f"what differs in the {what}", style="italic")
    table = _table(["key", *letters])
    for change in changes:
        table.add_row(*map(_plain, (change.key, *(_value(value) for value in change.values))))
    console.print(table)


def _table(columns: Sequence[str]) -> Table:
    table = Table()
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _plain(text: str) -> str:
    # Rich reads square brackets as markup.
    return text.replace("[", r"\[")


def _value(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _shared_text(shared: Shared, first: str) -> str:
    said = {True: "yes", False: "no", None: "unknown"}
    items = [f"{match.paired} of {max(match.first, match.other)} {name}" for name, match in shared.items.items()]
    return (
        f"{shared.letter} and {first}: same corpus and splits: {said[shared.corpus_and_splits]}; same weights: "
        f"{said[shared.weights]}; same answers: {said[shared.answers]}; paired: {', '.join(items)}"
    )


def _measures(rows: Sequence[Row], letters: Sequence[str], *, differences: bool) -> Table:
    gaps = [f"{letter} - {letters[0]}" for letter in letters[1:]] if differences else []
    table = _table(["measure", *letters, *gaps])
    names = [row.measure for row in rows]
    for row in rows:
        unit = next((measure.unit for measure in row.values if measure is not None), "")
        cells = [_measure(measure) for measure in row.values]
        cells += [_difference(one, unit) for one in row.differences[1:]] if differences else []
        table.add_row(*map(_plain, (_label(row, names), *cells)))
    return table


def _label(row: Row, names: Sequence[str]) -> str:
    if names.count(row.measure) == 1 or not row.options:
        return row.measure
    return f"{row.measure} ({', '.join(f'{name} = {value}' for name, value in row.options.items())})"


def _measure(measure: Measure | None) -> str:
    return "–" if measure is None else _bounded(measure.value, measure.low, measure.high, measure.unit)


def _difference(found: Difference | None, unit: str) -> str:
    if found is None or found.value is None:
        return "–"
    text = _bounded(found.value, found.low, found.high, unit, sign=True)
    if found.ratio is None:
        return text
    ratio, low, high = ("∞" if part is None else plain_number(part, 3) for part in found.ratio)
    return f"{text}\nratio {ratio} [{low}, {high}]"


def _bounded(value: float | None, low: float | None, high: float | None, unit: str, *, sign: bool = False) -> str:
    if value is None:
        return "–"
    large = large_amount(value, unit)
    if large is not None:
        return large
    scale, end = 100 if unit == "share" else 1, _UNITS.get(unit, unit)
    plus = "+" if sign else ""

    def written(amount: float) -> str:
        return plain_number(scale * amount, sign=plus) if amount else "0"

    text = f"{written(value)} {end}".rstrip()
    if low is None or high is None:
        return text
    return f"{text} [{written(low)}, {written(high)}]"


def _notes(rows: Sequence[Row], letters: Sequence[str]) -> Iterable[str]:
    """Yield what must be known about the differences, measures gathered that share it."""
    every = [row.measure for row in rows]
    for run, letter in list(enumerate(letters))[1:]:
        told: dict[str, list[str]] = {}
        for row in rows:
            found = row.differences[run]
            if found is not None:
                text = _origin(found, letter, letters[0]) if found.value is not None else f"no difference; {found.note}"
                told.setdefault(text, []).append(_label(row, every))
        for text, names in told.items():
            yield f"{letter} - {letters[0]}, {', '.join(names)}: {text}"


def _some(count: int, what: str) -> str:
    return f"{count} {what.removesuffix('s') if count == 1 else what}"


def _origin(found: Difference, letter: str, first: str) -> str:
    parts = [f"{_some(found.items, found.over)} in {_some(found.clusters, 'clusters')}"]
    if found.first_only is not None:
        parts.append(f"{found.first_only} by {first} only, {found.other_only} by {letter} only")
    parts += [
        part for part in (found.method, found.ratio is not None and f"ratio {found.ratio_method}", found.note) if part
    ]
    return "; ".join(parts)
