"""A recipe, resolved: every table turned into the component it names, every default filled in, every mistake at once.

The saved form (`dump`) is plain TOML without bases or variables; resolving it again gives an equal recipe.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.ablate_table import list_variants, read_ablate
from wakekit.building import Chosen, build_component
from wakekit.converter import ProblemsError, structure, warned
from wakekit.data import SPLITS
from wakekit.detector_settings import present_search, settings_of
from wakekit.errors import Mistake, PluginError, Problem, RecipeError, WakekitError, an, nearest
from wakekit.hints import of_a_part, with_bases, with_homes
from wakekit.ids import blank_ids, not_keyed, without_id
from wakekit.kinds import SLOTS, Slot
from wakekit.layers import Merged, identical, read_layers
from wakekit.merging import CONDITIONS, KeyPath, Meaning, Options
from wakekit.options import former_names
from wakekit.references import VARS, References
from wakekit.registry import Registry
from wakekit.required import unmet
from wakekit.settings import Condition, Settings, folder_name
from wakekit.variant_recipes import VariantsError, level_problems, optional_parts, resolve_variants
from wakekit.variants import Ablate, Variant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SLOTS = {slot.key: slot for slot in SLOTS}

_ABLATE = "ablate"
_AUGMENTATIONS = "augmentations"
_RECORDING = "recording"


@attrs.frozen(eq=False)
class Recipe:
    """A resolved recipe.

    `single` maps the key of each one-component slot to its component, `many` the key of each id-keyed slot to its
    components by id, in the order written. `conditions` maps ids to shifted copies of the test set, `variants` names
    to the recipes that `[ablate]` sets against this one, and `described` the same names to what each changes; `ablate`
    says how they are compared. `levels` are this recipe's own in a grid: axis, or what is left out, to what it is here.
    `warnings` are what will not work for ever, as former names, here and in the variants.
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
    warnings: tuple[Mistake, ...] = ()

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
    merged = read_layers(path, changes, drops, meaning=_meaning(registry))
    return _Resolver(registry, merged).resolve(Path(str(path).rpartition(":")[2]).stem)


def _meaning(registry: Registry) -> Meaning:
    def options(kind: str, name: str) -> Options:
        # What is wrong with a component is said where it is built.
        try:
            entry = registry.find(kind, name)
            return Options(registry.name_of(entry), former_names(registry.load(entry)))
        except WakekitError:
            return Options(name)

    return Meaning(registry.meaning, options)


@attrs.frozen(eq=False)
class _Built:
    """A component that was built from what is written at a path, and what was warned of."""

    path: KeyPath
    written: object
    chosen: Chosen
    warnings: tuple[Problem, ...]


class _Resolver:
    """Collects problems over the whole recipe before any is raised."""

    def __init__(self, registry: Registry, merged: Merged, built: list[_Built] | None = None) -> None:
        self.registry = registry
        self.merged = merged
        self.references = References(merged.table.get(VARS, {}))
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.plugin_trouble: set[str] = set()
        self.unmet = False
        # What variants have in common is built once.
        self.built = [] if built is None else built

    def resolve(self, stem: str) -> Recipe:
        """Return the recipe; raises RecipeError with every problem."""
        found = self.recipe(stem)
        if _ABLATE in self.merged.table:
            found = self._ablated(found, stem)
        told = self.merged.mistakes([*self.warnings, *self.references.unused()])
        warnings = tuple(self.merged.in_order([*self.merged.warnings, *told]))
        problems = [problem for problem in self._all_problems() if not (self.merged.partial and problem.missing)]
        if problems or self.merged.found:
            problems = of_a_part(with_bases(problems, self.merged.table), self.merged)
            problems = with_homes(problems, self.merged.table, self.registry)
            placed = [*self.merged.found, *self.merged.mistakes(problems)]
            error = RecipeError(self.merged.in_order(placed))
            error.warnings = warnings
            # What a missing plugin would offer is unknown too: what is to be done is to install it.
            if self.unmet or all(mistake.message.endswith(tuple(self.plugin_trouble)) for mistake in placed):
                error.exit_code = PluginError.exit_code
            raise error
        return attrs.evolve(found, warnings=warnings)

    def _all_problems(self) -> list[Problem]:
        """Return the problems, but not those that others bring about."""
        own = [self._sourced(problem) for problem in self.problems if not self.references.follows(problem)]
        return [*self.references.problems, *self.references.mistyped(), *own]

    def _sourced(self, problem: Problem) -> Problem:
        """Return a problem of a value that was made of variables with the places of those."""
        places = {name: self.merged.origin((VARS, name)) for name in self.references.behind(problem.path)}
        told = [f"{VARS}.{name} at {layer.place((VARS, name))}" for name, layer in places.items() if layer is not None]
        return problem.moved(problem.path, f"{problem.message} (from {', '.join(told)})") if told else problem

    def _ablated(self, recipe: Recipe, stem: str) -> Recipe:
        """Return the recipe with the variants that `[ablate]` asks for, where nothing is wrong with either."""
        right = not (self._all_problems() or self.merged.partial)
        written = self.references.filled(self.merged.table[_ABLATE], (_ABLATE,))
        asked, wrong = read_ablate(written)
        resolve = functools.partial(self._variant, stem=stem)
        try:
            if right and not wrong and not self._all_problems():
                asked = asked.told(optional_parts(recipe))
                return resolve_variants(recipe, asked, list_variants(asked), resolve=resolve)
            if not wrong and not asked.by_mode:
                list_variants(asked)
        except VariantsError as error:
            self.problems += [problem.under(_ABLATE) for problem in error.problems]
            return recipe
        except ProblemsError as error:
            wrong = list(error.problems)
        self.problems += [problem.under(_ABLATE) for problem in [*wrong, *level_problems(asked, resolve)]]
        return recipe

    def _variant(self, variant: Variant, *, stem: str) -> tuple[list[Problem], Recipe | None]:
        """Return what the changes of a variant make wrong, and its recipe where it is right."""
        table = {key: value for key, value in self.merged.table.items() if key != _ABLATE}
        try:
            merged = attrs.evolve(self.merged, table=variant.applied(table, meaning=_meaning(self.registry)))
        except ProblemsError as error:
            return [variant.blamed(problem) for problem in error.problems], None
        resolver = _Resolver(self.registry, merged, self.built)
        found = resolver.recipe(stem)
        self.plugin_trouble |= resolver.plugin_trouble
        self.unmet |= resolver.unmet
        caused = [variant.caused(warning) for warning in resolver.warnings]
        self.warnings += [warning.under(_ABLATE) for warning in caused if warning is not None]
        before = {(problem.path, problem.message) for problem in self._all_problems()}
        problems = resolver._all_problems()
        new = [problem for problem in problems if (problem.path, problem.message) not in before]
        told = [problem for problem in new if not before or variant.caused(problem) is not None]
        return [variant.blamed(problem) for problem in told], None if problems else found

    def recipe(self, stem: str) -> Recipe:
        """Return the recipe, of use only where no problem was found."""
        written = {key: value for key, value in self.merged.table.items() if key not in {VARS, _ABLATE}}
        table: dict[str, Any] = self.references.filled(written, ())
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
        written_plugins = table.get("plugins")
        settings = self._settings(table)
        settings = self._searched(settings, single["detector"], table.get("operating_point"))
        self._check_required(written_plugins)
        if settings is not None:
            settings = attrs.evolve(settings, name=settings.name or folder_name(stem))
        chosen = {key: value for key, value in single.items() if value is not None}
        return Recipe(settings, chosen, many, self.merged, self.registry, conditions)

    def _settings(self, table: dict[str, Any]) -> Any:  # noqa: ANN401
        names = [field.name for field in attrs.fields(Settings)] + [*_SLOTS, CONDITIONS, _ABLATE, VARS, "extends"]
        for key in [key for key in table if key not in names]:
            near = nearest(key, names)
            hint = f"did you mean {near!r}?" if near else f"a recipe has {', '.join(sorted(names))}"
            if key.partition(".")[0] in names:
                near, hint = key, f"write it without quotes: {key}"
            self.problems.append(Problem((key,), f"unknown key {key!r} ({hint})", on_key=True, suggestion=near))
            del table[key]
        table.setdefault("operating_point", {})
        try:
            with self._warned(()):
                return structure(Settings, table, "the recipe")
        except ProblemsError as error:
            self.problems += error.problems
            return None

    def _check_required(self, written: object) -> None:
        """Hold what `[plugins]` requires against what is installed, also where other settings are wrong."""
        required = written.get("require") if isinstance(written, dict) else None
        for place, text in enumerate(required) if isinstance(required, list) else ():
            path = ("plugins", "require", place)
            try:
                trouble = unmet(text, self.registry.plugins) if isinstance(text, str) else None
            except ValueError as error:
                self.problems.append(Problem(path, str(error)))
                continue
            if trouble:
                self.unmet = True
                self.problems.append(Problem(path, trouble))

    def _searched(self, settings: Settings | None, detector: Chosen | None, written: object) -> Settings | None:
        """Return the settings with a search that the detector takes, its options under their present names.

        Where other settings are wrong, what is `written` as the operating point is judged as far as it is lists.
        """
        if detector is None:
            return settings
        asked = settings.operating_point.search if settings is not None else _lists_in(written, "search")
        try:
            with self._warned(("operating_point", "search")):
                search = present_search(detector.value, asked)
                settings_of(detector.value, search)
        except ProblemsError as error:
            self.problems += [problem.under("operating_point", "search") for problem in error.problems]
            return settings
        if settings is None:
            return None
        return attrs.evolve(settings, operating_point=attrs.evolve(settings.operating_point, search=search))

    def _single(self, slot: Slot, written: object) -> Chosen | None:
        if written is None and slot.neutral is None:
            names = ", ".join(entry.component.name for entry in self.registry.entries(slot.kind)) or "none installed"
            message = f"missing [{slot.key}]: choose {an(slot.kind)} with type = … ({names})"
            self.problems.append(Problem((), message, missing=True))
            return None
        return self._component(slot, {"type": self._neutral(slot)} if written is None else written, (slot.key,))

    def _neutral(self, slot: Slot) -> str | None:
        return slot.neutral and self.registry.own_name(slot.kind, slot.neutral)

    def _many(self, slot: Slot, written: object, path: KeyPath) -> dict[str, Chosen]:
        if written is None:
            return {}
        if not isinstance(written, dict):
            self.problems.append(not_keyed(written, path))
            return {}
        if isinstance(written.get("type"), (str, dict)):
            # A table without an id, as [metrics] with type = "eer"; its name was taken for a short form of one.
            self.problems.append(without_id(written["type"], path))
            written = {name: table for name, table in written.items() if name != "type" and isinstance(table, dict)}
        self.problems += blank_ids(written, path)
        made = {name: self._component(slot, table, (*path, name)) for name, table in written.items()}
        return {name: chosen for name, chosen in made.items() if chosen is not None}

    def _conditions(self, written: object) -> dict[str, Condition]:
        if not isinstance(written, dict):
            self.problems.append(not_keyed(written, (CONDITIONS,)))
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
            with self._warned(path):
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
            written = {"type": self._neutral(slot), **written}
        known = next((one for one in self.built if one.path == path and identical(one.written, written)), None)
        if known is not None:
            self.warnings += known.warnings
            return known.chosen
        before = len(self.warnings)
        try:
            with self._warned(path):
                chosen = build_component(self.registry, slot.kind, written)
            self.built.append(_Built(path, written, chosen, tuple(self.warnings[before:])))
        except ProblemsError as error:
            self.problems += [problem.under(*path) for problem in error.problems]
        except PluginError as error:
            self.plugin_trouble.add(str(error))
            self.problems.append(Problem(_type_path(path, written), str(error)))
        else:
            return chosen
        return None

    @contextmanager
    def _warned(self, path: KeyPath) -> Iterator[None]:
        """Keep the warnings of a value at a path."""
        with warned() as found:
            yield
        self.warnings += [warning.under(*path) for warning in found]


def _lists_in(table: object, key: str) -> dict[str, tuple[Any, ...]]:
    """Return the lists in the table at a key of another, nothing where there is none."""
    held = table.get(key) if isinstance(table, dict) else None
    return (
        {name: tuple(items) for name, items in held.items() if isinstance(items, list)}
        if isinstance(held, dict)
        else {}
    )


def _type_path(path: KeyPath, written: object) -> KeyPath:
    return (*path, "type") if isinstance(written, dict) and "type" in written else path
