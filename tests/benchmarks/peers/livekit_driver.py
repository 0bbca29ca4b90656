"""Counts false positives with livekit-wakeword's own functions; run with its Python.

It is called as `driver.py streams.npz answer.json`. Its `training.metrics` module is loaded from the installed file, as
importing the package would load its trainer.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from installed import module_of

CLIP_SECONDS = 2.0
FRAMES_PER_CLIP = 16


def main(streams: str, answer: str) -> None:
    """Read streams, count, write the answer."""
    metrics = module_of("livekit-wakeword", "livekit/wakeword/training/metrics.py")
    given = np.load(streams)
    negative, hours = given["scores"][~given["in_word"]], float(given["hours"])
    fixed, target = float(given["fixed"]), float(given["target"])
    started = time.perf_counter()
    chosen = metrics.find_best_threshold(given["word_scores"], negative, validation_hours=hours, target_fpph=target)
    seconds = time.perf_counter() - started
    # Its evaluation scores every 16th frame and takes each for a clip of 2 s.
    coarse = negative[::FRAMES_PER_CLIP]
    coarse_hours = len(coarse) * CLIP_SECONDS / 3600
    of_clips = metrics.find_best_threshold(
        given["word_scores"], coarse, validation_hours=coarse_hours, target_fpph=target
    )
    found = {
        "count": round(metrics.false_positives_per_hour(negative, fixed, hours) * hours),
        "chosen": chosen["threshold"],
        "claims": chosen["fpph"],
        "seconds": seconds,
        "thresholds": 99,
        "bursts": round(metrics.false_positives_per_hour(given["three_bursts"], 0.5, 1.0)),
        "coarse_count": round(metrics.false_positives_per_hour(coarse, fixed, coarse_hours) * coarse_hours),
        "coarse_hours": coarse_hours,
        "coarse_chosen": of_clips["threshold"],
    }
    Path(answer).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
