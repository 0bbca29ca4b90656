"""Each check of augmentations catches the mistake that it is meant for, and honest augmentations pass them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import pytest
import torch

from tests.testing.support import failures_on, outcomes_on, own_checks
from wakekit import Batch, Draws, Recorded, Sources, WakekitError, option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@attrs.frozen
class Louder:
    """Multiplies rows by a drawn factor, or does what a fault says."""

    domain: ClassVar[str] = "waveform"
    fault: str = option("", help="what is wrong with it")
    probability: float = option(0.7, at_least=0, at_most=1, help="share of rows")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:
        """Return the augmentation."""
        if self.fault == "needs background":
            sources.background.starts[0]
        if self.fault == "needs background and says so" and not len(sources.background):
            raise WakekitError("expected background, got none")
        count = [0]

        def apply(batch: Batch) -> Batch:
            count[0] += 1
            return self.applied(batch, sources, count[0])

        return apply

    def applied(self, batch: Batch, sources: Sources, count: int) -> Batch:
        """Return the batch with what is wrong."""
        audio, draws = batch.audio, batch.draws
        chosen = draws.chance(1 if self.fault == "always" else self.probability)[:, None]
        if self.fault == "draws for its own rows":
            factor = 1 + torch.rand(len(audio), generator=draws.generator)
        else:
            factor = draws.uniform(1, 2)
        made = audio * factor[:, None]
        wrong: dict[str, Any] = {
            "one sample less": lambda: made[:, 1:],
            "changes features too": lambda: made,
            "normalizes by zero": lambda: made / made.abs().amax(dim=1, keepdim=True),
            "by the loudest row": lambda: made / (1e-3 + audio.abs().amax()),
            "on the CPU": lambda: made * torch.linspace(0, 1, made.shape[1]),
            "nothing": lambda: audio,
            "in place": lambda: audio.mul_(factor[:, None]),
            "counts": lambda: made * count,
            "writes into the sources": lambda: made + 0 * sources.background.audio.add_(1)[:1],
        }
        made = wrong.get(self.fault, lambda: made)()
        if made.shape == audio.shape:
            made = torch.where(chosen, made, audio)
        more: dict[str, Any] = {
            "changes features too": {"features": (batch.features if batch.features is not None else made) + 1},
            "doubles targets": {"targets": 2 * batch.targets},
            "lengths beyond": {"lengths": batch.lengths + 5},
            "lengths as floats": {"lengths": batch.lengths.float()},
        }
        return attrs.evolve(batch, audio=made, **more.get(self.fault, {}))


@attrs.frozen
class Blend:
    """Blends rows with others; without `taken` it does so behind the back of other processes."""

    domain: ClassVar[str] = "features"
    honest: bool = option(default=True, help="ask for other rows as one should")

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:  # noqa: ARG002
        """Return the augmentation."""
        return self.applied

    def applied(self, batch: Batch) -> Batch:
        """Return the blended batch."""
        assert batch.features is not None
        if not self.honest:
            return attrs.evolve(batch, features=0.5 * (batch.features + batch.features.roll(1, dims=0)))
        other = batch.draws.permutation()
        features = 0.5 * (batch.features + batch.draws.taken(batch.features, other))
        return attrs.evolve(
            batch, features=features, targets=0.5 * (batch.targets + batch.draws.taken(batch.targets, other))
        )


@attrs.frozen
class Telephone:
    """Changes whole recordings."""

    domain: ClassVar[str] = "recording"
    fault: str = option("", help="what is wrong with it")

    def record(self, blocks: Iterator[np.ndarray], sample_rate: int, draws: Draws) -> Recorded:  # noqa: ARG002
        """Return the recording at a drawn level."""
        return Recorded(self.changed(blocks, float(draws.uniform(0.5, 1))))

    def changed(self, blocks: Iterator[np.ndarray], level: float) -> Iterator[np.ndarray]:
        """Yield the blocks with what is wrong."""
        for block in blocks:
            made = level * block
            if self.fault == "mean of the block":
                made = made - made.mean()
            if self.fault == "normalizes by zero":
                with np.errstate(invalid="ignore"):
                    made = made / np.abs(made).max()
            yield made[:-1] if self.fault == "drops samples" else made.astype(np.float32)


@attrs.frozen
class Nowhere(Louder):
    """Says that it is of a domain that there is not."""

    domain: ClassVar[str] = "spectrum"


@attrs.frozen
class Wordless:
    """Says that it changes recordings, and has no verb for it."""

    domain: ClassVar[str] = "recording"


@attrs.frozen
class Idle(Louder):
    """Says that it changes recordings alone, and has a `build` that nobody calls."""

    domain: ClassVar[str] = "recording"

    def record(self, blocks: Iterator[np.ndarray], _sample_rate: int, _draws: Draws) -> Recorded:
        """Change nothing."""
        return Recorded(blocks)


FAULTS = [
    (Nowhere, {}, "known-domain"),
    (Wordless, {}, "known-domain"),
    (Idle, {}, "known-domain"),
    (Louder, {"fault": "one sample less"}, "shapes-kept"),
    (Louder, {"fault": "changes features too"}, "shapes-kept"),
    (Louder, {"fault": "lengths beyond"}, "shapes-kept"),
    (Louder, {"fault": "lengths as floats"}, "shapes-kept"),
    (Louder, {"fault": "doubles targets"}, "targets-keep-their-sum"),
    (Louder, {"fault": "normalizes by zero"}, "finite-values"),
    (Louder, {"fault": "by the loudest row"}, "row-by-row"),
    (Blend, {"honest": False}, "row-by-row"),
    (Blend, {"honest": False}, "part-of-a-batch"),
    (Louder, {"fault": "draws for its own rows"}, "part-of-a-batch"),
    (Louder, {"fault": "in place"}, "input-untouched"),
    (Louder, {"fault": "writes into the sources"}, "input-untouched"),
    (Louder, {"fault": "counts"}, "same-after-use"),
    (Louder, {"fault": "on the CPU"}, "stays-on-the-device"),
    (Louder, {"fault": "nothing"}, "changes-something"),
    (Louder, {"fault": "needs background"}, "missing-sources-told"),
    (Louder, {"fault": "always"}, "probability-0-changes-nothing"),
    (Telephone, {"fault": "mean of the block"}, "recording-free-of-blocks"),
    (Telephone, {"fault": "drops samples"}, "recording-as-long-as-said"),
    (Telephone, {"fault": "normalizes by zero"}, "recording-as-long-as-said"),
]


@pytest.mark.parametrize(("cls", "options", "check"), FAULTS)
def test_a_mistake_is_caught_by_the_check_meant_for_it(
    cls: type, options: dict[str, Any], check: str, tmp_path: Path
) -> None:
    """The check fails on a component that makes the mistake."""
    assert check in failures_on("augmentation", cls, tmp_path, options=options, only={check})


@pytest.mark.parametrize(
    ("cls", "options"),
    [(Louder, {}), (Louder, {"fault": "needs background and says so"}), (Blend, {}), (Telephone, {})],
)
def test_honest_ones_pass(cls: type, options: dict[str, Any], tmp_path: Path) -> None:
    """A stranger's augmentation of any domain that keeps the contract fails nothing."""
    assert failures_on("augmentation", cls, tmp_path, options=options) == {}


def test_what_blends_rows_is_known_by_how_it_asks_for_them(tmp_path: Path) -> None:
    """Checks of single rows do not concern one that takes other rows through its draws."""
    assert not {"row-by-row", "part-of-a-batch"} & outcomes_on("augmentation", Blend, tmp_path).keys()


def test_every_check_is_proved() -> None:
    """There is a mistake for each check of the kind."""
    assert own_checks("augmentation") == {check for *_, check in FAULTS}
