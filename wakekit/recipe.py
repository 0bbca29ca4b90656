"""A recipe, resolved: every table turned into the component it names, every default filled in, every mistake at once.

The saved form (`dump`) is plain TOML without bases or variables; resolving it again gives an equal recipe.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.ablate_table import list_variants, read_ablate
from wakekit.converter import ProblemsError, shown, structure
from wakekit.data import SPLITS
from wakekit.detector_settings import settings_of
from wakekit.errors import PluginError, Problem, RecipeError, WakekitError
from wakekit.kinds import SLOTS, Slot
from wakekit.layers import KeyPath, Merged, Text, read_layers
from wakekit.recipe_table import CONDITIONS
from wakekit.registry import Entry, Registry
from wakekit.settings import Condition, Settings, folder_name
from wakekit.variant_recipes import optional_parts, resolve_variants
from wakekit.variants import Ablate, Variant

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SLOTS = {slot.key: slot for slot in SLOTS}
_KIND_OF = {slot.contract: slot.kind for slot in SLOTS}

_ABLATE = "ablate"
_AUGMENTATIONS = "augmentations"
_RECORDING = "recording"
_REFERENCE = re.compile(r"\$\{([^}]*)\}")


@attrs.frozen(eq=False)
class Chosen:
    """A component that a recipe chose: where it comes from and its parameters."""

    entry: Entry
    value: Any


@attrs.frozen(eq=False)
class Recipe:
    """A resolved recipe.

    `single` maps the key of each one-component slot to its component, `many` the key of each id-keyed slot to its
    components by id, in the order written. `conditions` maps ids to shifted copies of the test set, `variants` names
    to the recipes that `[ablate]` sets against this one, and `described` the same names to what each changes; `ablate`
    says how they are compared. `levels` are this recipe's own in a grid: axis, or what is left out, to what it is here.
    """

    settings: Settings
    single: Mapping[str, Chosen]
    many: Mapping[str, Mapping[str, Chosen]]
    merged: Merged
    registry: Registry
    conditions: Mapping[str, Condition] = attrs.field(factory=dict)
    variants: Mapping[str, Recipe] = attrs.field(factory=dict)
    ablate: Ablate | None = None
    described: Mapping[str, Variant] = attrs.field(factory=dict)
    levels: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of training of this recipe and its variants; none where there is no `[ablate]`."""
        return () if self.ablate is None else self.ablate.seeds

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        """Return the component of a one-component slot."""
        return self.single[key].value

    def each(self, key: str) -> dict[str, Any]:
        """Return the components of an id-keyed slot by id."""
        return {name: chosen.value for name, chosen in self.many[key].items()}


def load_recipe(
    path: str | Path, registry: Registry, *, changes: Sequence[str] = (), drops: Sequence[str] = ()
) -> Recipe:
    """Read, merge and resolve a recipe; raises RecipeError with every mistake and its place."""
    merged = read_layers(path, changes, drops)
    return _Resolver(registry, merged).resolve(Path(str(path).rpartition(":")[2]).stem)


class _Resolver:
    """Collects problems over the whole recipe before any is raised."""

    def __init__(self, registry: Registry, merged: Merged) -> None:
        self.registry = registry
        self.merged = merged
        self.problems: list[Problem] = []
        self.plugin_trouble: set[str] = set()

    def resolve(self, stem: str) -> Recipe:
        """Return the recipe; raises RecipeError with every problem."""
        found = self.recipe(stem)
        if _ABLATE in self.merged.table:
            found = self._ablated(found, stem)
        if self.problems:
            error = RecipeError(self.merged.lines(self.problems))
            if all(problem.message.endswith(tuple(self.plugin_trouble)) for problem in self.problems):
                error.exit_code = PluginError.exit_code
            raise error
        return found

    def _ablated(self, recipe: Recipe, stem: str) -> Recipe:
        """Return the recipe with the variants that `[ablate]` asks for, which need a recipe without mistakes."""
        before = len(self.problems)
        written = self._interpolate(self.merged.table[_ABLATE], (_ABLATE,))
        if len(self.problems) > before:
            return recipe
        try:
            asked = read_ablate(written)
            if before and asked.by_mode:
                return recipe
            asked = asked if before else asked.told(optional_parts(recipe))
            variants = list_variants(asked)
            if before:
                return recipe
            return resolve_variants(recipe, asked, variants, resolve=functools.partial(self._variant, stem=stem))
        except ProblemsError as error:
            self.problems += [problem.under(_ABLATE) for problem in error.problems]
            return recipe

    def _variant(self, variant: Variant, *, stem: str) -> tuple[list[Problem], Recipe | None]:
        table = {key: value for key, value in self.merged.table.items() if key != _ABLATE}
        try:
            merged = attrs.evolve(self.merged, table=variant.applied(table))
        except ProblemsError as error:
            return [variant.blamed(problem) for problem in error.problems], None
        resolver = _Resolver(self.registry, merged)
        found = resolver.recipe(stem)
        self.plugin_trouble |= resolver.plugin_trouble
        return [variant.blamed(problem) for problem in resolver.problems], None if resolver.problems else found

    def recipe(self, stem: str) -> Recipe:
        """Return the recipe, of use only where no problem was found."""
        written = {key: value for key, value in self.merged.table.items() if key not in {"vars", _ABLATE}}
        table: dict[str, Any] = self._interpolate(written, ())
        single, many = {}, {}
        for slot in SLOTS:
            written = table.pop(slot.key, None)
            if slot.many:
                many[slot.key] = self._many(slot, written, (slot.key,))
                if slot.key == _AUGMENTATIONS:
                    self._check_trained(many[slot.key], written)
            else:
                single[slot.key] = self._single(slot, written)
        conditions = self._conditions(table.pop(CONDITIONS, {}))
        settings = self._settings(table)
        self._check_search(settings, single["detector"])
        if settings is not None:
            settings = attrs.evolve(settings, name=settings.name or folder_name(stem))
        chosen = {key: value for key, value in single.items() if value is not None}
        return Recipe(settings, chosen, many, self.merged, self.registry, conditions)

    def _settings(self, table: dict[str, Any]) -> Any:  # noqa: ANN401
        names = [field.name for field in attrs.fields(Settings)] + [*_SLOTS, CONDITIONS, _ABLATE, "vars", "extends"]
        for key in [key for key in table if key not in names]:
            near = get_close_matches(key, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"a recipe has {', '.join(sorted(names))}"
            self.problems.append(Problem((key,), f"unknown key {key!r} ({hint})", on_key=True))
            del table[key]
        table.setdefault("operating_point", {})
        try:
            return structure(Settings, table, "the recipe")
        except ProblemsError as error:
            self.problems += error.problems
            return None

    def _check_search(self, settings: Settings | None, detector: Chosen | None) -> None:
        try:
            if settings is not None and detector is not None:
                settings_of(detector.value, settings.operating_point.search)
        except ProblemsError as error:
            self.problems += [problem.under("operating_point", "search") for problem in error.problems]

    def _single(self, slot: Slot, written: object) -> Chosen | None:
        if written is None and slot.neutral is None:
            names = ", ".join(entry.component.name for entry in self.registry.entries(slot.kind)) or "none installed"
            self.problems.append(Problem((), f"missing [{slot.key}]: choose a {slot.kind} with type = … ({names})"))
            return None
        return self._component(slot, {"type": slot.neutral} if written is None else written, (slot.key,))

    def _many(self, slot: Slot, written: object, path: KeyPath) -> dict[str, Chosen]:
        if written is None:
            return {}
        if not isinstance(written, dict):
            self.problems.append(Problem(path, f"expected tables keyed by id, got {shown(written)}"))
            return {}
        made = {name: self._component(slot, table, (*path, name)) for name, table in written.items()}
        return {name: chosen for name, chosen in made.items() if chosen is not None}

    def _conditions(self, written: object) -> dict[str, Condition]:
        if not isinstance(written, dict):
            self.problems.append(Problem((CONDITIONS,), f"expected tables keyed by id, got {shown(written)}"))
            return {}
        made = {name: self._condition(name, table) for name, table in written.items()}
        return {name: condition for name, condition in made.items() if condition is not None}

    def _condition(self, name: str, written: object) -> Condition | None:
        path = (CONDITIONS, name)
        if folder_name(name) != name or name in SPLITS:
            message = f"expected an id that can name a folder and is not {', '.join(SPLITS)}, got {name!r}"
            self.problems.append(Problem(path, message, on_key=True))
        table = written
        if isinstance(written, dict) and "augmentations" in written:
            table = {**written, "augmentations": self._changes(written["augmentations"], (*path, "augmentations"))}
        try:
            found: Condition = structure(Condition, table, "a condition")
        except ProblemsError as error:
            self.problems += [problem.under(*path) for problem in error.problems]
            return None
        return found

    def _changes(self, written: object, path: KeyPath) -> dict[str, Any]:
        """Return the augmentations of a condition by id."""
        chosen = self._many(_SLOTS["augmentations"], written, path)
        for name, one in chosen.items():
            if one.value.domain not in {"waveform", _RECORDING}:
                message = f"a condition changes recordings: {one.entry.component.name} changes {one.value.domain}"
                self._misplaced(written, (*path, name), message)
        if written == {}:
            self.problems.append(Problem(path, "expected at least one augmentation, got none"))
        return {name: one.value for name, one in chosen.items()}

    def _check_trained(self, chosen: Mapping[str, Chosen], written: object) -> None:
        """Refuse augmentations that cannot change a batch."""
        for name, one in chosen.items():
            if getattr(one.value, "domain", "") == _RECORDING:
                named = one.entry.component.name
                message = f"training changes batches: {named} changes whole recordings, as in [{CONDITIONS}.<id>]"
                self._misplaced(written, (_AUGMENTATIONS, name), message)

    def _misplaced(self, written: Any, path: KeyPath, message: str) -> None:  # noqa: ANN401
        self.problems.append(Problem(_type_path(path, written[path[-1]]), message))

    def _component(self, slot: Slot, written: object, path: KeyPath) -> Chosen | None:
        if isinstance(written, dict) and slot.implied:
            written = {"type": slot.neutral, **written}
        try:
            return build_component(self.registry, slot.kind, written)
        except ProblemsError as error:
            self.problems += [problem.under(*path) for problem in error.problems]
        except PluginError as error:
            self.plugin_trouble.add(str(error))
            self.problems.append(Problem(_type_path(path, written), str(error)))
        return None

    def _interpolate(self, value: Any, path: KeyPath) -> Any:  # noqa: ANN401
        if isinstance(value, dict):
            return {key: self._interpolate(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._interpolate(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, Text) and "${" in value:
            return self._filled(value, path)
        return value

    def _filled(self, text: Text, path: KeyPath) -> Any:  # noqa: ANN401
        try:
            return self._expanded(text, ())
        except LookupError as error:
            self.problems.append(Problem(path, str(error.args[0])))
            return Text.at(text.folder, "")

    def _expanded(self, text: Text, within: tuple[str, ...]) -> Any:  # noqa: ANN401
        """Return a text with its references filled in; one that is nothing but a reference takes the value itself."""
        whole = _REFERENCE.fullmatch(text)
        if whole:
            found = self._lookup(whole[1], within)
            # A path in [vars] is relative to the file that wrote it there.
            return Text.at(text.folder, found) if type(found) is str else found
        return Text.at(text.folder, _REFERENCE.sub(lambda match: str(self._lookup(match[1], within)), text))

    def _lookup(self, reference: str, within: tuple[str, ...]) -> Any:  # noqa: ANN401
        if reference.startswith("env:"):
            name = reference.removeprefix("env:")
            if name not in os.environ:
                raise LookupError(f"the environment variable {name} is not set; set it, as in {name}=… wakekit run …")
            return os.environ[name]
        variables = self.merged.table.get("vars", {})
        name = reference.removeprefix("vars.")
        if not reference.startswith("vars.") or not isinstance(variables, dict) or name not in variables:
            raise LookupError(
                f"unknown reference ${{{reference}}}; use ${{env:NAME}} or ${{vars.name}} with a table [vars]"
            )
        if name in within:
            raise LookupError(f"${{vars.{name}}} refers to itself, through {' → '.join([*within, name])}")
        found = variables[name]
        return self._expanded(found, (*within, name)) if isinstance(found, Text) and "${" in found else found


def _type_path(path: KeyPath, written: object) -> KeyPath:
    return (*path, "type") if isinstance(written, dict) and "type" in written else path


def build_component(registry: Registry, kind: str, written: object) -> Chosen:
    """Return the component that a table (or a string, short for one) describes.

    Raises ProblemsError for the recipe's mistakes, PluginError for a plugin's.
    """
    table = {"type": written} if isinstance(written, str) else written
    if not isinstance(table, dict):
        raise ProblemsError([Problem((), f"expected a table or the name of a {kind}, got {shown(written)}")])
    name = table.get("type")
    if not isinstance(name, str):
        message = "missing type" if name is None else f"expected the name of a {kind}, got {shown(name)}"
        raise ProblemsError([Problem(("type",) if name is not None else (), f"{message}; {_offer(registry, kind)}")])
    try:
        entry = registry.find(kind, str(name))
    except PluginError:
        raise
    except WakekitError as error:
        raise ProblemsError([Problem(("type",), str(error))]) from error
    options = {key: value for key, value in table.items() if key != "type"}
    value = structure(registry.load(entry), options, str(name), nested=nested_builder(registry))
    _check_files(value)
    if kind == "corpus" and not value.keyword.strip():
        raise ProblemsError([Problem(("keyword",), "expected a keyword, got none")])
    return Chosen(entry, value)


def _offer(registry: Registry, kind: str) -> str:
    return f"there are: {', '.join(entry.component.name for entry in registry.entries(kind)) or 'none'}"


@functools.cache
def nested_builder(registry: Registry) -> Callable[[type, object], object]:
    """Return what builds components that are options of other components, from their kind's Protocol."""

    def build(contract: type, written: object) -> object:
        return build_component(registry, _KIND_OF[contract], written).value

    return build


def _check_files(value: object) -> None:
    """Refuse options of type Path that name nothing: components only read what they are given."""
    missing = [
        Problem((field.name,), f"no such file or folder: {path}")
        for field in attrs.fields(type(value))  # type: ignore[arg-type]
        for path in _paths(getattr(value, field.name))
        if not path.exists()
    ]
    if missing:
        raise ProblemsError(missing)


def _paths(value: object) -> list[Path]:
    if isinstance(value, (tuple, list)):
        return [path for item in value for path in _paths(item)]
    return [value] if isinstance(value, Path) else []
