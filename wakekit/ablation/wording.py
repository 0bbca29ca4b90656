"""Verdicts of ablations in words: one sentence with the numbers, and one on what would settle what cannot be told."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from wakekit.ablation.measures import KINDS
from wakekit.ablation.result import CANNOT_TELL, NO_DIFFERENCE
from wakekit.ablation.words import MINUS
from wakekit.units import plain_number

if TYPE_CHECKING:
    from wakekit.ablation.crossed import Crossed
    from wakekit.ablation.result import Answer, Effect
    from wakekit.settings import Target

_MOST_SEEDS, _FEW_TIMES, _MOST_TIMES, _LEAST_SEEDS = 1000, 4, 1000, 3
_ENOUGH_SEEDS = 5
_NOTHING = 1e-9
_ROUND_SEEDS = (10, 20, 50, 100, 200, 500, _MOST_SEEDS)


def amount(value: float, unit: str) -> str:
    """Return a difference in a measure as a person would write it: shares in points, others with their unit."""
    if unit == "share":
        text = f"{100 * value:.1f}"
    else:
        text = f"{value:.4f}" if unit in {"squared error", "area"} else plain_number(value, 3)
    return text.replace("-", MINUS)


def sentence(answer: Answer, target: Target) -> str:
    """Return the verdict in words, told as what the change from the recipe to the variant does."""
    effect, subject = answer.effects[0], answer.subject
    start = f"{'Without' if answer.left_out else 'With'} {subject}"
    if effect.value is None:
        return f"{start} there is no {_noun(effect, target)} to compare: {effect.note}."
    sign = -1.0 if answer.left_out else 1.0
    told = f"{start} {_changed(effect, sign, target)}{_between(effect, sign)}"
    margin = f"{amount(answer.margin, effect.unit)}{_points(effect.unit, answer.margin)}"
    if answer.verdict == NO_DIFFERENCE:
        return f"{told}, which lies within {margin} either way: {subject} makes no difference."
    if answer.verdict == CANNOT_TELL:
        return f"{told}: whether {subject} helps or hurts cannot be told."
    inside = effect.low is not None and effect.high is not None and max(-effect.low, effect.high) < answer.margin
    small = f", by less than the margin of {margin}" if inside else ""
    return f"{told}: {subject} {answer.verdict}{small}."


def _noun(effect: Effect, target: Target) -> str:
    return f"{KINDS[effect.measure].noun.removeprefix('the ')}{_at(target) if effect.measure == 'miss-rate' else ''}"


def _at(target: Target) -> str:
    return f" at thresholds chosen for {plain_number(target.fa_per_hour)} false accepts per hour"


def _changed(effect: Effect, sign: float, target: Target) -> str:
    change = sign * (effect.value or 0.0)
    change = change if abs(change) > _NOTHING else 0.0
    size = f"{amount(abs(change), effect.unit)}{_points(effect.unit, abs(change))}"
    if effect.measure == "miss-rate":
        many = f"{size} {'fewer' if change < 0 else 'more'}" if change else "as many"
        return f"{many} words are missed{_at(target)}"
    how = f"{size} {'lower' if change < 0 else 'higher'}" if change else "the same"
    return f"{KINDS[effect.measure].noun} is {how}"


def _points(unit: str, value: float) -> str:
    return "" if unit != "share" else " point" if f"{100 * value:.1f}" == "1.0" else " points"


def _between(effect: Effect, sign: float) -> str:
    """Return the interval, counted in the direction that the change has been told in."""
    if effect.low is None or effect.high is None:
        return ""
    told = -1.0 if sign * (effect.value or 0.0) < 0 else 1.0
    ends = sorted((told * sign * effect.low, told * sign * effect.high))
    return f" ({amount(ends[0], effect.unit)} to {amount(ends[1], effect.unit)})"


def needed(answer: Answer, spread: Crossed | None) -> str:
    """Return what would settle an effect of the margin's size: an interval no wider than the margin to either side.

    Where it is as narrow as that already, it is what would settle an effect as large as the one that was found.
    """
    effect = answer.effects[0]
    if effect.value is None or spread is None:
        return ""
    if spread.count < _LEAST_SEEDS:
        few = "One seed does" if spread.count == 1 else f"{spread.count} seeds do"
        return f"{few} not tell what other seeds would change: take {_ENOUGH_SEEDS} or more."
    half, what = (
        answer.margin,
        f"an effect of {amount(answer.margin, effect.unit)}{_points(effect.unit, answer.margin)}",
    )
    if spread.half_width(effect.level) <= half:
        value = abs(effect.value)
        half, what = max(value, answer.margin - value), "an effect of the size that was found"
    needs, seeds = _least_that_settles(spread, half, effect.level)
    if not needs:
        return f"Neither {_MOST_SEEDS} seeds nor {_MOST_TIMES} times the speakers and the audio would settle {what}."
    if not seeds:
        return f"About {needs} would settle {what}."
    return f"Seeds alone will not do; {seeds} seeds with about {needs} would settle {what}."


def _least_that_settles(spread: Crossed, half: float, level: float) -> tuple[str, int]:
    """Return what makes the interval narrow enough, and with how many seeds where seeds are not all; "" for nothing."""
    tried = range(spread.count + 1, _MOST_SEEDS + 1)
    at = bisect_left(tried, 1, key=lambda seeds: int(spread.with_more(seeds=seeds).half_width(level) <= half))
    if at < len(tried):
        return f"{tried[at]} seeds", 0
    ways = [
        ("the speakers", True, False),
        ("the hours of audio that thresholds are chosen on", False, True),
        ("the speakers and the hours of audio", True, True),
    ]
    if spread.clusters < spread.threshold:
        ways[:2] = ways[1::-1]
    for most in (_FEW_TIMES, _MOST_TIMES):
        for seeds in sorted({max(count, spread.count) for count in _ROUND_SEEDS}):
            for what, speakers, audio in ways:
                times = _times(spread, seeds, (speakers, audio), half=half, level=level, most=most)
                if times:
                    return f"{plain_number(times)} times {what}", seeds
    return "", 0


def _times(spread: Crossed, seeds: int, more: tuple[bool, bool], *, half: float, level: float, most: int) -> float:
    """Return the least factor, in steps of some 7 %, on speakers and audio that narrows the interval; 0 for none."""
    tried = [float(f"{2 ** (step / 10):.2g}") for step in range(1, math.ceil(10 * math.log2(most)) + 1)]

    def narrow(times: float) -> int:
        speakers, audio = (times if wanted else 1.0 for wanted in more)
        return int(spread.with_more(seeds=seeds, speakers=speakers, audio=audio).half_width(level) <= half)

    at = bisect_left(tried, 1, key=narrow)
    return tried[at] if at < len(tried) else 0.0
