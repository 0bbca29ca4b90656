"""Models: features [B, F, T] to logits [B, C], or [B, C, T'] of frames where `scores` is `frame`.

A model may refuse, with a WakekitError, a number of features or frames that it cannot take.
"""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from wakekit.errors import WakekitError
from wakekit.testing.checks import check, exercise
from wakekit.testing.devices import assert_moves
from wakekit.testing.same import assert_same, untouched
from wakekit.testing.training_task import built

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit.testing.subject import Subject

_CPU = torch.device("cpu")
_FEATURES = (40, 80, 64, 32, 20, 16, 13, 8)
_FRAMES = (98, 49, 61, 150)
_ROWS = 3
# Layers that are left out at random get their turn within so many batches.
_TURNS = 10
_CLOSE = 1e-4
_MOVES = 5


def _features(n_features: int, frames: int, rows: int = _ROWS) -> Tensor:
    generator = torch.Generator().manual_seed(frames)
    return torch.randn(rows, n_features, frames, generator=generator)


@functools.lru_cache(maxsize=8)
def _sizes(subject: Subject) -> tuple[int, tuple[int, ...]]:
    """Return a number of features and numbers of frames that the model takes, the smaller first."""
    for n_features in _FEATURES:
        try:
            module = built(subject.value, n_features, 2).eval()
        except WakekitError:
            continue
        taken = tuple(frames for frames in sorted(_FRAMES) if _takes(module, n_features, frames))
        assert taken, f"it takes {n_features} features, but neither of {sorted(_FRAMES)} frames"
        return n_features, taken
    raise AssertionError(f"it takes none of {_FEATURES} features; give it other options in examples")


@torch.no_grad()
def _takes(module: nn.Module, n_features: int, frames: int) -> bool:
    try:
        module(_features(n_features, frames, 1))
    except WakekitError:
        return False
    return True


def _fresh(subject: Subject, seed: int = 0, n_classes: int = 2) -> nn.Module:
    return built(subject.value, _sizes(subject)[0], n_classes, seed)


def _material(subject: Subject, rows: int = _ROWS) -> Tensor:
    n_features, frames = _sizes(subject)
    return _features(n_features, frames[0], rows)


def _learnt(subject: Subject) -> nn.Module:
    """Return a module that has seen a batch in training, in inference: its statistics are not those of a fresh one."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(1)
        module = _fresh(subject).train()
        _loss(module(_material(subject))).backward()
    return module.eval()


def _loss(logits: Tensor) -> Tensor:
    """Return something that every logit has a share in."""
    weights = torch.linspace(-1, 2, logits.numel(), device=logits.device).view_as(logits)
    return (logits.float().log_softmax(dim=1) * weights).sum()


@exercise("model")
def logits(subject: Subject, device: torch.device) -> dict[str, Any]:
    """Return the weights of a fresh module and its logits in inference, where nothing is drawn."""
    exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
    with exact:
        module = _fresh(subject).to(device).eval()
        n_features, frames = _sizes(subject)
        found = {str(count): module(_features(n_features, count).to(device)).detach() for count in frames[:2]}
        return {"logits": found, "weights": dict(module.state_dict())}


@check("model")
def logits_of_every_row(subject: Subject) -> None:
    """Features [B, F, T] become finite float32 logits [B, C], or [B, C, T'] where `scores` is `frame`."""
    n_features, taken = _sizes(subject)
    per_frame = getattr(subject.value, "scores", "window") == "frame"
    for n_classes in (2, 3):
        module, steps = _fresh(subject, n_classes=n_classes).eval(), 0
        for frames in taken:
            for rows in (1, 4):
                with torch.no_grad():
                    found = module(_features(n_features, frames, rows))
                shape = [rows, n_classes, *found.shape[2:3]] if per_frame else [rows, n_classes]
                more = f" (its `scores` is {'frame' if per_frame else 'window'})"
                good = list(found.shape) == shape and found.dim() == 2 + per_frame
                assert good, f"expected logits {[rows, n_classes]}{more}, got {list(found.shape)}"
                assert found.dtype == torch.float32, f"expected float32, got {found.dtype}"
                assert bool(torch.isfinite(found).all()), f"logits are not finite for {frames} frames"
            if per_frame:
                assert found.shape[2] >= max(1, steps), f"of {frames} frames it makes {found.shape[2]} scores"
                steps = found.shape[2]


@check("model")
@torch.no_grad()
def listens_to_its_features(subject: Subject) -> None:
    """Other features have other logits, once its weights have moved, and these are logits: no probabilities."""
    batch = _material(subject)
    made = [_moved(subject, seed) for seed in range(_MOVES)]
    found = [torch.cat([module(batch), module(-2 * batch)]).float() for module in made]
    heard = any(not torch.equal(*answers.chunk(2)) for answers in found)
    assert heard, "whatever the features are, its logits are the same"
    shares = all(bool(((answers >= 0) & (answers <= 1)).all()) for answers in found)
    assert not shares, "all that it gives lies from 0 to 1: leave softmax and sigmoid out, which losses apply"


def _moved(subject: Subject, seed: int) -> nn.Module:
    """Return a module in inference whose weights are far from what they begin with, such as zeros in a last layer."""
    module, generator = _learnt(subject), torch.Generator().manual_seed(seed)
    for weight in module.parameters():
        weight.add_(torch.randn(weight.shape, generator=generator), alpha=0.5)
    return module


@check("model")
def scores_is_stated_right(subject: Subject) -> None:
    """`scores`, where it is stated, is `window` or `frame`."""
    for value in [subject.value, *subject.drawn(4)]:
        found = getattr(value, "scores", "window")
        assert found in {"window", "frame"}, f"scores: expected window or frame, got {found!r}"


@check("model")
def gradients_reach_all_weights(subject: Subject) -> None:
    """In training every weight that is not frozen gets a gradient, and all gradients are finite."""
    module, without = _fresh(subject).train(), set[str]()
    for name, weight in module.named_parameters():
        without |= {name} if weight.requires_grad else set()
    assert without, "it has no weights to train"
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        for _ in range(_TURNS):
            _loss(module(_material(subject))).backward()
            for name, weight in module.named_parameters():
                if weight.grad is not None:
                    without.discard(name)
                    assert bool(torch.isfinite(weight.grad).all()), f"the gradient of {name} is not finite"
            if not without:
                return
    raise AssertionError(f"no gradient reaches {', '.join(sorted(without)[:5])}")


@check("model")
def weights_are_float32(subject: Subject) -> None:
    """Weights and buffers of floating point are float32 on the CPU, and none is left without a shape."""
    module = _fresh(subject)
    for name, value in (*module.named_parameters(), *module.named_buffers()):
        assert not nn.parameter.is_lazy(value), f"{name} has no shape before the first batch"
        assert value.device.type == "cpu", f"expected {name} on the CPU, got {value.device}"
        right = not value.is_floating_point() or value.dtype == torch.float32
        assert right, f"expected float32, got {value.dtype} in {name}"


@check("model")
def weights_from_the_global_generator(subject: Subject) -> None:
    """Fresh weights are drawn from torch's global generator: one seed gives the same, another seed others."""
    first, again, other = (_fresh(subject, seed).state_dict() for seed in (0, 0, 1))
    assert_same(again, first, where="with one seed, the weights")
    drawn = [name for name, value in first.items() if value.is_floating_point() and not _constant(value)]
    same = drawn and all(torch.equal(first[name], other[name]) for name in drawn)
    assert not same, "with another global seed the weights are the same: does it seed itself?"


def _constant(value: Tensor) -> bool:
    return bool((value == value.flatten()[:1]).all())


@check("model")
@torch.no_grad()
def rows_independent(subject: Subject) -> None:
    """In inference a row's logits do not depend on the rows beside it."""
    module, batch = _learnt(subject), _material(subject, 4)
    whole = module(batch)
    for name, parts in (("by itself", batch.split(1)), ("in a batch of two", batch.split(2))):
        found = torch.cat([module(part) for part in parts])
        assert_same(found, whole, tolerance=_CLOSE, where=f"{name}, a row's logits")
    assert_same(module(batch.flip(0)).flip(0), whole, tolerance=_CLOSE, where="in another order, the logits")


@check("model")
@torch.no_grad()
def inference_changes_nothing(subject: Subject) -> None:
    """In inference it draws nothing, keeps nothing and writes into nothing: twice the same, whatever came between."""
    module, batch = _learnt(subject), _material(subject)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with untouched("inference"):
        first = module(batch).clone()
        for rows in (5, len(batch)):
            module(_material(subject, rows) + 1)
        again = module(batch)
    assert_same(again, first, where="a second time, the logits")
    assert_same(dict(module.state_dict()), before, where="after inference, the state")
    assert_same(batch, _material(subject), where="after inference, the features")


@check("model")
@torch.no_grad()
def saved_is_loaded(subject: Subject) -> None:
    """Weights saved as safetensors and loaded into a module of another seed give the same logits, to the bit."""
    learnt, other = _learnt(subject), _fresh(subject, seed=7).eval()
    path = subject.folder / "model.safetensors"
    save_file({name: value.detach().clone().contiguous() for name, value in learnt.state_dict().items()}, path)
    other.load_state_dict(load_file(path))
    assert_same(other(_material(subject)), learnt(_material(subject)), where="after loading, the logits")


@check("model")
def moves_to_a_device(subject: Subject) -> None:
    """The module computes on the device that it is moved to: its tensors are buffers or parameters, or made there."""
    assert_moves(_fresh(subject).eval(), _material(subject))


@check("model")
def copies(subject: Subject) -> None:
    """A deep copy, also of a module in training, gives the same logits and goes its own way after."""
    learnt, batch = _learnt(subject), _material(subject)
    expected = learnt(batch).detach()
    copied = copy.deepcopy(learnt)
    assert_same(copied(batch).detach(), expected, where="in a copy, the logits")
    with torch.no_grad():
        for value in _floats(copied):
            value.add_(1)
    assert_same(learnt(batch).detach(), expected, where="after its copy changed, the logits")


def _floats(module: nn.Module) -> Iterator[Tensor]:
    yield from (value for value in (*module.parameters(), *module.buffers()) if value.is_floating_point())


@check("model")
@torch.no_grad()
def is_all_in_its_state(subject: Subject) -> None:
    """A module that saw other batches, given the state of the first, answers like it: nothing is kept beside it."""
    learnt, batch = _learnt(subject), _material(subject)
    other = _fresh(subject, seed=3).train()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(2)
        other(_material(subject, 5) * 3 - 1)
    other.load_state_dict(learnt.state_dict())
    assert_same(other.eval()(batch), learnt(batch), where="with the same state, the logits")
