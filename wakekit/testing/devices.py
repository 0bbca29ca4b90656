"""Whether what is computed stays on another device, told without having one.

Tensors are taken for ones on a CUDA device whose arithmetic only knows shapes and devices. What a component made on the
CPU, and does not move, stays there, and the two do not mix.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

_TOLD = ("expected all tensors to be on the same device", "device propagation", "but found at least two devices")


def assert_moves(module: nn.Module, *inputs: Tensor) -> None:
    """Raise AssertionError where the module mixes devices, or answers on another one, when it is moved with its inputs.

    What cannot be told without values, as where a module asks a tensor for a number, is let pass: with a CUDA device at
    hand the check `cuda-as-cpu` sees it.
    """
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}

    def moved() -> Any:  # noqa: ANN401
        given = tuple(on_cuda(value) for value in inputs)
        return functional_call(module, {name: on_cuda(value) for name, value in state.items()}, given)

    assert_stays(moved, "moved to a CUDA device it", "register its tensors as buffers or parameters")


def assert_stays(compute: Callable[[], Any], what: str, remedy: str) -> None:
    """Raise AssertionError where a computation on tensors of `on_cuda` mixes devices, or its tensor is on another.

    `what` is who computes, in the words that a complaint begins with, and `remedy` those that it ends with. As with
    `assert_moves`, what asks for values is let pass.
    """
    with warnings.catch_warnings(), FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            found = compute()
        except Exception as error:
            text = " ".join(str(error).split())
            if not any(words in text.lower() for words in _TOLD):
                return
            raise AssertionError(f"{what} mixes devices: {text:.200}; {remedy}") from error
    place = getattr(found, "device", None)
    if place is not None and place.type != "cuda":
        raise AssertionError(f"{what} answers on {place.type}; {remedy}")


def on_cuda(value: Tensor) -> Tensor:
    """Return a tensor of this shape and dtype on a CUDA device, without values; only within `assert_stays`."""
    return torch.empty(value.shape, dtype=value.dtype, device="cuda")
