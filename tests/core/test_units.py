"""Numbers for a person: counts are written out, and what ranges over powers of ten has a prefix."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakekit.units import large_amount, plain_number


@pytest.mark.parametrize(
    ("value", "digits", "reads"),
    [
        (12345, 4, "12345"),
        (12345.0, 4, "12345"),
        (12345.6, 3, "12346"),
        (3000.2, 3, "3000"),
        (999.4, 2, "1e+03"),
        (12.3456, 4, "12.35"),
        (0.00144, 3, "0.00144"),
        (0, 4, "0"),
        (1e20, 4, "1e+20"),
        (-20480, 4, "-20480"),
    ],
)
def test_counts_are_written_out(value: float, digits: int, reads: str) -> None:
    """Whole numbers and large ones have no exponent; small ones keep so many digits."""
    assert plain_number(value, digits) == reads


@given(st.floats(-1e12, 1e12))
def test_a_number_is_near_what_it_says(value: float) -> None:
    """What is written is the number to four digits, or to half of 1, and has its sign where one is asked for."""
    assert math.isclose(float(plain_number(value)), value, rel_tol=5.1e-4)
    assert plain_number(abs(value), sign="+").startswith("+")


@pytest.mark.parametrize(
    ("value", "unit", "reads"),
    [(2472, "B", "2.472 kB"), (2_049_700.0, "MAC/s", "2.05 MMAC/s"), (522, "parameters", "522"), (7, "clips", None)],
)
def test_amounts_have_prefixes(value: float, unit: str, reads: str | None) -> None:
    """Bytes and multiply-accumulates have one, parameters are counted, and other units are not its business."""
    assert large_amount(value, unit) == reads
