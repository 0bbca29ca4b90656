"""The Brier score and the calibration error agree with references, and the latter is near 0 where calibration is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import brier_score_loss

from wakekit.data import Clip, ClipScores, OperatingPoint, Results
from wakekit.errors import WakekitError
from wakekit_evaluation.brier import Brier
from wakekit_evaluation.ece import Binned, Ece, binned

if TYPE_CHECKING:
    from collections.abc import Sequence

POINT = OperatingPoint(0.5, 1.0, True, 0.0, 0, 3.0, 0.1, 1, 10, "", "c")  # noqa: FBT003
ALL = (Brier(), Ece())


def results(
    scores: npt.ArrayLike, labels: npt.ArrayLike, speakers: Sequence[str | None], raw: npt.ArrayLike | None = None
) -> Results:
    """Results of clips alone; `raw` log-odds are those of the scores unless given."""
    clips = tuple(
        Clip(audio=Path(f"{row}.wav"), duration=1.0, label="x", pool="positive", speaker=speaker)
        for row, speaker in enumerate(speakers)
    )
    scores, labels = np.asarray(scores, float), np.asarray(labels, np.int64)
    log_odds = logit(np.clip(scores, 1e-9, 1 - 1e-9)) if raw is None else np.asarray(raw, float)
    calibrated, before = ClipScores(clips, scores, labels), ClipScores(clips, log_odds, labels)
    return Results(raw=before, clips=calibrated, streams=(), operating_point=POINT)


def world(seed: int, *, clips: int = 600, speakers: int | None = 30, sharpen: float = 1.0) -> Results:
    """Clips whose true log-odds are known, scored with them times `sharpen`: 1 is perfectly calibrated."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1, 2, size=clips)
    labels = (rng.random(clips) < expit(truth)).astype(np.int64)
    who = [None] * clips if speakers is None else [f"s{row % speakers}" for row in range(clips)]
    return results(expit(truth * sharpen), labels, who, raw=truth * sharpen)


ONCE = np.ones((1, 300))


def table_of(found: Results) -> Binned:
    """The bins that the calibration error of results is computed in."""
    return binned(found.clips.scores, found.clips.labels, found.clips.clusters(), bins=15)


def test_the_brier_score_is_that_of_scikit_learn() -> None:
    """After calibration it reads the scores, before it the logistic function of the raw log-odds."""
    found = world(0)
    after = results(found.clips.scores**2, found.clips.labels, [f"s{row % 9}" for row in range(600)])
    log_odds = np.random.default_rng(1).normal(size=600)
    both = results(after.clips.scores, after.clips.labels, [f"s{row % 9}" for row in range(600)], raw=log_odds)
    score, raw = Brier().compute(both)
    assert (score.name, raw.name) == ("brier", "brier-raw")
    assert score.value == pytest.approx(brier_score_loss(both.clips.labels, both.clips.scores))
    assert raw.value == pytest.approx(brier_score_loss(both.clips.labels, expit(log_odds)))
    assert score.low < score.value < score.high
    assert score.counts["clusters"] == 9


def test_closed_forms_of_the_brier_score() -> None:
    """Always saying the share p gives p(1 - p), all of it uncertainty; being sure and right gives 0, wrong gives 1."""
    labels, speakers = [1] * 3 + [0] * 9, [f"s{row % 4}" for row in range(12)]
    same = Brier().compute(results([0.25] * 12, labels, speakers))[0]
    assert same.value == pytest.approx(0.1875)
    assert [same.counts[part] for part in ("miscalibration", "discrimination")] == pytest.approx([0, 0], abs=1e-12)
    assert Brier().compute(results(labels, labels, speakers))[0].value == 0.0
    wrong = Brier().compute(results(1 - np.array(labels), labels, speakers))[0]
    assert wrong.value == 1.0


@given(st.integers(0, 2**31), st.integers(1, 2))
@settings(deadline=None, max_examples=25)
def test_the_parts_of_the_brier_score_add_up(seed: int, digits: int) -> None:
    """They are those of scikit-learn's isotonic recalibration, ties included, and none is below 0."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random(60), digits)
    labels = (rng.random(60) < scores**2).astype(np.int64)
    labels[:2] = 0, 1
    found = Brier().compute(results(scores, labels, [f"s{row % 7}" for row in range(60)]))[0]
    best = brier_score_loss(labels, IsotonicRegression(y_min=0, y_max=1).fit(scores, labels).predict(scores))
    parts = found.counts
    assert parts["miscalibration"] == pytest.approx(found.value - best)
    assert parts["discrimination"] == pytest.approx(labels.var() - best)
    assert found.value == pytest.approx(parts["miscalibration"] - parts["discrimination"] + parts["uncertainty"])
    assert min(parts["miscalibration"], parts["discrimination"], parts["uncertainty"]) >= -1e-12


def test_the_calibration_error_is_that_of_a_loop() -> None:
    """Per bin it averages the products of the errors of every two clips of different speakers, weighted by clips."""
    rng = np.random.default_rng(3)
    scores, labels = rng.random(90), rng.integers(0, 2, 90)
    speakers = [f"s{number}" for number in rng.integers(8, size=90)]
    found = Ece(bins=3).compute(results(scores, labels, speakers))[0]
    edges = np.sort(scores)[[30, 60]]
    squared = naive = 0.0
    for bin_ in range(3):
        rows = [row for row in range(90) if np.digitize(scores[row], edges) == bin_]
        errors = [scores[row] - labels[row] for row in rows]
        products = [
            errors[i] * errors[j]
            for i in range(len(rows))
            for j in range(len(rows))
            if speakers[rows[i]] != speakers[rows[j]]
        ]
        squared += len(rows) / 90 * np.mean(products)
        naive += len(rows) / 90 * np.mean(errors) ** 2
    assert found.counts["bins"] == 3
    assert found.counts["squared"] == pytest.approx(squared)
    assert found.counts["naive"] == pytest.approx(naive**0.5)
    assert found.value == pytest.approx(max(0.0, squared) ** 0.5)


def test_bins_of_one_score_give_the_published_correction() -> None:
    """With independent clips and one score per bin it is Kumar, Liang and Ma's: less y(1 - y) / (n - 1) in each bin."""
    sizes, scores, heard = [40, 60, 100], [0.2, 0.5, 0.9], [6, 36, 84]
    labels = [label for size, ones in zip(sizes, heard, strict=True) for label in [1] * ones + [0] * (size - ones)]
    found = Ece(bins=5).compute(results(np.repeat(scores, sizes), labels, [None] * 200))[0]
    expected = 0.0
    for size, score, ones in zip(sizes, scores, heard, strict=True):
        share = ones / size
        expected += size / 200 * ((score - share) ** 2 - share * (1 - share) / (size - 1))
    assert found.counts["bins"] == 3
    assert found.counts["squared"] == pytest.approx(expected)


def test_a_perfectly_calibrated_model_is_near_0_without_bias() -> None:
    """In 300 worlds the mean of the debiased square is 0 within its error, where the usual one is far above it."""
    tables = [table_of(world(seed, clips=300)) for seed in range(300)]
    squared, root = (np.array([getattr(table, name)(ONCE)[0] for table in tables]) for name in ("squared", "root"))
    naive, error = np.array([table.naive() for table in tables]), squared.std() / 300**0.5
    assert abs(squared.mean()) < 3 * error
    assert (naive**2).mean() > 20 * error
    assert naive.mean() > 0.05
    # Chance leaves some of it, as a root cannot fall below 0.
    assert root.mean() < 0.5 * naive.mean()


def test_it_is_unbiased_where_speakers_differ_too() -> None:
    """Speakers whose words are found easier or harder make a bin's errors alike; that is no miscalibration."""
    values, apart = [], []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        speakers = np.repeat(np.arange(40), 10)
        # Log-odds known to be off by a coin per speaker, with the probability that averages over the coin.
        chance = np.where(rng.random(40) < 0.5, 0.2, 0.8)[speakers]
        labels = (rng.random(400) < chance).astype(np.int64)
        names = [f"s{speaker}" for speaker in speakers]
        for found, clusters in ((values, names), (apart, [str(row) for row in range(400)])):
            table = binned(np.full(400, 0.5), labels, clusters, bins=15)
            found.append(table.squared(np.ones((1, 400)))[0])
    assert abs(np.mean(values)) < 3 * np.std(values) / 300**0.5
    assert np.mean(apart) > 5 * np.std(apart) / 300**0.5


@pytest.mark.parametrize(("sharpen", "least"), [(1.0, 0.95), (2.0, 0.90)])
def test_the_interval_covers_the_calibration_error(sharpen: float, least: float) -> None:
    """It holds the truth about as often as it promises, also where the truth is 0 and a plain bootstrap never does."""
    large = world(10**6, clips=400_000, speakers=None, sharpen=sharpen)
    scores, true = large.clips.scores, expit(logit(large.clips.scores) / sharpen)
    edges = np.quantile(scores, np.arange(1, 15) / 15)
    places = np.digitize(scores, edges)
    truth = np.sqrt(np.mean([(scores - true)[places == bin_].mean() ** 2 for bin_ in range(15)]))
    covered = 0
    for seed in range(120):
        found = Ece().compute(world(seed, clips=400, speakers=40, sharpen=sharpen))[0]
        covered += found.low <= truth + 1e-12 and truth <= found.high
    assert covered / 120 >= least


def test_before_and_after_calibration_are_told_apart() -> None:
    """Log-odds that are twice too large are miscalibrated before calibration, and fine after it."""
    found = world(5, clips=4000, sharpen=2.0)
    names = [f"s{row % 40}" for row in range(4000)]
    fixed = results(expit(found.raw.scores / 2), found.clips.labels, names, raw=found.raw.scores)
    brier, brier_raw = Brier().compute(fixed)
    ece, ece_raw = Ece().compute(fixed)
    assert (ece.name, ece_raw.name) == ("ece", "ece-raw")
    assert brier.value < brier_raw.value
    assert brier.counts["miscalibration"] < 0.3 * brier_raw.counts["miscalibration"]
    assert ece.low == 0.0
    assert ece.high < 0.05 < ece_raw.low


def test_the_order_of_clips_does_not_matter() -> None:
    """Shuffled clips, with ties among their scores, give the same values."""
    found = world(7, clips=300)
    scores, order = np.round(found.clips.scores, 2), np.random.default_rng(1).permutation(300)
    names = [f"s{row % 30}" for row in range(300)]
    straight = results(scores, found.clips.labels, names)
    shuffled = results(scores[order], found.clips.labels[order], [names[row] for row in order])
    for metric in ALL:
        values = [[measure.value for measure in metric.compute(one)] for one in (straight, shuffled)]
        assert values[0] == pytest.approx(values[1])


@given(st.integers(1, 80), st.integers(1, 6), st.integers(2, 20), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_every_bin_has_two_speakers_and_no_score_two_bins(clips: int, speakers: int, bins: int, seed: int) -> None:
    """Bins cover all clips, hold two clusters at least, and equal scores share one; one speaker has no bins."""
    rng = np.random.default_rng(seed)
    scores, who = np.round(rng.random(clips), 1), rng.integers(speakers, size=clips)
    table = binned(scores, rng.integers(0, 2, clips), [str(one) for one in who], bins=bins)
    if len(set(who.tolist())) < 2:
        assert table.bins == 0
        return
    ends = [*table.starts[table.bin_starts[1:]].tolist(), clips]
    start, seen = 0, set()
    assert sorted(table.order.tolist()) == list(range(clips))
    for end in ends:
        rows = table.order[start:end]
        values = set(scores[rows].tolist())
        assert len(set(who[rows].tolist())) > 1
        assert not values & seen
        seen |= values
        start = end
    assert table.bins <= bins


def test_one_class_no_clips_and_one_speaker_have_no_value() -> None:
    """Without clips, or of one class only, the value is None with a note; one speaker has no calibration error."""
    for metric in ALL:
        for labels in ([], [0, 0], [1, 1]):
            for found in metric.compute(results([0.5] * len(labels), labels, ["a"] * len(labels))):
                assert (found.value, found.low, found.high) == (None, None, None)
                assert found.note.startswith("there are no")
    for found in Ece().compute(results([0.1, 0.9, 0.4], [0, 1, 1], ["a"] * 3)):
        assert found.value is None
        assert "two speakers" in found.note
    for found in Brier().compute(results([0.1, 0.9, 0.4], [0, 1, 1], ["a"] * 3)):
        assert found.value is not None
        assert found.low is None
        assert found.note


def test_infinite_log_odds_are_certainty_and_nan_is_refused() -> None:
    """Log-odds without bound give probabilities 0 and 1; a score that is nan is an error."""
    certain = results([0.5] * 4, [0, 1, 0, 1], list("abcd"), raw=[-np.inf, np.inf, -np.inf, np.inf])
    assert Brier().compute(certain)[1].value == 0.0
    for metric in ALL:
        with pytest.raises(WakekitError, match="nan"):
            metric.compute(results([0.5, np.nan], [0, 1], ["a", "b"], raw=[0.0, 0.0]))
