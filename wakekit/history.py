"""The history of a training: a row of JSON data at a time, in a file that a killed training goes on from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wakekit.artifacts import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class History:
    """Rows in the order they were recorded; where `path` is given they are written to it, a line each."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.rows: list[Mapping[str, Any]] = []
        if path is not None and path.is_file():
            self.rows = list(_whole_rows(path))

    def record(self, row: Mapping[str, Any]) -> None:
        """Add a row."""
        self.rows.append(row)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")

    def rewind(self, count: int) -> None:
        """Forget all but the first `count` rows."""
        del self.rows[count:]
        if self._path is not None:
            write_text(self._path, "".join(json.dumps(row) + "\n" for row in self.rows))


def _whole_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the rows up to the first that a kill cut short."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows
