"""What ties audio to one side of a split: speakers, households, recordings and identical content.

`identities` says what a row depends on; a splitter that keeps shared identities together passes `check_leakage`, which
every run does whatever its splitter.
"""

from __future__ import annotations

import attrs

from wakekit.data import SPLITS, Clip, ImpulseResponse, Manifest, Stream
from wakekit.errors import WakekitError

_SHOWN = 3


@attrs.frozen(order=True)
class Identity:
    """Something that rows may share: `what` it is (speaker, group, source recording, content) and its name."""

    what: str
    name: str

    def __str__(self) -> str:
        return f"{self.what} {self.name!r}"


def identities(row: Clip | Stream | ImpulseResponse) -> frozenset[Identity]:
    """Return all that a row depends on: its audio file is a recording, besides the `source` it was cut from.

    An empty `sha256`, as all-zero audio has, ties nothing together.
    """
    found = {Identity("source recording", name) for name in (row.source, row.audio.as_posix()) if name}
    found |= {Identity("speaker", name) for name in _speakers(row) if name}
    if not isinstance(row, ImpulseResponse) and row.group:
        found.add(Identity("group", row.group))
    if row.sha256:
        found.add(Identity("content", row.sha256))
    return frozenset(found)


def _speakers(row: Clip | Stream | ImpulseResponse) -> tuple[str | None, ...]:
    if isinstance(row, Clip):
        return (row.speaker,)
    return (*row.speakers, *(event.speaker for event in row.events)) if isinstance(row, Stream) else ()


def check_leakage(manifest: Manifest) -> None:
    """Raise WakekitError where two splits share a speaker, group, source recording or identical content."""
    homes: dict[Identity, dict[str, Clip | Stream | ImpulseResponse]] = {}
    for row in manifest.rows():
        for identity in identities(row):
            homes.setdefault(identity, {}).setdefault(row.split, row)
    clashes = sorted(identity for identity, home in homes.items() if len(home) > 1)
    if not clashes:
        return
    shown = "; ".join(f"{identity} is in {_places(homes[identity])}" for identity in clashes[:_SHOWN])
    more = f"; and {len(clashes) - _SHOWN} more" if len(clashes) > _SHOWN else ""
    raise WakekitError(
        f"Splits leak into each other, {len(clashes)} clash{'es' * (len(clashes) > 1)}: {shown}{more}. Give each to one"
        " split, or use the splitter 'by-speaker'."
    )


def _places(home: dict[str, Clip | Stream | ImpulseResponse]) -> str:
    order = sorted(home, key=lambda split: (SPLITS.index(split) if split in SPLITS else len(SPLITS), split))
    return " and ".join(f"{split or 'no split'} ({home[split].audio})" for split in order)
