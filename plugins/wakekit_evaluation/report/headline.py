"""The result in sentences: what the run measured on test, and what its hours of audio cannot show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit.intervals import hours_needed
from wakekit.worst import worst_speaker
from wakekit_evaluation.report import text
from wakekit_evaluation.report.tables import judged_worst_first

if TYPE_CHECKING:
    from wakekit.data import Measure
    from wakekit.run_folder import Run


@attrs.frozen(kw_only=True)
class Tile:
    """One number of the top row: its name, value, and what bounds it."""

    name: str
    value: str
    below: str


@attrs.frozen
class Sentence:
    """One sentence; `good` says that it limits nothing."""

    text: str
    good: bool = False


def sentences(run: Run) -> list[Sentence]:
    """Return the headline, then what limits it, each a sentence."""
    return [Sentence(_result(run), good=True), *_limits(run), *_worst(run)]


def tiles(run: Run) -> list[Tile]:
    """Return the numbers that a reader looks for first."""
    point, missed, rate = run.operating_point, _missed(run), _rate(run)
    found = []
    if missed is not None:
        found.append(Tile(name=text.measure_name(missed), value=text.share(missed.value), below=_bounds(missed)))
    if rate is not None:
        found.append(Tile(name=text.measure_name(rate), value=text.rate(rate.value), below=_bounds(rate)))
        target = (
            f"target {point.target_fa_per_hour:g} per hour needs {text.hours(hours_needed(point.target_fa_per_hour))}"
        )
        found.append(Tile(name="test audio without the keyword", value=text.hours(rate.counts["hours"]), below=target))
    chosen = f"chosen on {point.split} for at most {point.target_fa_per_hour:g} false accepts per hour"
    return [*found, Tile(name="threshold", value=text.probability(point.threshold), below=chosen)]


def _bounds(measure: Measure) -> str:
    if measure.low is None:
        return measure.note
    return f"{text.level(measure.level)}: {text.interval(measure.low, measure.high, measure.unit)}"


def _missed(run: Run) -> Measure | None:
    """Return the miss rate in streams; where there is none, the one of clips."""
    return run.test.first_value(*text.MISSES)


def _rate(run: Run) -> Measure | None:
    return run.test.first_value("fa-per-hour")


def _result(run: Run) -> str:
    point, missed, rate = run.operating_point, _missed(run), _rate(run)
    start = f"At threshold {text.probability(point.threshold)}, chosen on {point.split}, it"
    parts = []
    if missed is not None:
        clips = missed.name == "false-rejects-clips"
        count = missed.counts["clips" if clips else "words"]
        what = text.many(int(count), "clip" if clips else "keyword") + (" of the keyword" if clips else "")
        bounds = "" if missed.low is None else f" ({_bounds(missed)})"
        parts.append(f"missed {text.share(missed.value)} of {what}{bounds}")
    if rate is not None:
        bounds = "" if rate.low is None else f" ({_bounds(rate)})"
        hours = text.hours(rate.counts["hours"])
        parts.append(f"accepted falsely {text.rate(rate.value)} times an hour{bounds} in {hours} of test audio")
    return f"{start} {' and '.join(parts)}." if parts else f"{start} was not measured: test allows no number."


def _limits(run: Run) -> list[Sentence]:
    point, rate, words = run.operating_point, _rate(run), run.test.measure("false-rejects")
    target = f"the target of at most {point.target_fa_per_hour:g} false accepts per hour"
    found = []
    if point.misses == point.events:
        found.append(Sentence(f"It heard none of the {text.many(point.events, 'keyword')} of {point.split}."))
    if words is not None and words.value == 1:
        found.append(Sentence(f"It heard none of the {text.many(int(words.counts['words']), 'keyword')} of test."))
    if not point.reachable:
        deaf = point.misses == point.events
        told = "none hears a keyword" if deaf else "of those that hear a keyword this one has the fewest"
        found.append(Sentence(f"No threshold met {target} on {point.split}; {told}."))
    if rate is not None and "upper_95" in rate.counts:
        found.append(_shown(rate, point.target_fa_per_hour, target))
    return [*found, *_later(run)]


def _later(run: Run) -> list[Sentence]:
    """Say what the scorer's look back costs."""
    late = 0.0 if run.cost is None else run.cost.latency_seconds
    if not late:
        return []
    told = f"Its scorer averages over windows that ended earlier: a score comes {late:.3g} s later than a window's own"
    return [Sentence(f"{told}, as with smoothing by as much, and that is part of the time to detect.")]


def _worst(run: Run) -> list[Sentence]:
    """Name the condition and the speaker with the most misses, in one sentence."""
    parts, speaker = [], worst_speaker(run.test.speakers)
    plain = _missed(run)
    for name, judged in judged_worst_first(run)[1:2]:
        measure = judged.first_value(*text.MISSES)
        if measure is not None and (plain is None or (measure.value or 0.0) > (plain.value or 0.0)):
            parts.append(f"under condition {name} ({text.share(measure.value)} missed)")
    if speaker is not None and speaker.missed:
        counts = f"{speaker.missed} of {speaker.words} words missed"
        luck = "" if speaker.beyond_chance else ", which chance may explain"
        parts.append(f"with speaker {speaker.name} ({counts}{luck})")
    return [Sentence(f"It does worst {' and '.join(parts)}.")] if parts else []


def _shown(rate: Measure, per_hour: float, target: str) -> Sentence:
    """Say whether the hours at hand show the target, by the one-sided 95 % bound."""
    upper, needed, hours = rate.counts["upper_95"], hours_needed(per_hour), rate.counts["hours"]
    fewer = f"fewer than {text.rate(upper)} an hour (one-sided {text.level(0.95)})"
    if upper <= per_hour:
        return Sentence(f"That meets {target}: it shows {fewer}.", good=True)
    if hours < needed:
        return Sentence(
            f"{text.hours(hours)} cannot show {target}: they show {fewer}, and the target takes {text.hours(needed)} "
            "without a single one."
        )
    return Sentence(f"That does not show {target}: it shows {fewer}.")
