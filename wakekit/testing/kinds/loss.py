"""Losses: logits [B, C] and targets [B, C], class shares as floats, to their mean over rows.

A loss whose `per_frame` is True takes logits [B, C, T'] too; `class_weights` are the weights that it gives the classes.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from wakekit.testing.checks import check, exercise
from wakekit.testing.devices import assert_stays, on_cuda
from wakekit.testing.same import assert_same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit.testing.subject import Subject

_CPU = torch.device("cpu")
_C = 2
_STEP = 1e-2
_CLOSE = 1e-5
_SLOPE = 1e-2


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _batch(rows: int = 24, frames: int | None = None, *, size: float = 2.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return logits and targets of both classes, a third of them mixed."""
    generator = _generator(seed)
    shape = (rows, _C) if frames is None else (rows, _C, frames)
    logits = size * torch.randn(shape, generator=generator)
    share = (torch.arange(rows) % 2).float()
    mixed = torch.rand(rows, generator=generator)
    share = torch.where(torch.arange(rows) % 3 == 0, mixed, share)
    return logits, torch.stack([1 - share, share], dim=1)


def _one_class(label: int, rows: int = 8) -> tuple[Tensor, Tensor]:
    return _batch(rows)[0], torch.eye(_C)[torch.full((rows,), label)]


def _found(loss: Any, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """Return the loss and its gradient by the logits."""
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, targets)
    value.backward()
    assert leaf.grad is not None, "no gradient reaches the logits"
    return value.detach(), leaf.grad


def _cases(subject: Subject) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield batches of all sorts, each with its name; of frames too where the loss takes them."""
    yield ("of both classes", *_batch())
    yield ("of one row", *_batch(1))
    yield ("of nothing but the keyword", *_one_class(1))
    yield ("without the keyword", *_one_class(0))
    for size in (1e2, 1e4):
        yield (f"with logits of {size:g}", *_batch(size=size))
        labels = torch.tensor([0, 0, 1, 1])
        extreme = torch.tensor([[size, -size], [-size, size]]).repeat(2, 1)
        yield (f"with logits of {size:g}, right and wrong", extreme, torch.eye(_C)[labels])
    yield ("with logits of 0", torch.zeros(4, _C), _batch(4)[1])
    if _per_frame(subject):
        for frames in (1, 7):
            yield (f"of {frames} frames", *_batch(12, frames))
        yield ("of frames with logits of 1e4", *_batch(12, 7, size=1e4))


def _per_frame(subject: Subject) -> bool:
    return bool(getattr(subject.value, "per_frame", False))


@exercise("loss")
def losses(subject: Subject, device: torch.device) -> dict[str, Any]:
    """Return the loss and its gradient for batches of all sorts."""
    loss = subject.value.build()
    return {name: _found(loss, logits.to(device), targets.to(device)) for name, logits, targets in _cases(subject)}


@check("loss")
def finite(subject: Subject) -> None:
    """Value and gradients are finite: for one class alone, one row, mixed targets and logits up to 1e4."""
    loss = subject.value.build()
    for name, logits, targets in _cases(subject):
        value, gradient = _found(loss, logits, targets)
        assert bool(torch.isfinite(value).all()), f"for a batch {name} the loss is {value}"
        assert bool(torch.isfinite(gradient).all()), f"for a batch {name} the gradient is not finite"


@check("loss")
def scalar(subject: Subject) -> None:
    """The loss of a batch is a scalar of floating point."""
    loss = subject.value.build()
    for name, logits, targets in _cases(subject):
        value, _ = _found(loss, logits, targets)
        assert value.shape == (), f"for a batch {name}, expected a scalar, got {list(value.shape)}"
        assert value.is_floating_point(), f"for a batch {name}, expected floating point, got {value.dtype}"


@check("loss")
def mean_over_rows(subject: Subject) -> None:
    """The loss of a batch is the mean of those of its rows, which accumulated batches and several processes rely on."""
    loss = subject.value.build()
    for frames in (None, 7) if _per_frame(subject) else (None,):
        logits, targets = _batch(24, frames)
        each = torch.stack([loss(logits[row : row + 1], targets[row : row + 1]) for row in range(len(logits))])
        assert_same(loss(logits, targets).float(), each.mean().float(), tolerance=_CLOSE, where="the loss of a batch")


@check("loss")
def order_of_rows_free(subject: Subject) -> None:
    """Rows in another order have the same loss, and each the same gradient."""
    loss, (logits, targets) = subject.value.build(), _batch()
    order = torch.randperm(len(logits), generator=_generator(1))
    value, gradient = _found(loss, logits, targets)
    other, others = _found(loss, logits[order], targets[order])
    assert_same(other, value, tolerance=_CLOSE, where="in another order, the loss")
    assert_same(others, gradient[order], tolerance=_CLOSE, where="in another order, the gradient")


@check("loss")
def gradient_is_the_slope(subject: Subject) -> None:
    """The gradient is that of the value, as finite differences find it; where it is not by design, say why in fails."""
    loss, (logits, targets) = subject.value.build(), _batch()
    _, gradient = _found(loss, logits, targets)
    size = max(1e-3, float(gradient.norm()))
    for seed in range(4):
        way = torch.randn(logits.shape, generator=_generator(10 + seed))
        way /= way.norm()
        above, below = (loss(logits + sign * _STEP * way, targets).double() for sign in (1, -1))
        slope, told = float(above - below) / (2 * _STEP), float((gradient * way).sum())
        wrong = abs(slope - told) > _SLOPE * size + 1e-4
        assert not wrong, f"the loss rises by {slope:.4g} a unit where its gradient says {told:.4g}"


@check("loss")
def falls_as_the_right_logit_rises(subject: Subject) -> None:
    """Towards the decision for its class a row's loss falls, and the right class costs less than the wrong one."""
    loss = subject.value.build()
    for label in range(_C):
        right = torch.eye(_C)[label]
        found = [float(loss((step * right)[None], right[None])) for step in torch.linspace(-6, 0, 13)]
        rises = [place for place in range(12) if found[place + 1] > found[place] + _CLOSE]
        assert not rises, f"for a row of class {label} the loss rises as its own logit rises: {found}"
        assert found[-1] < found[0], f"for a row of class {label} the loss is {found[0]:.4g} whatever its logit is"
        wrong, good = (float(loss((sign * 3 * right)[None], right[None])) for sign in (-1, 1))
        assert good < wrong, f"for a row of class {label} the loss is {good:.4g} where right, {wrong:.4g} where wrong"


@check("loss")
def mixed_targets_count(subject: Subject) -> None:
    """Mixed targets, as of mixup and smoothing, cost neither what one class costs nor what the other does."""
    loss = subject.value.build()
    logits = torch.tensor([[0.8, -0.4]])
    whole, most, half, other = (float(loss(logits, torch.tensor([[1 - share, share]]))) for share in (0, 0.3, 0.5, 1))
    between = len({whole, most, half, other}) == 4
    told = f"of [1, 0], [0.7, 0.3], [0.5, 0.5] and [0, 1] it makes {whole:.4g}, {most:.4g}, {half:.4g} and {other:.4g}"
    assert between, f"{told}: use the shares in the targets, not the largest alone"


@check("loss")
def unequal_classes_are_said(subject: Subject) -> None:
    """At logits of 0 a row of either class costs the same, or `rebalances` names what makes one count for more."""
    loss = subject.value.build()
    costs = [float(loss(torch.zeros(1, _C), torch.eye(_C)[[label]])) for label in range(_C)]
    said = bool(getattr(subject.value, "rebalances", ())) or math.isclose(*costs, rel_tol=1e-4, abs_tol=1e-6)
    told = f"at logits of 0 a row of class 0 costs {costs[0]:.4g} and one of class 1 {costs[1]:.4g}"
    assert said, f'{told}: say so, as in rebalances: ClassVar[tuple[str, ...]] = ("class weights",)'


@check("loss")
def stays_on_the_device(subject: Subject) -> None:
    """It computes on the device of its logits: nobody moves what it holds."""
    loss, batches = subject.value.build(), [_batch()]
    if _per_frame(subject):
        batches.append(_batch(12, 7))
    for logits, targets in batches:
        assert_stays(
            functools.partial(_on_cuda, loss, logits, targets),
            "given logits on a CUDA device it",
            "move its tensors, as in weights.to(logits.device)",
        )


def _on_cuda(loss: Any, logits: Tensor, targets: Tensor) -> Any:  # noqa: ANN401
    return loss(on_cuda(logits), on_cuda(targets))


@check("loss")
def arguments_untouched(subject: Subject) -> None:
    """It writes neither into the logits nor into the targets that it is given."""
    loss = subject.value.build()
    for name, logits, targets in _cases(subject):
        given = logits.clone(), targets.clone()
        loss(*given)
        assert_same(given, (logits, targets), where=f"for a batch {name}, after it [logits, targets]")


@check("loss")
def batch_by_itself(subject: Subject) -> None:
    """The loss of a batch does not depend on those before it."""
    loss, expected = subject.value.build(), float(subject.value.build()(*_batch()))
    for _, logits, targets in _cases(subject):
        loss(logits, targets)
    found = float(loss(*_batch()))
    assert found == expected, f"a batch's loss is {expected:.6g} at first and {found:.6g} after others"


@check("loss", when=_per_frame)
def takes_frames(subject: Subject) -> None:
    """Its `per_frame` is True, and of logits [B, C, T'] a scalar comes, with a gradient for every row."""
    loss = subject.value.build()
    for frames in (1, 7):
        logits, targets = _batch(12, frames)
        value, gradient = _found(loss, logits, targets)
        assert value.shape == (), f"for logits {list(logits.shape)}, expected a scalar, got {list(value.shape)}"
        idle = int((gradient.abs().flatten(1).amax(dim=1) == 0).sum())
        assert idle < len(logits) / 2, f"{idle} of {len(logits)} rows of logits [B, C, T'] have no gradient"


@check("loss", when=lambda subject: hasattr(subject.value, "class_weights"))
def class_weights_stated_right(subject: Subject) -> None:
    """`class_weights` is None or a positive number for each class, and unequal ones are named in `rebalances`."""
    weights = subject.value.class_weights
    if weights is None:
        return
    assert len(weights) == _C, f"class_weights: expected one for each of {_C} classes, got {weights!r}"
    assert all(math.isfinite(one) and one > 0 for one in weights), f"class_weights: expected them > 0, got {weights!r}"
    if len(set(weights)) > 1:
        assert getattr(subject.value, "rebalances", ()), f"class_weights are {weights!r}, and rebalances names nothing"
        loss, heavy = subject.value.build(), max(range(_C), key=lambda label: weights[label])
        light, more = (float(loss(torch.zeros(1, _C), torch.eye(_C)[[label]])) for label in (1 - heavy, heavy))
        assert more > light, f"class_weights are {weights!r}, and class {heavy} does not weigh more than the other"


@check("loss", when=lambda subject: hasattr(subject.value, "rebalances"))
def says_what_it_rebalances(subject: Subject) -> None:
    """`rebalances` is a tuple of words that can stand in a sentence."""
    found = subject.value.rebalances
    assert isinstance(found, tuple), f"rebalances: expected a tuple, got {found!r}"
    assert all(isinstance(one, str) and one.strip() for one in found), f"rebalances: expected texts, got {found!r}"
