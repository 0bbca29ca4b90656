"""The history of a training: a row of JSON data at a time, in a file that a killed training goes on from.

JSON has no NaN and no infinity: such a number becomes null. Scalars and arrays of NumPy and torch become numbers and
lists.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wakekit.artifacts import write_text

if TYPE_CHECKING:
    from pathlib import Path


class History:
    """Rows in the order they were recorded; where `path` is given they are written to it, a line each."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.rows: list[Mapping[str, Any]] = []
        if path is not None and path.is_file():
            self.rows = list(_whole_rows(path))

    def record(self, row: Mapping[str, Any]) -> None:
        """Add a copy of a row; raises TypeError, with the place, for a value that is no JSON data."""
        found = {str(key): _plain(value, str(key)) for key, value in row.items()}
        self.rows.append(found)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(found, allow_nan=False) + "\n")

    def rewind(self, count: int) -> None:
        """Forget all but the first `count` rows."""
        del self.rows[count:]
        if self._path is not None:
            write_text(self._path, "".join(json.dumps(row) + "\n" for row in self.rows))


def _plain(value: object, place: str) -> object:
    """Return a value as JSON data."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{place}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{place}.{number}") for number, item in enumerate(value)]
    if hasattr(value, "tolist"):
        return _plain(value.tolist(), place)
    raise TypeError(f"expected numbers, texts, lists and dicts to record, got {type(value).__name__} @ {place}")


def _whole_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the rows up to the first that a kill cut short."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
