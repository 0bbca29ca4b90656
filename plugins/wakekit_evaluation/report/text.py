"""Numbers as the report writes them, one way everywhere: shares in %, rates per hour, times as m:ss.s.

What is not known is a dash.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wakekit.units import large_amount

if TYPE_CHECKING:
    from wakekit.data import Measure

DASH = "–"
MINUS = "\u2212"
_TINY = 1e-4
_SPACE = "\u00a0"  # a number and its unit stay on one line
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MISSES = ("false-rejects", "false-rejects-clips")  # the misses to tell of: in streams, else of clips
_UNITS = {"area": "", "squared error": "", "1/h": "per hour", "share": "%", "s/s": "s per s of audio"}
_NAMES = {
    "fa-per-hour": "false accepts per hour",
    "false-rejects": "keywords missed in streams",
    "false-rejects-clips": "keyword clips below the threshold",
    "roc-auc": "area under the ROC curve",
    "pauc": "area under the ROC curve at low false positive rates",
    "pauc-standardized": "the same, rescaled so that 0.5 is chance",
    "eer": "equal error rate",
    "brier": "Brier score",
    "brier-raw": "Brier score before calibration",
    "ece": "calibration error",
    "ece-raw": "calibration error before calibration",
    "precision": "share of accepted clips that are of the keyword",
    "recall": "keyword clips accepted",
    "f1": "F1 of clips",
    "average-precision": "average precision",
    "d-prime": "distance of the classes of clips at the threshold (d-prime)",
    "d-a": "the same over all thresholds (d-a)",
    "confusion-tp": "keyword clips accepted (true positives)",
    "confusion-fp": "other clips accepted (false positives)",
    "confusion-tn": "other clips not accepted (true negatives)",
    "confusion-fn": "keyword clips not accepted (false negatives)",
    "false-accepts-clips": "other clips accepted",
    "time-to-detect": "time from a keyword's end to its detection, median",
    "time-to-detect-p95": "the same, 95th percentile",
    "real-time-factor": "compute per second of audio",
    "compute-per-score": "compute per score",
    "macs": "multiply-accumulates",
    "parameters": "parameters of the network",
    "model-size": "weights",
}
_NAMED_WITH = {"false-accepts-clips-": "other clips accepted: ", "frr-at-fpr-": "keyword clips missed at an FPR of "}


def measure_name(measure: Measure) -> str:
    """Return what a measure is called in plain words; its own name where there are none."""
    for start, words in _NAMED_WITH.items():
        if measure.name.startswith(start):
            return words + measure.name.removeprefix(start)
    return _NAMES.get(measure.name, measure.name)


def bare(value: float | None, unit: str) -> str:
    """Return a number without its unit."""
    if value is None:
        return DASH
    if unit == "share":
        return _decimals(100 * value, 1)
    if unit == "1/h":
        return _decimals(value, 2) if value < 100 else f"{value:.0f}"  # noqa: PLR2004
    if unit in {"area", "squared error"}:
        return f"{value:.4f}"
    return counted(value) if unit == "clips" else f"{value:.4g}"


def amount(value: float | None, unit: str) -> str:
    """Return a number with its unit."""
    if value is None:
        return DASH
    large = large_amount(value, unit, space=_SPACE)
    if large is not None:
        return large
    name = _UNITS.get(unit, unit)
    return f"{bare(value, unit)}{_SPACE}{name}" if name else bare(value, unit)


def interval(low: float | None, high: float | None, unit: str) -> str:
    """Return `low to high`, a share with its % once; an upper end of infinity is said in words."""
    if low is None or high is None:
        return DASH
    if math.isinf(high):
        return f"{bare(low, unit)} or more"
    return f"{bare(low, unit)} to {bare(high, unit) if unit == '1/h' else amount(high, unit)}"


def two_lines(value: str, low: float | None, high: float | None, unit: str) -> str:
    """Return a value with its interval on a line of its own."""
    return f"{value}\n{interval(low, high, unit)}"


def share(value: float | None) -> str:
    """Return a share in %."""
    return amount(value, "share")


def rate(value: float | None) -> str:
    """Return a rate per hour, without its unit."""
    return bare(value, "1/h")


def probability(value: float) -> str:
    """Return a score with digits enough to tell it from 0 and from 1."""
    edge = min(value, 1 - value)
    if edge <= 0 or value < _TINY:
        return f"{value:.3g}"
    return f"{value:.{min(max(2 - math.floor(math.log10(edge)), 3), 16)}f}"


def hours(value: float) -> str:
    """Return a length of audio in hours."""
    return f"{_decimals(value, 2)}{_SPACE}h"


def level(value: float) -> str:
    """Return the level of an interval, as in `95 %`."""
    return f"{100 * value:g}{_SPACE}%"


def decibels(value: float) -> str:
    """Return a ratio in dB."""
    return f"{value:.1f}{_SPACE}dB".replace("-", MINUS)


def clock(seconds: float) -> str:
    """Return a time as m:ss.s, with hours in front where there are any."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{minutes // 60}:{minutes % 60:02d}:{tail}" if minutes >= 60 else f"{minutes}:{tail}"  # noqa: PLR2004


def power(value: float) -> str:
    """Return a number for an axis; a power of ten too small to write out has its exponent raised."""
    exponent = round(math.log10(value)) if value > 0 else 0
    if exponent > -4 or not math.isclose(value, 10.0**exponent):  # noqa: PLR2004
        return f"{value:.10g}"
    return "10" + str(exponent).translate(_RAISED)


def counted(value: float) -> str:
    """Return a count, or a number that stands among counts."""
    return str(int(value)) if float(value).is_integer() else f"{value:.4g}"


def many(count: int, noun: str) -> str:
    """Return a count with its noun, as in `1 word` and `2 words`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def _decimals(value: float, places: int) -> str:
    """Round to decimals that stand under each other; what they would round away keeps two digits instead."""
    if value and abs(value) < 10.0**-places:
        return f"{value:.2g}" if abs(value) >= 1e-4 else f"{value:.1e}"  # noqa: PLR2004
    return f"{value:.{places}f}"
