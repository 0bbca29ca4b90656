"""What one resolved recipe has other than another, line by line in words: `train.epochs: 10 → 20`.

A component in place of another is one line, with those of its options that are not their defaults.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.kinds import SLOTS
from wakekit.recipe_table import CONDITIONS, as_table
from wakekit.variants import in_words, kind_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wakekit.recipe import Recipe

# Seeds are those of `[ablate]`, the same for all; nothing else here changes a result.
_ASIDE = ("name", "seed", "device", "threads", "report", "launcher")
_KEYED = {*(slot.key for slot in SLOTS if slot.many), CONDITIONS}
_UNSET = "not set"


def substance(recipe: Recipe) -> str:
    """Return a text that two recipes share where no result of theirs can differ, seeds apart."""
    return json.dumps({key: value for key, value in as_table(recipe).items() if key not in _ASIDE})


def changes(base: Recipe, other: Recipe) -> tuple[str, ...]:
    """Return what `other` has other than `base`, a line each, in the order of the tables; never its name or seed."""
    return tuple(_Comparison(base, other).lines())


def at(table: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401
    """Return what stands at a path of a table, None where nothing does."""
    inner: Any = table
    for key in path:
        inner = inner.get(key) if isinstance(inner, dict) else None
    return inner


class _Comparison:
    """Two recipes, with their tables."""

    def __init__(self, base: Recipe, other: Recipe) -> None:
        self.base, self.other = as_table(base), as_table(other)
        self.recipe = other

    def lines(self) -> Iterator[str]:
        for key in (*self.base, *(key for key in self.other if key not in self.base)):
            if key not in {"name", "seed"}:
                yield from self._below((key,), self.base.get(key), self.other.get(key))

    def _below(self, path: tuple[str, ...], old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401
        where = ".".join(path)
        keyed = where in _KEYED
        if keyed:
            # A recipe without any of them has no such table.
            old, new = old or {}, new or {}
        if not isinstance(old, dict) or not isinstance(new, dict):
            yield from self._whole(path, old, new)
        elif not keyed and old.get("type") != new.get("type"):
            yield f"{where}.type: {old.get('type', _UNSET)} → {self._component(path, new)}"
            for key in kind_options(where):
                yield from self._below((*path, key), old.get(key), new.get(key))
        else:
            for key in (*old, *(key for key in new if key not in old)):
                yield from self._below((*path, key), old.get(key), new.get(key))
            shared = [key for key in old if key in new], [key for key in new if key in old]
            if shared[0] != shared[1]:
                yield f"{where}: order {', '.join(shared[0])} → {', '.join(shared[1])}"

    def _whole(self, path: tuple[str, ...], old: Any, new: Any) -> Iterator[str]:  # noqa: ANN401
        """Yield the line for what is no table on one side at least."""
        where = ".".join(path)
        if isinstance(old, dict) and new is None:
            yield f"{where}: dropped"
        elif isinstance(new, dict) and old is None:
            yield f"{where}: added {self._component(path, new)}"
        elif (old, type(old)) != (new, type(new)):
            yield f"{where}: {_word(old)} → {_word(new)}"

    def _component(self, path: tuple[str, ...], table: Mapping[str, Any]) -> str:
        """Return a component's name with the options that are not their defaults."""
        if "type" not in table:
            return in_words(table)
        held = self._value(path)
        usual = {} if held is None else {field.name for field in attrs.fields(type(held)) if _is_default(held, field)}
        known = {*usual, *kind_options(".".join(path))}
        return in_words({key: value for key, value in table.items() if key not in known})

    def _value(self, path: tuple[str, ...]) -> Any:  # noqa: ANN401
        """Return the component at a path, None where it is deeper than a recipe's own."""
        if len(path) == 1:
            chosen = self.recipe.single.get(path[0])
        else:
            chosen = self.recipe.many.get(path[0], {}).get(path[1]) if path[2:] == () else None
        return None if chosen is None else chosen.value


def _is_default(value: object, field: attrs.Attribute[Any]) -> bool:
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = None if default.takes_self else default.factory()
    return bool(getattr(value, field.name) == default)


def _word(value: object) -> str:
    return _UNSET if value is None else in_words(value)
