"""Chooses the threshold that a recipe is judged and shipped at.

It is chosen on dev for a false accept rate and then frozen. What cannot be reached, or not be shown with the hours at
hand, is said in the operating point's message; nothing is replaced silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wakekit.data import OperatingPoint
from wakekit.errors import WakekitError
from wakekit.intervals import hours_needed, one_sided_upper

if TYPE_CHECKING:
    import numpy.typing as npt

    from wakekit.sweep import Curve


def choose(curve: Curve, target_fa_per_hour: float, *, calibration: str) -> OperatingPoint:
    """Choose the threshold that hears the most keywords at no more than the target of false accepts per hour.

    Ties go to fewer false accepts, then to the higher threshold. A threshold that hears no keyword never meets a
    target. Where none meets it, the one with the fewest false accepts that hears a keyword is taken and `reachable` is
    False. `calibration` names the calibration that the scores went through. Raises WakekitError where dev has no
    keyword in its streams, no audio without it, or the target was not swept.
    """
    _check(curve, target_fa_per_hour)
    rates = curve.false_accepts / curve.hours
    met = (rates <= target_fa_per_hour) & (curve.hits > 0)
    reachable = bool(met.any())
    if reachable:
        at = _first(np.flatnonzero(met), -curve.hits, curve.false_accepts)
    else:
        hears = curve.hits > 0
        at = _first(np.flatnonzero(hears if hears.any() else ~hears), curve.false_accepts, -curve.hits)
    return OperatingPoint(
        threshold=float(curve.thresholds[at]),
        target_fa_per_hour=target_fa_per_hour,
        reachable=reachable,
        fa_per_hour=float(rates[at]),
        false_accepts=int(curve.false_accepts[at]),
        hours=curve.hours,
        miss_rate=1 - int(curve.hits[at]) / curve.events,
        misses=curve.events - int(curve.hits[at]),
        events=curve.events,
        message=_message(curve, at, target_fa_per_hour, reachable=reachable),
        calibration=calibration,
    )


def _check(curve: Curve, target: float) -> None:
    if not target > 0:
        raise WakekitError(f"expected a target above 0 false accepts per hour, got {target:g}")
    if target > curve.max_fa_per_hour:
        raise WakekitError(
            f"expected a target of at most {curve.max_fa_per_hour:g} false accepts per hour, "
            f"which is how far the thresholds were swept, got {target:g}"
        )
    if curve.events == 0:
        raise WakekitError(
            "expected streams with the keyword in dev to choose a threshold on, got none; "
            "add recordings with the times of the keyword to dev, or let the corpus compose them"
        )
    if not curve.hours > 0:
        raise WakekitError(
            "expected audio without the keyword in the streams of dev, got none; add such recordings to dev"
        )


def _first(rows: npt.NDArray[np.int64], *keys: npt.NDArray[np.int64]) -> int:
    # The curve runs from the highest threshold down, so among equals the first row is the highest.
    return int(rows[np.lexsort([key[rows] for key in reversed(keys)])[0]])


def _message(curve: Curve, at: int, target: float, *, reachable: bool) -> str:
    count, hits, hours = int(curve.false_accepts[at]), int(curve.hits[at]), curve.hours
    got = (
        f"{count} false accepts in {hours:.3g} h of dev audio ({count / hours:.3g} per hour) "
        f"and {hits} of {curve.events} keywords heard"
    )
    if reachable:
        found = "and the threshold gives"
    elif hits:
        found = "which no threshold that hears a keyword reaches; the one with the fewest gives"
    else:
        found = "but no threshold tried hears a single keyword; the one taken gives"
    parts = [f"Asked for at most {target:g} false accepts per hour, {found} {got}."]
    needed = hours_needed(target)
    if not reachable:
        parts.append(f"Showing the target takes {needed:.3g} h of audio without a false accept.")
    if hours < needed:
        parts.append(
            f"{hours:.3g} h cannot show the target: no false accept at all would only show fewer than "
            f"{one_sided_upper(0, hours):.3g} per hour (one-sided 95 %); it takes {needed:.3g} h."
        )
    if not curve.exact:
        parts.append(f"Only {len(curve.thresholds)} of {curve.distinct} distinct scores were tried as thresholds.")
    return " ".join(parts)
