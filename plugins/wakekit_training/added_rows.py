"""The list of rows that callbacks added to train on, for a person to read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from wakekit.artifacts import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wakekit import ExtraRows


def write_added_rows(folder: Path, tables: Sequence[ExtraRows]) -> None:
    """Write `added_rows.jsonl`: the pool and label of every added row, and what its callback says of it."""
    lines = [{"pool": table.pool, "label": table.label, **row} for table in tables for row in table.provenance]
    write_text(folder / "added_rows.jsonl", "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines))
