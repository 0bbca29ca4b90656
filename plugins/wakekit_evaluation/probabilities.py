"""The probabilities of test clips, after calibration and before it, for the metrics that judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from wakekit.data import FloatArray, Results
    from wakekit.run_folder import Run

BEFORE_AND_AFTER = (("", False), ("-raw", True))
"""What is added to a measure's name, and whether it is measured before calibration."""


def of_results(results: Results, *, raw: bool) -> FloatArray:
    """Return the probability [n] of each clip; `raw` ones are the logistic function of the network's log-odds."""
    return _checked(results.raw.scores if raw else results.clips.scores, raw=raw)


def of_run(run: Run, *, raw: bool) -> FloatArray:
    """Return what `of_results` does, of a finished run."""
    return _checked([clip.raw if raw else clip.score for clip in run.clips], raw=raw)


def _checked(scores: FloatArray | list[float], *, raw: bool) -> FloatArray:
    """Return probabilities; raises WakekitError where a score is nan."""
    found: FloatArray = np.asarray(scores, np.float64)
    if np.isnan(found).any():
        raise WakekitError("expected a score for every clip, got nan")
    return expit(found) if raw else found
