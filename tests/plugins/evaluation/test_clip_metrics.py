"""Metrics of clips agree with scikit-learn, are clustered by speaker, and say where there is no number or interval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score

from wakekit.data import Clip, ClipScores, OperatingPoint, Results
from wakekit.intervals import newcombe, wilson
from wakekit_evaluation.eer import Eer
from wakekit_evaluation.false_rejects import FalseRejects
from wakekit_evaluation.pauc import Pauc
from wakekit_evaluation.roc_auc import RocAuc

if TYPE_CHECKING:
    from collections.abc import Sequence

POINT = OperatingPoint(0.5, 1.0, True, 0.0, 0, 3.0, 0.1, 1, 10, "", "c")  # noqa: FBT003
ALL = (RocAuc(), Eer(), Pauc(max_fpr=0.1))


def results(scores: npt.ArrayLike, labels: npt.ArrayLike, speakers: Sequence[str | None]) -> Results:
    """Results of clips alone."""
    clips = tuple(
        Clip(audio=Path(f"{row}.wav"), duration=1.0, label="x", pool="positive", speaker=speaker)
        for row, speaker in enumerate(speakers)
    )
    found = ClipScores(clips, np.asarray(scores, float), np.asarray(labels, np.int64))
    return Results(raw=found, clips=found, streams=(), operating_point=POINT)


@pytest.fixture
def noisy() -> Results:
    """Clips of 30 speakers of different ease, scored with noise."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(np.arange(30), 20)
    labels = rng.integers(0, 2, 600)
    scores = rng.normal(size=600) + labels + rng.normal(size=30)[speakers]
    return results(1 / (1 + np.exp(-scores)), labels, [f"speaker {s}" for s in speakers])


def test_areas_are_those_of_scikit_learn(noisy: Results) -> None:
    """The area and the rescaled partial area are scikit-learn's; the raw one is at most `max_fpr`."""
    (auc,) = RocAuc().compute(noisy)
    raw, scaled = Pauc(max_fpr=0.2).compute(noisy)
    assert auc.value == pytest.approx(roc_auc_score(noisy.clips.labels, noisy.clips.scores))
    assert scaled.value == pytest.approx(roc_auc_score(noisy.clips.labels, noisy.clips.scores, max_fpr=0.2))
    assert 0 < raw.value < 0.2
    assert scaled.value == pytest.approx(0.5 * (1 + (raw.value - 0.02) / 0.18))


def test_intervals_hold_the_value_and_are_clustered_by_speaker(noisy: Results) -> None:
    """The interval holds the value and widens when clips depend on their speaker, whose number is counted."""
    apart = results(noisy.clips.scores, noisy.clips.labels, [None] * 600)
    for metric in ALL:
        for together, alone in zip(metric.compute(noisy), metric.compute(apart), strict=True):
            assert together.low < together.value < together.high
            assert together.value == alone.value
            assert together.counts["clusters"] == 30
            assert alone.counts["clusters"] == 600
            assert "cluster bootstrap" in together.method
    together, alone = RocAuc().compute(noisy)[0], RocAuc().compute(apart)[0]
    assert together.high - together.low > 1.1 * (alone.high - alone.low)
    bare = newcombe(together.value, int(together.counts["positives"]), int(together.counts["negatives"]))
    assert together.simple == (bare.low, bare.high)


def test_the_order_of_clips_does_not_matter(noisy: Results) -> None:
    """Shuffled clips give the same values; the same seed gives the same interval, another a different one."""
    order = np.random.default_rng(1).permutation(600)
    shuffled = results(
        noisy.clips.scores[order], noisy.clips.labels[order], [noisy.clips.clips[row].speaker for row in order]
    )
    for metric in ALL:
        assert [m.value for m in metric.compute(shuffled)] == pytest.approx([m.value for m in metric.compute(noisy)])
        assert metric.compute(noisy) == metric.compute(noisy)
    assert Pauc().compute(noisy)[0].low != Pauc().compute(attrs.evolve(noisy, seed=1))[0].low


def test_perfect_separation_is_no_certainty() -> None:
    """T8: an equal error rate of 0 and an area of 1 on 20 clips keep an interval, or a note says there is none."""
    perfect = results([0.1] * 10 + [0.9] * 10, [0] * 10 + [1] * 10, [f"s{row % 5}" for row in range(20)])
    (eer,), (auc,) = Eer().compute(perfect), RocAuc().compute(perfect)
    assert (eer.value, eer.low, eer.high) == (0.0, 0.0, pytest.approx(wilson(0, 10).high))
    assert (auc.value, auc.high) == (1.0, 1.0)
    assert auc.low < 0.9
    assert "takes the clips as independent" in auc.note
    for partial in Pauc().compute(perfect):
        assert (partial.low, partial.high) == (None, None)
        assert partial.note


def test_one_class_and_no_clips_have_no_value() -> None:
    """Without clips, or of one class only, the value is None and the note says what is missing."""
    for metric in ALL:
        for labels, missing in (
            ([], "keyword clips"),
            ([0, 0], "keyword clips"),
            ([1, 1], "clips without the keyword"),
        ):
            for found in metric.compute(results([0.5] * len(labels), labels, ["a"] * len(labels))):
                assert (found.value, found.low, found.high) == (None, None, None)
                assert missing in found.note


def test_one_speaker_has_no_clustered_interval() -> None:
    """Resampling one speaker says nothing, which the note says."""
    (auc,) = RocAuc().compute(results([0.1, 0.8, 0.4, 0.6], [0, 1, 1, 0], ["a"] * 4))
    assert auc.method == "Newcombe"
    assert "one speaker" in auc.note


def test_keyword_clips_below_the_threshold_are_rejects() -> None:
    """Only keyword clips count; a score at the threshold is none; the interval is clustered, Wilson's beside it."""
    found = results([0.4, 0.5, 0.6, 0.1, 0.7, 0.2], [1, 1, 1, 1, 0, 0], ["a", "a", "b", "b", "c", "c"])
    _, clips = FalseRejects().compute(found)
    assert (clips.name, clips.value, clips.counts) == (
        "false-rejects-clips",
        0.5,
        {"clips": 4, "missed": 2, "clusters": 2},
    )
    simple = wilson(2, 4)
    assert clips.simple == (simple.low, simple.high)
    assert clips.low <= simple.low
