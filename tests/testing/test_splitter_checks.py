"""Each check of splitters catches the mistake that it is meant for, and an honest splitter passes them all."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.testing.support import failures_on, outcomes_on, own_checks
from wakekit import Clip, ImpulseResponse, Manifest, Stream, WakekitError, option
from wakekit.leakage import identities

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.leakage import Identity

    Row = Clip | Stream | ImpulseResponse


@attrs.frozen
class Hashed:
    """Sends what hangs together to a side that a hash chooses, but for what a fault makes of it."""

    fault: str = option("", help="what is wrong with it")
    folds: int | None = option(None, at_least=3, help="number of folds")
    fold: int = option(0, at_least=0, help="the fold to test on")

    def split(self, manifest: Manifest) -> Manifest:
        """Return the manifest with its splits."""
        if self.fault == "refuses without a word":
            raise WakekitError("")
        rows = manifest.rows()
        if len({clip.speaker or clip.source for clip in manifest.clips if clip.pool == "positive"}) < 3:
            if self.fault == "silent about few speakers":
                return self.given(manifest, ["train" if place % 2 else "dev" for place in range(len(rows))])
            raise WakekitError("expected three speakers at least")
        return self.given(manifest, self.sides(rows))

    def sides(self, rows: tuple[Row, ...]) -> list[str]:
        """Return the split of each row."""
        parts = self.together(rows)
        names = sorted({min(parts[place]) for place in range(len(rows))}, key=lambda name: hash_of(str(name)))
        if self.fault == "in the order of rows":
            names = list(dict.fromkeys(min(parts[place]) for place in range(len(rows))))
        sides = []
        for place, row in enumerate(rows):
            number = names.index(min(parts[place]))
            side = ("train", "dev", "test", "train", "train")[number % 5]
            if self.folds is not None:
                away = (number - self.fold) % self.folds
                side = "test" if away == 0 else "dev" if away == 1 else "train"
                if self.fault == "one fold for all" and number % self.folds == 0:
                    side = "test"
            if self.fault == "train alone" and isinstance(row, Clip) and row.pool == "background":
                side = "train"
            sides.append("" if self.fault == "forgets streams" and isinstance(row, Stream) else side)
        return sides

    def together(self, rows: tuple[Row, ...]) -> list[set[Identity]]:
        """Return for each row the identities that it hangs together with."""
        ignored = self.fault.removeprefix("ignores ")
        keys = [{one for one in identities(row) if one.what != ignored} for row in rows]
        for row, found in zip(rows, keys, strict=True):
            if self.fault == "ignores who speaks in streams" and isinstance(row, Stream):
                found -= {one for one in found if one.what == "speaker"}
        parts: dict[Identity, set[Identity]] = {}
        for found in keys:
            joined = set().union(found, *(parts.get(one, set()) for one in found))
            for one in joined:
                parts[one] = joined
        return [parts[next(iter(found))] for found in keys]

    def given(self, manifest: Manifest, sides: list[str]) -> Manifest:
        """Return the manifest with a split for each row."""
        rows = iter(sides)
        changed = {
            name: tuple(attrs.evolve(row, split=next(rows)) for row in getattr(manifest, name))
            for name in ("clips", "streams", "impulse_responses")
        }
        if self.fault == "drops a row":
            changed["clips"] = changed["clips"][1:]
        if self.fault == "sorts rows":
            changed["clips"] = changed["clips"][::-1]
        return attrs.evolve(manifest, **changed, notes=() if self.fault == "drops notes" else manifest.notes)


def hash_of(text: str) -> str:
    """Return a hash that depends on the text alone."""
    return hashlib.sha256(text.encode()).hexdigest()


@attrs.frozen
class Seeded(Hashed):
    """Has a seed, which decides nothing."""

    seed: int = option(0, at_least=0, help="another seed, another split")


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"fault": "forgets streams"}, "every-row-gets-a-split"),
    ({"fault": "refuses without a word"}, "every-row-gets-a-split"),
    ({"fault": "drops a row"}, "rows-kept"),
    ({"fault": "sorts rows"}, "rows-kept"),
    ({"fault": "drops notes"}, "rows-kept"),
    ({"fault": "ignores speaker"}, "speakers-on-one-side"),
    ({"fault": "ignores who speaks in streams"}, "speakers-on-one-side"),
    ({"fault": "ignores group"}, "households-on-one-side"),
    ({"fault": "ignores source recording"}, "recordings-on-one-side"),
    ({"fault": "ignores content"}, "identical-audio-on-one-side"),
    ({"fault": "in the order of rows"}, "order-of-rows-free"),
    ({"fault": "train alone"}, "keyword-and-others-in-every-split"),
    ({"fault": "silent about few speakers"}, "too-few-speakers-told"),
    ({"fault": "one fold for all", "folds": 4}, "every-row-tested-once"),
]


@pytest.mark.parametrize(("options", "check"), FAULTS)
def test_a_mistake_is_caught_by_the_check_meant_for_it(options: dict[str, Any], check: str, tmp_path: Path) -> None:
    """The check fails on a component that makes the mistake."""
    assert check in failures_on("splitter", Hashed, tmp_path, options=options, only={check})


@pytest.mark.parametrize("options", [{}, {"folds": 4}])
def test_an_honest_one_passes(options: dict[str, Any], tmp_path: Path) -> None:
    """A stranger's splitter that keeps the contract fails nothing."""
    assert failures_on("splitter", Hashed, tmp_path, options=options) == {}


def test_folds_are_asked_of_what_has_them(tmp_path: Path) -> None:
    """What has no folds is not asked to test every row."""
    assert "every-row-tested-once" not in outcomes_on("splitter", Hashed, tmp_path, only={"every-row-tested-once"})


def test_a_seed_that_decides_nothing_is_caught(tmp_path: Path) -> None:
    """A splitter that has a seed goes by it."""
    assert failures_on("splitter", Seeded, tmp_path).keys() == {"seed-decides"}


def test_every_check_is_proved() -> None:
    """There is a mistake for each check of the kind."""
    assert own_checks("splitter") == {check for _, check in FAULTS} | {"seed-decides"}
