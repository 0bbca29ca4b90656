"""The time per score that a run reports beside a plain loop over windows of a stream, and counts beside torch's own."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wakekit.building import build_component
from wakekit.cost import measure_cost
from wakekit.network import Network
from wakekit.registry import installed

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE, WINDOW, HOP = 16000, 19200, 1280


def made(kind: str, **options: object) -> Any:
    """Build a component."""
    return build_component(installed(), kind, options).value


def network() -> Network:
    """Return an untrained network as the quickstart has it."""
    frontend = made("frontend", type="log-mel", frame_seconds=0.04, hop_seconds=0.02)
    return Network(
        frontend=frontend.build(RATE),
        normalizer=made("normalizer", type="none").build(40),
        model=made("model", type="ds-cnn", channels=48).build(40, 2),
        window=WINDOW,
        window_frames=59,
        frame_hop=320,
        sample_rate=RATE,
        shared=True,
    ).eval()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Score on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.benchmark
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("scorer", [{"type": "plain"}, {"type": "tta"}], ids=["plain", "tta"])
def test_the_time_of_a_score_beside_a_plain_loop(scorer: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Scoring 20 s of noise window by window takes what is reported per score, within half of it.

    On one thread, as two wait for each other where other processes run.
    """
    net, chosen = network(), made("scorer", **scorer)
    cost = measure_cost(net, chosen, window=WINDOW, hop=HOP, sample_rate=RATE)
    before = round(getattr(chosen, "context_windows", 0.0) * WINDOW)
    audio = 0.1 * torch.randn(1, before + WINDOW + 250 * HOP)
    times = []
    with torch.inference_mode():
        for start in range(0, 250 * HOP, HOP):
            started = time.perf_counter()
            chosen.score(net, audio[:, start : start + before + WINDOW], HOP)
            times.append(time.perf_counter() - started)
    loop = statistics.median(times)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        chosen.score(net, audio[:, : before + WINDOW], HOP)
    alone = counter.get_total_flops() / 2 * RATE / HOP
    with capsys.disabled():
        print(
            f"\n{scorer['type']}: {1e3 * cost.seconds_per_score:.2f} ms a score, {1e3 * loop:.2f} ms in a loop; "
            f"{cost.real_time_factor:.3f} s a second, threads: {cost.threads}; {cost.macs_per_second / 1e6:.1f} "
            f"MMAC/s, {alone / 1e6:.1f} where windows share no frames"
        )
    assert loop / 1.5 < cost.seconds_per_score < 1.5 * loop
    assert cost.macs_per_second <= alone
