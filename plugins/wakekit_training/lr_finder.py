"""The callback `lr-finder`: try rising learning rates before training, draw the loss, suggest a rate, perhaps use it.

Everything that the trial changes is put back, to the bit: a run with it trains as one without, unless the rate is
applied.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit import Hooks, TrainingState, option

if TYPE_CHECKING:
    from collections.abc import Iterator


_SKIP = (10, 5)
# Of curves of nothing but noise one in a hundred has a fall as many times its noise.
_SURE = 5.0
_SERIES = {"series": "learning rate finder", "x_label": "learning rate", "y_label": "loss", "x_log": True}


@attrs.frozen
class LrFinder:
    """Test a range of learning rates (Smith, 2017), one step at each from `start` to `end`.

    The curve is a running mean of the loss and ends where that exceeds `diverge` times its lowest value. The suggestion
    is the rate of its steepest fall per step, with the first ten and the last five points left out, and only up to the
    lowest point, as the running mean also falls after a spike. The mean lags behind by some 1 / `smooth` steps, and the
    suggestion with it: more steps or a larger `smooth` bring it closer to where the loss falls. Where the curve does
    not fall by more than the noise of single losses there is no suggestion. Groups of parameters keep the ratio of
    their rates; a rate is that of the group that has the highest.
    """

    start: float = option(1e-6, above=0, help="first learning rate")
    end: float = option(1.0, above=0, help="last learning rate")
    steps: int = option(100, at_least=20, help="learning rates to try")
    spacing: str = option("exponential", choices=("exponential", "linear"), help="how the rates rise")
    smooth: float = option(0.05, above=0, at_most=1, help="weight of the newest loss in the running mean")
    diverge: float = option(5.0, above=1, help="times the lowest value at which the trial ends")
    apply: bool = option(default=False, help="train with the suggested rate in place of the optimizer's")

    def __attrs_post_init__(self) -> None:
        """Refuse a range that does not rise."""
        if self.end <= self.start:
            raise ValueError(f"end: expected a value above start, {self.start:g}, got {self.end:g}")

    @property
    def observes(self) -> bool:
        """Whether training comes to the same without it."""
        return not self.apply

    def rates(self) -> list[float]:
        """Return the rates to try."""
        shares = [step / (self.steps - 1) for step in range(self.steps)]
        if self.spacing == "linear":
            return [self.start + share * (self.end - self.start) for share in shares]
        return [self.start * (self.end / self.start) ** share for share in shares]

    def build(self) -> Hooks:
        """Return the hooks of one training."""
        return _Finding(self)


@attrs.frozen(eq=False)
class RateCurve:
    """Losses by learning rate: of single steps and their running mean, all float64 [n]; `smooth` as in the options."""

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    smoothed: npt.NDArray[np.float64]
    smooth: float

    def suggestion(self) -> int | None:
        """Return the point of the steepest fall, or None where the curve does not fall by more than noise."""
        count = len(self.rates)
        first, last = min(_SKIP[0], count // 3), count - min(_SKIP[1], count // 6)
        inner = self.smoothed[first:last]
        if len(inner) < 2 or not self._falls(first, last):  # noqa: PLR2004, no slope without two points
            return None
        slopes = np.gradient(inner)[: int(inner.argmin()) + 1]
        steepest = int(slopes.argmin())
        return first + steepest if slopes[steepest] < 0 else None

    def _falls(self, first: int, last: int) -> bool:
        """Say whether the running mean falls by more than the difference that noise would make between two points."""
        # The first loss weighs as much as many later ones, so that its noise alone could look like a fall.
        excess = (1 - self.smooth) ** np.arange(1, len(self.losses) + 1)
        mean = ((self.smoothed - excess * self.losses[0]) / (1 - excess))[first:last]
        # Differences of neighbours tell noise from trend; their median does not mind the end, where losses leap.
        noise = 1.4826 * float(np.median(np.abs(np.diff(self.losses)))) / math.sqrt(2)
        fall = float((np.maximum.accumulate(mean) - mean)[: int(mean.argmin()) + 1].max())
        return fall > _SURE * noise * math.sqrt(2 * self.smooth / (2 - self.smooth))


class _Finding(Hooks):
    def __init__(self, options: LrFinder) -> None:
        self.options = options

    def fit_started(self, state: TrainingState) -> None:
        """Try the rates, record the curve and, where asked for, set the rate; not where training goes on."""
        if state.step:
            return
        curve = self._curve(state)
        rates = curve.rates.tolist()
        state.record({**_SERIES, "line": "single steps", "x": rates, "y": curve.losses.tolist()})
        state.record({**_SERIES, "line": "smoothed", "x": rates, "y": curve.smoothed.tolist()})
        found = curve.suggestion()
        if found is None:
            kept = "; training keeps the optimizer's rate" if self.options.apply else ""
            state.warn(
                f"lr-finder: the loss does not fall anywhere from rate {self.options.start:g} to "
                f"{self.options.end:g}, so there is none to suggest{kept}; try more steps or another range"
            )
            return
        rate = rates[found]
        state.record({**_SERIES, "line": "smoothed", "x": rate, "y": float(curve.smoothed[found]), "mark": True})
        own = max(float(group["lr"]) for group in state.optimizer.param_groups)
        used = "and training uses it" if self.options.apply else "training keeps it, apply = true takes the other"
        state.note(f"lr-finder: suggests a learning rate of {rate:.3g}, the optimizer's is {own:.3g}; {used}")
        if self.options.apply:
            for group, share in zip(state.optimizer.param_groups, _shares(state), strict=True):
                group["lr"] = rate * share

    def _curve(self, state: TrainingState) -> RateCurve:
        losses, smoothed = list[float](), list[float]()
        for loss in self._losses(state):
            mean = self.options.smooth * loss + (1 - self.options.smooth) * smoothed[-1] if smoothed else loss
            losses.append(loss)
            smoothed.append(mean)
            if mean > self.options.diverge * min(smoothed):
                break
        rates = self.options.rates()[: len(losses)]
        return RateCurve(np.array(rates), np.array(losses), np.array(smoothed), self.options.smooth)

    def _losses(self, state: TrainingState) -> Iterator[float]:
        """Yield the loss of a step at each rate, until one is no number."""
        shares = _shares(state)
        with state.rehearse() as step:
            for rate in self.options.rates():
                for group, share in zip(state.optimizer.param_groups, shares, strict=True):
                    group["lr"] = rate * share
                loss = float(step())
                if not math.isfinite(loss):
                    return
                yield loss


def _shares(state: TrainingState) -> list[float]:
    """Return the groups' rates as shares of the highest."""
    rates = [float(group["lr"]) for group in state.optimizer.param_groups]
    return [rate / max(rates) for rate in rates]
