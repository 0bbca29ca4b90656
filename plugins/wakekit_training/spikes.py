"""Which values of a series stand out from those before them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.data import FloatArray

_FEWEST, _NAMED = 10, 5


def running_median(values: FloatArray, window: int) -> FloatArray:
    """Return the median of the `window` values before each [n]; infinite where fewer than ten are known."""
    before = np.concatenate([np.full(window, np.inf), values])[:-1] if len(values) else values
    count = np.minimum(np.arange(len(values)), window)
    if not len(values):
        return values
    # What is not there sorts to the end, so that the median is found among the first `count`.
    ordered = np.sort(np.lib.stride_tricks.sliding_window_view(before, window), axis=1)
    middle = np.stack([np.maximum(count - 1, 0) // 2, count // 2], axis=1).clip(max=window - 1)
    median = np.take_along_axis(ordered, middle, axis=1).mean(axis=1)
    return np.where(count >= _FEWEST, median, np.inf)


def spikes_sentence(spikes: Sequence[tuple[int, float, float]]) -> str:
    """Name the steps at which gradients leapt, and the largest leap; a spike is its step, norm and median before."""
    steps = [str(step) for step, _, _ in spikes]
    named = ", ".join(steps[:_NAMED]) + (f" and {len(steps) - _NAMED} more" if len(steps) > _NAMED else "")
    step, norm, median = max(spikes, key=lambda spike: spike[1])
    return (
        f"gradient-norm: gradients leap at {'step' if len(steps) == 1 else 'steps'} {named}; "
        f"the largest, {norm:.3g} at step {step}, is {norm / median:.0f} times the median of the steps before"
    )
