"""The splitter `by-speaker`: whatever shares a speaker, household, recording or content goes to one side.

Rows that hang together, directly or through others, form a component. Components are dealt out, largest first, to where
they bring the splits nearest to the wanted shares of every pool, of the streams and of the rooms at once.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit import Clip, Stream, WakekitError, option
from wakekit.data import POOLS, SPLITS
from wakekit.leakage import identities
from wakekit_data.components import connected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wakekit import ImpulseResponse, Manifest
    from wakekit.leakage import Identity

    Row = Clip | Stream | ImpulseResponse

Weights = npt.NDArray[np.int64]

_COLUMNS = (*POOLS, "streams", "rooms")
_TOLERANCE = 1e-6
_FAR = 0.5


@attrs.frozen(eq=False)
class Component:
    """Rows that must stay together: their positions, milliseconds by column, and a text that orders them by chance."""

    members: tuple[int, ...]
    weights: Weights
    chance: str


@attrs.frozen
class BySpeaker:
    """Split at random so that no speaker, household, recording or identical audio is on two sides."""

    seed: int = option(0, at_least=0, help="another seed, another split")
    train: float = option(0.6, above=0, below=1, help="share of the audio to train on")
    dev: float = option(0.2, above=0, below=1, help="share to choose the operating point on")
    test: float = option(0.2, above=0, below=1, help="share to report")

    def __attrs_post_init__(self) -> None:
        total = self.train + self.dev + self.test
        if abs(total - 1) > _TOLERANCE:
            raise ValueError(f"train, dev, test: expected shares that sum to 1, got {total:g}")

    def split(self, manifest: Manifest) -> Manifest:
        """Return the manifest with every split set; the order of its rows does not matter.

        Raises WakekitError where there are too few independent speakers of the keyword for three splits.
        """
        values = list(manifest.rows())
        components = _components(values, self.seed)
        shares = np.array([self.train, self.dev, self.test])
        homes = _deal(components, shares)
        _give_positives(components, homes)
        split = {member: SPLITS[home] for each, home in zip(components, homes, strict=True) for member in each.members}
        home = iter(split[place] for place in range(len(values)))
        return attrs.evolve(
            manifest,
            clips=tuple(attrs.evolve(clip, split=next(home)) for clip in manifest.clips),
            streams=tuple(attrs.evolve(stream, split=next(home)) for stream in manifest.streams),
            impulse_responses=tuple(attrs.evolve(room, split=next(home)) for room in manifest.impulse_responses),
            notes=(*manifest.notes, *_far_off(components, homes, shares)),
        )


def _components(values: Sequence[Row], seed: int) -> list[Component]:
    """Return the components, the largest first; those of about one size stand in an order drawn by chance."""
    keys = [identities(value) for value in values]
    found = [
        Component(tuple(members), _sum(_weights(values[member]) for member in members), _chance(seed, members, keys))
        for members in connected(keys)
    ]
    total = _total(found)
    return sorted(found, key=lambda each: (-int(np.log2((each.weights / total).max() + 1e-12)), each.chance))


def _weights(value: Row) -> Weights:
    """Return a row's milliseconds in its column; whole numbers, so that sums do not depend on the order of rows."""
    column = value.pool if isinstance(value, Clip) else "streams" if isinstance(value, Stream) else "rooms"
    return np.array([name == column for name in _COLUMNS], np.int64) * max(1, round(1000 * value.duration))


def _chance(seed: int, members: Iterable[int], keys: Sequence[Iterable[Identity]]) -> str:
    first = min(identity for member in members for identity in keys[member])
    return hashlib.sha256(f"{seed} {first}".encode()).hexdigest()


def _total(components: Sequence[Component]) -> Weights:
    return np.maximum(_sum(each.weights for each in components), 1)


def _sum(weights: Iterable[Weights]) -> Weights:
    return sum(weights, np.zeros(len(_COLUMNS), np.int64))


def _deal(components: Sequence[Component], shares: npt.NDArray[np.float64]) -> list[int]:
    """Return the split of each component: where it most lowers the sum of (share - wanted)² / wanted."""
    total = _total(components)
    filled = np.zeros((len(SPLITS), len(_COLUMNS)))
    homes = []
    for each in components:
        part = each.weights / total
        gain = ((part**2 + 2 * part * (filled - shares[:, None])) / shares[:, None]).sum(axis=1)
        home = int(np.argmin(gain))
        filled[home] += part
        homes.append(home)
    return homes


def _give_positives(components: Sequence[Component], homes: list[int]) -> None:
    """Move components, the smallest first, into splits that have none with the keyword."""
    said = [place for place, each in enumerate(components) if each.weights[0]]
    if len(said) < len(SPLITS):
        raise WakekitError(
            f"expected at least {len(SPLITS)} independent speakers or recordings of the keyword, one for each split,"
            f" got {len(said)} @ corpus; add speakers, or use the splitter 'given'"
        )
    for empty in set(range(len(SPLITS))) - {homes[place] for place in said}:
        count = [sum(homes[place] == home for place in said) for home in range(len(SPLITS))]
        rich = int(np.argmax(count))
        moved = min((place for place in said if homes[place] == rich), key=lambda place: components[place].weights[0])
        homes[moved] = empty


def _far_off(components: Sequence[Component], homes: Sequence[int], shares: npt.NDArray[np.float64]) -> list[str]:
    """Return a sentence for every share that is less than half of what was wanted."""
    total = _total(components)
    placed = list(zip(components, homes, strict=True))
    parts = [_sum(each.weights for each, at in placed if at == home) for home in range(len(SPLITS))]
    present = total > 1
    return [
        f"The {split} split has {part[column] / total[column]:.0%} of {name}, wanted {share:.0%}: what must stay"
        " together is too large, or there is too little."
        for split, part, share in zip(SPLITS, parts, shares, strict=True)
        for column, name in enumerate(_COLUMNS)
        if present[column] and part[column] / total[column] < _FAR * share
    ]
