"""How often a test split was read: a ledger for each corpus and its splits, a line for each evaluation that was made.

What was chosen after many readings of one test split is no longer judged by it, so the count is kept and shown. A
reading is written down before anything is judged; a kill cannot lose it.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
from filelock import FileLock

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = "readings"


@attrs.frozen(kw_only=True)
class Readings:
    """How often a test split was read: `count` evaluations that differ, `times` with what was made again.

    `recipes` are their names in the order of their first reading, `first` and `last` times in UTC (ISO 8601), empty
    where there was none.
    """

    count: int = 0
    times: int = 0
    recipes: tuple[str, ...] = ()
    first: str = ""
    last: str = ""


def record(store: Path, prepare: str, *, fingerprint: str, recipe: str) -> None:
    """Write down that the test split of the prepare stage `prepare` is now read by an evaluation.

    `fingerprint` is the evaluation's, `recipe` a name for people. Several processes may do so at once.
    """
    path = _ledger(store, prepare)
    path.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({"fingerprint": fingerprint, "recipe": recipe, "time": now}) + "\n"
    with FileLock(path.with_name(f".{path.name}.lock")), path.open("ab+") as ledger:
        ledger.seek(0, os.SEEK_END)
        if ledger.tell():
            # What a kill tore must not take this line with it.
            ledger.seek(-1, os.SEEK_END)
            line = line if ledger.read(1) == b"\n" else f"\n{line}"
        ledger.write(line.encode())
        ledger.flush()
        os.fsync(ledger.fileno())


def readings(store: Path, prepare: str) -> Readings:
    """Return how often the test split of a prepare stage was read in this store; torn lines are passed over."""
    try:
        text = _ledger(store, prepare).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return Readings()
    rows = [row for line in text.split("\n") if (row := _row(line)) is not None]
    times = sorted(row["time"] for row in rows)
    return Readings(
        count=len({row["fingerprint"] for row in rows}),
        times=len(rows),
        recipes=tuple(dict.fromkeys(row["recipe"] for row in rows)),
        first=times[0] if times else "",
        last=times[-1] if times else "",
    )


def _ledger(store: Path, prepare: str) -> Path:
    return store / _FOLDER / f"{prepare[:32]}.jsonl"


def _row(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    whole = isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("fingerprint", "recipe", "time"))
    return row if whole else None
