"""Operations that ONNX lacks, or that its runtimes do slowly or roughly, in terms of ones that all of them do well.

A Fourier transform of a few hundred samples is a product with a table: exact to float32, where the usual runtime's own
transform of lengths that are no power of two is a hundred times rougher, and several times slower.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Frames are cut as so many blocks at most; beyond, an index for every sample is smaller.
_MOST_BLOCKS = 16


class Portable(nn.Module):
    """A module whose forward pass, when it is traced, holds only operations that can be exported well.

    Call it once before it is traced, so that its tables are there: tracing would put their making into the graph.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._tables: dict[int, tuple[Tensor, Tensor]] = {}

    def forward(self, audio: Tensor) -> Tensor:
        """Return what the module returns, but for rounding."""
        with _Replacing(self._tables):
            found: Tensor = self.module(audio)
        return found


class _Replacing(TorchFunctionMode):
    """Puts other operations in the place of some, wherever they are called."""

    def __init__(self, tables: dict[int, tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self._tables = tables

    def __torch_function__(
        self,
        func: Callable[..., Any],
        _types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        options: Mapping[str, Any] = kwargs or {}
        found: Any = NotImplemented
        if func is torch.fft.rfft:
            found = self._rfft(*args, **options)
        elif func is torch.Tensor.unfold:
            found = frames(*args, **options)
        elif func is torch.searchsorted:
            found = count_below(*args, **options)
        return func(*args, **options) if found is NotImplemented else found

    def _rfft(self, values: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, **rest: Any) -> Any:  # noqa: ANN401
        size = values.shape[-1]
        plain = n in {None, size} and dim in {-1, values.dim() - 1} and norm in {None, "backward"} and not rest
        if not plain or values.dtype != torch.float32:
            return NotImplemented
        if size not in self._tables:
            self._tables[size] = fourier_tables(size)
        return transform(values, *self._tables[size])


def fourier_tables(size: int) -> tuple[Tensor, Tensor]:
    """Return cosines and negative sines, float32 [size // 2 + 1, size // 2 + 1], for `transform`."""
    steps = torch.arange(size // 2 + 1)
    # The product is reduced to one turn as a whole number, so that no angle is large.
    angles = (steps[:, None] * steps % size).double() * (2 * math.pi / size)
    return angles.cos().float(), -angles.sin().float()


def transform(values: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Return the discrete Fourier transform complex64 [..., size // 2 + 1] of float32 `values` [..., size].

    Samples as far from either end share a cosine, and a sine but for its sign, hence are added up first.
    """
    half = values.shape[-1] // 2
    near = values[..., : half + 1]
    far = functional.pad(values[..., half + 1 :].flip(-1), (1, 1 - values.shape[-1] % 2))
    return torch.complex((near + far) @ cosines, (near - far) @ sines)


def frames(values: Tensor, dimension: int, size: int, step: int) -> Any:  # noqa: ANN401
    """Return `values.unfold(dimension, size, step)` for the last dimension, put together from blocks of samples.

    NotImplemented for any other, and where the blocks would be many.
    """
    block = math.gcd(size, step)
    if dimension not in {-1, values.dim() - 1} or size // block > _MOST_BLOCKS or values.shape[-1] < size:
        return NotImplemented
    count = 1 + (values.shape[-1] - size) // step
    used = ((count - 1) * step + size) // block
    blocks = values[..., : used * block].unflatten(-1, (used, block))
    stride = step // block
    last = (count - 1) * stride + 1
    return torch.cat([blocks[..., first : first + last : stride, :] for first in range(size // block)], dim=-1)


def count_below(
    sorted_sequence: Tensor,
    values: Tensor | float,
    *,
    right: bool = False,
    side: str | None = None,
    **rest: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Return `torch.searchsorted` of one sorted row: how many of it are below each of `values`, or not above.

    NotImplemented for several rows at once, or any other option.
    """
    if rest or not isinstance(values, Tensor) or sorted_sequence.dim() != 1:
        return NotImplemented
    column = values.unsqueeze(-1)
    met = sorted_sequence <= column if right or side == "right" else sorted_sequence < column
    return met.sum(dim=-1)
