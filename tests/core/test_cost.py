"""What scoring costs is what can be counted by hand, and stays what it was when scores are reused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import pytest
import torch
from torch import Tensor, nn

from wakekit import cost as module
from wakekit.cost import measure_cost
from wakekit.network import Network
from wakekit.run_folder import read_run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed

RATE, HOP, FRAME, FRAMES, WINDOW = 1000, 20, 40, 5, 120
CHANNELS, HIDDEN = 6, 7


class Frames(nn.Module):
    """A frontend whose every frame is a product with a [FRAME, CHANNELS] matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filters", torch.ones(FRAME, CHANNELS))

    def forward(self, audio: Tensor) -> Tensor:
        """Return [B, CHANNELS, T]."""
        return (audio.unfold(1, FRAME, HOP) @ self.filters).transpose(1, 2)


class Recurrent(nn.Module):
    """A recurrent layer, and logits of its last state."""

    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.layer = kind(CHANNELS, HIDDEN, batch_first=True)
        self.classifier = nn.Linear(HIDDEN, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, 2]."""
        logits: Tensor = self.classifier(self.layer(features.transpose(1, 2))[0][:, -1])
        return logits


class Attention(nn.Module):
    """Attention of two heads of 3 over the frames, and logits of their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(CHANNELS, 2, batch_first=True)
        self.classifier = nn.Linear(CHANNELS, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [B, 2]."""
        frames = features.transpose(1, 2)
        logits: Tensor = self.classifier(self.layer(frames, frames, frames, need_weights=False)[0].mean(dim=1))
        return logits


class Plain:
    """Scores each window once."""

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return the network's own scores."""
        return network.score_windows(audio, hop)


class Late(Plain):
    """Scores a window that ended a little earlier."""

    context_seconds = 0.06
    latency_seconds = 0.06

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return scores of earlier windows."""
        return network.score_windows(audio[:, : audio.shape[1] - 60], hop)


def network(model: nn.Module) -> Network:
    """Return a network of known cost around a model."""
    return Network(
        frontend=Frames(),
        normalizer=nn.BatchNorm1d(CHANNELS),
        model=model,
        window=WINDOW,
        window_frames=FRAMES,
        frame_hop=HOP,
        sample_rate=RATE,
        shared=True,
    ).eval()


def macs_of(model: nn.Module, *, hop: int = 2 * HOP) -> float:
    """Measure the multiply-accumulates per second of a network with this model."""
    return measure_cost(network(model), Plain(), window=WINDOW, hop=hop, sample_rate=RATE).macs_per_second


def by_hand(per_window: float, *, hop: int = 2 * HOP) -> float:
    """Return what a second takes: each frame once, each window once per hop of the detector."""
    return FRAME * CHANNELS * RATE / HOP + per_window * RATE / hop


@pytest.mark.parametrize("hop", [HOP, 2 * HOP, 8 * HOP])
def test_convolutions_and_products_are_counted_as_by_hand(hop: int) -> None:
    """Grouped and strided convolutions and a linear layer have their closed form; windows share frames."""
    model = nn.Sequential(
        nn.Conv1d(CHANNELS, 12, 3, groups=3, padding=1), nn.ReLU(), nn.Conv1d(12, 4, 1, stride=2), nn.Flatten(),
        nn.Linear(4 * 3, 2),
    )  # fmt: skip
    per_window = FRAMES * 12 * 3 * (CHANNELS // 3) + 3 * 4 * 12 + 12 * 2
    assert macs_of(model, hop=hop) == pytest.approx(by_hand(per_window, hop=hop))


@pytest.mark.parametrize(("kind", "gates"), [(nn.GRU, 3), (nn.LSTM, 4), (nn.RNN, 1)])
def test_recurrent_layers_are_counted(kind: type[nn.RNNBase], gates: int) -> None:
    """Gates times hidden times (input + hidden) per frame, also where a fused kernel would hide them."""
    per_window = FRAMES * gates * HIDDEN * (CHANNELS + HIDDEN) + HIDDEN * 2
    assert macs_of(Recurrent(kind)) == pytest.approx(by_hand(per_window))


def test_attention_is_counted() -> None:
    """Four projections per frame and two products per pair of frames, also where a fused kernel would hide them."""
    per_window = 4 * FRAMES * CHANNELS * CHANNELS + 2 * FRAMES * FRAMES * CHANNELS + CHANNELS * 2
    assert macs_of(Attention()) == pytest.approx(by_hand(per_window))
    assert torch.backends.mkldnn.enabled
    assert torch.backends.mha.get_fastpath_enabled()


def test_parameters_bytes_and_latency_are_those_of_network_and_scorer() -> None:
    """Parameters and saved bytes are those of model and normalizer with its buffers; the scorer says how late it is."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(FRAMES * CHANNELS, 2))
    found = measure_cost(network(model), Late(), window=WINDOW, hop=80, sample_rate=RATE)
    parameters = FRAMES * CHANNELS * 2 + 2 + 2 * CHANNELS
    assert found.parameters == parameters
    assert found.model_bytes == 4 * parameters + 4 * 2 * CHANNELS + 8
    assert (found.latency_seconds, found.hop_seconds, found.window_seconds) == (0.06, 0.08, 0.12)
    assert (found.device, found.threads) == ("cpu", torch.get_num_threads())
    assert found.real_time_factor == found.seconds_per_score / 0.08


def test_time_is_the_median_of_single_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """One window at a time is timed, warm; one slow score in many does not count."""
    clock, heard = iter(range(10_000)), []

    class Slow(Plain):
        def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
            heard.append(audio.shape[1])
            if len(heard) == 5:
                [next(clock) for _ in range(500)]
            return super().score(network, audio, hop)

    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
    model = nn.Sequential(nn.Flatten(), nn.Linear(FRAMES * CHANNELS, 2))
    found = measure_cost(network(model), Slow(), window=WINDOW, hop=HOP, sample_rate=RATE)
    assert found.seconds_per_score == 1.0
    assert found.calls == module._FEWEST
    assert set(heard[: module._WARM_UP + found.calls]) == {WINDOW}


def test_a_run_says_what_it_costs_and_says_it_again(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """The cost lies beside the test scores, so that numbers made again from the store are the same to the bit."""
    out = tmp_path / "runs"
    first = typed("run", recipe_file, "--out", out, "--set", "metrics.late=latency")
    assert first.code == 0, first.err
    (folder,) = out.glob("*-*")
    told = (folder / "metrics.json").read_text()
    run = read_run(folder)
    assert run.cost is not None
    rows = {row["name"]: row for row in json.loads(told)["metrics"]["late"]}
    assert rows["parameters"]["value"] == run.cost.parameters
    assert rows["real-time-factor"]["value"] == run.cost.real_time_factor
    header = int.from_bytes((folder / "model.safetensors").read_bytes()[:8], "little") + 8
    assert run.cost.model_bytes == (folder / "model.safetensors").stat().st_size - header
    assert "MAC/s" in first.out
    again = typed("run", recipe_file, "--out", out, "--set", "metrics.late=latency", "--set", "metrics.e=eer")
    assert again.code == 0, again.err
    (other,) = set(out.glob("*-*")) - {folder}
    assert json.loads((other / "metrics.json").read_text())["metrics"]["late"] == json.loads(told)["metrics"]["late"]
    assert attrs.asdict(read_run(other).cost) == attrs.asdict(run.cost)  # type: ignore[arg-type]
