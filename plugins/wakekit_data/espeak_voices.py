"""The voices of espeak-ng: its variants, each a timbre, and which of them are too alike to be different people.

Variants are text files; many are copies of another with a different pitch or an echo. What shares most of its formants
shares a group, and so stays on one side of a split.
"""

from __future__ import annotations

import itertools
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from wakekit_data.components import connected

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from wakekit_data.espeak_library import Espeak

_PEOPLE = re.compile(r"[fm]\d")
_UNCLEAR = {
    "Alicia",
    "Marco",
    "kaukovalta",
    "zac",
}  # template matching against clear voices finds half their words or fewer
_ROBOT = re.compile("robo|demon")
_ALIKE = 7  # of the nine formants; copies share seven to nine, unrelated voices at most six


@attrs.frozen
class Voice:
    """A variant and the group of variants that sound alike, named after its first member."""

    name: str
    group: str


def usable_voices(espeak: Espeak, accents: Sequence[str], *, robots: bool) -> list[Voice]:
    """Return the variants that load with every accent, in a fixed order that starts with one voice of each group.

    Four unintelligible ones are left out, and unless asked for those made to sound like robots and demons.
    """
    names = [
        name for name in espeak.variants() if name not in _UNCLEAR and (robots or not _ROBOT.search(name.casefold()))
    ]
    wanted = [f"{accent}+{name}" for name in names for accent in accents]
    loads = dict(zip(wanted, espeak.loads(wanted), strict=True))
    loaded = [name for name in names if all(loads[f"{accent}+{name}"] for accent in accents)]
    timbres = {name: _timbre(Path(espeak.data, "voices", "!v", name)) for name in names}
    groups = alike(timbres)
    order = sorted(loaded, key=lambda name: zlib.crc32(name.encode()))
    earlier = {
        name: [other for other in order[:place] if groups[other] == groups[name]] for place, name in enumerate(order)
    }
    return [Voice(name, groups[name]) for name in sorted(order, key=lambda name: len(earlier[name]))]


def alike(timbres: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return the group of each name: what differs by a trailing number, or shares its timbre, is one group."""
    names = sorted(timbres)
    keys: list[set[Hashable]] = [{_stem(name)} for name in names]
    for one, other in itertools.combinations(range(len(names)), 2):
        first, second = timbres[names[one]], timbres[names[other]]
        if len(first & second) >= _ALIKE or (first and first == second):
            keys[one].add((one, other))
            keys[other].add((one, other))
    return {names[item]: names[members[0]] for members in connected(keys) for item in members}


def _stem(name: str) -> str:
    return name if _PEOPLE.fullmatch(name) else name.casefold().rstrip("0123456789")


def _timbre(path: Path) -> frozenset[str]:
    lines = (" ".join(line.split("//")[0].split()) for line in path.read_text(errors="replace").splitlines())
    return frozenset(line for line in lines if line.startswith(("formant ", "klatt ")))
