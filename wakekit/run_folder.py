"""What a run left in its folder, read back: the one door for reports, comparisons and a user's own scripts.

Nothing here needs torch, the recipe's plugins or the audio.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from wakekit.data import Cost, Measure, OperatingPoint
from wakekit.errors import WakekitError


@attrs.frozen(kw_only=True)
class Word:
    """One spoken keyword of a test stream: when, by whom, and whether it was heard.

    `score` is the detection's where it was hit, else the highest around it. `cluster` is what it is resampled with.
    `listen` is the path of an excerpt in the run's folder, empty where there is none.
    """

    stream: str
    stream_id: str
    start: float
    end: float
    speaker: str | None
    snr_db: float | None
    cluster: str
    score: float
    hit: bool
    detected: float | None = None
    listen: str = ""
    listen_at: float = 0.0


@attrs.frozen(kw_only=True)
class FalseAccept:
    """A detection that belongs to no keyword; `listen` is the path of an excerpt in the run's folder, or empty."""

    stream: str
    stream_id: str
    seconds: float
    score: float
    listen: str = ""
    listen_at: float = 0.0


@attrs.frozen(kw_only=True)
class ScoredClip:
    """One clip of test: `raw` is its log-odds before calibration, `score` the calibrated probability.

    `id` is the hash of its content, which two clips may share; `cluster` is what it is resampled with.
    """

    id: str
    audio: str
    offset: float
    duration: float
    label: str
    pool: str
    speaker: str | None
    cluster: str
    raw: float
    score: float


@attrs.frozen(eq=False, kw_only=True)
class SavedCurve:
    """What the detector did at thresholds from the highest down, thinned for drawing.

    `false_accepts` and `hits` [n] count in `hours` without the keyword and `events` keywords; `miss_low` and
    `miss_high` [n] bound the miss rate at 95 %. Down to `exact_down_to` every threshold that changes anything was
    tried; below lies a coarser grid.
    """

    thresholds: npt.NDArray[np.float64]
    false_accepts: npt.NDArray[np.int64]
    hits: npt.NDArray[np.int64]
    miss_low: npt.NDArray[np.float64]
    miss_high: npt.NDArray[np.float64]
    events: int
    hours: float
    distinct: int
    exact: int
    exact_down_to: float
    max_fa_per_hour: float


@attrs.frozen(eq=False, kw_only=True)
class Judged:
    """Measures by the metric's id in the recipe, and a row of counts per stream; `changes` says what a condition is.

    `speakers` holds who said words in streams, with how many `words` and how many of them `missed`.
    """

    metrics: Mapping[str, tuple[Measure, ...]]
    streams: tuple[Mapping[str, Any], ...]
    changes: str = ""
    speakers: tuple[Mapping[str, Any], ...] = ()

    def first_value(self, *names: str) -> Measure | None:
        """Return the first of these measures that has a value; None where none has."""
        found = map(self.measure, names)
        return next((measure for measure in found if measure is not None and measure.value is not None), None)

    def measure(self, name: str) -> Measure | None:
        """Return the measure of that name, whichever metric gave it; None where no metric did."""
        found = (measure for measures in self.metrics.values() for measure in measures if measure.name == name)
        return next(found, None)


@attrs.frozen(eq=False, kw_only=True)
class Pass:
    """What the weights of a pass before the last gave on test, at an operating point of their own chosen on dev."""

    operating_point: OperatingPoint
    test: Judged


@attrs.frozen(eq=False, kw_only=True)
class Run:
    """A finished run; `test` is what was measured on the test split, `conditions` on shifted copies of it.

    `passes` are those of training before the last, whose weights the run is about.
    `cost` is what scoring costs, None where that was not measured.
    """

    folder: Path
    fingerprint: str
    keyword: str
    operating_point: OperatingPoint
    warnings: tuple[str, ...]
    test: Judged
    conditions: Mapping[str, Judged]
    words: tuple[Word, ...]
    false_accepts: tuple[FalseAccept, ...]
    clips: tuple[ScoredClip, ...]
    curves: Mapping[str, SavedCurve]
    history: tuple[Mapping[str, Any], ...]
    recipe: str
    environment: Mapping[str, Any]
    cost: Cost | None = None
    passes: tuple[Pass, ...] = ()

    @property
    def name(self) -> str:
        """The run's name, which is its folder's."""
        return self.folder.name


def read_run(folder: str | Path) -> Run:
    """Read a run's folder; raises WakekitError where it is none, or a file is missing or damaged."""
    place = Path(folder)
    if (place / "folds.json").is_file():
        raise WakekitError(f"{place} holds what several folds say together, no run; take one of the runs it names")
    if (place / "cells").is_dir():
        done = (place / "ablation.json").is_file()
        told = "its table is in ablation.md" if done else "it is not finished, and the command that made it goes on"
        raise WakekitError(f"{place} holds an ablation, no run; {told}")
    if not (place / "metrics.json").is_file():
        raise WakekitError(f"expected the folder of a finished run, which holds metrics.json, got {place}")
    try:
        return _read(place.resolve())
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise WakekitError(
            f"the run in {place} cannot be read ({type(error).__name__}: {error}); the command that made it, typed "
            "again, makes it whole"
        ) from error


def _read(folder: Path) -> Run:
    measured = _json(folder / "metrics.json")
    environment = _json(folder / "environment.json")
    events = _lines(folder / "detections.jsonl")
    return Run(
        folder=folder,
        fingerprint=environment["fingerprint"],
        keyword=measured["keyword"],
        operating_point=OperatingPoint(**measured["operating_point"]),
        warnings=tuple(measured["warnings"]),
        test=_judged(measured),
        conditions={name: _judged(table) for name, table in measured["conditions"].items()},
        words=tuple(_word(row) for row in events if row["kind"] == "miss" or row["outcome"] == "hit"),
        false_accepts=tuple(
            _only(FalseAccept, row) for row in events if row["kind"] == "detection" and row["outcome"] == "false accept"
        ),
        clips=tuple(ScoredClip(**row) for row in _lines(folder / "clips.jsonl")),
        curves={name: _curve(table) for name, table in _json(folder / "curves.json").items() if table is not None},
        history=tuple(_lines(folder / "history.jsonl")),
        recipe=(folder / "recipe.toml").read_text(encoding="utf-8"),
        environment=environment,
        cost=_cost(folder / "cost.json"),
        passes=tuple(
            Pass(operating_point=OperatingPoint(**table["operating_point"]), test=_judged(table))
            for table in measured.get("passes", ())
        ),
    )


def _cost(path: Path) -> Cost | None:
    if not path.is_file():
        return None
    table = _json(path)
    _check_numbers(table, [field.name for field in attrs.fields(Cost) if field.name != "device"])
    return Cost(**table)


def _judged(table: Mapping[str, Any]) -> Judged:
    metrics = {name: tuple(map(_measure, rows)) for name, rows in table["metrics"].items()}
    return Judged(
        metrics=metrics,
        streams=tuple(map(_stream, table["streams"])),
        changes=table.get("changes", ""),
        speakers=tuple(map(_speaker, table.get("speakers", ()))),
    )


def _measure(row: Mapping[str, Any]) -> Measure:
    found = Measure(**row)
    _check_numbers(row, [name for name in ("value", "low", "high") if row.get(name) is not None])
    return found


def _stream(row: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("stream", "stream_id", "recording", "composed"):
        row[name]
    _check_numbers(row, ("silence", "hours_without_keyword", "events", "hits", "misses", "false_accepts"))
    return row


def _speaker(row: Mapping[str, Any]) -> Mapping[str, Any]:
    row["speaker"]
    _check_numbers(row, ("words", "missed"))
    return row


def _check_numbers(row: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(row[name], (int, float)):
            raise TypeError(f"expected a number as {name}, got {row[name]!r:.80}")


def _word(row: Mapping[str, Any]) -> Word:
    hit = row["kind"] == "detection"
    found: Word = _only(Word, {**row, "hit": hit, "detected": row["seconds"] if hit else None})
    return found


def _only(kind: type[Any], row: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Return an attrs value from the keys of a row that it has."""
    names = {field.name for field in attrs.fields(kind)}
    return kind(**{name: value for name, value in row.items() if name in names})


def _curve(table: Mapping[str, Any]) -> SavedCurve:
    values: dict[str, Any] = {name: np.array(item) if isinstance(item, list) else item for name, item in table.items()}
    return SavedCurve(**values)


def _json(path: Path) -> Any:  # noqa: ANN401
    return json.loads(path.read_text(encoding="utf-8"))


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
