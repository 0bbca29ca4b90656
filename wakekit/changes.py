"""What one resolved recipe has other than another, line by line in words: `train.epochs: 10 → 20`.

A component in place of another is one line, with those of its options that are not their defaults.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.kinds import SLOTS
from wakekit.merging import CONDITIONS
from wakekit.origins import held_at
from wakekit.recipe_table import as_table
from wakekit.variants import in_words, kind_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wakekit.recipe import Recipe

# Seeds are those of `[ablate]`, the same for all; nothing else here changes a result.
_ASIDE = ("name", "seed", "device", "threads", "plugins", "exporters", "report", "launcher")
_ABLATE = "ablate"
# Of these a change is none to an ablation, which has them for all its variants.
_OWN = ("name", "seed", _ABLATE)
_KEYED = {*(slot.key for slot in SLOTS if slot.many), CONDITIONS}
_UNSET = "not set"


@attrs.frozen
class Change:
    """One thing that a recipe has other than another: what was at `path`, what is there now, and both in words.

    `old` and `new` are the resolved tables' values, None where there is none; of an order they are lists of keys.
    """

    path: tuple[str, ...]
    said: str
    old: Any
    new: Any

    def line(self) -> str:
        """Return the change as one line."""
        return f"{'.'.join(self.path)}: {self.said}"


def substance(recipe: Recipe) -> str:
    """Return a text that two recipes share where no result of theirs can differ, seeds apart."""
    return json.dumps({key: value for key, value in as_table(recipe).items() if key not in _ASIDE})


def changes(base: Recipe, other: Recipe) -> tuple[str, ...]:
    """Return what `other` has other than `base`, a line each, in the order of the tables; never its name or seed."""
    found = differences(base, other)
    return tuple(change.line() for change in found if change.path[0] not in _OWN)


def differences(base: Recipe, other: Recipe) -> tuple[Change, ...]:
    """Return everything that `other` has other than `base`, by tables; name, seed and `[ablate]` too."""
    return tuple(_Comparison(base, other).found())


def at(table: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401
    """Return what stands at a path of a table, None where nothing does."""
    inner: Any = table
    for key in path:
        inner = inner.get(key) if isinstance(inner, dict) else None
    return inner


class _Comparison:
    """Two recipes, with their tables."""

    def __init__(self, base: Recipe, other: Recipe) -> None:
        self.base, self.other = _whole_table(base), _whole_table(other)
        self.recipe = other

    def found(self) -> Iterator[Change]:
        for key in (*self.base, *(key for key in self.other if key not in self.base)):
            yield from self._below((key,), self.base.get(key), self.other.get(key))

    def _below(self, path: tuple[str, ...], old: Any, new: Any) -> Iterator[Change]:  # noqa: ANN401
        where = ".".join(path)
        keyed = where in _KEYED
        if keyed:
            # A recipe without any of them has no such table.
            old, new = old or {}, new or {}
        if not isinstance(old, dict) or not isinstance(new, dict):
            yield from self._whole(path, old, new)
        elif not keyed and old.get("type") != new.get("type"):
            said = f"{old.get('type', _UNSET)} → {self._component(path, new)}"
            yield Change((*path, "type"), said, old.get("type"), new.get("type"))
            for key in kind_options(where):
                yield from self._below((*path, key), old.get(key), new.get(key))
        else:
            for key in (*old, *(key for key in new if key not in old)):
                yield from self._below((*path, key), old.get(key), new.get(key))
            shared = [key for key in old if key in new], [key for key in new if key in old]
            if shared[0] != shared[1]:
                yield Change(path, f"order {', '.join(shared[0])} → {', '.join(shared[1])}", *shared)

    def _whole(self, path: tuple[str, ...], old: Any, new: Any) -> Iterator[Change]:  # noqa: ANN401
        """Yield the change of what is no table on one side at least."""
        if isinstance(old, dict) and new is None:
            yield Change(path, "dropped", old, new)
        elif isinstance(new, dict) and old is None:
            yield Change(path, f"added {self._component(path, new)}", old, new)
        elif (old, type(old)) != (new, type(new)):
            yield Change(path, f"{_word(old)} → {_word(new)}", old, new)

    def _component(self, path: tuple[str, ...], table: Mapping[str, Any]) -> str:
        """Return a component's name with the options that are not their defaults."""
        known = kind_options(".".join(path))
        return in_words({key: value for key, value in _lean(table, self._value(path)).items() if key not in known})

    def _value(self, path: tuple[str, ...]) -> Any:  # noqa: ANN401
        """Return what was resolved from the table at a path."""
        return self.recipe.ablate if path == (_ABLATE,) else held_at(self.recipe, path)


def _whole_table(recipe: Recipe) -> dict[str, Any]:
    table = as_table(recipe)
    return table if recipe.ablate is None else {**table, _ABLATE: _lists(attrs.asdict(recipe.ablate))}


def _lists(value: Any) -> Any:  # noqa: ANN401
    """Return tables as TOML has them, with lists where there are tuples."""
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, (list, tuple)) else value


def _lean(table: Any, held: Any) -> Any:  # noqa: ANN401
    """Return a resolved table without the options that are their defaults; `held` is what it was resolved to."""
    if not isinstance(table, dict) or held is None:
        return table
    if isinstance(held, dict):
        return {key: _lean(value, held.get(key)) for key, value in table.items()}
    usual = {field.name for field in attrs.fields(type(held)) if _is_default(held, field)}
    return {key: _lean(value, getattr(held, key, None)) for key, value in table.items() if key not in usual}


def _is_default(value: object, field: attrs.Attribute[Any]) -> bool:
    default: Any = field.default
    if default is attrs.NOTHING:
        return False
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = None if default.takes_self else default.factory()
    return bool(getattr(value, field.name) == default)


def _word(value: object) -> str:
    return _UNSET if value is None else in_words(value)
