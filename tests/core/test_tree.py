"""Trees: what was kept is what is read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit.errors import WakekitError
from wakekit.tree import load_tree, save_tree

if TYPE_CHECKING:
    from pathlib import Path

TENSORS = st.builds(
    lambda kind, size: (torch.arange(size) * 3 - 1).to(kind),
    st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]),
    st.integers(0, 4),
)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text() | TENSORS
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(one: Any, other: Any) -> bool:
    """Say whether two trees are equal, types included."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@settings(max_examples=60, deadline=None)
@given(tree=TREES)
def test_a_tree_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    """Values, types, order of keys and bits of tensors."""
    path = tmp_path_factory.getbasetemp() / "tree.safetensors"
    save_tree(path, {"tree": tree})
    assert same(load_tree(path)["tree"], tree)


def test_tensors_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    """Views are written whole, and infinity survives."""
    whole = torch.arange(6.0)
    save_tree(tmp_path / "t", [whole, whole[::2], whole.view(2, 3).T, math.inf])
    found = load_tree(tmp_path / "t")
    assert torch.equal(found[1], whole[::2])
    assert torch.equal(found[2], whole.view(2, 3).T)
    assert found[3] == math.inf


def test_other_values_are_refused_with_their_place(tmp_path: Path) -> None:
    """T33: nothing is pickled; what cannot be kept is named."""
    with pytest.raises(WakekitError, match=r"got function @ callbacks\.ema\.0"):
        save_tree(tmp_path / "t", {"callbacks": {"ema": [len.__class__ and (lambda: 0)]}})
