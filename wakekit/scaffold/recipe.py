"""A recipe to begin with: a few lines on top of another recipe, or a copy of it, with what one changes first."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import tomli_w

from wakekit.errors import RecipeError
from wakekit.layers import shipped_recipes
from wakekit.positions import locate
from wakekit.recipe import load_recipe
from wakekit.recipe_table import as_table
from wakekit.scaffold.writing import ScaffoldError, room

if TYPE_CHECKING:
    from wakekit.recipe import Recipe
    from wakekit.registry import Registry

SHIPPED = "wakekit:"
# What one changes first, with what it is; a recipe that has no such value leaves the line out.
_FIRST = (
    ("corpus", "keyword", "the wake word"),
    ("window", "seconds", "what the model sees at once"),
    ("train", "epochs", "more of them, better and slower"),
    ("operating_point", "fa_per_hour", "false accepts that you can live with"),
)
_COLUMN = 31
_STRING = re.compile(r"""\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'""", re.DOTALL)
# Joiners and their opposites are no letters that show, but words of Persian and Hindi are spelt with them.
_JOINERS = str.maketrans("", "", "\u200c\u200d")


@attrs.frozen(kw_only=True)
class Wanted:
    """A recipe to be written to `target`: from which `base` (a file, or `wakekit:NAME`), for which keyword if any."""

    base: str
    target: Path
    keyword: str | None = None

    @property
    def changes(self) -> list[str]:
        """What is changed of the base, as after `--set`."""
        return [] if self.keyword is None else [f"corpus.{_assigned('keyword', self.keyword).replace(' = ', '=', 1)}"]

    @property
    def named(self) -> str:
        """The base as the new recipe names it: a file relative to the new one."""
        if self.base.startswith(SHIPPED):
            return self.base
        return Path(os.path.relpath(self.base, self.target.parent)).as_posix()


def recipe_text(wanted: Wanted, registry: Registry) -> str:
    """Return a recipe that extends the base; raises RecipeError where the base, or the keyword in it, is wrong."""
    table = as_table(_loaded(wanted, registry))
    blocks = [_header(wanted, f"What is not written here is as in {wanted.named}.")]
    blocks.append(_assigned("extends", [wanted.named]))
    for key, option, help_text in _FIRST:
        value = table.get(key, {}).get(option)
        if value is not None:
            line = _assigned(option, value).ljust(_COLUMN)
            blocks.append(f"[{key}]\n{line}# {help_text}")
    return "\n\n".join(blocks).replace("\n\nextends", "\nextends", 1) + "\n"


def recipe_copy(wanted: Wanted, registry: Registry) -> str:
    """Return the whole text of the base with its comments, its own first lines apart, for the keyword.

    Raises ScaffoldError where the text would mean something else in the folder of the new recipe.
    """
    path = _file(wanted.base)
    base = _loaded(wanted, registry)
    # What else Unicode calls the end of a line is none in TOML.
    lines = path.read_text(encoding="utf-8").split("\n")
    first = next((number for number, line in enumerate(lines) if not line.startswith("#")), len(lines))
    text = _with_keyword("\n".join(lines[first:]), wanted)
    text = _header(wanted, f"A copy of {wanted.named}.") + "\n" + text.lstrip("\n")
    _refuse_another(text, base, wanted, registry)
    return text


def _loaded(wanted: Wanted, registry: Registry) -> Recipe:
    shown = "" if wanted.keyword is None else wanted.keyword.translate(_JOINERS)
    if wanted.keyword is not None and not (shown.strip() and shown.isprintable()):
        raise ScaffoldError(f"expected words to wake by, as in 'okay juniper', got {wanted.keyword!r}")
    return load_recipe(wanted.base, registry, changes=wanted.changes)


def _file(base: str) -> Path:
    if base.startswith(SHIPPED):
        return shipped_recipes() / f"{base.removeprefix(SHIPPED).removesuffix('.toml')}.toml"
    return Path(base)


def _header(wanted: Wanted, sentence: str) -> str:
    name = wanted.target.name
    return f"#:schema schema.json\n# {sentence}\n#   wakekit check {name}\n#   wakekit run {name}"


def _assigned(key: str, value: Any) -> str:  # noqa: ANN401
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return tomli_w.dumps({key: whole}).strip().replace("[\n    ", "[").replace(",\n]", "]")


def _with_keyword(text: str, wanted: Wanted) -> str:
    """Return the text with another keyword, put where the old one stands."""
    if wanted.keyword is None:
        return text
    line, column = locate(text, ("corpus", "keyword"))
    start = sum(len(before) + 1 for before in text.split("\n")[: line - 1]) + column - 1
    found = _STRING.match(text, start)
    if found is None:
        raise ScaffoldError(
            f"{wanted.base} writes no keyword of its own, so that a copy has no place for one; leave out --full"
        )
    written = _assigned("keyword", wanted.keyword).partition(" = ")[2]
    return text[: found.start()] + written + text[found.end() :]


def _refuse_another(text: str, base: Recipe, wanted: Wanted, registry: Registry) -> None:
    with room(wanted.target.parent) as part:
        # Beside the new recipe's place, not in the folder, for what is relative to it.
        path = part.parent / f"{part.name}.toml"
        path.write_text(text, encoding="utf-8")
        try:
            found = _contents(load_recipe(path, registry))
        except RecipeError:
            found = None
        finally:
            path.unlink()
    if found != _contents(base):
        raise ScaffoldError(
            f"{wanted.base} names files relative to its own folder, so that a copy in {wanted.target.parent} would "
            "mean others; leave out --full"
        )


def _contents(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in as_table(recipe).items() if key != "name"}
