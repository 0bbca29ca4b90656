"""The table at the end of a run: what was measured, with its interval, in words that need no manual."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from wakekit.terminal import console as make_console
from wakekit.units import large_amount, plain_number
from wakekit.worst import worst_speaker

if TYPE_CHECKING:
    from rich.console import Console

_COUNTS = 3  # the first say most; all of them are in metrics.json
_MISSED = "missed"
_DECIDED = {_MISSED, "false_accepts"}  # what a threshold decides is counted under these
_UNITS = {"area": "", "squared error": "", "1/h": "per hour"}


def print_summary(folder: Path) -> None:
    """Print the result of the run, or of the folds, in `folder` to standard output."""
    console = make_console()
    console.print(f"\nresults of {folder}", style="bold", markup=False, soft_wrap=True)
    if (folder / "folds.json").is_file():
        _print_folds(console, json.loads((folder / "folds.json").read_text(encoding="utf-8")))
        return
    report = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    console.print(_headline(report["operating_point"]), markup=False)
    console.print(_metrics(report["metrics"]))
    if report["streams"]:
        console.print(_streams(report["streams"]))
    if report["conditions"]:
        console.print(_conditions(report, "test and its conditions, at that threshold"))
    if report.get("passes"):
        console.print(_passes(report))
    for sentence in _worst(report):
        console.print(sentence, markup=False)
    for warning in report["warnings"]:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    if (read := _test_readings(folder)) > 1:
        console.print(f"test of this corpus has been read by {read} recipes in this folder", markup=False)
    for path in sorted((folder / "export").glob("*/parity.json")):
        console.print(_export(path), markup=False, soft_wrap=True)
    if (folder / "report.html").is_file():
        console.print(f"report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _export(path: Path) -> str:
    """Say what was exported, and how it compares with what was trained."""
    parity = json.loads(path.read_text(encoding="utf-8"))
    file = path.parent / parity["file"]
    return (
        f"exported: {file} ({large_amount(file.stat().st_size, 'B')}); its probabilities differ by up to "
        f"{parity['largest_difference']:.2g} from the trained model's, and so do {parity['decisions_differ']} of "
        f"{parity['windows']} decisions at the threshold"
    )


def _test_readings(folder: Path) -> int:
    """Return by how many recipes test had been read; 0 where the run does not say."""
    path = folder / "environment.json"
    return int(json.loads(path.read_text(encoding="utf-8")).get("test_readings", 0)) if path.is_file() else 0


def _print_folds(console: Console, report: dict[str, Any]) -> None:
    folds = report["folds"]
    console.print(
        f"{len(folds)} folds, each judged by a model that heard none of its speakers, at a threshold of its own: "
        f"{', '.join(format(fold['operating_point']['threshold'], '.4g') for fold in folds)}",
        markup=False,
    )
    console.print(_metrics(report["metrics"], "on the test splits of all folds together"))
    if report["conditions"]:
        console.print(_conditions(report, "test and its conditions, over all folds"))
    for sentence in _worst(report):
        console.print(sentence, markup=False)
    for fold in folds:
        console.print(f"fold {fold['fold']}: {fold['run']}", markup=False, soft_wrap=True)
        for warning in fold["warnings"]:
            console.print(f"  warning: {warning}", style="yellow", markup=False)


def _headline(point: dict[str, Any]) -> str:
    return (
        f"threshold {point['threshold']:.4g}, chosen on dev for at most {point['target_fa_per_hour']:g} false accepts "
        f"per hour; there it missed {point['misses']} of {point['events']} and accepted {point['false_accepts']} "
        f"falsely in {plain_number(point['hours'], 3)} h\n{point['message']}{_searched(point)}"
    ).rstrip()


def _searched(point: dict[str, Any]) -> str:
    """Say which settings of the detector a search chose, and what the choice makes of the numbers on dev."""
    if not point.get("detector"):
        return ""
    settings = ", ".join(f"{name} = {json.dumps(value)}" for name, value in point["detector"].items())
    return f"\n{point.get('optimism', '')} Taken: {settings}."


def _metrics(metrics: dict[str, list[dict[str, Any]]], title: str = "on the test split, at that threshold") -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("measure", no_wrap=True)
    table.add_column("value", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("from")
    for measures in metrics.values():
        for measure in measures:
            table.add_row(
                measure["name"], _number(measure["value"], measure["unit"]), _interval(measure), _origin(measure)
            )
    return table


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    if unit == "share":
        return f"{100 * value:.2f} %"
    return large_amount(value, unit) or f"{plain_number(value)} {_UNITS.get(unit, unit)}".rstrip()


def _interval(measure: dict[str, Any]) -> str:
    if measure["low"] is None:
        return "–"
    low, high = (_number(measure[end], measure["unit"]) for end in ("low", "high"))
    return f"{low.split(' ')[0]} to {high}"


def _origin(measure: dict[str, Any]) -> str:
    counts = [f"{plain_number(value)} {name.replace('_', ' ')}" for name, value in measure["counts"].items()][:_COUNTS]
    return "; ".join(part for part in (", ".join(counts), measure["method"], measure["note"]) if part)


def _streams(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="stream by stream", title_justify="left")
    for name in ("stream", "hours", "keywords", "hits", "misses", "false accepts"):
        table.add_column(name, justify="left" if name == "stream" else "right")
    for row in rows if len(rows) <= 12 else _totals(rows):  # noqa: PLR2004
        name = Path(row["stream"]).name + (" (composed)" if row["composed"] else "")
        values = (row["events"], row["hits"], row["misses"], row["false_accepts"])
        table.add_row(name, f"{row['hours_without_keyword']:.2f}", *map(str, values))
    return table


def _conditions(report: dict[str, Any], title: str) -> Table:
    """Set test beside its shifted copies, worst first."""
    return _side_by_side(title, "condition", [("test", report), *_worst_first(report["conditions"])])


def _passes(report: dict[str, Any]) -> Table:
    """Set the weights of each pass side by side."""
    judged = [(f"pass {number}", found) for number, found in enumerate((*report["passes"], report), 1)]
    return _side_by_side("each pass on test, at a threshold of its own chosen on dev", "weights", judged)


def _side_by_side(title: str, what: str, judged: list[tuple[str, dict[str, Any]]]) -> Table:
    """Return a table of each measure that a threshold decides, a row for each of `judged`."""
    table = Table(title=title, title_justify="left")
    table.add_column(what)
    all_measures = [measure for measures in judged[0][1]["metrics"].values() for measure in measures]
    shown = [measure["name"] for measure in all_measures if _DECIDED & measure["counts"].keys()]
    for key in shown:
        table.add_column(key, justify="right")
    for name, one in judged:
        found = {measure["name"]: measure for measures in one["metrics"].values() for measure in measures}
        cells = [f"{_number(found[key]['value'], found[key]['unit'])}  ({_interval(found[key])})" for key in shown]
        table.add_row(name, *cells)
    return table


def _worst_first(conditions: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return sorted(conditions.items(), key=lambda item: (-_miss(item[1]).get("value", -1.0), item[0]))


def _miss(judged: dict[str, Any]) -> dict[str, Any]:
    """Return the first measure of misses that has a value, empty where none has."""
    measures = (measure for measures in judged["metrics"].values() for measure in measures)
    found = (measure for measure in measures if _MISSED in measure["counts"] and measure["value"] is not None)
    return next(found, {})


def _worst(report: dict[str, Any]) -> list[str]:
    """Name the speaker whom the run misses most and the condition that costs most."""
    speaker, told = worst_speaker(report.get("speakers", ())), []
    if speaker is not None:
        told.append(speaker.sentence())
    for name, judged in _worst_first(report["conditions"])[:1]:
        missed, speaker = _miss(judged), worst_speaker(judged.get("speakers", ()))
        if missed:
            bounds = "" if missed["low"] is None else f" (95 %: {_interval(missed)})"
            same = sum(_miss(other).get("value") == missed["value"] for other in report["conditions"].values()) - 1
            more = f", with {same} more alike" if same else ""
            told.append(f"Worst condition is {name}{more}: {_number(missed['value'], 'share')} missed{bounds}.")
            told[-1] += "" if speaker is None else f" There: {speaker.sentence()}"
    return told


def _totals(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add up recorded and composed streams where there are too many to list."""
    totals = []
    for composed in (False, True):
        some = [row for row in rows if bool(row["composed"]) == composed]
        if some:
            keys = ("hours_without_keyword", "events", "hits", "misses", "false_accepts")
            sums = {key: sum(row[key] for row in some) for key in keys}
            totals.append({"stream": f"{len(some)} streams", "composed": composed, **sums})
    return totals
