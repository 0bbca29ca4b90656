"""Read a recipe's layers (its `extends` bases, itself, `--set`, `--unset`) and merge them, remembering who wrote what.

Components may be written as a string, short for a table with that type.
"""

from __future__ import annotations

import functools
import json
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
from wakekit.merging import AS_WRITTEN, CONDITIONS, KeyPath, Meaning, Table, forget, merge
from wakekit.positions import locate
from wakekit.toml_syntax import number_meant, parse, too_deep

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wakekit.errors import Problem

Source = Callable[[KeyPath], "Layer"]
_SHIPPED = "wakekit:"
_WORD = re.compile(r"[A-Za-z_][\w.:-]*")
_LONG = 80
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


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
        lines = _lines(self.whole)
        source = lines[line - 1] if 0 < line <= len(lines) else ""
        return Mistake(self.label, line, column, "", message, source=source)


@functools.lru_cache(maxsize=8)
def _lines(text: str) -> list[str]:
    return text.split("\n")


@attrs.frozen(eq=False)
class Merged:
    """The merged table and, for every path in it, the layer that wrote it last; `top` is the recipe itself.

    `warnings` are of former names that other layers' present ones replace. `found` are the mistakes in reading the
    layers; where they keep a file from being understood whole, the table is
    `partial`, so that what is missing in it may not be.
    """

    table: Table
    origins: dict[KeyPath, Layer]
    top: Layer
    found: tuple[Mistake, ...] = ()
    partial: bool = False
    warnings: tuple[Mistake, ...] = ()

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


def read_layers(
    recipe: str | Path, changes: Sequence[str] = (), drops: Sequence[str] = (), *, meaning: Meaning = AS_WRITTEN
) -> Merged:
    """Read and merge a recipe file (or `wakekit:name`), its bases, and the texts of `--set` and `--unset`.

    `meaning` says which component a name stands for; without it, every name stands for another.
    What is wrong with them is in `found` of what is returned. Raises RecipeError where the recipe cannot be read.
    """
    reading = _Reading(meaning)
    top, table, origins = reading.file(str(recipe))
    for change in changes:
        reading.change(table, change, origins)
    for drop in drops:
        reading.drop(table, drop, origins)
    if top is None:
        raise RecipeError(reading.found)
    return Merged(table, origins, top, tuple(reading.found), reading.partial, tuple(reading.warnings))


def shipped_recipes() -> Path:
    """Return the folder of the recipes that come with wakekit."""
    inside = Path(str(files("wakekit"))) / "recipes"
    return inside if inside.is_dir() else inside.parents[1] / "recipes"


def recipe_name(path: str) -> str:
    """Return what `extends` calls a recipe's file: `wakekit:NAME` where it came with wakekit."""
    whole, root = Path(path).resolve(), shipped_recipes().resolve()
    return f"{_SHIPPED}{whole.relative_to(root).with_suffix('').as_posix()}" if whole.is_relative_to(root) else path


def _find(name: str, folder: Path | None) -> Path:
    if name.startswith(_SHIPPED):
        return shipped_recipes() / f"{name.removeprefix(_SHIPPED).removesuffix('.toml')}.toml"
    return Path(name) if folder is None else folder / name


class _Reading:
    """Collects the mistakes in a recipe's files and in the changes typed, so that all are told at once."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.found: list[Mistake] = []
        self.warnings: list[Mistake] = []
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
        # What a base is called goes from folder to folder; its place alone tells where it is.
        label = path.parent.resolve() / path.name if above else path
        layer = Layer(str(label), parsed.understood, parsed.text)
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
            self._lay(merged, below, origins, below_origins.__getitem__)
        self._lay(merged, table, origins, _always(layer))
        return merged, origins

    def _lay(self, below: Table, above: Table, origins: dict[KeyPath, Layer], source: Source) -> None:
        """Lay one table over another, and warn of what the lower one calls by a former name."""
        for one in merge(below, above, origins=origins, source=source, meaning=self.meaning):
            message = f"{one.path[-1]!r} of {one.component} is now called {one.present!r}; write that"
            layer: Layer = one.source
            warning = layer.at(layer.spot(one.path, on_key=True), message)
            self.warnings.append(warning._replace(path=".".join(map(str, one.path)), suggestion=one.present))

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
        self._lay(table, changed, origins, _always(layer))

    def drop(self, table: Table, path: str, origins: dict[KeyPath, Layer]) -> None:
        """Drop what an `--unset` names."""
        *outer, last = keys_of(path)
        inner: Any = table
        for name in outer:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if isinstance(inner, dict) and last in inner:
            del inner[last]
            forget(origins, (*outer, last))
        elif not self.partial:
            near = get_close_matches(path, [dotted(known) for known in origins], n=1)
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


def identical(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Return whether two pieces of TOML data are written alike: values, types, order, and folders of paths."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(identical(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(identical, one, other))
    return bool(one == other) and (not isinstance(one, Text) or one.folder == other.folder)


def short_forms(table: Table) -> Table:
    """Write out components given as a string, so that layers merge table with table."""
    for slot in SLOTS:
        value = table.get(slot.key)
        if not slot.many and isinstance(value, str):
            table[slot.key] = {"type": value}
        if slot.many:
            table = _short_form_of(table, slot.key)
    conditions = table.get(CONDITIONS)
    if isinstance(conditions, dict):
        table[CONDITIONS] = {
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


def _always(layer: Layer) -> Source:
    return lambda _path: layer


def _changed(text: str) -> Table:
    """Return the table that a `--set` writes; raises ValueError where it writes none."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ValueError("expected KEY=VALUE, as in --set optimizer.lr=1e-3")
    if not _toml(f"{key} = 0"):
        raise ValueError(f"{key.strip()!r} is not a key; quote a part that has more than letters, digits, _ and -")
    table = _toml(f"{key} = {value}")
    # A bare word is what one types for a component's name.
    if table is None and _WORD.fullmatch(value.strip()):
        table = _toml(f"{key} = '{value.strip()}'")
    if table is None:
        raise ValueError(f"expected a TOML value, got {value.strip()!r:.80}; {_how_to_write(key, value)}")
    if "extends" in table:
        raise ValueError("bases cannot be set here; write a recipe that extends the one you mean")
    return short_forms(rooted(table, Path.cwd()))


def _how_to_write(key: str, value: str) -> str:
    """Return what to type in place of a value that is none."""
    number = number_meant(value.strip())
    if number is not None:
        return f"write {number}"
    if value.lstrip()[:1] in ("[", "{"):
        return "close what is opened, and quote text within it: --set 'KEY={type=\"none\"}'"
    return f"quote text: {_in_quotes(key, value)}"


def _in_quotes(key: str, value: str) -> str:
    """Return what to type for a text, or an example where it has signs that a shell or TOML takes for their own."""
    plain = key.strip() + value.strip()
    if len(plain) > _LONG or not plain.isprintable() or set(plain) & set("\"'\\"):
        return "--set 'KEY=\"a b\"'"
    return f"--set '{key.strip()}=\"{value.strip()}\"'"


def keys_of(path: str) -> list[str]:
    """Return the keys of a dotted path, of which TOML lets one quote some."""
    inner: Any = _toml(f"{path} = 0")
    found: list[str] = []
    while isinstance(inner, dict) and len(inner) == 1:
        ((key, inner),) = inner.items()
        found.append(key)
    return found or path.split(".")


def dotted(path: KeyPath) -> str:
    """Return keys as a dotted path, those in quotes that TOML wants so."""
    return ".".join(
        text if _BARE_KEY.fullmatch(text) else json.dumps(text, ensure_ascii=False) for text in map(str, path)
    )


def _toml(text: str) -> Table | None:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError):
        return None
    return None if too_deep(table) else table
