"""Amounts that range over many powers of ten, written for a person."""

from __future__ import annotations

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def large_amount(value: float, unit: str, *, space: str = " ") -> str | None:
    """Return bytes (`B`) and multiply-accumulates (`MAC/s`) with a prefix, and `parameters` as they are.

    None for any other unit.
    """
    if unit == "parameters":
        return f"{value:.0f}"
    if unit not in {"B", "MAC/s"}:
        return None
    for size, prefix in _PREFIXES:
        if abs(value) >= size:
            return f"{value / size:.4g}{space}{prefix}{unit}"
    return f"{value:.4g}{space}{unit}"
