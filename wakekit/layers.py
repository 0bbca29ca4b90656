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

from wakekit.errors import Mistake, RecipeError
from wakekit.kinds import SLOTS
from wakekit.positions import locate
from wakekit.toml_syntax import parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wakekit.errors import Problem

KeyPath = tuple[str | int, ...]
Table = dict[str, Any]
Source = Callable[[KeyPath], "Layer"]
_SHIPPED = "wakekit:"
_WORD = re.compile(r"[A-Za-z_][\w.:-]*")


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
    """One source of values: a file with its text, or a command-line option (then `text` is None).

    `text` is what of the file could be understood, line by line the `whole` of it.
    """

    label: str
    text: str | None
    whole: str = ""

    def spot(self, path: KeyPath, *, on_key: bool = False) -> tuple[int, int]:
        """Return line and column of a key or its value; (0, 0) on the command line."""
        return (0, 0) if self.text is None else locate(self.text, path, on_key=on_key)

    def place(self, path: KeyPath, *, on_key: bool = False) -> str:
        """Return `file:line:column` of a key, or the option as it was typed."""
        line, column = self.spot(path, on_key=on_key)
        return f"{self.label}:{line}:{column}" if line else self.label

    def at(self, spot: tuple[int, int], message: str) -> Mistake:
        """Return a mistake at a line and column."""
        line, column = spot
        lines = self.whole.split("\n")
        source = lines[line - 1] if 0 < line <= len(lines) else ""
        return Mistake(self.label, line, column, "", message, source=source)


@attrs.frozen(eq=False)
class Merged:
    """The merged table and, for every path in it, the layer that wrote it last; `top` is the recipe itself.

    `found` are the mistakes in reading the layers; where they keep a file from being understood whole, the table is
    `partial`, so that what is missing in it may not be.
    """

    table: Table
    origins: dict[KeyPath, Layer]
    top: Layer
    found: tuple[Mistake, ...] = ()
    partial: bool = False

    def origin(self, path: KeyPath) -> Layer | None:
        """Return the layer that wrote exactly this path."""
        return self.origins.get(path)

    def mistakes(self, problems: Iterable[Problem]) -> list[Mistake]:
        """Return problems with their places, each once, in the order of the files: first the recipe, then its bases."""
        return self.in_order(self._placed(problem) for problem in problems)

    def in_order(self, mistakes: Iterable[Mistake]) -> list[Mistake]:
        """Return mistakes in the order of the files: first the recipe, then its bases and the command line."""
        return sorted(
            dict.fromkeys(mistakes), key=lambda one: (one.file != self.top.label, not one.line, one[:3], one.text)
        )

    def _placed(self, problem: Problem) -> Mistake:
        path = ".".join(text if (text := str(part)).isprintable() else repr(text) for part in problem.path)
        layer = self._writer(problem.path)
        if layer is None:
            return Mistake(self.top.label, 1, 1, path, problem.message, problem.suggestion)
        spot = layer.spot(problem.path, on_key=problem.on_key)
        return layer.at(spot, problem.message)._replace(path=path, suggestion=problem.suggestion)

    def _writer(self, path: KeyPath) -> Layer | None:
        """Return the layer that wrote a key, or the nearest written table around it; None where there is none."""
        for length in range(len(path), 0, -1):
            layer = self.origins.get(path[:length])
            if layer is not None:
                return layer
        return None


def read_layers(recipe: str | Path, changes: Sequence[str] = (), drops: Sequence[str] = ()) -> Merged:
    """Read and merge a recipe file (or `wakekit:name`), its bases, and the texts of `--set` and `--unset`.

    What is wrong with them is in `found` of what is returned. Raises RecipeError where the recipe cannot be read.
    """
    reading = _Reading()
    top, table, origins = reading.file(str(recipe))
    for change in changes:
        reading.change(table, change, origins)
    for drop in drops:
        reading.drop(table, drop, origins)
    if top is None:
        raise RecipeError(reading.found)
    return Merged(table, origins, top, tuple(reading.found), reading.partial)


def shipped_recipes() -> Path:
    """Return the folder of the recipes that come with wakekit."""
    inside = Path(str(files("wakekit"))) / "recipes"
    return inside if inside.is_dir() else inside.parents[1] / "recipes"


def _find(name: str, folder: Path | None) -> Path:
    if name.startswith(_SHIPPED):
        return shipped_recipes() / f"{name.removeprefix(_SHIPPED).removesuffix('.toml')}.toml"
    return Path(name) if folder is None else folder / name


class _Reading:
    """Collects the mistakes in a recipe's files and in the changes typed, so that all are told at once."""

    def __init__(self) -> None:
        self.found: list[Mistake] = []
        self.partial = False

    def file(
        self, name: str, above: tuple[Path, ...] = (), blame: Mistake | None = None
    ) -> tuple[Layer | None, Table, dict[KeyPath, Layer]]:
        """Read a file with its bases; `above` are the files that extend it, `blame` is where the last one does."""
        path = _find(name, above[-1].parent if above else None)
        try:
            whole = path.resolve()
            data = path.read_bytes() if whole not in above else b""
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            self._lost(f"cannot read recipe{f' {path}' if blame else ''}: {reason}{_shipped_hint(name)}", path, blame)
            return None, {}, {}
        if whole in above:
            self._lost(f"{path} extends itself, through {' → '.join(map(str, above))}", path, blame)
            return None, {}, {}
        parsed = parse(data)
        layer = Layer(str(path), parsed.understood, parsed.text)
        for fault in parsed.faults:
            made = layer.at((fault.line, fault.column), fault.message)
            self.found.append(made._replace(suggestion=fault.suggestion))
        self.partial |= bool(parsed.faults)
        table = short_forms(rooted(parsed.table, whole.parent))
        return layer, *self._extended(layer, table, (*above, whole))

    def _lost(self, message: str, path: Path, blame: Mistake | None) -> None:
        place = Mistake(str(path), 0, 0, "", "") if blame is None else blame
        self.found.append(place._replace(message=message))
        self.partial = True

    def _extended(self, layer: Layer, table: Table, above: tuple[Path, ...]) -> tuple[Table, dict[KeyPath, Layer]]:
        merged: Table = {}
        origins: dict[KeyPath, Layer] = {}
        for place, base in self._bases(layer, table.pop("extends", [])):
            blame = layer.at(layer.spot(place), "")._replace(path=".".join(map(str, place)))
            _, below, below_origins = self.file(base, above, blame)
            _merge(merged, below, origins, below_origins.__getitem__)
        _merge(merged, table, origins, _always(layer))
        return merged, origins

    def _bases(self, layer: Layer, written: object) -> list[tuple[KeyPath, str]]:
        """Return the names of bases, each with where it is written."""
        items = written if isinstance(written, list) else [written]
        found: list[tuple[KeyPath, str]] = []
        for number, item in enumerate(items):
            place: KeyPath = ("extends", number) if isinstance(written, list) else ("extends",)
            if isinstance(item, str):
                found.append((place, item))
                continue
            message = f"expected a list of recipe files, got {item!r:.60}"
            self.found.append(layer.at(layer.spot(place), message)._replace(path="extends"))
            self.partial = True
        return found

    def change(self, table: Table, text: str, origins: dict[KeyPath, Layer]) -> None:
        """Lay the change of a `--set` over the table."""
        layer = Layer(f"--set {text}", None)
        try:
            changed = _changed(text)
        except ValueError as error:
            self.found.append(layer.at((0, 0), str(error)))
            return
        _merge(table, changed, origins, _always(layer))

    def drop(self, table: Table, path: str, origins: dict[KeyPath, Layer]) -> None:
        """Drop what an `--unset` names."""
        *outer, last = path.split(".")
        inner: Any = table
        for name in outer:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and last in inner:
            del inner[last]
            _forget(origins, (*outer, last))
        elif not self.partial:
            near = get_close_matches(path, [".".join(map(str, known)) for known in origins], n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            made = Mistake(f"--unset {path}", 0, 0, "", f"the recipe has no {path!r}{hint}", near[0] if near else None)
            self.found.append(made)


def _shipped_hint(name: str) -> str:
    root = shipped_recipes()
    names = sorted(f"{_SHIPPED}{path.relative_to(root).with_suffix('').as_posix()}" for path in root.rglob("*.toml"))
    near = get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; shipped recipes are {', '.join(names)}" if name.startswith(_SHIPPED) else ""


def rooted(value: Any, folder: Path) -> Any:  # noqa: ANN401
    """Return TOML data whose texts remember the folder that their paths are relative to."""
    if isinstance(value, str):
        return Text.at(folder, value)
    if isinstance(value, dict):
        return {key: rooted(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [rooted(item, folder) for item in value]
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


def _changed(text: str) -> Table:
    """Return the table that a `--set` writes; raises ValueError where it writes none."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError("expected KEY=VALUE, as in --set optimizer.lr=1e-3")
    if _toml(f"{key} = 0") is None:
        raise ValueError(f"{key.strip()!r} is not a key")
    table = _toml(f"{key} = {value}")
    # A bare word is what one types for a component's name.
    if table is None and _WORD.fullmatch(value.strip()):
        table = _toml(f"{key} = '{value.strip()}'")
    if table is None:
        raise ValueError(f"expected a TOML value, got {value.strip()!r}; quote text: --set 'KEY=\"a b\"'")
    if "extends" in table:
        raise ValueError("bases cannot be set here; write a recipe that extends the one you mean")
    return short_forms(rooted(table, Path.cwd()))


def _toml(text: str) -> Table | None:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
