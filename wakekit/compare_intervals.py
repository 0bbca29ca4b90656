"""Intervals for what two systems judged on the same items differ by.

They are for counts, and stay intervals where a bootstrap collapses to a point; both take the items as independent.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.stats import norm

from wakekit.intervals import Interval, clopper_pearson, garwood


def tango(first_only: int, other_only: int, items: int, level: float = 0.95) -> Interval:
    """Bound the difference of two shares of the same items (Tango, 1998): the other's minus the first's.

    `first_only` items are true for the first system alone, `other_only` for the other alone, of `items` in all. It
    inverts the score test of McNemar's table, so that none of either in n items gives [-z² / (n + z²), z² / (n + z²)].
    No items give [-1, 1].
    """
    if items == 0:
        return Interval(-1.0, 1.0, level, "Tango")
    z = float(norm.ppf(1 - (1 - level) / 2))

    def excess(shift: float) -> float:
        # The share of `first_only` that is likeliest where the true difference is `shift`.
        b = (2 * items - other_only + first_only) * shift - other_only - first_only
        c = -first_only * shift * (1 - shift)
        nuisance = (math.sqrt(max(0.0, b * b - 8 * items * c)) - b) / (4 * items)
        spread = max(0.0, items * (2 * nuisance + shift * (1 - shift)))
        return (other_only - first_only - items * shift) ** 2 - z * z * spread

    # Where the systems never differ the difference itself is a root too; the ends lie beside it.
    middle, nudge = (other_only - first_only) / items, 1e-9
    low = float(brentq(excess, -1.0, middle - nudge)) if middle > nudge - 1 else -1.0
    high = float(brentq(excess, middle + nudge, 1.0)) if middle < 1 - nudge else 1.0
    return Interval(low, high, level, "Tango")


def rate_difference(
    first: int, first_exposure: float, other: int, other_exposure: float, level: float = 0.95
) -> Interval | None:
    """Bound the difference of two Poisson rates, the other's minus the first's (Zou and Donner, 2008).

    It joins the ends of the rates' own intervals, Garwood's; None without exposure.
    """
    if first_exposure <= 0 or other_exposure <= 0:
        return None
    a, b = garwood(first, first_exposure, level), garwood(other, other_exposure, level)
    rate_a, rate_b = first / first_exposure, other / other_exposure
    low = rate_b - rate_a - math.hypot(rate_b - b.low, a.high - rate_a)
    high = rate_b - rate_a + math.hypot(b.high - rate_b, rate_a - a.low)
    return Interval(low, high, level, "Zou-Donner")


def rate_ratio(
    first: int, first_exposure: float, other: int, other_exposure: float, level: float = 0.95
) -> Interval | None:
    """Bound the ratio of two Poisson rates, the other's to the first's, given their sum (Przyborowski, Wilenski, 1940).

    Of all events the other's share is binomial, which Clopper and Pearson bound exactly; no event of the first leaves
    the ratio without an upper end (infinity). None where nothing happened in either, or without exposure.
    """
    if first + other == 0 or first_exposure <= 0 or other_exposure <= 0:
        return None
    share = clopper_pearson(other, first + other, level)
    scale = first_exposure / other_exposure
    low, high = (end / (1 - end) * scale if end < 1 else math.inf for end in (share.low, share.high))
    return Interval(low, high, level, "exact, from the binomial share of the events")
