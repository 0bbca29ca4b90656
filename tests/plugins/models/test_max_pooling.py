"""The `max-pooling` loss trains the frame of the highest keyword log-odds, found by looking at every frame."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from wakekit import WakekitError
from wakekit_models.cross_entropy import CrossEntropy
from wakekit_models.max_pooling import MaxPooling


def drawn(seed: int, *shape: int) -> torch.Tensor:
    """Return normal numbers of a seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3


def plainly(
    logits: torch.Tensor, targets: torch.Tensor, smoothing: float, weights: list[float]
) -> tuple[float, list[int]]:
    """Return the loss and each row's frame, from the definition: one number at a time in Python."""
    total, frames = 0.0, []
    for row, target in zip(logits.double().tolist(), targets.double().tolist(), strict=True):
        columns = list(zip(*row, strict=True))
        odds = [
            column[1] - math.log(sum(math.exp(value) for place, value in enumerate(column) if place != 1))
            for column in columns
        ]
        frames.append(odds.index(max(odds)))
        chosen = columns[frames[-1]]
        norm = math.log(sum(map(math.exp, chosen)))
        shares = [share * (1 - smoothing) + smoothing / len(target) for share in target]
        total -= sum(w * q * (value - norm) for w, q, value in zip(weights, shares, chosen, strict=True))
    return total / len(frames), frames


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 6), st.integers(2, 4), st.integers(1, 9)),
    smoothing=st.sampled_from([0.0, 0.1]),
    weighted=st.booleans(),
)
def test_equals_brute_force(seed: int, shape: tuple[int, int, int], smoothing: float, *, weighted: bool) -> None:
    """Random logits and soft targets: the value of looking at every frame, and gradients in the chosen frames alone."""
    logits = drawn(seed, *shape).requires_grad_()
    targets = drawn(seed + 1, *shape[:2]).softmax(dim=1)
    weights = tuple(1.0 + place for place in range(shape[1])) if weighted else None
    value = MaxPooling(label_smoothing=smoothing, class_weights=weights).build()(logits, targets)
    expected, frames = plainly(logits.detach(), targets, smoothing, list(weights or (1.0,) * shape[1]))
    assert value.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
    (gradient,) = torch.autograd.grad(value, logits)
    touched = gradient.abs().sum(dim=1) > 0
    for row, frame in enumerate(frames):
        assert set(torch.nonzero(touched[row]).flatten().tolist()) <= {frame}


def test_best_of_a_positive_and_hardest_of_a_negative() -> None:
    """Raising the keyword at one frame helps a positive row and hurts a negative one, wherever the frame is."""
    loss = MaxPooling().build()
    quiet, heard = torch.zeros(1, 2, 5), torch.zeros(1, 2, 5)
    heard[0, 1, 3] = 4.0
    positive, negative = torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    assert loss(heard, positive) < loss(quiet, positive)
    assert loss(heard, negative) > loss(quiet, negative)
    for other in heard.roll(1, dims=2), heard.flip(2):
        torch.testing.assert_close(loss(other, positive), loss(heard, positive))


def test_scores_per_window_give_cross_entropy() -> None:
    """Logits [B, C], or of one frame, are what cross-entropy makes of them, weighted and smoothed."""
    logits, targets = drawn(0, 8, 3), drawn(1, 8, 3).softmax(dim=1)
    weights = (1.0, 3.0, 0.5)
    expected = CrossEntropy(label_smoothing=0.1, class_weights=weights).build()(logits, targets)
    loss = MaxPooling(label_smoothing=0.1, class_weights=weights).build()
    torch.testing.assert_close(loss(logits, targets), expected)
    torch.testing.assert_close(loss(logits.unsqueeze(2), targets), expected)


def test_half_precision_and_extremes() -> None:
    """Logits from autocast give a float32 loss, and huge ones a finite one."""
    hard = functional.one_hot(torch.tensor([0, 1, 1, 0]), 2).float()
    value = MaxPooling().build()(drawn(0, 4, 2, 6).bfloat16(), hard)
    assert value.dtype is torch.float32
    huge = (drawn(0, 4, 2, 6) * 1e8).requires_grad_()
    value = MaxPooling().build()(huge, hard)
    value.backward()
    assert value.isfinite()
    assert huge.grad is not None
    assert huge.grad.isfinite().all()


def test_weights_must_be_one_per_class() -> None:
    """Another number of weights than classes is an error that names the option."""
    with pytest.raises(WakekitError, match=r"expected 2 weights, one per class, got 3 @ loss\.class_weights"):
        MaxPooling(class_weights=(1.0, 1.0, 1.0)).build()(drawn(0, 4, 2, 6), torch.zeros(4, 2))
