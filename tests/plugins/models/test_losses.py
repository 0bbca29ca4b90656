"""The losses equal their closed forms and PyTorch's own, for targets that are shares of classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from wakekit import WakekitError
from wakekit_models.cross_entropy import CrossEntropy
from wakekit_models.focal import Focal
from wakekit_models.max_pooling import MaxPooling

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(32, 3, generator=GENERATOR) * 3
SHARES = torch.rand(32, 3, generator=GENERATOR).softmax(dim=1)
CLASSES = torch.randint(3, (32,), generator=GENERATOR)
HARD = functional.one_hot(CLASSES, 3).float()


def test_cross_entropy_equals_pytorch_on_class_indices() -> None:
    """Targets that are one class each give the loss of class indices, smoothed or not."""
    for smoothing in (0.0, 0.1):
        expected = functional.cross_entropy(LOGITS, CLASSES, label_smoothing=smoothing)
        torch.testing.assert_close(CrossEntropy(label_smoothing=smoothing).build()(LOGITS, HARD), expected)


def test_cross_entropy_equals_its_closed_form() -> None:
    """Weighted shares: the mean over rows of -sum w q log p, in NumPy."""
    weights = np.array([1.0, 2.0, 0.5])
    logits, shares = LOGITS.double().numpy(), SHARES.double().numpy()
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -(weights * shares * log_p).sum(axis=1).mean()
    loss = CrossEntropy(class_weights=(1.0, 2.0, 0.5)).build()(LOGITS, SHARES)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, (1.0, 2.0, 0.5)])
def test_focal_without_focus_is_cross_entropy(smoothing: float, weights: tuple[float, ...] | None) -> None:
    """With gamma 0 both losses and their gradients agree, for mixed targets, weights and smoothing."""
    values, gradients = [], []
    for loss in (
        Focal(gamma=0, label_smoothing=smoothing, alpha=weights).build(),
        CrossEntropy(label_smoothing=smoothing, class_weights=weights).build(),
    ):
        logits = LOGITS.clone().requires_grad_()
        values.append(loss(logits, SHARES))
        gradients.append(torch.autograd.grad(values[-1], logits)[0])
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_equals_its_closed_form(gamma: float) -> None:
    """One class each: the mean of alpha (1 - p)^gamma · -log p, in NumPy."""
    alpha = np.array([0.25, 0.75, 1.0])
    logits, rows = LOGITS.double().numpy(), np.arange(32)
    p = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[rows, CLASSES.numpy()]
    expected = (alpha[CLASSES.numpy()] * (1 - p) ** gamma * -np.log(p)).mean()
    loss = Focal(gamma=gamma, alpha=(0.25, 0.75, 1.0)).build()(LOGITS, HARD)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_focal_gradient_is_the_slope_of_the_loss() -> None:
    """Automatic and numerical differentiation agree."""
    logits = (LOGITS[:4].double() / 3).requires_grad_()
    loss = Focal(gamma=2, label_smoothing=0.1).build()
    gradient = torch.autograd.grad(loss(logits, SHARES[:4]), logits)[0]
    step = torch.zeros_like(logits)
    step[1, 2] = 0.01
    slope = (loss((logits + step).detach(), SHARES[:4]) - loss((logits - step).detach(), SHARES[:4])) / 0.02
    assert gradient[1, 2].item() == pytest.approx(slope.item(), rel=1e-2)


@pytest.mark.parametrize("loss", [CrossEntropy(), Focal(gamma=0.5), Focal(), Focal(gamma=0, label_smoothing=0.1)])
@pytest.mark.parametrize("size", [0.0, 90.0, 1e4, 1e30])
def test_extreme_logits_stay_finite(loss: CrossEntropy | Focal, size: float) -> None:
    """Certain and certainly wrong rows have finite losses and gradients."""
    logits = torch.tensor([[size, -size, 0.0], [-size, size, 0.0]], requires_grad=True)
    value = loss.build()(logits, torch.tensor([[1.0, 0, 0], [1.0, 0, 0]]))
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", [CrossEntropy(), Focal()])
def test_half_precision_logits_give_a_float32_loss(loss: CrossEntropy | Focal) -> None:
    """Logits from autocast are widened before any exponential."""
    value = loss.build()(LOGITS.bfloat16(), HARD)
    assert value.dtype is torch.float32
    assert value.shape == ()
    torch.testing.assert_close(value, loss.build()(LOGITS.bfloat16().float(), HARD))


@pytest.mark.parametrize(
    ("loss", "place"), [(CrossEntropy(class_weights=(1.0, 2.0)), "class_weights"), (Focal(alpha=(1.0, 2.0)), "alpha")]
)
def test_weights_must_be_one_per_class(loss: CrossEntropy | Focal, place: str) -> None:
    """Another number of weights than classes is an error that names the option."""
    with pytest.raises(WakekitError, match=f"expected 3 weights, one per class, got 2 @ loss.{place}"):
        loss.build()(LOGITS, HARD)


@pytest.mark.parametrize(
    ("loss", "phrases"),
    [
        (CrossEntropy(), ()),
        (CrossEntropy(class_weights=(2.0, 2.0)), ()),
        (CrossEntropy(class_weights=(1.0, 2.0)), ("class weights",)),
        (MaxPooling(), ()),
        (MaxPooling(class_weights=(1.0, 2.0)), ("class weights",)),
        (Focal(gamma=0), ()),
        (Focal(), ("focal loss",)),
        (Focal(alpha=(1.0, 1.0)), ("focal loss",)),
        (Focal(gamma=0, alpha=(1.0, 2.0)), ("class weights (alpha)",)),
        (Focal(alpha=(1.0, 2.0)), ("focal loss", "class weights (alpha)")),
    ],
)
def test_losses_say_what_makes_rows_count_more(
    loss: CrossEntropy | Focal | MaxPooling, phrases: tuple[str, ...]
) -> None:
    """T28: unequal weights and focusing are named; weights that are all alike, and no focusing, are not."""
    assert loss.rebalances == phrases
    assert loss.class_weights == (loss.alpha if isinstance(loss, Focal) else loss.class_weights)
