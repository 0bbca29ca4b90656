"""What keeps two runs from being compared by their numbers alone, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.units import plain_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from wakekit.data import OperatingPoint
    from wakekit.run_folder import Run

_ALMOST_NOTHING = 0.1


@attrs.frozen(kw_only=True)
class Heard:
    """What a run's detector did on test: the share of keywords it missed and its false accepts per hour.

    None where test has no keywords or no hours without them. `unit` says what a keyword is.
    """

    missed: float | None
    fa_per_hour: float | None
    unit: str


def heard(run: Run) -> Heard:
    """Return what a run heard in streams; where they hold no keyword, which clips reach its threshold."""
    outcomes, unit = [not word.hit for word in run.words], "words"
    if not outcomes:
        threshold = run.operating_point.threshold
        outcomes, unit = [clip.score < threshold for clip in run.clips if clip.pool == "positive"], "clips"
    hours = math.fsum(row["hours_without_keyword"] for row in run.test.streams)
    accepts = sum(row["false_accepts"] for row in run.test.streams)
    return Heard(
        missed=sum(outcomes) / len(outcomes) if outcomes else None,
        fa_per_hour=accepts / hours if hours > 0 else None,
        unit=unit,
    )


def warnings_about(
    runs: Sequence[Run], recipes: Sequence[Mapping[str, Any]], letters: Sequence[str], identical: Sequence[bool]
) -> Iterator[str]:
    """Yield a sentence for each thing that makes a plain comparison misleading; `identical` is of all but the first."""
    yield from _conditions_of_judging(runs, recipes)
    found = [heard(run) for run in runs]
    for letter, run, one in zip(letters, runs, found, strict=True):
        if not run.operating_point.reachable:
            yield f"{letter}: no threshold met its target on dev, so its rates are those of a target that was missed"
        if one.missed is not None and one.missed > 1 - _ALMOST_NOTHING:
            yield (
                f"{letter} misses {one.missed:.1%} of the keywords: it hears almost nothing, and its false accepts say "
                "nothing in its favour"
            )
    for letter, one in zip(letters[1:], found[1:], strict=True):
        yield from _one_sided((letters[0], found[0]), (letter, one))
    if not all(identical):
        yield (
            "these are numbers of the test split: the best of several runs by them looks better than it is; choose "
            "on dev, then read test once"
        )


def _conditions_of_judging(runs: Sequence[Run], recipes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    points = [run.operating_point for run in runs]
    if len({run.keyword for run in runs}) > 1:
        yield f"the runs listen for different keywords ({_listed(run.keyword for run in runs)})"
    targets = [f"{point.target_fa_per_hour:g} per hour by the {_bound(point)}" for point in points]
    for what, values, consequence in (
        ("targets", targets, "compare at the same target, as a looser one hears more"),
        ("hops", [_at(recipe, "detector", "hop_seconds") for recipe in recipes], "a finer one hears more of both"),
        (
            "tolerances",
            [_at(recipe, "operating_point", "tolerance_seconds") for recipe in recipes],
            "a longer one counts more detections as hits",
        ),
        (
            "windows",
            [_at(recipe, "window", "seconds") for recipe in recipes],
            "a clip shows more or less of what is around the word, and streams begin to be heard later or earlier",
        ),
    ):
        if len(set(values)) > 1:
            yield f"the runs were judged at different {what} ({_listed(values)}): {consequence}"
    calibrators = [recipe.get("calibrator") for recipe in recipes]
    if any(one != calibrators[0] for one in calibrators):
        names = [str(one.get("type")) if isinstance(one, dict) else str(one) for one in calibrators]
        yield (
            f"the runs were calibrated differently ({_listed(names)}): Brier scores and calibration errors compare the "
            "calibrators as much as the models; those before calibration (-raw) compare the models"
        )


def _bound(point: OperatingPoint) -> str:
    return f"one-sided {100 * point.level:g} % upper bound" if point.bound == "upper" else point.bound


def _at(recipe: Mapping[str, Any], table: str, key: str) -> str:
    found = recipe.get(table)
    return f"{found[key]:g} s" if isinstance(found, dict) and isinstance(found.get(key), (int, float)) else "unknown"


def _listed(values: Any) -> str:  # noqa: ANN401
    return ", ".join(values)


def _one_sided(first: tuple[str, Heard], other: tuple[str, Heard]) -> Iterator[str]:
    """Yield a sentence where one run has fewer false accepts and the other hears more."""
    pair = sorted((first, other), key=lambda side: side[1].fa_per_hour or 0.0)
    (quiet, less), (eager, more) = pair
    numbers = (less.missed, more.missed, less.fa_per_hour, more.fa_per_hour)
    if None in numbers or less.unit != more.unit:
        return
    if less.fa_per_hour < more.fa_per_hour and less.missed > more.missed:  # type: ignore[operator]
        rates = " and ".join(plain_number(side.fa_per_hour or 0.0, 3) for side in (less, more))
        yield (
            f"{quiet} has fewer false accepts than {eager} ({rates} per "
            f"hour), but it also hears fewer keywords (misses {less.missed:.1%} and {more.missed:.1%} of the "
            f"{less.unit}): neither is better by that; compare them at the same rate"
        )
