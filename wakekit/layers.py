"""Read a recipe's layers (its `extends` bases, itself, `--set`, `--unset`) and merge them, remembering who wrote what.

Tables merge key by key; a table whose `type` changes replaces the one below it whole; arrays replace. Components may be
written as a string, short for a table with that type.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.errors import RecipeError
from wakekit.kinds import SLOTS
from wakekit.positions import locate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wakekit.errors import Problem

KeyPath = tuple[str | int, ...]
Table = dict[str, Any]
Source = Callable[[KeyPath], "Layer"]
_SHIPPED = "wakekit:"
_WORD = re.compile(r"[A-Za-z_][\w.:-]*")
_BAD_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


class Text(str):
    """A string from a recipe that remembers the folder of the file that wrote it, for relative paths."""

    __slots__ = ("folder",)
    folder: Path

    @staticmethod
    def at(folder: Path, text: str) -> Text:
        """Return the text with its folder."""
        made = Text(text)
        made.folder = folder
        return made


@attrs.frozen(eq=False)
class Layer:
    """One source of values: a file with its text, or a command-line option (then `text` is None)."""

    label: str
    text: str | None

    def spot(self, path: KeyPath, *, on_key: bool = False) -> tuple[int, int]:
        """Return line and column of a key or its value; (0, 0) on the command line."""
        return (0, 0) if self.text is None else locate(self.text, path, on_key=on_key)

    def place(self, path: KeyPath, *, on_key: bool = False) -> str:
        """Return `file:line:column` of a key, or the option as it was typed."""
        line, column = self.spot(path, on_key=on_key)
        return f"{self.label}:{line}:{column}" if line else self.label


@attrs.frozen(eq=False)
class Merged:
    """The merged table and, for every path in it, the layer that wrote it last; `top` is the recipe itself."""

    table: Table
    origins: dict[KeyPath, Layer]
    top: Layer

    def origin(self, path: KeyPath) -> Layer | None:
        """Return the layer that wrote exactly this path."""
        return self.origins.get(path)

    def lines(self, problems: Iterable[Problem]) -> list[str]:
        """Return the messages of problems, each with its place and dotted path, in the order of the files."""
        placed = []
        for problem in problems:
            layer = self._writer(problem.path)
            line, column = layer.spot(problem.path, on_key=problem.on_key)
            where = layer.place(problem.path, on_key=problem.on_key)
            path = ".".join(text if (text := str(part)).isprintable() else repr(text) for part in problem.path)
            text = f"{where}: {path}: {problem.message}" if path else f"{where}: {problem.message}"
            placed.append(((layer is not self.top, layer.label, line, column), text))
        return [text for _, text in sorted(placed)]

    def _writer(self, path: KeyPath) -> Layer:
        """Return the layer that wrote a key, or the nearest written table around it."""
        for length in range(len(path), 0, -1):
            layer = self.origins.get(path[:length])
            if layer is not None:
                return layer
        return self.top


def read_layers(recipe: str | Path, changes: Sequence[str] = (), drops: Sequence[str] = ()) -> Merged:
    """Read and merge a recipe file (or `wakekit:name`), its bases, and the texts of `--set` and `--unset`."""
    top, table, origins = _read(str(recipe), (), ())
    for change in changes:
        layer, changed = _change(change)
        _merge(table, changed, origins, _always(layer))
    for drop in drops:
        _drop(table, drop, origins)
    return Merged(table, origins, top)


def shipped_recipes() -> Path:
    """Return the folder of the recipes that come with wakekit."""
    inside = Path(str(files("wakekit"))) / "recipes"
    return inside if inside.is_dir() else inside.parents[1] / "recipes"


def _find(name: str, folder: Path | None) -> Path:
    if name.startswith(_SHIPPED):
        return shipped_recipes() / f"{name.removeprefix(_SHIPPED).removesuffix('.toml')}.toml"
    return Path(name) if folder is None else folder / name


def _read(name: str, above: tuple[Path, ...], blame: tuple[Layer, ...]) -> tuple[Layer, Table, dict[KeyPath, Layer]]:
    path = _find(name, above[-1].parent if above else None)
    where = f"{blame[-1].place(('extends',))}: extends: " if blame else ""
    try:
        whole = path.resolve()
        text = path.read_text(encoding="utf-8") if whole not in above else ""
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise RecipeError([f"{where}{path}: expected a TOML file in UTF-8, got byte {byte:#x}"]) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RecipeError([f"{where}cannot read recipe {path}: {reason}{_shipped_hint(name)}"]) from error
    if whole in above:
        raise RecipeError([f"{where}{path} extends itself, through {' → '.join(map(str, above))}"])
    layer = Layer(str(path), text)
    table = short_forms(_rooted(_parse(text, layer), whole.parent))
    return _extended(layer, table, (*above, whole), (*blame, layer))


def _shipped_hint(name: str) -> str:
    root = shipped_recipes()
    names = sorted(f"{_SHIPPED}{path.relative_to(root).with_suffix('').as_posix()}" for path in root.rglob("*.toml"))
    near = get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; shipped recipes are {', '.join(names)}" if name.startswith(_SHIPPED) else ""


def _extended(
    layer: Layer, table: Table, above: tuple[Path, ...], blame: tuple[Layer, ...]
) -> tuple[Layer, Table, dict[KeyPath, Layer]]:
    bases = table.pop("extends", [])
    if isinstance(bases, str):
        bases = [bases]
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise RecipeError([f"{layer.place(('extends',))}: extends: expected a list of recipe files, got {bases!r}"])
    merged: Table = {}
    origins: dict[KeyPath, Layer] = {}
    for base in bases:
        _, below, below_origins = _read(base, above, blame)
        _merge(merged, below, origins, below_origins.__getitem__)
    _merge(merged, table, origins, _always(layer))
    return layer, merged, origins


def _parse(text: str, layer: Layer) -> Table:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = _BAD_PLACE.search(message)
        lines = text.split("\n")
        line, column = (int(found[1]), int(found[2])) if found and found[1] else (len(lines), len(lines[-1]) + 1)
        raise RecipeError([f"{layer.label}:{line}:{column}: not valid TOML: {_BAD_PLACE.sub('', message)}"]) from error
    except RecursionError as error:
        raise RecipeError([f"{layer.label}:1:1: nested too deeply"]) from error


def _rooted(value: Any, folder: Path) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return Text.at(folder, value)
    if isinstance(value, dict):
        return {key: _rooted(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_rooted(item, folder) for item in value]
    return value


def short_forms(table: Table) -> Table:
    """Write out components given as a string, so that layers merge table with table."""
    for slot in SLOTS:
        value = table.get(slot.key)
        if not slot.many and isinstance(value, str):
            table[slot.key] = {"type": value}
        if slot.many:
            table = _short_form_of(table, slot.key)
    conditions = table.get("conditions")
    if isinstance(conditions, dict):
        table["conditions"] = {
            name: _short_form_of(item, "augmentations") if isinstance(item, dict) else item
            for name, item in conditions.items()
        }
    return table


def _short_form_of(table: Table, key: str) -> Table:
    """Write out the components keyed by id in a table that are given as a string."""
    value = table.get(key)
    if not isinstance(value, dict):
        return table
    return {**table, key: {name: {"type": item} if isinstance(item, str) else item for name, item in value.items()}}


def merge_tables(below: Table, above: Mapping[str, Any]) -> None:
    """Lay one table over another in place, as a recipe over its base."""
    _merge(below, above, {}, _always(Layer("", None)))


def _merge(
    below: Table, above: Mapping[str, Any], origins: dict[KeyPath, Layer], source: Source, path: KeyPath = ()
) -> None:
    """Lay `above` over `below` in place; `source` says who wrote a path of `above`."""
    for key, value in above.items():
        here = (*path, key)
        old = below.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and not _replaces(value, old):
            origins.setdefault(here, source(here))
            _merge(old, value, origins, source, here)
            continue
        _forget(origins, here)
        below[key] = {} if isinstance(value, dict) else value
        origins[here] = source(here)
        if isinstance(value, dict):
            _merge(below[key], value, origins, source, here)


def _always(layer: Layer) -> Source:
    return lambda _path: layer


def _replaces(value: Table, old: Table) -> bool:
    return "type" in value and value["type"] != old.get("type")


def _forget(origins: dict[KeyPath, Layer], path: KeyPath) -> None:
    for known in [known for known in origins if known[: len(path)] == path]:
        del origins[known]


def _change(text: str) -> tuple[Layer, Table]:
    layer = Layer(f"--set {text}", None)
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError([f"{layer.label}: expected KEY=VALUE, as in --set optimizer.lr=1e-3"])
    try:
        table = tomllib.loads(f"{key} = {value}")
    except tomllib.TOMLDecodeError:
        # A bare word is what one types for a component's name.
        if not _WORD.fullmatch(value.strip()):
            raise RecipeError(
                [f"{layer.label}: expected a TOML value, got {value.strip()!r}; quote text: --set 'KEY=\"a b\"'"]
            ) from None
        try:
            table = tomllib.loads(f"{key} = '{value.strip()}'")
        except tomllib.TOMLDecodeError:
            raise RecipeError([f"{layer.label}: {key.strip()!r} is not a key"]) from None
    return layer, short_forms(_rooted(table, Path.cwd()))


def _drop(table: Table, path: str, origins: dict[KeyPath, Layer]) -> None:
    *outer, last = path.split(".")
    inner: Any = table
    for name in outer:
        inner = inner.get(name) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or last not in inner:
        near = get_close_matches(path, [".".join(map(str, known)) for known in origins], n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise RecipeError([f"--unset {path}: the recipe has no {path!r}{hint}"])
    del inner[last]
    _forget(origins, (*outer, last))
