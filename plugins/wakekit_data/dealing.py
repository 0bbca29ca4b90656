"""What splitters share: rows that hang together become parts, and parts are dealt to homes in wanted shares.

Rows hang together when they share a speaker, household, recording or content, directly or through others. A part counts
by its milliseconds of every pool, of the streams and of the rooms, and all of these come as near to the shares as the
parts allow.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs
import numpy as np
import numpy.typing as npt

from wakekit import Clip, Stream, WakekitError
from wakekit.data import POOLS, SPLITS
from wakekit.leakage import identities
from wakekit_data.components import connected

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wakekit import ImpulseResponse, Manifest
    from wakekit.leakage import Identity

    Row = Clip | Stream | ImpulseResponse

Weights = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

_COLUMNS = (*POOLS, "streams", "rooms")
_FAR = 0.5


@attrs.frozen(eq=False)
class Part:
    """Rows that must stay together: their positions, milliseconds by column, and a text that orders them by chance."""

    members: tuple[int, ...]
    weights: Weights
    chance: str

    @property
    def positive(self) -> int:
        """Milliseconds of the keyword's clips."""
        return int(self.weights[0])


def parts_of(rows: Sequence[Row], seed: int) -> list[Part]:
    """Return the parts, the largest first; those of about one size stand in an order drawn by chance.

    The order of the rows does not matter.
    """
    keys = [identities(row) for row in rows]
    found = [
        Part(tuple(members), _sum(_weights(rows[member]) for member in members), _chance(seed, members, keys))
        for members in connected(keys)
    ]
    total = _total(found)
    return sorted(found, key=lambda each: (-int(np.log2((each.weights / total).max() + 1e-12)), each.chance))


def _weights(row: Row) -> Weights:
    """Return a row's milliseconds in its column; whole numbers, so that sums do not depend on the order of rows."""
    column = row.pool if isinstance(row, Clip) else "streams" if isinstance(row, Stream) else "rooms"
    return np.array([name == column for name in _COLUMNS], np.int64) * max(1, round(1000 * row.duration))


def _chance(seed: int, members: Iterable[int], keys: Sequence[Iterable[Identity]]) -> str:
    first = min(identity for member in members for identity in keys[member])
    return hashlib.sha256(f"{seed} {first}".encode()).hexdigest()


def _total(parts: Sequence[Part]) -> Weights:
    return np.maximum(_sum(each.weights for each in parts), 1)


def _sum(weights: Iterable[Weights]) -> Weights:
    return sum(weights, np.zeros(len(_COLUMNS), np.int64))


def deal(parts: Sequence[Part], shares: Shares, *, each_home: str, remedy: str) -> list[int]:
    """Return the home of each part: where it most lowers the sum of (share - wanted)² / wanted.

    `shares` [H] is what each home should have of everything. Each home gets a part with the keyword; where there are
    fewer of those than homes, raises WakekitError, which calls a home `each_home` and ends with the `remedy`.
    """
    said = sum(each.positive > 0 for each in parts)
    if said < len(shares):
        raise WakekitError(
            f"expected at least {len(shares)} independent speakers or recordings of the keyword, one for each"
            f" {each_home}, got {said} @ corpus; {remedy}"
        )
    total = _total(parts)
    filled = np.zeros((len(shares), len(_COLUMNS)))
    homes = []
    for each in parts:
        part = each.weights / total
        gain = ((part**2 + 2 * part * (filled - shares[:, None])) / shares[:, None]).sum(axis=1)
        home = int(np.argmin(gain))
        filled[home] += part
        homes.append(home)
    _give_positives(parts, homes, len(shares))
    return homes


def _give_positives(parts: Sequence[Part], homes: list[int], count: int) -> None:
    """Move parts, the smallest first, into homes that have none with the keyword."""
    said = [place for place, each in enumerate(parts) if each.positive]
    for empty in set(range(count)) - {homes[place] for place in said}:
        owned = [sum(homes[place] == home for place in said) for home in range(count)]
        rich = int(np.argmax(owned))
        moved = min((place for place in said if homes[place] == rich), key=lambda place: parts[place].positive)
        homes[moved] = empty


def with_splits(manifest: Manifest, parts: Sequence[Part], homes: Sequence[int], shares: Shares) -> Manifest:
    """Return the manifest with each part's rows in the split that its home is, an index of SPLITS.

    A note is added for each of a split's shares that is less than half of the one wanted, `shares` [3].
    """
    split = {member: SPLITS[home] for each, home in zip(parts, homes, strict=True) for member in each.members}
    home = iter(split[place] for place in range(len(split)))
    return attrs.evolve(
        manifest,
        clips=tuple(attrs.evolve(clip, split=next(home)) for clip in manifest.clips),
        streams=tuple(attrs.evolve(stream, split=next(home)) for stream in manifest.streams),
        impulse_responses=tuple(attrs.evolve(room, split=next(home)) for room in manifest.impulse_responses),
        notes=(*manifest.notes, *_far_off(parts, homes, shares)),
    )


def _far_off(parts: Sequence[Part], homes: Sequence[int], shares: Shares) -> list[str]:
    total = _total(parts)
    placed = list(zip(parts, homes, strict=True))
    sums = [_sum(each.weights for each, at in placed if at == home) for home in range(len(SPLITS))]
    present = total > 1
    return [
        f"The {split} split has {part[column] / total[column]:.0%} of {name}, wanted {share:.0%}: what must stay"
        " together is too large, or there is too little."
        for split, part, share in zip(SPLITS, sums, shares, strict=True)
        for column, name in enumerate(_COLUMNS)
        if present[column] and part[column] / total[column] < _FAR * share
    ]
