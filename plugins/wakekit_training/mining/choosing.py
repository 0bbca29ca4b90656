"""The arithmetic of mining: peaks of scores, what lies near what, and the choice under quotas.

Every window has a place on one long line: its file's stretch of the line plus the window's first sample in the file.
Stretches are so long that windows of different files are never near each other.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter

import numpy as np
import numpy.typing as npt
from scipy.signal import find_peaks

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
STRETCH = 1 << 40


def peaks(scores: FloatArray, *, apart: int, least: float) -> tuple[IntArray, IntArray]:
    """Return row and column of the peaks of `scores` [b, n], each row by itself, in order.

    A peak is a local maximum, in the middle of a flat top, at or above `least`; of two peaks of a row that are fewer
    than `apart` columns from each other the lower one is dropped, the highest deciding first.
    """
    # A wall of -inf between rows keeps them from touching.
    walled = np.pad(scores, ((0, 0), (1, apart)), constant_values=-np.inf)
    found, _ = find_peaks(walled.ravel(), height=least, distance=apart)
    rows, columns = np.divmod(found, walled.shape[1])
    return rows, columns - 1


def near(places: IntArray, marks: IntArray, reach: int) -> BoolArray:
    """Return bool [n]: which `places` [n] are less than `reach` from any of the `marks` [m]."""
    marks = np.sort(marks)
    first = np.searchsorted(marks, places - reach, side="right")
    behind = np.searchsorted(marks, places + reach, side="left")
    return np.asarray(behind > first)


def choose(places: IntArray, sources: IntArray, *, taken: IntArray, apart: int, quota: int, most: int) -> IntArray:
    """Return which of the candidates [n], given from the best down, to take: at most `most`, the best first.

    One that is less than `apart` from a taken one, or from a place `taken` [m] before, is passed over, and so is one
    whose source has given `quota` already.
    """
    line, given, kept = sorted(taken.tolist()), Counter[int](), list[int]()
    for index, (place, source) in enumerate(zip(places.tolist(), sources.tolist(), strict=True)):
        if len(kept) == most:
            break
        after = bisect_left(line, place)
        beside = line[max(0, after - 1) : after + 1]
        if given[source] < quota and all(abs(place - other) >= apart for other in beside):
            insort(line, place)
            given[source] += 1
            kept.append(index)
    return np.array(kept, dtype=np.int64)
