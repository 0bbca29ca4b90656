"""What one recipe has other than another, where each side wrote it, and which stages a run of the other has to do.

Both are compared as resolved, so that what is written in another way, and means the same, is no difference.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.changes import Change, at, differences
from wakekit.fingerprint import stage_fingerprints
from wakekit.kinds import SLOTS
from wakekit.origins import DEFAULT, place_of
from wakekit.recipe_table import as_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.fingerprint import Contents
    from wakekit.recipe import Recipe

# They apply one after the other, so that it matters where in the order an added one stands.
_IN_ORDER = {slot.key for slot in SLOTS if slot.many} - {"metrics"}
_CONDITION = "condition-"
_INTERNAL = ("compose", "judge-", "score-pass-", "calibrate-pass-", "score-condition-")


@attrs.frozen
class Difference:
    """One key that differs: `change` in words, both values, and where each side wrote its own.

    A place is `file:line:column`, the option as typed, `default`, or None on the side that has no such key.
    """

    path: str
    change: str
    first: Any
    second: Any
    first_place: str | None
    second_place: str | None


@attrs.frozen
class Diff:
    """Two recipes beside each other.

    After a run of the first, one of the second does the stages in `again`, and takes those in `shared` from the store.
    `outdated` are stages that a run of the first, made before, would itself do again now.
    """

    differences: tuple[Difference, ...]
    again: tuple[str, ...]
    shared: tuple[str, ...]
    outdated: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs and nothing would be done again."""
        return not self.differences and not self.again


def diff(first: Recipe, second: Recipe, contents: Contents) -> Diff:
    """Return what `second` has other than `first`."""
    now, wanted = (_shown(stage_fingerprints(recipe, contents)) for recipe in (first, second))
    held = {**now, **{stage: print_ for stage, print_ in _recorded(first).items() if stage in now}}
    return Diff(
        differences=tuple(filter(_written, (_placed(change, first, second) for change in differences(first, second)))),
        again=tuple(stage for stage, print_ in wanted.items() if held.get(stage) != print_),
        shared=tuple(stage for stage, print_ in wanted.items() if held.get(stage) == print_),
        outdated=tuple(stage for stage, print_ in now.items() if held[stage] != print_),
    )


def _shown(prints: Mapping[str, str]) -> dict[str, str]:
    """Return the fingerprints of the stages that a person knows; those of a condition, audio and scores, as one."""
    shown = {}
    for stage, print_ in prints.items():
        if stage.startswith(_CONDITION):
            shown[f"condition {stage.removeprefix(_CONDITION)}"] = print_ + prints[f"score-{stage}"]
        elif not stage.startswith(_INTERNAL):
            shown[stage] = print_
    return shown


def _recorded(recipe: Recipe) -> dict[str, str]:
    """Return the fingerprints that a run had, where the recipe is the one that the run left."""
    beside = Path(recipe.merged.top.label).parent / "environment.json"
    try:
        stages = json.loads(beside.read_text(encoding="utf-8"))["stages"]
        return {str(stage).removesuffix("-dev"): str(print_) for stage, print_ in stages.items()}
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return {}


def _placed(change: Change, first: Recipe, second: Recipe) -> Difference:
    path = change.path
    return Difference(
        path=".".join(path),
        change=change.said + _before(change, second),
        first=change.old,
        second=change.new,
        first_place=_place(first, path, change.old),
        second_place=_place(second, path, change.new),
    )


def _written(found: Difference) -> bool:
    """Return whether a difference is more than the names of two files."""
    return found.path != "name" or not found.first_place == found.second_place == DEFAULT


def _before(change: Change, second: Recipe) -> str:
    """Return what an added component applies before, empty where it is the last."""
    key, *names = change.path
    if key not in _IN_ORDER or len(names) != 1 or change.old is not None:
        return ""
    ids = list(at(as_table(second), (key,)))
    later = ids[ids.index(names[0]) + 1 :]
    return f", before {later[0]}" if later else ""


def _place(recipe: Recipe, path: tuple[str, ...], value: object) -> str | None:
    return None if value is None else place_of(recipe, path)
