"""Numbers and amounts that range over many powers of ten, written for a person."""

from __future__ import annotations

_WRITTEN_OUT, _TOO_LONG = 1e3, 1e15
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def plain_number(value: float, digits: int = 4, *, sign: str = "") -> str:
    """Return whole numbers, and those from 1000 on, with every digit before the point; others with so many digits.

    `sign` is `+` where numbers above 0 are to have one.
    """
    written_out = abs(value) < _TOO_LONG and (float(value).is_integer() or abs(value) >= _WRITTEN_OUT)
    return format(value, f"{sign}.0f" if written_out else f"{sign}.{digits}g")


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
