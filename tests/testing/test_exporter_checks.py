"""The checks of exporters catch what they are there for; the good one here writes its weights alone."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.testing.support import failures_on
from wakekit import option
from wakekit.testing.kinds.exporter import _shipped

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from wakekit.shipped import Shipped


@attrs.frozen
class Good:
    """Weights as safetensors, for a program that knows the modules."""

    tolerance: float = option(1e-5, above=0, at_most=1, help="largest difference")

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write the weights."""
        save_file({name: value.clone() for name, value in shipped.state_dict().items()}, folder / "weights.safetensors")
        return folder / "weights.safetensors"

    def load(self, path: Path) -> Callable[[Tensor], Tensor]:
        """Run the modules with the weights."""
        found = _shipped()
        found.load_state_dict(load_file(path))
        return found.probabilities


@attrs.frozen
class Rounded(Good):
    """Loses digits."""

    def load(self, path: Path) -> Callable[[Tensor], Tensor]:
        """Run it with two digits."""
        good = Good().load(path)
        return lambda audio: good(audio).round(decimals=2)


@attrs.frozen
class Placeholder(Good):
    """Was never run (T34)."""

    def load(self, _path: Path) -> Callable[[Tensor], Tensor]:
        """Give nothing."""
        return lambda audio: torch.zeros(len(audio), dtype=torch.float64)


@attrs.frozen
class Joint(Good):
    """Looks at all rows together."""

    def load(self, path: Path) -> Callable[[Tensor], Tensor]:
        """Run it on the mean of the rows."""
        good = Good().load(path)
        return lambda audio: good(audio + audio.mean(dim=0))


@attrs.frozen
class Homesick(Good):
    """Remembers where the file was."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write the place of the weights."""
        (folder / "place.txt").write_text(str(super().export(shipped, folder)))
        return folder / "place.txt"

    def load(self, path: Path) -> Callable[[Tensor], Tensor]:
        """Follow it."""
        return Good().load(Path(path.read_text()))


@attrs.frozen
class Pickled(Good):
    """Writes a pickle (T33)."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write it."""
        path = folder / "model.bin"
        path.write_bytes(pickle.dumps({name: value.tolist() for name, value in shipped.state_dict().items()}))
        return path

    def load(self, _path: Path) -> Callable[[Tensor], Tensor]:
        """Run the modules."""
        return _shipped().probabilities


@attrs.frozen
class Zipped(Good):
    """Writes what torch.save writes, which holds a pickle (T33)."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write it."""
        torch.save(shipped.state_dict(), folder / "model.pt")
        return folder / "model.pt"

    def load(self, _path: Path) -> Callable[[Tensor], Tensor]:
        """Run the modules."""
        return _shipped().probabilities


@attrs.frozen
class Nested(Zipped):
    """Writes an archive with such a file in it, as torch.export.save does."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write it."""
        inner = super().export(shipped, folder)
        with zipfile.ZipFile(folder / "model.pt2", "w") as archive:
            archive.write(inner, "inputs/model.pt")
        inner.unlink()
        return folder / "model.pt2"


@attrs.frozen
class OldPickle(Good):
    """Writes a pickle of the protocol that looks like text."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write it."""
        path = folder / "model.bin"
        path.write_bytes(pickle.dumps({name: value.tolist() for name, value in shipped.state_dict().items()}, 0))
        return path

    def load(self, _path: Path) -> Callable[[Tensor], Tensor]:
        """Run the modules."""
        return _shipped().probabilities


@attrs.frozen
class Column(Good):
    """Gives [B, 1]."""

    def load(self, path: Path) -> Callable[[Tensor], Tensor]:
        """Run it."""
        good = Good().load(path)
        return lambda audio: good(audio)[:, None]


LAST: list[Shipped] = []


@attrs.frozen
class Remembered(Good):
    """Runs what it exported last, whatever file it is given."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write it, and remember it."""
        LAST[:] = [shipped]
        return super().export(shipped, folder)

    def load(self, _path: Path) -> Callable[[Tensor], Tensor]:
        """Run what is remembered."""
        return LAST[-1].probabilities


@attrs.frozen
class Training(Good):
    """Leaves the modules in training."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write it."""
        path = super().export(shipped, folder)
        shipped.train()
        return path


@attrs.frozen
class Easygoing(Placeholder):
    """Takes anything for the same model."""

    tolerance: float = option(1.0, above=0, at_most=1, help="largest difference")


@attrs.frozen
class Casting(Good):
    """Leaves the modules with twice the digits."""

    def export(self, shipped: Shipped, folder: Path) -> Path:
        """Write the weights."""
        path = super().export(shipped, folder)
        shipped.double()
        return path


def test_a_good_one_passes(tmp_path: Path) -> None:
    """No false alarm."""
    assert failures_on("exporter", Good, tmp_path) == {}


@pytest.mark.parametrize(
    ("cls", "check", "words"),
    [
        (Rounded, "output-is-eager", "differs by"),
        (Placeholder, "output-is-eager", "differs by"),
        (Easygoing, "output-is-eager", "its tolerance is 1, and even of another network"),
        (Column, "output-is-eager", "expected probabilities [66], got [66, 1]"),
        (Joint, "any-number-of-windows", "1 at once"),
        (Homesick, "file-is-enough", "weights.safetensors"),
        (Remembered, "file-is-enough", "loaded after another export"),
        (OldPickle, "nothing-is-pickled", "model.bin is, or holds, a pickle"),
        (Pickled, "nothing-is-pickled", "model.bin is, or holds, a pickle"),
        (Zipped, "nothing-is-pickled", "model.pt is, or holds, a pickle"),
        (Nested, "nothing-is-pickled", "model.pt2 is, or holds, a pickle"),
        (Casting, "modules-untouched", "torch.float64 after it, expected torch.float32"),
        (Training, "modules-untouched", "in training mode"),
    ],
)
def test_a_broken_one_is_caught(tmp_path: Path, cls: type, check: str, words: str) -> None:
    """Each mistake fails the check that is meant for it."""
    found = failures_on("exporter", cls, tmp_path, only=[check])
    assert words in found.get(check, "passed"), found
