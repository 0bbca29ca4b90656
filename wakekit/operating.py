"""Chooses the threshold that a recipe is judged and shipped at.

It is chosen on dev for a false accept rate and then frozen. What cannot be reached, or not be shown with the hours at
hand, is said in the operating point's message; nothing is replaced silently.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit.data import OperatingPoint
from wakekit.errors import WakekitError
from wakekit.intervals import hours_needed, one_sided_upper
from wakekit.units import plain_number

if TYPE_CHECKING:
    import numpy.typing as npt

    from wakekit.data import FloatArray, IntArray
    from wakekit.settings import Target
    from wakekit.sweep import Curve


@attrs.frozen(order=True)
class Pick:
    """The threshold to take among those of a curve; of several picks the smallest is the best.

    `missed` are the target, the words and the false accepts, in the order in which they count.
    """

    missed: tuple[int, int, int]
    row: int = attrs.field(order=False)

    @property
    def reachable(self) -> bool:
        """Whether the target is met."""
        return self.missed[0] == 0


def pick(false_accepts: IntArray, hits: IntArray, hours: float, target: Target, *, shown: float | None = None) -> Pick:
    """Pick the row [n] that hears the most keywords within the target.

    Ties go to fewer false accepts, then to the first row, which has the highest threshold. A row that hears no keyword
    never meets a target; where none meets it, the one with the fewest false accepts that hears a keyword is taken.
    `shown` are the hours that an upper bound stands for, where they are not the hours counted.
    """
    met = (_limits(false_accepts, hours, target, shown or hours) <= target.fa_per_hour) & (hits > 0)
    if met.any():
        row = _first(np.flatnonzero(met), -hits, false_accepts)
        return Pick((0, -int(hits[row]), int(false_accepts[row])), row)
    hears = hits > 0
    row = _first(np.flatnonzero(hears if hears.any() else ~hears), false_accepts, -hits)
    return Pick((1 if hears.any() else 2, int(false_accepts[row]), -int(hits[row])), row)


def _limits(false_accepts: IntArray, hours: float, target: Target, shown: float) -> FloatArray:
    """Return what the target is compared with at each row: the rate, or its upper bound over the hours shown."""
    if target.bound == "estimate":
        return false_accepts / hours
    counts, rows = np.unique(false_accepts, return_inverse=True)
    # A bound is never below the rate, so a count that is beyond the target by itself needs none.
    near = counts[counts / hours <= target.fa_per_hour].tolist()
    bounds = np.full(len(counts), np.inf)
    bounds[: len(near)] = [one_sided_upper(count * shown / hours, shown, target.level) for count in near]
    found: FloatArray = bounds[rows]
    return found


def _first(rows: npt.NDArray[np.int64], *keys: npt.NDArray[np.int64]) -> int:
    # The curve runs from the highest threshold down, so among equals the first row is the highest.
    return int(rows[np.lexsort([key[rows] for key in reversed(keys)])[0]])


def choose(curve: Curve, target: Target, *, calibration: str) -> OperatingPoint:
    """Choose the threshold that hears the most keywords within the target of false accepts per hour.

    `calibration` names the calibration that the scores went through. Raises WakekitError where dev has no keyword in
    its streams, no audio without it, or the target was not swept.
    """
    check(curve, target)
    found = pick(curve.false_accepts, curve.hits, curve.hours, target)
    count, hits = int(curve.false_accepts[found.row]), int(curve.hits[found.row])
    return OperatingPoint(
        threshold=float(curve.thresholds[found.row]),
        target_fa_per_hour=target.fa_per_hour,
        reachable=found.reachable,
        fa_per_hour=count / curve.hours,
        false_accepts=count,
        hours=curve.hours,
        miss_rate=1 - hits / curve.events,
        misses=curve.events - hits,
        events=curve.events,
        message=_message(curve, found, target),
        calibration=calibration,
        bound=target.bound,
        level=target.level,
    )


def check(curve: Curve, target: Target) -> None:
    """Raise WakekitError where nothing can be chosen on the curve for the target."""
    if target.fa_per_hour > curve.max_fa_per_hour:
        raise WakekitError(
            f"expected a target of at most {curve.max_fa_per_hour:g} false accepts per hour, "
            f"which is how far the thresholds were swept, got {target.fa_per_hour:g}"
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


def _message(curve: Curve, found: Pick, target: Target) -> str:
    count, hits, hours = int(curve.false_accepts[found.row]), int(curve.hits[found.row]), curve.hours
    upper = one_sided_upper(count, hours, target.level)
    shown = f", shown to be below {plain_number(upper, 3)} (one-sided {100 * target.level:g} %)"
    rate = plain_number(count / hours, 3) + " per hour" + (shown if target.bound == "upper" else "")
    got = (
        f"{count} false accepts in {plain_number(hours, 3)} h of dev audio ({rate}) "
        f"and {hits} of {curve.events} keywords heard"
    )
    if found.reachable:
        reached = "and the threshold gives"
    elif hits:
        reached = "which no threshold that hears a keyword reaches; the one with the fewest gives"
    else:
        reached = "but no threshold tried hears a single keyword; the one taken gives"
    asked = f"Asked for at most {target.fa_per_hour:g} false accepts per hour"
    asked += f" as a one-sided {100 * target.level:g} % upper bound" if target.bound == "upper" else ""
    return " ".join([f"{asked}, {reached} {got}.", *_shortcomings(curve, found, target)])


def _shortcomings(curve: Curve, found: Pick, target: Target) -> list[str]:
    hours, needed = curve.hours, hours_needed(target.fa_per_hour, target.level)
    said = []
    if not found.reachable and hours >= needed:
        said.append(f"Showing the target takes {plain_number(needed, 3)} h of audio without a false accept.")
    elif hours < needed:
        least = plain_number(one_sided_upper(0, hours, target.level), 3)
        said.append(
            f"{plain_number(hours, 3)} h cannot show the target: no false accept at all would only show fewer than "
            f"{least} per hour (one-sided {100 * target.level:g} %); "
            f"it takes {plain_number(needed, 3)} h."
        )
    if curve.thresholds[found.row] < curve.exact_down_to:
        said.append(
            f"The threshold comes from a coarser grid below {curve.exact_down_to:.4g}, down to which every threshold "
            "that changes anything was tried."
        )
    return said
