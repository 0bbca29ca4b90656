"""Nested values with tensors in one safetensors file: how a training's state is kept without a pickle.

Dicts, lists, tuples, tensors, numbers, texts and None; the structure is JSON in the file's header, tensors are its
contents. What is read back is equal to what was written, to the bit.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from wakekit.errors import WakekitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_KEY = "tree"
_PLAIN = (bool, int, float, str)


def save_tree(path: Path, tree: object) -> None:
    """Write a tree; raises WakekitError, with the place, for a value of another type."""
    tensors: dict[str, torch.Tensor] = {}
    shape = _flat(tree, tensors, "")
    save_file(tensors, path, metadata={_KEY: json.dumps(shape)})


def load_tree(path: Path) -> Any:  # noqa: ANN401
    """Read a tree that `save_tree` wrote; its tensors are on the CPU."""
    with safe_open(path, framework="pt") as file:
        shape = json.loads(file.metadata()[_KEY])
        return _grown(shape, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118


def _flat(value: object, tensors: dict[str, torch.Tensor], place: str) -> object:
    """Return a value as JSON data, its tensors put aside under numbers."""
    if value is None:
        return None
    for kind in _PLAIN:
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        # A copy, because safetensors refuses tensors that share memory.
        tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": name}
    if isinstance(value, dict):
        keys = [_flat(key, tensors, place) for key in value]
        return {"dict": list(zip(keys, _each(value.items(), tensors, place), strict=True))}
    if type(value) in {list, tuple}:
        return {type(value).__name__: list(_each(enumerate(value), tensors, place))}  # type: ignore[arg-type]
    where = f" @ {place}" if place else ""
    raise WakekitError(
        "expected dicts, lists, tensors, numbers and texts to keep in a checkpoint, "
        f"got {type(value).__name__}{where}; give them in state_dict"
    )


def _each(items: Any, tensors: dict[str, torch.Tensor], place: str) -> Iterator[object]:  # noqa: ANN401
    for key, item in items:
        yield _flat(item, tensors, f"{place}.{key}" if place else str(key))


def _grown(shape: Any, tensors: Mapping[str, torch.Tensor]) -> Any:  # noqa: ANN401
    if not isinstance(shape, dict):
        return shape
    ((kind, inner),) = shape.items()
    if kind == "tensor":
        return tensors[inner]
    if kind == "dict":
        return {_grown(key, tensors): _grown(item, tensors) for key, item in inner}
    items = [_grown(item, tensors) for item in inner]
    return tuple(items) if kind == "tuple" else items
