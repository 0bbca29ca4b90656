"""Connected components: which items hang together because they share a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence


def connected(keys: Sequence[Iterable[Hashable]]) -> list[list[int]]:
    """Return the positions of items that share keys, directly or through others; `keys` holds each item's keys.

    Every position is in exactly one component; positions ascend, and so do the components' first positions.
    """
    parent = list(range(len(keys)))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    owner: dict[Hashable, int] = {}
    for item, names in enumerate(keys):
        for name in names:
            one, other = sorted((root(item), root(owner.setdefault(name, item))))
            parent[other] = one
    components: dict[int, list[int]] = {}
    for item in range(len(keys)):
        components.setdefault(root(item), []).append(item)
    return list(components.values())
