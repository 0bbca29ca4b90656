"""DET points, precision and recall, d' and the confusion agree with scikit-learn and torchmetrics."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    det_curve,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)
from torchmetrics.functional import classification

from tests.compare_support import simulate, write_run
from wakekit.compare import compare
from wakekit.curves import ranked
from wakekit.data import Clip, ClipScores, Measure, OperatingPoint, Results
from wakekit.errors import WakekitError
from wakekit.intervals import wilson
from wakekit.measured import measured
from wakekit.registry import installed
from wakekit.run_folder import ScoredClip, read_run
from wakekit_evaluation.confusion import Confusion
from wakekit_evaluation.d_prime import DPrime, d_a
from wakekit_evaluation.det import Det, missed_at
from wakekit_evaluation.precision_recall import PrecisionRecall, average_precision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

POINT = OperatingPoint(0.5, 1.0, True, 0.0, 0, 3.0, 0.1, 1, 10, "", "c")  # noqa: FBT003
ALL = (Det(fprs=(0.2, 0.05)), PrecisionRecall(), DPrime(), Confusion(), Confusion(by="label"))
Case = tuple[np.ndarray, np.ndarray, np.ndarray]


def results(
    scores: npt.ArrayLike, labels: npt.ArrayLike, speakers: Sequence[str | None] | None = None, threshold: float = 0.5
) -> Results:
    """Results of clips alone; other clips are of three pools and five labels in turn."""
    truth = np.asarray(labels, np.int64)
    others = ("negative", "hard", "background")
    clips = tuple(
        Clip(
            audio=Path(f"{row}.wav"),
            duration=1.0,
            label="word" if label else f"label {row % 5}",
            pool="positive" if label else others[row % 3],
            speaker=None if speakers is None else speakers[row],
        )
        for row, label in enumerate(truth.tolist())
    )
    found = ClipScores(clips, np.asarray(scores, float), truth)
    return Results(raw=found, clips=found, streams=(), operating_point=attrs.evolve(POINT, threshold=threshold), seed=0)


def by_name(metric: Any, found: Results) -> dict[str, Measure]:
    """What a metric measures, held to what a run can keep."""
    return {measure.name: measure for measure in measured("one", metric, found)}


@st.composite
def scored(draw: st.DrawFn) -> Case:
    """Scores on a coarse grid (many ties), labels of both classes, and whole weights that leave both some weight."""
    n = draw(st.integers(2, 40))
    scores = np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n)), float) / 8
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    labels[:2] = 0, 1
    weights = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), float)
    weights[:2] += 1
    return scores, labels, weights


@given(scored(), st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.9]))
@settings(deadline=None, max_examples=60)
def test_det_points_are_those_of_scikit_learn(case: Case, fpr: float) -> None:
    """The point is the lowest of scikit-learn's curve within the rate, under any weights and ties.

    Its DET curve may leave out thresholds above which nothing is accepted, of which all are missed.
    """
    scores, labels, weights = case
    found = missed_at(ranked(scores, labels), fpr, weights[None])[0]
    accepted, heard, _ = roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)
    assert found == pytest.approx(1 - heard[accepted <= fpr].max(), abs=1e-12)
    alarms, missed, _ = det_curve(labels, scores, sample_weight=weights)
    assert found == pytest.approx(min([1.0, *missed[alarms <= fpr]]), abs=1e-12)


def test_det_points_are_those_of_torchmetrics() -> None:
    """On random scores with ties the points are the lowest of torchmetrics' ROC curve within the rate."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 3000)
    scores = np.round(1 / (1 + np.exp(-rng.normal(size=3000) - labels)), 2)
    accepted, heard, _ = classification.binary_roc(torch.from_numpy(scores), torch.from_numpy(labels))
    for measure, fpr in zip(Det(fprs=(0.3, 0.03)).compute(results(scores, labels)), (0.3, 0.03), strict=True):
        assert measure.value == pytest.approx(1 - float(heard[accepted <= fpr].max()), abs=1e-6)
        assert measure.name == f"frr-at-fpr-{fpr}"
        assert measure.low < measure.value < measure.high
        simple = wilson(round(measure.value * int(labels.sum())), int(labels.sum()))
        assert measure.simple == (simple.low, simple.high)


def test_a_rate_that_few_clips_cannot_show_is_noted() -> None:
    """With 50 other clips, 1 % of them is none: the share missed without any, and a note that says so; 2 % is one."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], 50)
    scores = rng.random(100) * 0.6 + 0.4 * labels * rng.random(100)
    small, large = Det(fprs=(0.01, 0.02)).compute(results(scores, labels))
    second, top = np.sort(scores[labels == 0])[-2:]
    assert small.value == pytest.approx(np.mean(scores[labels == 1] <= top))
    assert large.value == pytest.approx(np.mean(scores[labels == 1] <= second))
    assert "50 other clips allow none" in small.note
    assert "allow none" not in large.note
    assert large.value < small.value


def test_rates_of_det_points_are_checked() -> None:
    """Rates out of bounds, given twice or not at all are refused."""
    for fprs in ((), (0.1, 0.1), (0.0,), (1.0,)):
        with pytest.raises(ValueError, match="fprs"):
            Det(fprs=fprs)


@given(scored())
@settings(deadline=None, max_examples=40)
def test_average_precision_is_that_of_scikit_learn(case: Case) -> None:
    """Tied scores are one step, under any weights."""
    scores, labels, weights = case
    theirs = average_precision_score(labels, scores, sample_weight=weights)
    assert average_precision(ranked(scores, labels), weights[None])[0] == pytest.approx(theirs)


@given(scored(), st.sampled_from([0.0, 0.25, 0.5, 0.55, 1.0, 1.5]))
@settings(deadline=None, max_examples=8)
def test_numbers_at_the_threshold_are_those_of_scikit_learn(case: Case, threshold: float) -> None:
    """A score at the threshold is accepted; torchmetrics, which accepts above it only, is asked just below."""
    scores, labels, _ = case
    found = results(scores, labels, threshold=threshold)
    accepted = (scores >= threshold).astype(int)
    (tn, fp), (fn, tp) = confusion_matrix(labels, accepted, labels=[0, 1]).tolist()
    table = by_name(Confusion(), found)
    assert [table[f"confusion-{name}"].value for name in ("tp", "fp", "tn", "fn")] == [tp, fp, tn, fn]
    assert table["false-accepts-clips"].value == pytest.approx(fp / (fp + tn))
    measures = by_name(PrecisionRecall(), found)
    assert measures["recall"].value == pytest.approx(recall_score(labels, accepted))
    assert measures["f1"].value == pytest.approx(f1_score(labels, accepted, zero_division=0))
    if accepted.any():
        assert measures["precision"].value == pytest.approx(precision_score(labels, accepted))
    else:
        assert measures["precision"].value is None
        assert measures["precision"].note == "no clip reaches the threshold"
    just_below = np.nextafter(np.float32(threshold), np.float32(-1))
    given_ = torch.from_numpy(scores).float(), torch.from_numpy(labels), float(min(max(just_below, 0.0), 1.0))
    if 0 < threshold <= 1:
        assert measures["f1"].value == pytest.approx(float(classification.binary_f1_score(*given_)), abs=1e-6)
        assert classification.binary_confusion_matrix(*given_).tolist() == [[tn, fp], [fn, tp]]


def test_average_precision_is_that_of_torchmetrics() -> None:
    """On random scores with ties."""
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 2000)
    scores = np.round(1 / (1 + np.exp(-rng.normal(size=2000) - labels)), 2)
    theirs = classification.binary_average_precision(torch.from_numpy(scores), torch.from_numpy(labels))
    found = by_name(PrecisionRecall(), results(scores, labels))["average-precision"]
    assert found.value == pytest.approx(float(theirs), abs=1e-6)
    assert found.low < found.value < found.high


def test_d_prime_is_the_distance_of_two_normal_distributions() -> None:
    """Both indices find the distance where variances are equal; d_a divides by the root mean square where they differ.

    d' has the log-linear correction of Hautus, and z is the normal distribution's quantile.
    """
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 40_000)
    scores = rng.normal(size=80_000) + 1.7 * labels
    found = by_name(DPrime(), attrs.evolve(results(scores[::40], labels[::40], threshold=0.9)))
    hits, alarms = ((scores[::40] >= 0.9)[labels[::40] == label].sum() for label in (1, 0))
    expected = norm.ppf((hits + 0.5) / 1001) - norm.ppf((alarms + 0.5) / 1001)
    assert found["d-prime"].value == pytest.approx(expected)
    area = roc_auc_score(labels[::40], scores[::40])
    assert found["d-a"].value == pytest.approx(np.sqrt(2) * norm.ppf(area))
    for measure in found.values():
        assert measure.value == pytest.approx(1.7, abs=0.15)
        assert measure.low < 1.7 < measure.high
    wide = np.where(labels == 1, 2 * scores, scores)[::40]
    expected = 2 * 1.7 / np.sqrt((1 + 4) / 2)
    assert by_name(DPrime(), results(wide, labels[::40]))["d-a"].value == pytest.approx(expected, abs=0.2)


def test_d_prime_of_perfect_separation_is_finite() -> None:
    """With 10 clips of each class all right, d' is 2 z(10.5 / 11), and d_a counts half of one pair of 100 as wrong."""
    found = by_name(DPrime(), results([0.1] * 10 + [0.9] * 10, [0] * 10 + [1] * 10))
    assert found["d-prime"].value == pytest.approx(2 * norm.ppf(10.5 / 11))
    assert found["d-a"].value == pytest.approx(np.sqrt(2) * norm.ppf(0.995))
    for measure in found.values():
        assert (measure.low, measure.high) == (None, None)
        least = float(measure.note.split("at least ")[1].split()[0])
        assert 0.5 < least < measure.value
    reversed_ = by_name(DPrime(), results([0.9] * 10 + [0.1] * 10, [0] * 10 + [1] * 10))
    assert reversed_["d-a"].value == pytest.approx(-found["d-a"].value)
    assert reversed_["d-prime"].value == pytest.approx(-found["d-prime"].value)


def test_the_intervals_of_d_prime_hold_the_truth() -> None:
    """In worlds of independent clips both hold the truth as they promise, and are not much wider than needed."""
    found: dict[str, list[Measure]] = {"d-prime": [], "d-a": []}
    labels = np.repeat([0, 1], [120, 60])
    for world in range(60):
        scores = np.random.default_rng(world).normal(size=180) + 1.5 * labels
        for name, measure in by_name(DPrime(), results(scores, labels, threshold=0.8)).items():
            found[name].append(measure)
    one = found["d-prime"][0]
    hits, alarms = wilson(int(one.counts["tp"]), 60), wilson(int(one.counts["fp"]), 120)
    z_hit, z_alarm = (norm.ppf((one.counts[cell] + 0.5) / (n + 1)) for cell, n in (("tp", 60), ("fp", 120)))
    below = (z_hit - norm.ppf(hits.low)) ** 2 + (norm.ppf(alarms.high) - z_alarm) ** 2
    above = (norm.ppf(hits.high) - z_hit) ** 2 + (z_alarm - norm.ppf(alarms.low)) ** 2
    assert one.simple == pytest.approx((one.value - below**0.5, one.value + above**0.5))
    for measures in found.values():
        needed = 2 * 1.96 * np.std([one.value for one in measures])
        for ends in ([(one.low, one.high) for one in measures], [one.simple for one in measures]):
            low, high = np.array(ends).T
            assert np.mean((low <= 1.5) & (high >= 1.5)) >= 0.88
            assert 0.85 < np.mean(high - low) / needed < 1.4


def test_weights_that_leave_a_class_out_give_no_value() -> None:
    """A resample without keyword clips, or without others, is nan in every statistic of the ranking, and in d'."""
    found = results([0.2, 0.6, 0.4, 0.9], [0, 0, 1, 1])
    order, weights = ranked(found.clips.scores, found.clips.labels), np.array([[1.0, 2, 0, 0], [0, 0, 1, 1]])
    run = SimpleNamespace(
        clips=[SimpleNamespace(pool=clip.pool, score=0.5) for clip in found.clips.clips], operating_point=POINT
    )
    given_ = [missed_at(order, 0.1, weights), average_precision(order, weights), d_a(order, weights)]
    for values in (*given_, *(one.values(weights) for one in DPrime().statistics(run))):
        assert np.isnan(values).all()


def test_false_accepts_are_broken_down() -> None:
    """Shares of each pool, or of each label, of other clips; their counts add up, and the keyword's pool is not one."""
    rng = np.random.default_rng(4)
    found = results(rng.random(300), rng.integers(0, 2, 300), [f"s{row % 20}" for row in range(300)])
    for by, names in (
        ("pool", ["negative", "hard", "background"]),
        ("label", [f"label {row}" for row in range(5)]),
        ("none", []),
    ):
        table = by_name(Confusion(by=by), found)
        start = "false-accepts-clips-"
        assert [name.removeprefix(start) for name in table if name.startswith(start)] == names
        parts = [table[start + name] for name in names]
        total = table["false-accepts-clips"]
        if parts:
            assert sum(part.counts["accepted"] for part in parts) == total.counts["false_accepts"]
            assert sum(part.counts["clips"] for part in parts) == total.counts["clips"]
        if by == "label":
            same = tuple(attrs.evolve(clip, label="word") for clip in found.clips.clips)
            alike = by_name(
                Confusion(by=by), attrs.evolve(found, clips=ClipScores(same, found.clips.scores, found.clips.labels))
            )
            assert alike[start + "word"].value == total.value
        chosen = [clip.pool == "hard" for clip in found.clips.clips]
        if by == "pool":
            assert parts[1].value == np.mean(found.clips.scores[chosen] >= 0.5)
            assert parts[1].low <= parts[1].simple[0] < parts[1].value


def test_intervals_are_clustered_by_speaker() -> None:
    """Clips of speakers who differ widen the intervals; the value is the same; an unmet target is noted."""
    rng = np.random.default_rng(5)
    who = np.repeat(np.arange(20), 30)
    labels = rng.integers(0, 2, 600)
    scores = 1 / (1 + np.exp(-rng.normal(size=600) - labels - 2 * rng.normal(size=20)[who]))
    together, alone = results(scores, labels, [f"s{one}" for one in who]), results(scores, labels)
    for metric in (*ALL[:3], Confusion(by="none")):
        for name, measure in by_name(metric, together).items():
            other = by_name(metric, alone)[name]
            assert measure.value == other.value
            if not name.startswith("confusion-"):
                assert measure.high - measure.low > 1.2 * (other.high - other.low), name
                assert measure.low < measure.value < measure.high
    unmet = attrs.evolve(together, operating_point=attrs.evolve(POINT, reachable=False))
    told = {name: one.note for metric in ALL[1:] for name, one in by_name(metric, unmet).items()}
    assert {name for name, note in told.items() if "no threshold met the target" not in note} == {
        *("average-precision", "d-a")
    }


@given(scored(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=5)
def test_the_order_of_clips_does_not_matter(case: Case, random: Random) -> None:
    """Shuffled clips, tied ones too, give the same values."""
    found = results(case[0], case[1])
    rows = list(range(len(case[0])))
    random.shuffle(rows)
    clips = ClipScores(tuple(found.clips.clips[row] for row in rows), case[0][rows], case[1][rows])
    shuffled = attrs.evolve(found, raw=clips, clips=clips)
    for metric in ALL:
        first, second = ({name: one.value for name, one in by_name(metric, each).items()} for each in (found, shuffled))
        assert first.keys() == second.keys()
        assert [first[name] for name in first] == pytest.approx([second[name] for name in first], abs=1e-12)


def test_one_class_and_no_clips_have_no_value() -> None:
    """Without clips of both classes the value is None with a note; counts are 0, a share needs its own clips."""
    for labels, missing in (([], "keyword clips"), ([0, 0], "keyword clips"), ([1, 1], "clips without the keyword")):
        found = results([0.7] * len(labels), labels)
        for metric in ALL[:3]:
            for measure in by_name(metric, found).values():
                assert (measure.value, measure.low, measure.high) == (None, None, None)
                assert missing in measure.note
        table = by_name(Confusion(), found)
        assert table["confusion-tp"].value == sum(labels)
        assert table["confusion-tn"].value == 0
        share = table["false-accepts-clips"]
        assert share.value == (1.0 if 0 in labels else None)
        assert share.note == ("" if 0 in labels else "there are no clips without the keyword")


def test_nan_is_refused() -> None:
    """A clip without a score is an error in every metric."""
    for metric in ALL:
        with pytest.raises(WakekitError, match="nan"):
            metric.compute(results([0.5, np.nan], [0, 1]))


def test_runs_can_be_compared_by_each(tmp_path: Path) -> None:
    """Every measure is computed again from a run's folder, the same, and resampled with the same speakers in both."""
    chosen = [(name, name, "") for name in ("det", "precision-recall", "d-prime", "confusion")]
    runs = [
        read_run(write_run(tmp_path / str(seed), simulate(seed), metrics=chosen, seed=seed, shuffle=seed))
        for seed in (1, 2)
    ]
    rows = {row.measure: row for row in compare(runs, installed()).metrics}
    names = {measure.name for name, *_ in chosen for measure in runs[0].test.metrics[name]}
    assert len(names) == 14
    for name in names:
        found, (first, second) = rows[name].differences[1], rows[name].values
        assert found.value == pytest.approx(second.value - first.value), name
        assert found.low < found.value < found.high
    _, other = (run.clips for run in runs)
    assert rows["f1"].values[1].value == pytest.approx(
        f1_score([clip.pool == "positive" for clip in other], [clip.score >= 0.5 for clip in other])
    )


@given(scored())
@settings(deadline=None, max_examples=25)
def test_statistics_of_resampled_clips_are_those_of_scikit_learn(case: Case) -> None:
    """Under weights, as in the comparison of runs, precision, recall, F1 and false accepts are scikit-learn's."""
    scores, labels, weights = case
    clips = simulate(0, clips=len(scores)).clips
    pools = np.where(labels == 1, "positive", np.where(np.arange(len(labels)) % 3, "background", "hard")).tolist()
    run = SimpleNamespace(
        clips=[
            ScoredClip(**{**row, "pool": pool, "score": float(score)})
            for row, pool, score in zip(clips, pools, scores, strict=True)
        ],
        operating_point=POINT,
    )
    accepted, weighted = (scores >= 0.5).astype(int), {"sample_weight": weights, "zero_division": np.nan}
    found = {
        one.measure: one.values(weights[None])[0]
        for metric in (PrecisionRecall(), Confusion(), DPrime())
        for one in metric.statistics(run)
    }
    for name, reference in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        assert found[name] == pytest.approx(reference(labels, accepted, **weighted), nan_ok=True)
    counted = confusion_matrix(labels, accepted, labels=[0, 1], sample_weight=weights)
    assert [found[f"confusion-{name}"] for name in ("tn", "fp", "fn", "tp")] == counted.ravel().tolist()
    assert found["false-accepts-clips"] == pytest.approx(counted[0, 1] / counted[0].sum())
    hard = weights * (np.array(pools) == "hard")
    expected = (hard @ accepted) / hard.sum() if hard.sum() else np.nan
    assert found["false-accepts-clips-hard"] == pytest.approx(expected, nan_ok=True)
    shares = [(row[1] + 0.5) / (row.sum() + 1) for row in counted]
    assert found["d-prime"] == pytest.approx(norm.ppf(shares[1]) - norm.ppf(shares[0]))
