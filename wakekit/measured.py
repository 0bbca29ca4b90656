"""What metrics measure, held to what a run's folder can keep: named numbers that are finite, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit.data import Measure
from wakekit.errors import PluginError, abridged, blaming, who

if TYPE_CHECKING:
    from wakekit.data import ClipScores, Results
    from wakekit.kinds import Metric

_TEXTS = ("name", "unit", "method", "split", "note")


def measured(name: str, metric: Metric, results: Results) -> list[Measure]:
    """Return what a metric measures; `name` is its id in the recipe.

    Raises PluginError where it fails, changes the scores, or gives anything but measures of finite numbers, each under
    a name of its own.
    """
    called = who("metric", metric, name)
    with blaming(called):
        found: object = metric.compute(_read_only(results))
    made = [_checked(called, measure) for measure in (found if isinstance(found, (list, tuple)) else [found])]
    names = [measure.name for measure in made]
    twice = next((one for one in names if names.count(one) > 1), None)
    if twice is not None:
        raise PluginError(f"{called}: expected measures of different names, got {twice!r} twice")
    return made


def _read_only(results: Results) -> Results:
    """Return the same results with scores that cannot be written to, as other metrics and files read them too."""
    streams = tuple(
        attrs.evolve(result, scores=attrs.evolve(result.scores, scores=_sealed(result.scores.scores)))
        for result in results.streams
    )
    return attrs.evolve(results, raw=_sealed_clips(results.raw), clips=_sealed_clips(results.clips), streams=streams)


def _sealed_clips(clips: ClipScores) -> ClipScores:
    return attrs.evolve(clips, scores=_sealed(clips.scores), labels=_sealed(clips.labels))


def _sealed(array: Any) -> Any:  # noqa: ANN401
    view = array.view()
    view.flags.writeable = False
    return view


def _checked(called: str, measure: object) -> Measure:
    if not isinstance(measure, Measure):
        raise PluginError(f"{called}: expected a list of wakekit.Measure, got {abridged(measure)}")
    where = f"{called}: {measure.name}"
    wrong = [text for text in _TEXTS if not isinstance(getattr(measure, text), str)]
    if wrong:
        raise PluginError(f"{where}: expected text as {wrong[0]}, got {abridged(getattr(measure, wrong[0]))}")
    if not measure.name:
        raise PluginError(f"{called}: expected a name for every measure, got {measure.name!r}")
    try:
        found = _plain(measure)
    except (TypeError, ValueError, AttributeError) as error:
        raise PluginError(f"{where} holds something that is no number where it should ({error})") from error
    numbers = [found.value, found.low, found.high, found.level, *(found.simple or ()), *found.counts.values()]
    if not all(number is None or np.isfinite(number) for number in numbers):
        raise PluginError(f"{where} holds a number that is not finite; give None and a note")
    if (found.low is None) != (found.high is None) or (found.low or 0.0) > (found.high or 0.0):
        raise PluginError(f"{where}: expected both ends of an interval, the lower first, got {found.low}, {found.high}")
    return found


def _plain(measure: Measure) -> Measure:
    """Return the measure with Python's own numbers."""
    value, low, high = (None if end is None else _number(end) for end in (measure.value, measure.low, measure.high))
    simple = None
    if measure.simple is not None:
        lower, upper = measure.simple
        simple = (_number(lower), _number(upper))
    counts = {str(key): _number(count) for key, count in measure.counts.items()}
    return attrs.evolve(
        measure, value=value, low=low, high=high, level=_number(measure.level), simple=simple, counts=counts
    )


def _number(number: object) -> float:
    if isinstance(number, (bool, np.bool_, str, bytes)):
        raise TypeError(f"expected a number, got {abridged(number)}")
    return float(number)  # type: ignore[arg-type]
