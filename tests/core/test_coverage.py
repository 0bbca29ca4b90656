"""The intervals that metrics report cover the truth as often as they promise, in worlds drawn from known models.

A world is one test set. Scores of a clip are normal: an effect of its speaker plus noise of its own, keyword clips
`shift` higher; the effects of a speaker on keyword clips and on others are correlated. Words are missed with a chance
of each speaker's own (beta), recordings have a rate of false accepts of their own (gamma). Every true value is a closed
form. The figures of 2,000 worlds stand in the docstrings of `wakekit.intervals`; `-m slow -s` prints them anew.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from wakekit import intervals
from wakekit.curves import standardized
from wakekit.data import (
    Clip,
    ClipScores,
    Detection,
    Event,
    Measure,
    Miss,
    OperatingPoint,
    Results,
    Stream,
    StreamResult,
    StreamScores,
)
from wakekit_evaluation.eer import Eer
from wakekit_evaluation.fa_per_hour import FaPerHour
from wakekit_evaluation.false_rejects import FalseRejects
from wakekit_evaluation.pauc import Pauc
from wakekit_evaluation.roc_auc import RocAuc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit.kinds import Metric

POINT = OperatingPoint(
    threshold=0.5, target_fa_per_hour=1.0, reachable=True, fa_per_hour=0.0, false_accepts=0, hours=1.0, miss_rate=0.0,
    misses=0, events=1, message="", calibration="",
)  # fmt: skip
AUDIO = Path("world.wav")


@pytest.fixture(params=[pytest.param(120, id="reduced"), pytest.param(2000, id="full", marks=pytest.mark.slow)])
def worlds(request: pytest.FixtureRequest) -> int:
    """How many worlds are drawn."""
    return int(request.param)


def results(scores: ClipScores | None, streams: tuple[StreamResult, ...], seed: int) -> Results:
    """Return what metrics read of a world."""
    clips = scores or ClipScores((), np.zeros(0), np.zeros(0, np.int64))
    return Results(raw=clips, clips=clips, streams=streams, operating_point=POINT, seed=seed)


@attrs.frozen
class Speakers:
    """A model of clips: `speakers` with `positives` and `negatives` each, `others` with negatives alone.

    `spread` is the standard deviation of a speaker's effects, beside a noise of 1.
    """

    shift: float
    spread: float
    speakers: int = 30
    positives: int = 5
    negatives: int = 10
    others: int = 0
    correlation: float = 0.5

    def worlds(self, count: int) -> Iterator[Results]:
        """Draw worlds."""
        rng = np.random.default_rng(17)
        everyone = self.speakers + self.others
        labels = np.repeat([1, 0], [self.speakers * self.positives, everyone * self.negatives])
        speaker = np.concatenate(
            [np.repeat(np.arange(self.speakers), self.positives), np.repeat(np.arange(everyone), self.negatives)]
        )
        clips = tuple(Clip(audio=AUDIO, duration=1.0, label="", pool="", speaker=f"s{number}") for number in speaker)
        both = self.spread**2 * np.array([[1, self.correlation], [self.correlation, 1]])
        for world in range(count):
            effects = rng.multivariate_normal([0, 0], both, everyone)
            scores = self.shift * labels + effects[speaker, labels] + rng.normal(size=len(labels))
            yield results(ClipScores(clips, scores, labels), (), world)

    def true_positive_rate(self, fpr: float) -> float:
        """Return the share of keyword clips above the score that a share of the others exceeds."""
        return float(stats.norm.cdf(self.shift / math.sqrt(1 + self.spread**2) + stats.norm.ppf(fpr)))

    def truth(self, measure: str) -> float:
        """Return the value of a measure between clips of different speakers: each class is normal."""
        apart = self.shift / math.sqrt(1 + self.spread**2)
        if measure == "roc-auc":
            return float(stats.norm.cdf(apart / math.sqrt(2)))
        if measure == "eer":
            return float(stats.norm.cdf(-apart / 2))
        return float(quad(self.true_positive_rate, 0, 0.1)[0])


@attrs.frozen
class Words:
    """A model of streams: `speakers` say `words` each; a speaker's chance of a miss is beta, the same for all at 0."""

    missed: float
    spread: float
    speakers: int = 30
    words: int = 10

    def worlds(self, count: int) -> Iterator[Results]:
        """Draw worlds; the spread is the share that speakers have in the variance of a word's outcome."""
        rng = np.random.default_rng(23)
        total = self.speakers * self.words
        speaker = [f"s{number}" for number in np.repeat(np.arange(self.speakers), self.words)]
        events = tuple(
            Event(start=float(row), end=row + 0.5, label="w", speaker=name) for row, name in enumerate(speaker)
        )
        stream = Stream(audio=AUDIO, duration=float(total), events=events)
        scores = StreamScores(stream, np.zeros(1), 0.0, 1.0)
        hits = [Detection("", float(row), 0.9, "hit", row) for row in range(total)]
        misses = [Miss("", event.start, event.end, event.speaker, 0.1) for event in events]
        for world in range(count):
            missed = rng.random(total) < np.repeat(self._chances(rng), self.words)
            heard = tuple(hits[row] for row in np.flatnonzero(~missed))
            lost = tuple(misses[row] for row in np.flatnonzero(missed))
            yield results(None, (StreamResult(scores, heard, lost, total, 1.0),), world)

    def _chances(self, rng: np.random.Generator) -> np.ndarray:
        if not self.spread:
            return np.full(self.speakers, self.missed)
        size = 1 / self.spread - 1
        return rng.beta(self.missed * size, (1 - self.missed) * size, self.speakers)


@attrs.frozen
class Recordings:
    """A model of false accepts: recordings of half to one and a half hours, whose rate varies by `spread` (a share)."""

    rate: float
    spread: float
    recordings: int = 30

    def worlds(self, count: int) -> Iterator[Results]:
        """Draw worlds."""
        rng = np.random.default_rng(29)
        accept = Detection("", 1.0, 0.9, "false accept")
        scores = [
            StreamScores(Stream(audio=AUDIO, duration=1.0, source=f"r{number}"), np.zeros(1), 0.0, 1.0)
            for number in range(self.recordings)
        ]
        for world in range(count):
            hours = rng.uniform(0.5, 1.5, self.recordings)
            uneven = rng.gamma(self.spread**-2, self.spread**2, self.recordings) if self.spread else 1.0
            counts = rng.poisson(self.rate * uneven * hours)
            yield results(
                None,
                tuple(
                    StreamResult(one, (accept,) * int(n), (), 0, float(spent))
                    for one, n, spent in zip(scores, counts, hours, strict=True)
                ),
                world,
            )


@attrs.frozen
class Coverage:
    """The share of worlds whose interval holds the truth: the headline's and the one that ignores clusters."""

    headline: float
    simple: float
    without: float
    """Share of worlds without an interval; they count as not covered."""


def coverage(metric: Metric, measure: str, worlds: Iterator[Results], truth: float) -> Coverage:
    """Compute a metric in every world; print and return how often its intervals hold the truth."""
    found: list[Measure] = [
        next(one for one in metric.compute(world) if one.name == measure) for world in worlds
    ]  # fmt: skip
    ends = [(math.nan, math.nan) if one.low is None or one.high is None else (one.low, one.high) for one in found]
    low, high = np.array(ends).T
    simple_low, simple_high = np.array([one.simple or (math.nan, math.nan) for one in found]).T
    counted = Coverage(
        float(((low <= truth) & (truth <= high)).mean()),
        float(((simple_low <= truth) & (truth <= simple_high)).mean()),
        float(np.isnan(low).mean()),
    )
    print(f"\n{measure}: truth {truth:.4g}, covered {counted.headline:.1%}, simple {counted.simple:.1%}", end=", ")
    print(f"below {(truth < low).mean():.1%}, above {(high < truth).mean():.1%}, none {counted.without:.1%}")
    return counted


def noise(share: float, worlds: int) -> float:
    """Return two and a half standard deviations of a share counted in so many worlds."""
    return 2.5 * math.sqrt(share * (1 - share) / worlds)


def test_garwood_never_covers_less_than_it_promises() -> None:
    """Summed over the Poisson distribution the interval holds the rate with at least 95 %, whatever the rate."""
    counts = np.arange(400)
    found = [intervals.garwood(int(count), 2.0) for count in counts]
    low, high = np.array([(one.low, one.high) for one in found]).T
    rates = np.concatenate([np.geomspace(1e-3, 100, 400), low[1:90] * (1 + 1e-9), high[:80] * (1 - 1e-9)])
    for rate in rates:
        inside = (low <= rate) & (rate <= high)
        assert stats.poisson.pmf(counts[inside], 2.0 * rate).sum() >= 0.95 - 1e-9


@pytest.mark.parametrize("trials", [5, 30, 100, 400])
def test_clopper_pearson_never_covers_less_than_it_promises(trials: int) -> None:
    """Summed over the binomial distribution the interval holds the proportion with at least 95 %, whatever it is."""
    hits = np.arange(trials + 1)
    low, high = np.array([(one.low, one.high) for one in (intervals.clopper_pearson(int(k), trials) for k in hits)]).T
    for share in np.concatenate([np.linspace(0, 1, 301), low[1:] * (1 + 1e-9), high[:-1] * (1 - 1e-9)]):
        inside = (low <= share) & (share <= high)
        assert stats.binom.pmf(hits[inside], trials, share).sum() >= 0.95 - 1e-9


@pytest.mark.parametrize("trials", [20, 50, 100, 400])
def test_wilson_covers_its_level_on_average(trials: int) -> None:
    """Averaged over all proportions it covers 94 to 96 %; each count adds an incomplete beta integral to the mean."""
    mean = 0.0
    for hits in range(trials + 1):
        found = intervals.wilson(hits, trials)
        mean += float(np.diff(stats.beta.cdf([found.low, found.high], hits + 1, trials - hits + 1))[0]) / (trials + 1)
    print(f"\nWilson, {trials} trials: {mean:.2%}")
    assert 0.94 <= mean <= 0.96


@pytest.mark.parametrize("rate", [0.05, 1.0])
def test_false_accepts_that_come_evenly(worlds: int, rate: float) -> None:
    """Where every recording has one rate, the interval of false accepts per hour holds it in at least 95 %."""
    found = coverage(FaPerHour(), "fa-per-hour", Recordings(rate, 0.0).worlds(worlds), rate)
    assert found.headline >= 0.95 - noise(0.95, worlds)


@pytest.mark.parametrize("model", [Recordings(1.0, 1.0), Recordings(0.3, 1.5), Recordings(1.0, 1.0, recordings=10)])
def test_false_accepts_that_come_unevenly(worlds: int, model: Recordings) -> None:
    """Where rates differ between recordings, the interval by recording covers 92 %; the one by events does not."""
    found = coverage(FaPerHour(), "fa-per-hour", model.worlds(worlds), model.rate)
    assert found.headline >= 0.92 - noise(0.92, worlds)
    assert found.simple < 0.92
    assert found.simple < found.headline


@pytest.mark.parametrize("missed", [0.02, 0.1, 0.5])
def test_misses_of_speakers_who_are_alike(worlds: int, missed: float) -> None:
    """Where every word is missed with one chance, the share of misses is held in at least 95 %."""
    found = coverage(FalseRejects(), "false-rejects", Words(missed, 0.0).worlds(worlds), missed)
    assert found.headline >= 0.95 - noise(0.95, worlds)


@pytest.mark.parametrize("model", [Words(0.2, 0.2), Words(0.05, 0.1), Words(0.2, 0.2, speakers=10)])
def test_misses_of_speakers_who_differ(worlds: int, model: Words) -> None:
    """Where speakers differ, the share of misses is held in at least 92 %, by Wilson's alone far less often."""
    found = coverage(FalseRejects(), "false-rejects", model.worlds(worlds), model.missed)
    assert found.headline >= 0.92 - noise(0.92, worlds)
    assert found.simple <= 0.88


@pytest.mark.parametrize(
    "model", [Speakers(2.0, 1.0), Speakers(3.5, 1.0), Speakers(2.0, 1.0, positives=15, negatives=15)]
)
def test_areas_of_thirty_speakers(worlds: int, model: Speakers) -> None:
    """The area under the curve of 30 speakers is held in at least 92 %, while ignoring speakers fails at 0.84."""
    found = coverage(RocAuc(), "roc-auc", model.worlds(worlds), model.truth("roc-auc"))
    assert found.headline >= 0.92 - noise(0.92, worlds)
    assert found.simple < found.headline
    if model.shift == 2:
        assert found.simple <= 0.85


def test_areas_where_few_speakers_say_the_keyword(worlds: int) -> None:
    """With six speakers of the keyword among 36 the area is still held in at least 90 %."""
    model = Speakers(2.0, 1.0, speakers=6, positives=15, others=30)
    found = coverage(RocAuc(), "roc-auc", model.worlds(worlds), model.truth("roc-auc"))
    assert found.headline >= 0.9 - noise(0.9, worlds)
    assert found.simple <= 0.7


@pytest.mark.parametrize("model", [Speakers(2.0, 1.0), Speakers(3.5, 1.0)])
@pytest.mark.parametrize(("metric", "measure"), [(Eer(), "eer"), (Pauc(), "pauc")])
def test_error_rates_and_partial_areas(worlds: int, model: Speakers, metric: Metric, measure: str) -> None:
    """The equal error rate and the area at low false positive rates are held in at least 90 %."""
    found = coverage(metric, measure, model.worlds(worlds), model.truth(measure))
    assert found.headline >= 0.9 - noise(0.9, worlds)


def test_both_scales_of_a_partial_area_cover_alike() -> None:
    """The interval on McClish's scale is the one of the raw area, rescaled: it covers in the same worlds."""
    for world in Speakers(2.0, 1.0).worlds(3):
        raw, rescaled = Pauc(max_fpr=0.1).compute(world)
        assert raw.low is not None
        assert raw.high is not None
        expected = standardized(np.array([raw.low, raw.high]), 0.1)
        assert (rescaled.low, rescaled.high) == pytest.approx(tuple(expected), rel=1e-9)
