"""Test-time augmentation that a device can do too: the mean score of a window's shifted and resampled copies.

Nothing looks ahead. A shifted copy is a window that ended earlier, so that shifts alone are a moving average of plain
scores and come as much later: compare them with smoothing at the same delay. A copy at another speed ends where its
window ends.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from torchaudio.functional import resample

from wakekit import WakekitError, option
from wakekit.streams import context_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.network import Network

_WINDOWS_AT_ONCE = 512
_WHOLE = 1e-6
# Samples beyond a slowed copy that the resampler's filter still sees.
_REACH = 16


@attrs.frozen
class Tta:
    """Average the scores of a window's copies: each of `shifts` at each of `speeds`.

    A shift is how much earlier a copy ends, a multiple of the frontend's hop, as a device scores that window anyway or
    has its frames. A speed above 1 plays the audio faster, which takes audio from before the window. The mean is of
    log-odds, or of probabilities and then turned back into log-odds. Shifts by multiples of the detector's hop cost
    nothing in a stream that keeps its last scores, any others and each speed but 1 a pass of their own.
    """

    shifts: tuple[float, ...] = option((0.0,), at_least=0, unit="s", help="how much earlier each copy ends")
    speeds: tuple[float, ...] = option(
        (0.95, 1.0, 1.05), at_least=0.5, at_most=2, help="how fast each copy is played, in whole hundredths"
    )
    average: str = option(
        "log-odds", choices=("log-odds", "probability"), help="the scale on which copies are averaged"
    )

    @shifts.validator
    @speeds.validator
    def _each_once(self, attribute: attrs.Attribute[tuple[float, ...]], values: tuple[float, ...]) -> None:
        if not values or len(set(values)) < len(values):
            message = f"{attribute.name}: expected at least one value, and each once, got {list(values)}"
            raise ValueError(message)

    @speeds.validator
    def _hundredths(self, _attribute: object, speeds: tuple[float, ...]) -> None:
        odd = [speed for speed in speeds if abs(float(_ratio(speed)) - speed) > _WHOLE]
        if odd:
            message = f"speeds: expected whole hundredths, as in 1.05, got {odd[0]:g}"
            raise ValueError(message)

    @property
    def context_seconds(self) -> float:
        """Audio before a window that its earliest copy needs."""
        return max(self.shifts)

    @property
    def context_windows(self) -> float:
        """Audio before a window that its fastest copy needs, as a share of what the network hears."""
        return max(0.0, max(self.speeds) - 1)

    @property
    def earlier_seconds(self) -> tuple[float, ...]:
        """How much earlier the windows end that it hears."""
        return self.shifts

    @property
    def latency_seconds(self) -> float:
        """How much later than a plain score this one comes: the mean of the shifts."""
        return sum(self.shifts) / len(self.shifts)

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return the mean scores [B, n] as log-odds, of the windows of `audio` [B, context + S].

        Raises WakekitError where a shift is no multiple of the frontend's hop.
        """
        shifts = [_samples(network, shift) for shift in self.shifts]
        own = context_of(network, self) - network.context
        faster = own - max(shifts)
        copies: list[Tensor] = []
        for earliest, group in _groups(shifts, hop):
            # Windows on one grid are scored once, however many of the copies they serve.
            grid = audio[:, own - earliest - faster : audio.shape[1] - group[-1]]
            for speed in self.speeds:
                scores = _played(network, grid, hop, speed, faster)
                kept = scores.shape[1] - (earliest - group[-1]) // hop
                copies += [scores[:, (earliest - shift) // hop :][:, :kept] for shift in group]
        return _mean(torch.stack(copies), self.average)


def _ratio(speed: float) -> Fraction:
    return Fraction(round(100 * speed), 100)


def _samples(network: Network, shift: float) -> int:
    exact = shift * network.sample_rate
    samples = round(exact)
    if abs(exact - samples) > _WHOLE or samples % network.frame_hop:
        raise WakekitError(
            f"scorer.shifts: {shift:g} s is no multiple of the frontend's hop, "
            f"{network.frame_hop / network.sample_rate:g} s, and no window ends so much earlier; make it one"
        )
    return samples


def _groups(shifts: Sequence[int], hop: int) -> list[tuple[int, list[int]]]:
    """Return the shifts that lie on one grid of hops, from the largest down, each group with its largest."""
    grids: dict[int, list[int]] = defaultdict(list)
    for shift in sorted(shifts, reverse=True):
        grids[shift % hop].append(shift)
    return [(group[0], group) for group in grids.values()]


def _played(network: Network, audio: Tensor, hop: int, speed: float, faster: int) -> Tensor:
    """Return the scores [B, n] of the windows of `audio` [B, faster + context + S], played at a speed."""
    ratio, heard = _ratio(speed), network.context + network.window
    if ratio == 1:
        return network.score_windows(audio[:, faster:], hop)
    needed = min(faster + heard, -(-heard * ratio.numerator // ratio.denominator) + _REACH)
    if audio.shape[1] < faster + heard:
        return audio.new_zeros(len(audio), 0)
    windows = audio[:, faster + heard - needed :].unfold(1, needed, hop)
    rows = torch.arange(windows.shape[0] * windows.shape[1], device=audio.device)
    scores = []
    for part in rows.split(_WINDOWS_AT_ONCE):
        window = windows[part // windows.shape[1], part % windows.shape[1]]
        # Backwards, so that the end of the window stays the end, and what lies behind it is never heard.
        played = resample(window.flip(1), ratio.numerator, ratio.denominator)[:, :heard].flip(1)
        scores.append(network.score_windows(played, hop)[:, 0])
    return torch.cat(scores).view(windows.shape[0], windows.shape[1])


def _mean(copies: Tensor, average: str) -> Tensor:
    """Return the mean [B, n] of log-odds [C, B, n]."""
    if average == "log-odds" or len(copies) == 1:
        return copies.mean(dim=0)
    # The mean probability over the mean of its rest, without ever leaving logarithms: near 1 nothing is rounded away.
    return logsigmoid(copies).logsumexp(dim=0) - logsigmoid(-copies).logsumexp(dim=0)
