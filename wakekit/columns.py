"""Rows as lines with aligned columns, for a pipe as long as they are, for a terminal within its width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.terminal import columns_of, paint
from wakekit.widths import fitted, width_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TextIO

    Style = str | Mapping[str, str]

_GAP = "  "
# Beside narrower columns than this, text is hard to read: it stands below them instead.
_NARROWEST = 24
_DEEPER = "      "


def columns(
    rows: Sequence[Sequence[str]],
    stream: TextIO | None = None,
    *,
    styles: Sequence[Style] = (),
    headed: bool = False,
) -> list[str]:
    """Return rows as lines with aligned columns; where a terminal is too narrow, the last column is wrapped.

    `styles` has one for each column, by what a cell says where it is a mapping; the head of a table is bold.
    """
    if not rows:
        return []
    sizes = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    width = None if stream is None else columns_of(stream)
    if width is not None and sum(sizes) + len(_GAP) * (len(sizes) - 1) <= width:
        width = None
    lines = []
    for number, row in enumerate(rows):
        looks = ["bold"] * len(row) if headed and not number else [*styles] or [""] * len(row)
        cells = [
            _painted(cell, style, stream) + " " * (size - width_of(cell))
            for cell, size, style in zip(row, sizes, looks, strict=True)
        ]
        lines += [_GAP.join(cells).rstrip()] if width is None else _wrapped(row, cells, sizes, width)
    return lines


def _painted(cell: str, style: Style, stream: TextIO | None) -> str:
    style = style if isinstance(style, str) else style.get(cell, "")
    if stream is None or not style:
        return cell
    text = cell.lstrip()
    return cell[: len(cell) - len(text)] + paint(text, style, stream)


def _wrapped(row: Sequence[str], cells: Sequence[str], sizes: Sequence[int], width: int) -> list[str]:
    """Return a row as lines within a width: the last cell beside the others, or below them where that is narrow."""
    before = sum(sizes[:-1]) + len(_GAP) * (len(sizes) - 1)
    if width - before >= _NARROWEST:
        first, *others = fitted(row[-1], width - before) or [""]
        beside = _GAP.join([*cells[:-1], first]).rstrip()
        return [beside, *(" " * before + line for line in others)]
    indent = " " * (len(row[0]) - len(row[0].lstrip())) + _DEEPER
    crowded = before - len(_GAP) > width
    line = cells[0] if crowded else _GAP.join(cells[:-1])
    below = [_GAP.join(filter(None, row[1:-1])), row[-1]] if crowded else [row[-1]]
    return [line.rstrip(), *(indent + line for text in below for line in fitted(text, width - len(indent)))]
