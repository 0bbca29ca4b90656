"""What an ablation found in the words and numbers of a person: the same on the terminal, in Markdown and on the page.

Shares differ by points; a number that cannot be had is a dash.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from wakekit.ablation.result import (
    CANNOT_TELL,
    FAILED,
    HELPS,
    HURTS,
    IDENTICAL,
    NO_DIFFERENCE,
    UNFINISHED,
    VERDICTS,
)
from wakekit.units import plain_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wakekit.ablation.result import AblationResult, Answer, Effect

DASH, MINUS = "–", "\u2212"
SYMBOLS = {
    HELPS: "+",
    HURTS: MINUS,
    NO_DIFFERENCE: "=",
    CANNOT_TELL: "?",
    IDENTICAL: "≡",
    FAILED: "×",
    UNFINISHED: "…",
}
DIFFERENCE = "A difference is the recipe with the thing in question less the recipe without it"
_NAMES = {
    "miss-rate": "miss rate",
    "fa-per-hour": "false accepts per hour",
    "eer": "equal error rate",
    "pauc": "partial area under the ROC curve",
    "brier": "Brier score",
    "accuracy": "clips judged rightly",
    "false-positives": "other clips accepted",
    "epochs": "epochs to the best",
    "training-time": "training time",
    "scoring-time": "scoring time",
}
_UNITS = {"share": "%", "area": "", "squared error": "", "1/h": "per hour"}
_DECIMALS = {"share": 1, "area": 4, "squared error": 4, "1/h": 2}
_MOST = 7  # decimals
_COUNTED = {
    HELPS: ("helps", "help"),
    HURTS: ("hurts", "hurt"),
    NO_DIFFERENCE: ("makes no difference", "make no difference"),
    CANNOT_TELL: ("cannot be told", "cannot be told"),
    IDENTICAL: ("is identical by construction", "are identical by construction"),
    FAILED: ("failed", "failed"),
    UNFINISHED: ("is unfinished", "are unfinished"),
}


def known(value: float | None) -> float | None:
    """Return a number that can be written; None for one that is not finite."""
    return value if value is not None and math.isfinite(value) else None


def measure_name(name: str) -> str:
    """Return what a measure is called in plain words; its own name where there are none."""
    return _NAMES.get(name, name)


def deciding(answer: Answer) -> Effect | None:
    """Return the effect that decides; None where it has no value."""
    found = (effect for effect in answer.effects if effect.measure == answer.measure)
    return next((effect for effect in found if known(effect.value) is not None), None)


def gain(effect: Effect) -> float:
    """Return how much better the measure is with the thing in question."""
    value = effect.value or 0.0
    return -value if effect.better == "lower" else value


def ranked(answers: Iterable[Answer]) -> list[Answer]:
    """Return answers measure by measure, what helps most first; those without a number come last, as they were."""
    order = list(answers)
    measures = [answer.measure for answer in order if deciding(answer) is not None]

    def rank(answer: Answer) -> tuple[int, float]:
        effect = deciding(answer)
        return (len(order), 0.0) if effect is None else (measures.index(answer.measure), -gain(effect))

    return sorted(order, key=rank)


def number(value: float | None, unit: str) -> str:
    """Return a number without its unit, a share in %."""
    found = known(value)
    if found is None:
        return DASH
    scaled = found * _scale(unit)
    if unit not in _DECIMALS:
        return plain_number(scaled, 3).replace("-", MINUS)
    return _fixed(scaled, _places(abs(scaled), unit))


def spread(value: float | None, unit: str) -> str:
    """Return a standard deviation without its unit, with no more decimals than what it is of."""
    found = known(value)
    if found is None or unit not in _DECIMALS:
        return number(value, unit)
    return _fixed(found * _scale(unit), _DECIMALS[unit])


def _scale(unit: str) -> float:
    return 100.0 if unit == "share" else 1.0


def _places(largest: float, unit: str) -> int:
    """Return decimals for numbers that stand together: those of their unit, and more for numbers that are smaller."""
    if not largest:
        return _DECIMALS.get(unit, 0)
    exponent = math.floor(math.log10(largest))
    if unit not in _DECIMALS:
        return min(max(2 - exponent, 0), _MOST)
    return max(_DECIMALS[unit], min(1 - exponent, _MOST))


def _fixed(scaled: float, places: int, *, plus: str = "") -> str:
    return f"{MINUS if scaled < 0 else plus if scaled > 0 else ''}{abs(scaled):.{places}f}"


def _signed(value: float | None, effect: Effect) -> str:
    """Return a difference, with the decimals that it shares with its interval."""
    found, scale = known(value), _scale(effect.unit)
    if found is None:
        return DASH
    together = [abs(scale * one) for one in map(known, (effect.value, effect.low, effect.high)) if one is not None]
    return "0" if not found else _fixed(scale * found, _places(max(together), effect.unit), plus="+")


def amount(value: float | None, unit: str) -> str:
    """Return a number with its unit."""
    text, name = number(value, unit), _UNITS.get(unit, unit)
    return text if text == DASH or not name else f"{text} {name}"


def difference(effect: Effect | None) -> str:
    """Return a difference with its unit, as in `+1.2 points`."""
    text, name = (DASH, "") if effect is None else (_signed(effect.value, effect), unit_name(effect))
    return text if text == DASH or not name else f"{text} {name}"


def bounds(effect: Effect | None) -> str:
    """Return the interval of a difference, as in `[+0.3, +2.1]`."""
    if effect is None or known(effect.low) is None or known(effect.high) is None:
        return DASH
    return f"[{_signed(effect.low, effect)}, {_signed(effect.high, effect)}]"


def unit_name(effect: Effect) -> str:
    """Return what a difference is counted in."""
    return "points" if effect.unit == "share" else _UNITS.get(effect.unit, effect.unit)


def margin(answer: Answer) -> str:
    """Return the difference that counts as none."""
    effect = deciding(answer)
    return DASH if effect is None else f"±{_scale(effect.unit) * answer.margin:.4g} {unit_name(effect)}".rstrip()


def chance(p: float | None) -> str:
    """Return a p-value."""
    found = known(p)
    if found is None:
        return DASH
    return "<0.001" if found < 0.001 else f"{found:.3f}"  # noqa: PLR2004


def percent(share: float) -> str:
    """Return a share such as the level of an interval, as in `95 %`."""
    return f"{100 * share:.4g} %"


def seeds_text(seeds: Sequence[int]) -> str:
    """Return seeds, as in `0 to 4`."""
    found = sorted(seeds)
    if not found:
        return "none"
    if len(found) > 2 and found == list(range(found[0], found[-1] + 1)):  # noqa: PLR2004
        return f"{found[0]} to {found[-1]}"
    return ", ".join(map(str, found))


def duration(seconds: float | None) -> str:
    """Return a length of time in the two units that say most of it."""
    found = known(seconds)
    if found is None:
        return DASH
    if round(found) < 60:  # noqa: PLR2004
        return f"{found:.2g} s" if found < 9.95 else f"{found:.0f} s"  # noqa: PLR2004
    whole = round(found)
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(found / 60)
    return f"{minutes // 60} h {minutes % 60} min"


def many(count: int, noun: str) -> str:
    """Return a count with its noun, as in `1 seed` and `2 seeds`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def tally(result: AblationResult) -> str:
    """Return in one sentence on how many of the things in question there is which verdict."""
    counts = Counter(answer.verdict for answer in result.answers)
    order = [*VERDICTS, *sorted(counts.keys() - set(VERDICTS))]
    parts = [f"{counts[name]} {_COUNTED.get(name, (name, name))[counts[name] > 1]}" for name in order if counts[name]]
    if not parts:
        return "Nothing was compared."
    listed = " and ".join(part for part in (", ".join(parts[:-1]), parts[-1]) if part)
    return f"Of {many(len(result.answers), 'thing')} in question, {listed}."


def basis(result: AblationResult) -> str:
    """Return in sentences what the verdicts rest on: split, target, seeds, level, and how many were tested."""
    choice = "thresholds cross-fitted by speaker" if result.judge == "dev" else "thresholds chosen on dev"
    have = [
        f"{plain_number(value, 3)} {name if name != 'hours' else 'hours of audio'}"
        for name, value in result.judged.items()
        if known(value) is not None
    ]
    heard = f" ({', '.join(have)})" if have else ""
    rate = f"at most {result.target_fa_per_hour:g} false accepts per hour"
    seeds = f"{'seed' if len(result.seeds) == 1 else 'seeds'} {seeds_text(result.seeds)}"
    return (
        f"Judged on {result.judge}{heard}, {choice} for {rate}, {seeds}. {DIFFERENCE}, with a "
        f"{percent(result.level)} interval of its own; a verdict takes p adjusted by Holm over the variants."
    )
