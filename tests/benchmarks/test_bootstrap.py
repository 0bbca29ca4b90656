"""How long a bootstrap of the area under the ROC curve takes beside a loop over scikit-learn's function."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from wakekit.curves import ranked
from wakekit.intervals import bootstrap, cluster_weights

if TYPE_CHECKING:
    from wakekit.data import FloatArray

SCORES, SPEAKERS, RESAMPLES, BY_LOOP = 100_000, 500, 1000, 10


@pytest.mark.benchmark
def test_a_thousand_resamples_beside_a_loop(capsys: pytest.CaptureFixture[str]) -> None:
    """1,000 resamples of 100,000 scores by speaker; each area is the one that scikit-learn gives, one by one."""
    rng = np.random.default_rng(0)
    labels, speakers = (rng.random(SCORES) < 0.2).astype(np.int64), rng.integers(SPEAKERS, size=SCORES).tolist()
    scores = rng.normal(size=SCORES) + 2 * labels + rng.normal(size=SPEAKERS)[speakers]
    ranked(scores[:10], np.arange(10) % 2).auc()
    started = time.perf_counter()
    order, values = ranked(scores, labels), []

    def area(weights: FloatArray) -> FloatArray:
        values.append(order.auc(weights))
        return values[-1]

    found = bootstrap(area, speakers, resamples=RESAMPLES, seed=1, within=(0.0, 1.0))
    ours = (time.perf_counter() - started) / RESAMPLES
    weights = next(cluster_weights(speakers, resamples=RESAMPLES, seed=1))[:BY_LOOP]
    started = time.perf_counter()
    theirs = [roc_auc_score(labels, scores, sample_weight=row) for row in weights]
    loop = (time.perf_counter() - started) / len(weights)
    with capsys.disabled():
        print(
            f"\n{RESAMPLES} resamples of {SCORES} scores in {ours * RESAMPLES:.1f} s; "
            f"one resample takes {ours / loop:.2f} of a loop over roc_auc_score"
        )
    assert found is not None
    assert found.low < order.auc()[0] < found.high
    assert values[0][: len(theirs)] == pytest.approx(theirs, abs=1e-12)
