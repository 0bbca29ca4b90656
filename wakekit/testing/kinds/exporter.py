"""Exporters: the trained detector as a file, which answers as the trained modules do."""

from __future__ import annotations

import functools
import pickletools
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn

from wakekit.export_stage import is_pickle
from wakekit.network import Network
from wakekit.shipped import Facts, Shipped
from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same

if TYPE_CHECKING:
    from wakekit.testing.subject import Subject

_RATE, _WINDOW, _FRAME, _HOP = 16000, 8000, 400, 160
_FACTS = Facts(
    keyword="chirp",
    sample_rate=_RATE,
    window=_WINDOW,
    context=0,
    hop=1600,
    threshold=0.5,
    detector={"type": "made-up"},
    fingerprint="0" * 64,
)
_FOLDER = "export"


class _Bands(nn.Module):
    """A frontend: the logarithm of the energy of a few filters, [B, S] → [B, F, T]."""

    def __init__(self) -> None:
        super().__init__()
        self.filters = nn.Conv1d(1, 8, _FRAME, stride=_HOP, bias=False)

    def forward(self, audio: Tensor) -> Tensor:
        found: Tensor = torch.log(self.filters(audio[:, None]).square() + 1e-4)
        return found


class _Sigmoid(nn.Module):
    def forward(self, scores: Tensor) -> Tensor:
        return torch.sigmoid(scores.double())


def _shipped(seed: int = 0) -> Shipped:
    """Return a small detector with weights of its own, the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv1d(8, 16, 5, stride=2), nn.BatchNorm1d(16), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
            nn.Linear(16, 2),
        )  # fmt: skip
        network = Network(
            frontend=_Bands(),
            normalizer=nn.Identity(),
            model=model,
            window=_WINDOW,
            window_frames=1 + (_WINDOW - _FRAME) // _HOP,
            frame_hop=_HOP,
            sample_rate=_RATE,
            shared=True,
        )
    return Shipped(network, _Sigmoid(), _FACTS)


@functools.cache
def _audio() -> Tensor:
    """Return noise from faint to full scale, digital silence, and a square wave: float32 [66, S]."""
    noise = torch.randn(64, _WINDOW, generator=torch.Generator().manual_seed(1))
    levels = torch.logspace(-4, 0, 64)[:, None]
    square = torch.sign(torch.sin(torch.arange(_WINDOW) * 0.1))[None]
    return torch.cat([(noise * levels).clamp(-1, 1), torch.zeros(1, _WINDOW), square])


@attrs.frozen(eq=False)
class _Made:
    """What came of one export, for the checks that only look at it."""

    shipped: Shipped
    path: Path
    load: Callable[[Tensor], Tensor]

    @property
    def folder(self) -> Path:
        """The folder that the exporter was given."""
        return next(folder for folder in self.path.parents if folder.name == _FOLDER)


def _made(subject: Subject, shipped: Shipped) -> _Made:
    folder = Path(tempfile.mkdtemp(dir=subject.folder)).resolve() / _FOLDER
    folder.mkdir()
    path = Path(subject.value.export(shipped, folder)).resolve()
    inside = path.is_file() and path.is_relative_to(folder)
    assert inside, f"expected a file in {folder}, got {path}"
    return _Made(shipped, path, subject.value.load(path))


_FIRST: weakref.WeakKeyDictionary[Subject, _Made] = weakref.WeakKeyDictionary()


def _again(subject: Subject) -> _Made:
    """Export anew."""
    made = _made(subject, _shipped())
    _FIRST.setdefault(subject, made)
    return made


def _once(subject: Subject) -> _Made:
    """Return what was exported first, the same for all checks that only look at it."""
    return _FIRST.get(subject) or _again(subject)


@exercise("exporter")
def answers(subject: Subject, _device: torch.device) -> Tensor:
    """Return what was written says of some windows."""
    return _again(subject).load(_audio())


@check("exporter")
def output_is_eager(subject: Subject) -> None:
    """What was written gives the probabilities of the trained modules within its tolerance, for loud and for silent."""
    found, expected, other = _once(subject).load(_audio()), *(_shipped(one).probabilities(_audio()) for one in (0, 1))
    assert found.shape == expected.shape, f"expected probabilities {list(expected.shape)}, got {list(found.shape)}"
    apart, tolerance = float((found - expected).abs().max()), subject.value.tolerance
    another = float((other - expected).abs().max())
    assert tolerance < another, (
        f"its tolerance is {tolerance:g}, and even of another network all is within {another:.3g}"
    )
    assert apart <= tolerance, f"differs by {apart:.3g}, and its tolerance is {tolerance:g}"


@check("exporter")
def any_number_of_windows(subject: Subject) -> None:
    """One window or many at once, it says the same of each."""
    load = _once(subject).load
    whole = load(_audio())
    for size in (1, 3, 20):
        pieces = torch.cat([load(part) for part in _audio().split(size)])
        assert_same(pieces, whole, tolerance=1e-5, where=f"{size} at once, the probabilities")


@check("exporter")
def file_is_enough(subject: Subject) -> None:
    """What it returned lies in the folder that it was given, and runs from anywhere else, also after other exports."""
    made, audio = _once(subject), _audio()[:40]
    expected, place = made.load(audio), made.path.relative_to(made.folder)
    moved, hidden = (Path(tempfile.mkdtemp(dir=subject.folder)) / name for name in ("moved", "hidden"))
    shutil.copytree(made.folder, moved)
    made.folder.rename(hidden)
    try:
        _made(subject, _shipped(seed=1))
        found = subject.value.load(moved / place)(audio)
    finally:
        hidden.rename(made.folder)
    assert_same(found, expected, tolerance=1e-5, where="moved, and loaded after another export, the probabilities")


@check("exporter")
def nothing_is_pickled(subject: Subject) -> None:
    """Loading a file is no code execution: nothing that it writes is a pickle."""
    for one in [file for file in _once(subject).folder.rglob("*") if file.is_file()]:
        assert not is_pickle(one) and not _reads_as_pickle(one.read_bytes()), f"{one.name} is, or holds, a pickle"


def _reads_as_pickle(content: bytes) -> bool:
    """Return whether something can be read to its end as a pickle of any protocol."""
    try:
        return sum(1 for _ in pickletools.genops(content)) > 1
    except Exception:  # noqa: BLE001 - what it raises on other files is not said
        return False


@check("exporter")
def modules_untouched(subject: Subject) -> None:
    """The trained modules are as they were."""
    shipped = _once(subject).shipped
    state, expected = shipped.state_dict(), _shipped().state_dict()
    assert_same(dict(state), dict(expected))
    cast = [name for name, value in state.items() if value.dtype != expected[name].dtype]
    assert not cast, f"{cast[0]} is {state[cast[0]].dtype} after it, expected {expected[cast[0]].dtype}"
    assert not shipped.training, "they are in training mode after it"
