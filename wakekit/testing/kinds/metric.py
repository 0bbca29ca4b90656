"""Metrics: the results of a split to numbers with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from wakekit.measured import measured
from wakekit.statistic import CLIPS, KEYWORD_CLIPS, STREAMS, WORDS
from wakekit.testing.checks import check, exercise
from wakekit.testing.judged import made_results, made_run, reordered
from wakekit.testing.same import assert_same

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from wakekit.data import Measure, Results
    from wakekit.run_folder import Run
    from wakekit.testing.subject import Subject

_ROUNDING = 1e-9
_WEIGHTINGS = 20


@exercise("metric")
def measures(subject: Subject, _device: torch.device) -> list[Measure]:
    """Return what it measures over clips and streams, over clips alone and over streams alone."""
    return [*_measured(subject), *_measured(subject, streams=0), *_measured(subject, positives=0, negatives=0)]


def _measured(subject: Subject, **sizes: int) -> list[Measure]:
    return measured(subject.entry.component.name, subject.value, made_results(**sizes))


def _values(found: list[Measure]) -> Mapping[str, float | None]:
    return {measure.name: measure.value for measure in found}


@check("metric")
def measures_something(subject: Subject) -> None:
    """Over healthy results it gives at least one number, each under a name; what it cannot tell has a note."""
    found = _measured(subject)
    assert any(one.value is not None for one in found), f"expected a number, got {found!r:.200}"
    for one in found:
        assert one.name.strip(), f"expected a name, got {one!r:.200}"
    _told(found)


@check("metric")
def interval_around_value(subject: Subject) -> None:
    """A value lies within its own intervals."""
    for one in _measured(subject):
        for low, high in [(one.low, one.high), *([one.simple] if one.simple else [])]:
            if one.value is not None and low is not None and high is not None:
                within = low - _ROUNDING <= one.value <= high + _ROUNDING
                assert within, f"{one.name} is {one.value:g}, outside its interval of {low:g} to {high:g}"


@check("metric")
def order_free(subject: Subject) -> None:
    """Clips and streams in another order measure the same."""
    expected = _measured(subject)
    for seed in range(3):
        found = measured(subject.entry.component.name, subject.value, reordered(made_results(), seed))
        assert_same(_values(found), _values(expected), tolerance=_ROUNDING, where="in another order, the measures")


@check("metric")
def empty_input(subject: Subject) -> None:
    """No clips and no streams are no error: what cannot be measured is None, with a note."""
    _told(_measured(subject, positives=0, negatives=0, streams=0))


@check("metric")
def one_class_input(subject: Subject) -> None:
    """Clips of one class alone, or a single clip, are no error."""
    for positives, negatives in ((0, 20), (20, 0), (1, 0), (0, 1)):
        _told(_measured(subject, positives=positives, negatives=negatives, streams=0))


def _told(found: list[Measure]) -> None:
    for one in found:
        assert one.value is not None or one.note.strip(), f"{one.name} is None, and no note says why"


@check("metric")
def ties_are_no_error(subject: Subject) -> None:
    """Scores that are equal, in part or all, are measured, in whatever order they come."""
    for decimals in (0, 1):
        expected = _measured(subject, decimals=decimals)
        found = measured(subject.entry.component.name, subject.value, reordered(made_results(decimals=decimals)))
        assert_same(_values(found), _values(expected), tolerance=_ROUNDING, where="with ties in another order, it")
    _told(measured(subject.entry.component.name, subject.value, _level(made_results())))


def _level(results: Results) -> Results:
    """Return the results with one score for every clip."""
    half = np.full(len(results.clips.scores), 0.5)
    raw = attrs.evolve(results.raw, scores=np.zeros_like(half))
    return attrs.evolve(results, raw=raw, clips=attrs.evolve(results.clips, scores=half))


@check("metric")
def same_names_always(subject: Subject) -> None:
    """The names of its measures do not depend on what the scores happen to be, so that runs can be compared."""
    usual, tied = _measured(subject), _measured(subject, decimals=1)
    assert_same(sorted(_values(tied)), sorted(_values(usual)), where="the names")


@check("metric")
def pooled_folds(subject: Subject) -> None:
    """Where folds are pooled, clips have a threshold each and `accepted()` knows it: equal ones change no measure."""
    results = made_results(streams=0)
    point = results.operating_point
    each = np.full(len(results.clips.scores), point.threshold)
    pooled = attrs.evolve(results, thresholds=each, operating_point=attrs.evolve(point, threshold=float("nan")))
    found, expected = (measured(subject.entry.component.name, subject.value, one) for one in (pooled, results))
    assert_same(_values(found), _values(expected), tolerance=_ROUNDING, where="of pooled folds, the measures")


@check("metric", when=lambda subject: hasattr(subject.cls, "statistics"))
def statistics_are_its_measures(subject: Subject) -> None:
    """Each of its statistics, every item counted once, is the measure of its name."""
    results = made_results()
    run = made_run(results, subject.folder / "run")
    found = _values(measured(subject.entry.component.name, subject.value, results))
    for one in subject.value.statistics(run):
        assert one.measure in found, f"its statistic is of {one.measure!r}, which it does not measure"
        value = float(one.values(np.ones((1, _items(run)[one.over])))[0])
        assert_same(value, found[one.measure], tolerance=1e-6, where=f"the statistic of {one.measure}")


@check("metric", when=lambda subject: hasattr(subject.cls, "statistics"))
def statistics_go_by_weights(subject: Subject) -> None:
    """Items that count for more, less or not at all give a statistic another value, or none."""
    run, rng = made_run(made_results(), subject.folder / "run"), np.random.default_rng(1)
    for one in subject.value.statistics(run):
        count = _items(run)[one.over]
        # Items may be all alike, and still none of them are no value.
        weights = np.concatenate([np.ones((1, count)), rng.poisson(1.0, (_WEIGHTINGS, count)), np.zeros((1, count))])
        found = one.values(weights)
        same = f"the statistic of {one.measure} is {found[0]:g}, whatever its {one.over} weigh, even where none counts"
        assert np.unique(found).size > 1, same


@check("metric", when=lambda subject: hasattr(subject.cls, "statistics"))
def statistics_in_batches(subject: Subject) -> None:
    """Many weightings at once give what one after the other gives."""
    run = made_run(made_results(), subject.folder / "run")
    rng = np.random.default_rng(0)
    for one in subject.value.statistics(run):
        weights = rng.poisson(1.0, (4, _items(run)[one.over])).astype(np.float64)
        single = np.concatenate([one.values(row[None]) for row in weights])
        assert_same(single, one.values(weights), tolerance=_ROUNDING, where=f"the statistic of {one.measure}")


def _items(run: Run) -> Mapping[str, int]:
    """Return how many items there are of what a statistic can be over."""
    keyword = sum(clip.pool == "positive" for clip in run.clips)
    return {CLIPS: len(run.clips), KEYWORD_CLIPS: keyword, WORDS: len(run.words), STREAMS: len(run.test.streams)}
