"""How first-party recipes score audio, calibrate and threshold the scores, and measure the result.

Scores come from `scorer`s, probabilities from `calibrator`s, events from `detector`s and numbers from `metric`s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit import Component, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

wakekit_api = 1


@hookimpl
def wakekit_components() -> Iterable[Component]:
    """Yield the components of this plugin."""
    here = "wakekit_evaluation"
    yield Component("scorer", "plain", f"{here}.plain:Plain", summary="the network's score of every window")
    yield Component(
        "scorer", "tta", f"{here}.tta:Tta", summary="the mean over shifted and resampled copies of a window"
    )
    yield Component(
        "calibrator", "temperature", f"{here}.temperature:Temperature", summary="one temperature, fitted on dev"
    )
    yield Component("calibrator", "platt", f"{here}.platt:Platt", summary="scale and bias, fitted on dev")
    yield Component(
        "calibrator", "beta", f"{here}.beta:Beta", summary="three parameters, both ends apart, fitted on dev"
    )
    yield Component("calibrator", "isotonic", f"{here}.isotonic:Isotonic", summary="any rising map, fitted on dev")
    yield Component("calibrator", "none", f"{here}.none_calibrator:NoCalibration", summary="probabilities as they are")
    yield Component("detector", "vote", f"{here}.vote:Vote", summary="k of n scores, hysteresis and a lockout")
    yield Component(
        "detector", "smoothed", f"{here}.smoothed:Smoothed", summary="moving average of scores and a refractory time"
    )
    yield Component("metric", "roc-auc", f"{here}.roc_auc:RocAuc", summary="area under the ROC curve of clips")
    yield Component("metric", "eer", f"{here}.eer:Eer", summary="equal error rate of clips")
    yield Component(
        "metric", "pauc", f"{here}.pauc:Pauc", summary="area under the ROC curve at low false positive rates"
    )
    yield Component(
        "metric", "fa-per-hour", f"{here}.fa_per_hour:FaPerHour", summary="false accepts per hour of streams"
    )
    yield Component("metric", "brier", f"{here}.brier:Brier", summary="Brier score of clips' probabilities")
    yield Component("metric", "ece", f"{here}.ece:Ece", summary="calibration error of clips' probabilities, debiased")
    yield Component("metric", "false-rejects", f"{here}.false_rejects:FalseRejects", summary="share of keywords missed")
    yield Component(
        "metric", "latency", f"{here}.latency:Latency", summary="time from a word's end to its detection, and compute"
    )
    yield Component("metric", "det", f"{here}.det:Det", summary="keyword clips missed at given false positive rates")
    yield Component(
        "metric",
        "precision-recall",
        f"{here}.precision_recall:PrecisionRecall",
        summary="precision, recall and F1 of clips, and average precision",
    )
    yield Component("metric", "d-prime", f"{here}.d_prime:DPrime", summary="how far apart the classes of clips lie")
    yield Component(
        "metric", "confusion", f"{here}.confusion:Confusion", summary="clips accepted or not, falsely or not, by pool"
    )
    yield Component("report", "html", f"{here}.report.html:Html", summary="one page with figures and players")
    yield Component("report", "none", f"{here}.report.none:NoReport", summary="no report")
