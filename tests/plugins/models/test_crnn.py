"""The `crnn` model equals its recurrence written out, looks back only, and runs on a stream."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from wakekit import WakekitError
from wakekit_models.crnn import Crnn

Array = npt.NDArray[np.float64]


def drawn(*shape: int) -> torch.Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def small(scores: str = "frame", **options: Any) -> nn.Module:
    """Return a small network in inference."""
    sizes = {"channels": 4, "kernel": (5, 3), "stride": (2, 2), "hidden": 6, "linear": 5} | options
    return Crnn(scores=scores, **sizes).build(9, 3).eval()


def sigmoid(values: Array) -> Array:
    """Return the logistic function."""
    return 1 / (1 + np.exp(-values))


def recurrent(weights: dict[str, Array], layer: int, steps: Array) -> Array:
    """Return a layer of GRUs [T, H] over steps [T, D], gate by gate (Cho et al., 2014)."""
    inner, outer = weights[f"recurrent.weight_ih_l{layer}"], weights[f"recurrent.weight_hh_l{layer}"]
    state, states = np.zeros(outer.shape[1]), []
    for step in steps:
        seen = np.split(inner @ step + weights[f"recurrent.bias_ih_l{layer}"], 3)
        held = np.split(outer @ state + weights[f"recurrent.bias_hh_l{layer}"], 3)
        reset, update = sigmoid(seen[0] + held[0]), sigmoid(seen[1] + held[1])
        state = (1 - update) * np.tanh(seen[2] + reset * held[2]) + update * state
        states.append(state)
    return np.array(states)


def test_equals_its_recurrence_written_out() -> None:
    """Convolution, two layers of gates and two linear layers, in NumPy, give the logits of every step."""
    network, features = small(), drawn(2, 9, 21)
    weights = {name: value.double().numpy() for name, value in network.state_dict().items()}
    maps = network.head(features.unsqueeze(1)).detach().double().numpy()
    for row in range(2):
        steps = np.array([maps[row, :, :, step].reshape(-1) for step in range(maps.shape[3])])
        heard = recurrent(weights, 1, recurrent(weights, 0, steps))
        inner = np.maximum(heard @ weights["classifier.1.weight"].T + weights["classifier.1.bias"], 0)
        expected = inner @ weights["classifier.3.weight"].T + weights["classifier.3.bias"]
        np.testing.assert_allclose(network(features)[row].T.detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_window_is_the_last_step() -> None:
    """The same weights give logits [B, C, T'] per frame, and those of the last step per window."""
    frame, window = small("frame"), small("window")
    window.load_state_dict(frame.state_dict())
    features = drawn(3, 9, 24)
    assert frame(features).shape == (3, 3, 1 + (24 - 5) // 2)
    torch.testing.assert_close(window(features), frame(features)[:, :, -1])
    assert Crnn().scores == "window"


def test_looks_back_only() -> None:
    """What comes after the frames that a step's convolution sees does not change the step."""
    network, features = small(), drawn(2, 9, 25)
    changed = features.clone()
    changed[:, :, 13:] += 3.0
    before, after = network(features), network(changed)
    torch.testing.assert_close(before[:, :, :5], after[:, :, :5], rtol=0, atol=0)
    assert not torch.allclose(before[:, :, 5], after[:, :, 5])


def test_runs_on_a_stream() -> None:
    """Chunks with the recurrent state handed on give the steps of the whole."""
    network, features = small(), drawn(1, 9, 45)
    whole, state, parts = network(features), None, []
    for first in range(0, 41, 8):
        steps = network.head(features[:, None, :, first : first + 11])[..., :4].flatten(1, 2).transpose(1, 2)
        heard, state = network.recurrent(steps, state)
        parts.append(network.classifier(heard))
    torch.testing.assert_close(torch.cat(parts, dim=1).transpose(1, 2), whole)


@pytest.mark.parametrize(("n_features", "classes", "layers"), [(40, 2, 2), (64, 3, 1), (5, 2, 3)])
def test_has_the_parameters_of_its_closed_form(n_features: int, classes: int, layers: int) -> None:
    """Convolution and norm, three gates a recurrent layer, two linear layers."""
    network = Crnn(layers=layers).build(n_features, classes)
    heights = (n_features - 5) // 2 + 1
    gates = 3 * 32 * (32 * heights + 32 + 2) + (layers - 1) * 3 * 32 * (32 + 32 + 2)
    expected = 32 * 100 + 64 + gates + 33 * 64 + 65 * classes
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


@pytest.mark.parametrize("scores", ["window", "frame"])
def test_every_parameter_learns(scores: str) -> None:
    """A training pass reaches all weights."""
    network = small(scores).train()
    network(drawn(4, 9, 30)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_dropout_acts_in_training_alone() -> None:
    """Dropout changes training passes, and no inference; one recurrent layer takes it without a warning."""
    for layers in (1, 2):
        network, features = small(dropout=0.5, layers=layers), drawn(4, 9, 20)
        assert torch.equal(network(features), network(features))
        network.train()
        assert not torch.equal(network(features), network(features))


def test_too_little_to_see_is_an_error() -> None:
    """Fewer features or frames than the convolution sees are refused in words."""
    with pytest.raises(WakekitError, match=r"at least 5 features.* got 4 @ model crnn; choose a smaller kernel"):
        Crnn().build(4, 2)
    with pytest.raises(WakekitError, match=r"at least 20 frames.* got 19 @ model crnn; .* longer window"):
        Crnn().build(40, 2)(drawn(1, 40, 19))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("scores", ["window", "frame"])
def test_cuda_equals_cpu(scores: str) -> None:
    """Inference is the same on both devices, and a training pass in bfloat16 works."""
    network, features = Crnn(scores=scores).build(40, 2).eval(), drawn(4, 40, 60)
    expected = network(features)
    torch.testing.assert_close(network.cuda()(features.cuda()).cpu(), expected, rtol=1e-3, atol=1e-3)
    with torch.autocast("cuda", torch.bfloat16):
        loss = network.train()(features.cuda()).float().square().mean()
    loss.backward()
    assert loss.isfinite()
