"""Exporters: the trained detector as a file, which answers as the trained modules do."""

from __future__ import annotations

import functools
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from wakekit.network import Network
from wakekit.shipped import Facts, Shipped
from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same

if TYPE_CHECKING:
    from collections.abc import Callable

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
_PICKLES = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


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


def _shipped() -> Shipped:
    """Return a small detector with weights of its own, the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
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


def _exported(subject: Subject, shipped: Shipped) -> Path:
    folder = subject.folder / "export"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Path(subject.value.export(shipped, folder))


def _loaded(subject: Subject) -> tuple[Shipped, Callable[[Tensor], Tensor]]:
    shipped = _shipped()
    return shipped, subject.value.load(_exported(subject, shipped))


@exercise("exporter")
def answers(subject: Subject, _device: torch.device) -> Tensor:
    """Return what was written says of some windows."""
    return _loaded(subject)[1](_audio())


@check("exporter")
def output_is_eager(subject: Subject) -> None:
    """What was written gives the probabilities of the trained modules within its tolerance, for loud and for silent."""
    shipped, load = _loaded(subject)
    apart = float((load(_audio()) - shipped.probabilities(_audio())).abs().max())
    assert apart <= subject.value.tolerance, f"differs by {apart:.3g}, and its tolerance is {subject.value.tolerance:g}"


@check("exporter")
def any_number_of_windows(subject: Subject) -> None:
    """One window or many at once, it says the same of each."""
    _, load = _loaded(subject)
    whole = load(_audio())
    for size in (1, 3, 20):
        pieces = torch.cat([load(part) for part in _audio().split(size)])
        assert_same(pieces, whole, tolerance=1e-5, where=f"{size} at once, the probabilities")


@check("exporter")
def file_is_enough(subject: Subject) -> None:
    """What it returned lies in the folder that it was given, and runs from anywhere else."""
    shipped = _shipped()
    path = _exported(subject, shipped)
    home = subject.folder / "export"
    assert path.is_file() and path.resolve().is_relative_to(home.resolve()), f"expected a file in {home}, got {path}"
    moved = subject.folder / "moved"
    shutil.rmtree(moved, ignore_errors=True)
    home.rename(moved)
    subject.value.load(moved / path.relative_to(home))(_audio()[:2])


@check("exporter")
def nothing_is_pickled(subject: Subject) -> None:
    """Loading a file is no code execution: nothing that it writes is a pickle."""
    path = _exported(subject, _shipped())
    for one in [file for file in path.parent.rglob("*") if file.is_file()]:
        inside = zipfile.ZipFile(one).namelist() if zipfile.is_zipfile(one) else []
        pickled = one.read_bytes()[:2] in _PICKLES or any(name.endswith(".pkl") for name in inside)
        assert not pickled, f"{one.name} is, or holds, a pickle"


@check("exporter")
def modules_untouched(subject: Subject) -> None:
    """The trained modules are as they were."""
    shipped, before = _shipped(), _shipped().state_dict()
    _exported(subject, shipped)
    assert_same(dict(shipped.state_dict()), dict(before))
    assert not shipped.training, "they are in training mode after it"
