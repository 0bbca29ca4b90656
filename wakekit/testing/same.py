"""Compare everything that a verb gave, and watch what the caller's process shares."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch

from wakekit.testing.surroundings import cuda_devices, settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def assert_same(found: Any, expected: Any, *, tolerance: float = 0.0, where: str = "result") -> None:  # noqa: ANN401
    """Raise AssertionError where two answers differ, by more than `tolerance` of the larger one's size for numbers.

    Tensors are compared on the CPU; NaN equals NaN.
    """
    found, expected = _plain(found), _plain(expected)
    if isinstance(expected, np.ndarray):
        _same_arrays(found, expected, tolerance, where)
    elif isinstance(expected, Mapping):
        if not isinstance(found, Mapping) or set(found) != set(expected):
            raise AssertionError(f"{where}: expected the keys {sorted(map(str, expected))}, got {_keys(found)}")
        for key, item in expected.items():
            assert_same(found[key], item, tolerance=tolerance, where=f"{where}.{key}")
    elif isinstance(expected, Sequence) and not isinstance(expected, (str, bytes)):
        if not isinstance(found, Sequence) or len(found) != len(expected):
            raise AssertionError(f"{where}: expected {len(expected)} items, got {found!r:.80}")
        for place, item in enumerate(expected):
            assert_same(found[place], item, tolerance=tolerance, where=f"{where}[{place}]")
    elif found != expected:
        raise AssertionError(f"{where}: expected {expected!r:.120}, got {found!r:.120}")


def digested(value: Any) -> Iterator[bytes]:  # noqa: ANN401
    """Yield an answer as bytes: the same for the same answer, in whatever order a dict was filled."""
    value = _plain(value)
    if isinstance(value, np.ndarray):
        yield f"{value.dtype}{list(value.shape)}".encode()
        yield value.tobytes()
    elif isinstance(value, Mapping):
        yield f"{{{len(value)}".encode()
        for key in sorted(value, key=str):
            yield from (str(key).encode(), *digested(value[key]))
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        yield f"[{len(value)}".encode()
        for item in value:
            yield from digested(item)
    else:
        yield repr(value).encode()


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return tensors and numbers as arrays, attrs values as dicts."""
    if isinstance(value, torch.Tensor):
        here = value.detach().to("cpu").resolve_conj().resolve_neg()
        # NumPy has no bfloat16, nor floats of a byte.
        strange = here.dtype == torch.bfloat16 or (here.is_floating_point() and here.element_size() == 1)
        return (here.float() if strange else here).numpy()
    if isinstance(value, (float, np.number)) and not isinstance(value, bool):
        return np.asarray(value)
    if attrs.has(type(value)):
        return attrs.asdict(value, recurse=False)
    return value


def _keys(found: object) -> object:
    return sorted(map(str, found)) if isinstance(found, Mapping) else f"{found!r:.80}"


def _same_arrays(found: Any, expected: np.ndarray, tolerance: float, where: str) -> None:  # noqa: ANN401
    found = np.asarray(found)
    if found.shape != expected.shape or (expected.size and found.dtype.kind != expected.dtype.kind):
        told = f"{expected.dtype} {list(expected.shape)}, got {found.dtype} {list(found.shape)}"
        raise AssertionError(f"{where}: expected {told}")
    if expected.dtype.kind in "fc" and tolerance:
        size = float(np.max(np.abs(expected[np.isfinite(expected)]), initial=1.0))
        good = np.allclose(found, expected, rtol=0, atol=tolerance * size, equal_nan=True)
        odd = int(np.sum(np.isnan(found) != np.isnan(expected)))
        if odd:
            raise AssertionError(f"{where}: {odd} of {expected.size} values are NaN in one of the two alone")
        if not good:
            apart = np.nanmax(np.abs(found - expected), initial=0.0)
            raise AssertionError(f"{where}: differs by {apart:.3g}, expected at most {tolerance * size:.3g}")
    elif not np.array_equal(found, expected, equal_nan=expected.dtype.kind in "fc"):
        # What does not equal itself is NaN.
        apart = int(np.sum((found != expected) & ((found == found) | (expected == expected))))  # noqa: PLR0124
        raise AssertionError(f"{where}: {apart} of {expected.size} values differ")


@contextmanager
def untouched(what: str) -> Iterator[None]:
    """Raise AssertionError where a global random state, or a setting of the process, is not as it was."""
    before, found = _states(), settings()
    yield
    touched = [name for name, state in _states().items() if state != before.get(name, state)]
    if touched:
        raise AssertionError(f"{what} draws from, or seeds, the global random state of {' and '.join(touched)}")
    changed = [name for name, value in settings().items() if value != found[name]]
    if changed:
        raise AssertionError(f"{what} changes {' and '.join(changed)} for the whole process")


def _states() -> dict[str, Any]:
    legacy: Any = np.random.get_state()  # noqa: NPY002 - the state that is not to be touched
    states = {
        "random": random.getstate(),
        "numpy.random": (legacy[0], legacy[1].tobytes(), *legacy[2:]),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
    if torch.cuda.is_initialized():
        states["torch.cuda"] = tuple(state.numpy().tobytes() for state in torch.cuda.get_rng_state_all())
    return states


@contextmanager
def other_global_seed(seed: int) -> Iterator[None]:
    """Let the global random states be others within, and as they were after."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=cuda_devices()):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002
