"""Whether a module moves to another device whole, told without having one.

Parameters and buffers are taken for ones on a CUDA device whose arithmetic only knows shapes and devices. A tensor that
is neither stays on the CPU, and the two do not mix.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call

if TYPE_CHECKING:
    from torch import Tensor, nn

_TOLD = ("expected all tensors to be on the same device", "device propagation", "but found at least two devices")


def assert_moves(module: nn.Module, *inputs: Tensor) -> None:
    """Raise AssertionError where the module mixes devices, or answers on another one, when it is moved with its inputs.

    What cannot be told without values, as where a module asks a tensor for a number, is let pass: with a CUDA device at
    hand the check `cuda-as-cpu` sees it.
    """
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    with warnings.catch_warnings(), FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        warnings.simplefilter("ignore")
        there = {name: _there(value) for name, value in state.items()}
        try:
            found = functional_call(module, there, tuple(_there(value) for value in inputs))
        except Exception as error:
            text = " ".join(str(error).split())
            if not any(words in text.lower() for words in _TOLD):
                return
            raise AssertionError(f"moved to a CUDA device it mixes devices: {text:.200}; {_REMEDY}") from error
    place = getattr(found, "device", None)
    if place is not None and place.type != "cuda":
        raise AssertionError(f"moved to a CUDA device it answers on {place.type}; {_REMEDY}")


_REMEDY = "register its tensors as buffers or parameters"


def _there(value: Tensor) -> Tensor:
    return torch.empty(value.shape, dtype=value.dtype, device="cuda")
