"""What scoring costs: parameters, multiply-accumulates, bytes of weights, and the time that a score takes.

Counts follow from the network alone. The time is measured where the network is, one score after the other, as a device
needs them, never in large batches.
"""

from __future__ import annotations

import copy
import statistics
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from wakekit.data import Cost
from wakekit.streams import context_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from wakekit.kinds import Scorer
    from wakekit.network import Network

_WARM_UP, _FEWEST, _MOST, _SECONDS = 3, 5, 200, 0.25


def measure_cost(network: Network, scorer: Scorer, *, window: int, hop: int, sample_rate: int) -> Cost:
    """Count and time the scoring of a stream; `window` and `hop` are in samples.

    Multiply-accumulates are those of matrix products, convolutions and recurrent layers in one second of a stream that
    is running, where windows share frames; transforms (FFT) and work element by element are not among them. A score is
    timed by itself, from all the audio that it needs and with nothing kept from the score before.
    """
    device = next(network.parameters()).device
    kept = [module.state_dict() for module in (network.model, network.normalizer)]
    times = _times(network, scorer, window, hop)
    return Cost(
        parameters=sum(weights.numel() for weights in network.parameters()),
        macs_per_second=_macs_per_second(network, scorer, window, hop) * sample_rate,
        model_bytes=sum(tensor.numel() * tensor.element_size() for state in kept for tensor in state.values()),
        seconds_per_score=statistics.median(times),
        calls=len(times),
        hop_seconds=hop / sample_rate,
        window_seconds=window / sample_rate,
        latency_seconds=float(getattr(scorer, "latency_seconds", 0.0)),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
    )


def _macs_per_second(network: Network, scorer: Scorer, window: int, hop: int) -> float:
    """Return the multiply-accumulates per sample of a stream that goes on."""
    # Fused kernels hide their products from the counter, and only a CPU has a plain form of all of them.
    plain = copy.deepcopy(network).cpu()
    more = max(1, round(network.sample_rate / hop))
    counted: list[int] = []
    for scores in (1, 1 + more):
        with torch.no_grad(), _plain_kernels(), FlopCounterMode(display=False) as counter:
            scorer.score(plain, _noise(plain, scorer, window + (scores - 1) * hop), hop)
        counted.append(counter.get_total_flops())
    return (counted[1] - counted[0]) / 2 / (more * hop)


@contextmanager
def _plain_kernels() -> Iterator[None]:
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings():
            # It warns of hardware that nobody asked about.
            warnings.filterwarnings("ignore", "TF32 acceleration", UserWarning)
            with torch.backends.mkldnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
                yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _times(network: Network, scorer: Scorer, window: int, hop: int) -> list[float]:
    """Return the seconds that single scores took, once everything is warm."""
    audio = _noise(network, scorer, window)
    times: list[float] = []
    with torch.inference_mode():
        for _ in range(_WARM_UP):
            scorer.score(network, audio, hop)
        while len(times) < _FEWEST or (len(times) < _MOST and sum(times) < _SECONDS):
            _finish(audio.device)
            started = time.perf_counter()
            scorer.score(network, audio, hop)
            _finish(audio.device)
            times.append(time.perf_counter() - started)
    return times


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _noise(network: Network, scorer: Scorer, samples: int) -> Tensor:
    """Return noise [1, context + samples], as digital silence may take longer or shorter than sound."""
    draws = torch.Generator().manual_seed(0)
    audio = 0.1 * torch.randn(1, context_of(network, scorer) + samples, generator=draws)
    return audio.to(next(network.parameters()).device)
