"""What components answer, held to their contracts where a run takes it: who answers wrong is who is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor, nn

from wakekit.errors import PluginError, abridged

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


def as_one(found: object, cls: type[T], name: str) -> T:
    """Return an answer; raises PluginError where it is no instance of that class."""
    if not isinstance(found, cls):
        article = "an" if cls.__name__[0] in "AEIOU" else "a"
        raise PluginError(f"{name}: expected {article} {cls.__name__}, got {abridged(found)}")
    return found


def as_module(built: object, name: str) -> nn.Module:
    """Return what a component built; raises PluginError where that is no module."""
    return as_one(built, nn.Module, name)


def as_tensor(
    found: object, shape: Sequence[int], name: str, *, dtype: torch.dtype | None = None, finite: bool = False
) -> Tensor:
    """Return an answer that is a tensor of that shape, -1 standing for any size, and of that type.

    Without one, any floating type will do. Raises PluginError for anything else, and where it shall be `finite` and is
    not.
    """
    typed = isinstance(found, Tensor) and (found.dtype == dtype if dtype else found.is_floating_point())
    if not isinstance(found, Tensor) or not typed or not _fits(found.shape, shape):
        wanted = f"{_named(dtype or 'float')} {['any' if size < 0 else size for size in shape]}"
        got = f"{_named(found.dtype)} {list(found.shape)}" if isinstance(found, Tensor) else abridged(found)
        raise PluginError(f"{name}: expected a tensor {wanted}, got {got}")
    if finite and not bool(torch.isfinite(found).all()):
        raise PluginError(f"{name}: expected finite numbers, got {int((~torch.isfinite(found)).sum())} that are not")
    return found


def _fits(real: Sequence[int], shape: Sequence[int]) -> bool:
    return len(real) == len(shape) and all(size in (-1, one) for size, one in zip(shape, real, strict=True))


def _named(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")
