"""How long the ranking of a million clips takes beside scikit-learn's `roc_curve`, with many ties and without."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from wakekit.curves import ranked, standardized
from wakekit_evaluation.d_prime import d_a
from wakekit_evaluation.det import missed_at
from wakekit_evaluation.precision_recall import average_precision

if TYPE_CHECKING:
    from collections.abc import Callable

SCORES, ROUNDS = 1_000_000, 5


@pytest.mark.benchmark
@pytest.mark.parametrize("digits", [None, 3], ids=["no ties", "ties"])
def test_a_million_scores_beside_roc_curve(digits: int | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Each value, sorting included, is scikit-learn's; the rounds take turns, and the shortest of each counts."""
    rng = np.random.default_rng(0)
    labels = (rng.random(SCORES) < 0.1).astype(np.int64)
    scores = 1 / (1 + np.exp(-rng.normal(size=SCORES) - 2 * labels))
    if digits is not None:
        scores = np.round(scores, digits)
    accepted, heard, _ = roc_curve(labels, scores, drop_intermediate=False)
    ours: dict[str, tuple[Callable[[], float], float]] = {
        "roc-auc": (lambda: ranked(scores, labels).auc()[0], roc_auc_score(labels, scores)),
        "eer": (lambda: ranked(scores, labels).eer()[0], float(np.interp(0, heard + accepted - 1, accepted))),
        "pauc": (
            lambda: standardized(ranked(scores, labels).pauc(0.1), 0.1)[0],
            roc_auc_score(labels, scores, max_fpr=0.1),
        ),
        "det at 1 %": (lambda: missed_at(ranked(scores, labels), 0.01)[0], 1 - heard[accepted <= 0.01].max()),
        "average precision": (
            lambda: average_precision(ranked(scores, labels))[0],
            average_precision_score(labels, scores),
        ),
        "d-a": (lambda: d_a(ranked(scores, labels))[0], 2**0.5 * norm.ppf(roc_auc_score(labels, scores))),
    }
    for name, (value, theirs) in ours.items():
        assert value() == pytest.approx(theirs, abs=1e-9), name
    taken = dict.fromkeys(("roc_curve", *ours), np.inf)
    for _ in range(ROUNDS):
        for name, compute in (
            ("roc_curve", lambda: roc_curve(labels, scores)),
            *((n, v) for n, (v, _) in ours.items()),
        ):
            started = time.perf_counter()
            compute()
            taken[name] = min(taken[name], time.perf_counter() - started)
    with capsys.disabled():
        print(f"\n{SCORES} scores, {len(np.unique(scores))} distinct; roc_curve {taken['roc_curve']:.3f} s")
        print("; ".join(f"{name} {taken[name] / taken['roc_curve']:.2f}" for name in ours), "of it")
