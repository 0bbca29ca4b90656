"""How long a step of the moving average takes beside torch's own."""

from __future__ import annotations

import copy
import statistics
import time
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from wakekit.registry import installed
from wakekit_training.averages import move

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

STEPS, PAIRS, DECAY = 100, 15, 0.99


def timed(step: Callable[[], object], device: str) -> float:
    """Return the seconds of some steps, the device's own time included."""
    if device == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(STEPS):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


@pytest.mark.benchmark
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("name", ["ds-cnn", "bc-resnet", "resnet18"])
def test_a_step_of_the_average_beside_swa_utils(capsys: pytest.CaptureFixture[str], name: str, device: str) -> None:
    """The median of interleaved pairs is at most 1: no slower than `update_parameters` with buffers."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    component: Any = installed().find("model", name).load()()
    live = cast("nn.Module", component.build(40, 2)).to(device)
    ours = copy.deepcopy(live).requires_grad_(requires_grad=False)
    theirs = AveragedModel(live, multi_avg_fn=get_ema_multi_avg_fn(DECAY), use_buffers=True)
    theirs.update_parameters(live)
    ratios = []
    for _ in range(PAIRS):
        mine = timed(lambda: move(ours, live, 1 - DECAY), device)
        ratios.append(mine / timed(lambda: theirs.update_parameters(live), device))
    with capsys.disabled():
        print(f"\naverage of {name} on {device} / swa_utils: {statistics.median(ratios):.2f} (median of {PAIRS} pairs)")
    assert statistics.median(ratios) <= 1
