"""Counts events with sed_scores_eval's own functions; run with its Python: `driver.py streams.npz answer.json`.

A detection is a run of frames at or above the threshold. It is right if a tenth of it lies in a word, so that a run
over the whole stream is not; a word is found if a right detection overlaps it at all.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from sed_scores_eval.base_modules.scores import create_score_dataframe
from sed_scores_eval.intersection_based import accumulated_intermediate_statistics

RIGHT, FOUND = 0.1, 1e-3


def counts(
    streams: dict[str, np.ndarray], words: dict[str, list], hop: float, first: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the scores at which counts change, and the false and true positives at each."""
    frames = {}
    for name, scores in streams.items():
        ends = first + hop * np.arange(len(scores))
        frames[name] = create_score_dataframe(scores[:, None], np.append(ends - hop, ends[-1]), ["word"])
    found, _ = accumulated_intermediate_statistics(
        frames, words, dtc_threshold=RIGHT, gtc_threshold=FOUND, cttc_threshold=None
    )
    scores, table = found["word"]
    return scores, table["fps"], table["tps"]


def main(streams: str, answer: str) -> None:
    """Read streams, count at every threshold, write the answer."""
    given = np.load(streams)
    hop, first, hours = float(given["hop"]), float(given["first"]), float(given["hours"])
    split = np.split(given["scores"], np.cumsum(given["lengths"])[:-1])
    named = {f"stream{number}": scores for number, scores in enumerate(split)}
    words: dict[str, list] = {name: [] for name in named}
    for number, start, end in given["words"]:
        words[f"stream{int(number)}"].append((float(start), float(end), "word"))
    started = time.perf_counter()
    scores, false, true = counts(named, words, hop, first)
    seconds = time.perf_counter() - started
    # The counts at a threshold are those of the first score that is not below it.
    at = np.searchsorted(scores, given["thresholds"])
    met = false / hours <= float(given["target"])
    best = np.flatnonzero(met & (true == true[met].max()))[-1]
    bursts = given["three_bursts"]
    # A class needs an event; this one lies where nothing scores.
    of_bursts = counts({"three": bursts}, {"three": [(1.5, 2.0, "word")]}, hop, first)
    found = {
        "false": false[at].astype(int).tolist(),
        "true": true[at].astype(int).tolist(),
        "count": int(false[np.searchsorted(scores, float(given["fixed"]))]),
        "chosen": float(scores[best]),
        "seconds": seconds,
        "thresholds": len(scores) - 1,
        "bursts": int(of_bursts[1][np.searchsorted(of_bursts[0], 0.5)]),
    }
    Path(answer).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
