"""Counts false positives with openWakeWord's own functions; run with its Python: `driver.py streams.npz answer.json`.

Its `metrics` module is loaded from the installed file, as importing the package would load its audio models' runtimes.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from installed import module_of

POINTS = 25


def main(streams: str, answer: str) -> None:
    """Read streams, count, write the answer."""
    metrics = module_of("openwakeword", "openwakeword/metrics.py")
    given = np.load(streams)
    negative = given["scores"][~given["in_word"]]
    started = time.perf_counter()
    rates = metrics.generate_roc_curve_fprs(negative, n_points=POINTS, time_per_prediction=float(given["hop"]))
    seconds = time.perf_counter() - started
    grid = np.linspace(0.01, 0.99, num=POINTS)
    met = np.flatnonzero(np.asarray(rates) <= float(given["target"]))
    found = {
        "count": int(metrics.get_false_positives(negative, threshold=float(given["fixed"]))),
        "chosen": float(grid[met[0]]) if len(met) else None,
        "seconds": seconds,
        "thresholds": POINTS,
        "bursts": int(metrics.get_false_positives(given["three_bursts"], threshold=0.5)),
        # train.py counts validation windows more than 0.5 above their label of 0, and divides by 11.3 h.
        "train_count": int((negative >= 0.5).sum()),
        "train_hours": 11.3,
    }
    Path(answer).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
