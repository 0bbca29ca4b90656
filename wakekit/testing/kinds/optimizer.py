"""Optimizers: as in PyTorch, over all weights of a model that are not frozen."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same
from wakekit.tree import load_tree, save_tree

if TYPE_CHECKING:
    from wakekit.testing.subject import Subject

_CPU = torch.device("cpu")
_FEW, _MANY = 8, 200
# As many steps an optimizer may take to warm up.
_WARM = 5


class _Shapes(nn.Module):
    """A model whose weights have all the shapes that models have; its value is not asked for."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for name, shape in {
            "scale": (),
            "bias": (4,),
            "matrix": (3, 4),
            "kernel": (2, 3, 3, 1),
            "thin": (5, 1),
        }.items():
            self.register_parameter(name, nn.Parameter(torch.randn(shape, generator=generator)))

    @property
    def weights(self) -> dict[str, Tensor]:
        """A copy of the weights."""
        return {name: weight.detach().clone() for name, weight in self.named_parameters()}

    def set_gradients(self, seed: int) -> None:
        """Give every weight that is not frozen a gradient."""
        generator = torch.Generator().manual_seed(seed)
        for weight in self.parameters():
            drawn = torch.randn(weight.shape, generator=generator).to(weight.device)
            weight.grad = drawn if weight.requires_grad else None


def _stepped(optimizer: torch.optim.Optimizer, model: _Shapes, first: int, count: int) -> dict[str, Tensor]:
    for step in range(first, first + count):
        model.set_gradients(step)
        optimizer.step()
    return model.weights


@exercise("optimizer")
def steps(subject: Subject, device: torch.device) -> dict[str, Any]:
    """Return weights after some steps, and the learning rates of the groups."""
    model = _Shapes().to(device)
    optimizer = subject.value.build(model)
    return {
        "weights": _stepped(optimizer, model, 0, _FEW),
        "rates": [float(group["lr"]) for group in optimizer.param_groups],
    }


@check("optimizer")
def is_an_optimizer(subject: Subject) -> None:
    """`build` returns a torch.optim.Optimizer whose groups have positive learning rates, and each weight once."""
    model = _Shapes()
    optimizer = subject.value.build(model)
    assert isinstance(optimizer, torch.optim.Optimizer), f"expected a torch.optim.Optimizer, got {type(optimizer)}"
    for group in optimizer.param_groups:
        assert float(group["lr"]) > 0, f"expected a learning rate above 0, got {group['lr']}"
    held = [id(weight) for group in optimizer.param_groups for weight in group["params"]]
    assert len(held) == len(set(held)), "a weight is in two groups"
    left = [name for name, weight in model.named_parameters() if id(weight) not in held]
    assert not left, f"it leaves out {', '.join(left)}"


@check("optimizer")
def steps_all_weights(subject: Subject) -> None:
    """Every weight that has a gradient moves, and to a finite value."""
    model = _Shapes()
    before, after = model.weights, _stepped(subject.value.build(model), model, 0, _WARM)
    still = [name for name, value in after.items() if torch.equal(value, before[name])]
    assert not still, f"{', '.join(still)} have gradients and do not move in {_WARM} steps"
    wild = [name for name, value in after.items() if not bool(torch.isfinite(value).all())]
    assert not wild, f"{', '.join(wild)} are not finite after {_WARM} steps"


@check("optimizer")
def lowers_a_quadratic(subject: Subject) -> None:
    """In 200 steps along its own gradient it comes nearer to the bottom of a bowl."""
    model = _Shapes()
    start = model.weights
    optimizer, losses = subject.value.build(model), list[float]()
    for _ in range(_MANY):
        optimizer.zero_grad(set_to_none=True)
        loss = sum((weight - start[name] - 1).square().sum() / 2 for name, weight in model.named_parameters())
        assert isinstance(loss, Tensor)
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    assert losses[-1] < losses[0], f"on a bowl the loss goes from {losses[0]:.4g} to {losses[-1]:.4g}"


@check("optimizer")
def frozen_stay(subject: Subject) -> None:
    """Weights that are frozen, and those that no gradient reached, stay as they are to the bit."""
    model = _Shapes()
    model.get_parameter("matrix").requires_grad = False
    before, optimizer = model.weights, subject.value.build(model)
    for step in range(_FEW):
        model.set_gradients(step)
        model.get_parameter("kernel").grad = None
        optimizer.step()
    after = model.weights
    assert torch.equal(after["matrix"], before["matrix"]), "a weight that is frozen moves"
    assert torch.equal(after["kernel"], before["kernel"]), "a weight that no gradient reached moves"
    assert not torch.equal(after["bias"], before["bias"]), "beside frozen weights the others do not move"


@check("optimizer")
def obeys_the_rate(subject: Subject) -> None:
    """The `lr` of its groups, which schedules set, is what it goes by: at 0 no weight moves."""
    model = _Shapes()
    before, optimizer = model.weights, subject.value.build(model)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    assert_same(_stepped(optimizer, model, 0, _FEW), before, where="at a learning rate of 0, the weights")


@check("optimizer")
def goes_on_from_its_state(subject: Subject) -> None:
    """A fresh build that is given the state, from a file, goes on to the same weights, to the bit."""
    for done in (_FEW, _FEW + 1, 1):
        _goes_on(subject, done)


def _goes_on(subject: Subject, done: int) -> None:
    """Take the state after so many steps: an optimizer may do other things in some than in others."""
    model = _Shapes()
    optimizer = subject.value.build(model)
    _stepped(optimizer, model, 0, done)
    path, other = subject.folder / "optimizer", copy.deepcopy(model)
    other.zero_grad(set_to_none=True)
    save_tree(path, optimizer.state_dict())
    restored = subject.value.build(other)
    restored.load_state_dict(load_tree(path))
    expected = _stepped(optimizer, model, done, _FEW)
    where = f"from its state after {done} steps, the weights"
    assert_same(_stepped(restored, other, done, _FEW), expected, where=where)


@check("optimizer")
def gradients_only(subject: Subject) -> None:
    """A step asks for nothing but gradients: no closure, no second pass over the batch."""
    model = _Shapes()
    optimizer = subject.value.build(model)
    model.set_gradients(0)
    try:
        optimizer.step()
    except TypeError as error:
        raise AssertionError(f"optimizer.step() without arguments fails: {error}") from error


@check("optimizer")
def rebuilt_afresh(subject: Subject) -> None:
    """A second build remembers nothing of the first, as every pass of a training begins with one."""
    value, models = subject.value, [_Shapes(), _Shapes()]
    first, second = (_stepped(value.build(model), model, 0, _FEW) for model in models)
    assert_same(second, first, where="of a second build, the weights")
