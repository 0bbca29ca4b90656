"""The tables of measures: the operating point on dev and on test, every measure, every condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.intervals import hours_needed, one_sided_upper
from wakekit.worst import worst_speaker
from wakekit_evaluation.report import text
from wakekit_evaluation.report.breakdowns import Table
from wakekit_evaluation.report.curve_figure import dev_point

if TYPE_CHECKING:
    from wakekit.data import Measure
    from wakekit.run_folder import Judged, Run

PLAIN = "test, as it is"


def operating_table(run: Run) -> Table:
    """Return what the threshold was chosen for and what it gave, on dev and on test side by side."""
    point, dev = run.operating_point, dev_point(run)
    rate, missed = run.test.measure("fa-per-hour"), run.test.measure("false-rejects")
    known = {} if rate is None else rate.counts
    words = {} if missed is None else missed.counts
    upper = one_sided_upper(point.false_accepts, point.hours)
    target = f"at most {point.target_fa_per_hour:g} per hour"
    bound = f"{target}, by the {point.bound}" + (
        f" bound at {text.level(point.level)}" if point.bound == "upper" else ""
    )
    rows = [
        ("threshold", text.probability(point.threshold), "the same, frozen"),
        ("target", bound if point.reachable else f"{bound}: not reachable", target),
        ("false accepts per hour", text.rate(point.fa_per_hour), _value(rate)),
        ("95 % interval (Garwood)", text.interval(dev.rate_low, dev.rate_high, "1/h"), _interval(rate)),
        ("shows fewer than (one-sided 95 %)", text.rate(upper), text.rate(known.get("upper_95"))),
        ("false accepts", str(point.false_accepts), _count(known, "false_accepts")),
        ("audio without the keyword", text.hours(point.hours), text.hours(known["hours"]) if known else text.DASH),
        ("hours that showing the target takes", *[text.hours(hours_needed(point.target_fa_per_hour))] * 2),
        ("keywords missed", text.share(point.miss_rate), _value(missed)),
        ("95 % interval", f"{text.interval(dev.miss_low, dev.miss_high, 'share')} ({dev.method})", _interval(missed)),
        ("missed of keywords", f"{point.misses} of {point.events}", _of(words)),
        *_audio(known),
    ]
    return Table(label="Operating point", columns=("", f"{point.split}, chosen here", "test, once"), rows=tuple(rows))


def _audio(known: dict[str, float]) -> list[tuple[str, str, str]]:
    if not known.get("composed_share"):
        return []
    composed, silence = text.share(known["composed_share"]), text.share(known.get("silence_share"))
    return [("composed audio, and silence in all", text.DASH, f"{composed}, {silence}")]


def _value(measure: Measure | None) -> str:
    """Return a value with its unit; that of a rate stands in the name of its row or column."""
    if measure is None:
        return text.DASH
    return (text.bare if measure.unit == "1/h" else text.amount)(measure.value, measure.unit)


def _interval(measure: Measure | None) -> str:
    if measure is None:
        return text.DASH
    bounds = text.interval(measure.low, measure.high, measure.unit)
    return f"{bounds} ({measure.method})" if measure.method and measure.unit == "share" else bounds


def _count(counts: dict[str, float], name: str) -> str:
    return text.counted(counts[name]) if name in counts else text.DASH


def _of(counts: dict[str, float]) -> str:
    return f"{_count(counts, 'missed')} of {_count(counts, 'words')}" if counts else text.DASH


def settings_table(run: Run) -> Table | None:
    """Return the detector's settings that the search chose; None where there was no search."""
    chosen = run.operating_point.detector
    if not chosen:
        return None
    rows = tuple((name.replace("_", " "), text.counted(value) if _number(value) else str(value))
                 for name, value in chosen.items())  # fmt: skip
    return Table(label="Settings of the detector that the search chose", columns=("setting", "chosen"), rows=rows)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def measures_table(judged: Judged, label: str) -> Table:
    """Return every measure with its intervals, what it was computed from, its note, and its metric's id."""
    rows = [
        (
            text.measure_name(measure),
            _value(measure),
            f"{text.interval(measure.low, measure.high, measure.unit)}\n{measure.method}".rstrip(),
            text.interval(*measure.simple, measure.unit) if measure.simple else text.DASH,
            _origin(measure),
            name,
        )
        for name, measures in judged.metrics.items()
        for measure in measures
    ]
    columns = ("measure", "value", "95 % interval", "simple interval", "from", "metric")
    return Table(label=label, columns=columns, rows=tuple(rows))


def _origin(measure: Measure) -> str:
    counts = [_named(name, value) for name, value in measure.counts.items()]
    return "; ".join(part for part in (", ".join(counts), measure.note) if part) or text.DASH


def _named(name: str, value: float) -> str:
    if name.endswith("_share"):
        return f"{text.share(value)} {name.removesuffix('_share')}"
    if name == "upper_95":
        return f"fewer than {text.rate(value)} per hour (one-sided)"
    return f"{text.counted(value)} {name.replace('_', ' ')}"


def judged_worst_first(run: Run) -> list[tuple[str, Judged]]:
    """Return test as it is, then the conditions from the highest miss rate down."""
    return [(PLAIN, run.test), *sorted(run.conditions.items(), key=lambda item: (-_missed(item[1]), item[0]))]


def worst_condition(run: Run) -> str:
    """Return the sentences that name the condition with the highest miss rate, and whom it costs most.

    Empty where no condition has a miss rate.
    """
    if not run.conditions:
        return ""
    name, judged = judged_worst_first(run)[1]
    measure, speaker = _miss(judged), worst_speaker(judged.speakers)
    if measure is None:
        return ""
    bounds = text.interval(measure.low, measure.high, "share")
    same = sum(_missed(other) == measure.value for other in run.conditions.values()) - 1
    more = f", with {same} more alike" if same else ""
    told = f"Worst condition is {name}{more}: {text.share(measure.value)} missed ({text.level(0.95)}: {bounds})."
    return told if speaker is None else f"{told} There: {speaker.sentence()}"


def _miss(judged: Judged) -> Measure | None:
    return judged.first_value(*text.MISSES)


def _missed(judged: Judged) -> float:
    measure = _miss(judged)
    return -1.0 if measure is None or measure.value is None else measure.value


def passes_table(run: Run) -> Table | None:
    """Return what the weights of each pass gave on test, each at a threshold of its own; None for a single pass."""
    if not run.passes:
        return None
    judged = [*((one.operating_point, one.test) for one in run.passes), (run.operating_point, run.test)]
    rows = []
    for number, (point, test) in enumerate(judged, 1):
        measures = (test.measure(wanted) for wanted in ("false-rejects", "false-rejects-clips", "fa-per-hour", "eer"))
        on_dev = f"{point.misses} of {point.events} missed\n{text.many(point.false_accepts, 'false accept')}"
        rows.append((str(number), text.probability(point.threshold), on_dev, *map(_two_lines, measures)))
    columns = (
        "pass", "threshold", f"on {run.operating_point.split}", "missed in streams", "missed clips",
        "false accepts per hour", "EER",
    )  # fmt: skip
    return Table(label="Passes of training", columns=columns, rows=tuple(rows))


def conditions_table(run: Run) -> Table:
    """Return test and every condition at the frozen operating point, worst first after test.

    A cell holds the value and, on a line of its own, the interval.
    """
    rows = []
    for name, judged in judged_worst_first(run):
        measures = (judged.measure(wanted) for wanted in ("false-rejects", "false-rejects-clips", "fa-per-hour"))
        cells = [_two_lines(measure) for measure in measures]
        rows.append((name, *cells, _worst_of(judged), judged.changes or text.DASH))
    columns = ("condition", "missed in streams", "missed clips", "false accepts per hour", "worst speaker", "change")
    return Table(label="Conditions, worst first", columns=columns, rows=tuple(rows))


def _worst_of(judged: Judged) -> str:
    """Return who is missed most and of how many words, on a line of its own; a dash where no one can be named."""
    speaker = worst_speaker(judged.speakers)
    if speaker is None or not speaker.missed:
        return text.DASH
    return f"{speaker.name}\n{speaker.missed} of {speaker.words}"


def _two_lines(measure: Measure | None) -> str:
    if measure is None or measure.low is None:
        return _value(measure)
    return text.two_lines(_value(measure), measure.low, measure.high, measure.unit)
