"""The checks of metrics catch what they are there for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest

from tests.testing.support import failures_on
from wakekit.data import Measure, Results
from wakekit.statistic import CLIPS, Statistic, mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wakekit.data import FloatArray
    from wakekit.run_folder import Run


def one(value: float | None, *, low: float | None = None, high: float | None = None) -> list[Measure]:
    """Return a measure, with a note where it has no value."""
    return [Measure(name="m", value=value, unit="", low=low, high=high, note="" if value is not None else "no clips")]


def score_mean(results: Results) -> float | None:
    """Return the mean score, None without clips."""
    scores = results.clips.scores
    return float(scores.mean()) if len(scores) else None


@attrs.frozen
class Good:
    """The mean score."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        return one(score_mean(results))

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return the mean of a run."""
        return [mean("m", CLIPS, [clip.score for clip in run.clips])]


@attrs.frozen
class Mute:
    """Never measures."""

    def compute(self, _results: Results) -> Sequence[Measure]:
        """Measure."""
        return one(None)


@attrs.frozen
class Outside:
    """An interval elsewhere."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        value = score_mean(results)
        return one(value) if value is None else one(value, low=value + 1, high=value + 2)


@attrs.frozen
class OneThreshold:
    """Knows of one threshold alone."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        accepted = results.clips.scores >= results.operating_point.threshold
        return one(float(accepted.mean()) if len(accepted) else None)


@attrs.frozen
class First:
    """The first clip's score."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        return one(float(results.clips.scores[0]) if len(results.clips.scores) else None)


@attrs.frozen
class Dividing:
    """Divides by the number of clips."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        return one(sum(results.clips.scores.tolist()) / len(results.clips.scores))


@attrs.frozen
class Silent:
    """None without a note."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        return [attrs.evolve(measure, note="") for measure in one(score_mean(results))]


@attrs.frozen
class Apart:
    """Divides by how far apart the classes are."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        scores, labels = results.clips.scores.tolist(), results.clips.labels.tolist()
        if not scores:
            return one(None)
        best = max(score for score, label in zip(scores, labels, strict=True) if label)
        return one(best)


@attrs.frozen
class Tied:
    """Sorts without a thought for ties."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        order = np.argsort(results.clips.scores, kind="stable")
        return one(float((results.clips.labels[order] * np.arange(len(order))).mean()) if len(order) else None)


@attrs.frozen
class Named:
    """Names its measure by the score."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        return [attrs.evolve(measure, name=f"m{measure.value}") for measure in one(score_mean(results))]


@attrs.frozen
class Writing(Good):
    """Sorts in place."""

    def compute(self, results: Results) -> Sequence[Measure]:
        """Measure."""
        results.clips.scores.sort()
        return one(score_mean(results))


@attrs.frozen
class Otherwise(Good):
    """Its statistic is of something else."""

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return the mean of the raw scores."""
        return [mean("m", CLIPS, [clip.raw for clip in run.clips])]


def pooled(weights: FloatArray) -> FloatArray:
    """Return one value for all weightings."""
    return np.full(len(weights), weights.mean())


@attrs.frozen
class Batched(Good):
    """Its statistic mixes the weightings."""

    def statistics(self, _run: Run) -> Sequence[Statistic]:
        """Return what depends on the other rows."""
        return [Statistic(measure="m", over=CLIPS, values=pooled)]


@attrs.frozen
class Unweighted(Good):
    """A statistic that counts every clip, whatever it weighs."""

    def statistics(self, run: Run) -> Sequence[Statistic]:
        """Return the mean of all."""
        whole = np.mean([clip.score for clip in run.clips])
        return [Statistic(measure="m", over=CLIPS, values=lambda weights: np.full(len(weights), whole))]


def test_a_good_one_passes(tmp_path: Path) -> None:
    """No false alarm."""
    assert failures_on("metric", Good, tmp_path) == {}


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (Mute, "measures-something", "expected a number"),
        (Outside, "interval-around-value", "outside its interval"),
        (First, "order-free", "in another order"),
        (Dividing, "empty-input", "ZeroDivisionError"),
        (Silent, "empty-input", "no note"),
        (Apart, "one-class-input", "empty"),
        (Tied, "ties-are-no-error", "with ties"),
        (Named, "same-names-always", "the names"),
        (Writing, "deterministic", "read-only"),
        (OneThreshold, "pooled-folds", "of pooled folds, the measures.m"),
        (Otherwise, "statistics-are-its-measures", "the statistic of m"),
        (Unweighted, "statistics-go-by-weights", "whatever its clips weigh, even where none counts"),
        (Batched, "statistics-in-batches", "the statistic of m"),
    ],
)
def test_a_broken_one_is_caught(tmp_path: Path, cls: type, check: str, words: str) -> None:
    """Each mistake fails the check that is meant for it."""
    found = failures_on("metric", cls, tmp_path, only=[check])
    assert words in found.get(check, "passed"), found
