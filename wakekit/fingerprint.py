"""Fingerprints: sha256 of canonical JSON of the resolved tables, in order, with each component's plugin and version.

Never of a pickle, never of the difference from the defaults. A path counts as the content of what it names; device,
threads and output places do not count. Components and options go by their oldest names, and an option that came later
does not count at its neutral value, so that an upgrade changes fingerprints exactly where a version or a value changes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.artifacts import write_text
from wakekit.options import lasting_name, option_info

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from wakekit.recipe import Recipe
    from wakekit.registry import Registry
    from wakekit.settings import Target

# A stage's number goes up when the core's own part of its results changes.
_STAGES = {
    "corpus": 1,
    "prepare": 1,
    "train": 2,
    "compose": 2,
    "condition": 2,
    "score": 2,
    "calibrate": 3,
    "judge": 1,
    "evaluate": 4,
    "export": 1,
}
# Recipes that differ by their seed alone have the same fingerprints with this one.
KIN_SEED = 0
_TRAIN_SLOTS = ("frontend", "normalizer", "sampler", "augmentations", "model", "loss", "optimizer", "schedule")


class Contents:
    """Hashes of files and folders, remembered by size and time of change in the file `memory`.

    Without `keep` that file is only read. What was asked for `once` is not looked at again by the same object, so that
    the recipes of an ablation, which mostly name the same files, are told apart in one look.
    """

    def __init__(self, memory: Path, *, keep: bool = True) -> None:
        self._memory, self._keep = memory, keep
        self._known: dict[str, list[Any]] = {}
        self._asked: dict[Hashable, str] = {}
        self._grown = False
        if memory.is_file():
            self._known = _remembered(memory)

    def once(self, key: Hashable, paths: Callable[[], Iterable[Path]]) -> str:
        """Return the hash of the contents of what `paths` names the first time that `key` is asked for."""
        if key not in self._asked:
            self._asked[key] = self.of(paths())
        return self._asked[key]

    def of(self, paths: Iterable[Path]) -> str:
        """Return one hash of the contents of all the paths; names below a folder count, the paths themselves do not."""
        total = hashlib.sha256()
        for path in paths:
            if path.is_dir():
                for inner in sorted(item for item in path.rglob("*") if item.is_file()):
                    total.update(f"{inner.relative_to(path).as_posix()}\0{self._file(inner)}\n".encode())
            elif path.is_file():
                total.update(f"{self._file(path)}\n".encode())
            else:
                total.update(b"missing\n")
        self._save()
        return total.hexdigest()

    def _file(self, path: Path) -> str:
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        known = self._known.get(str(path))
        if known is None or known[:2] != stamp:
            with path.open("rb") as stream:
                known = [*stamp, hashlib.file_digest(stream, "sha256").hexdigest()]
            self._known[str(path)] = known
            self._grown = True
        return str(known[2])

    def _save(self) -> None:
        if self._grown and self._keep:
            write_text(self._memory, json.dumps(self._known))
            self._grown = False


def _remembered(memory: Path) -> dict[str, list[Any]]:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    pairs = known.items() if isinstance(known, dict) else ()
    return {name: stamp for name, stamp in pairs if isinstance(stamp, list) and len(stamp) == 3}  # noqa: PLR2004


def stage_fingerprints(recipe: Recipe, contents: Contents) -> dict[str, str]:
    """Return the fingerprint of every stage; `evaluate` is the fingerprint of the whole run.

    A condition has two: `condition-<id>` for its audio, `score-condition-<id>` for the scores of it. An exporter has
    `export-<id>`.
    """
    settings, plain = recipe.settings, _Canonical(recipe.registry, contents)

    def part(key: str) -> object:
        slot_values = list(recipe.each(key).items()) if key in recipe.many else recipe[key]
        return [key, plain(slot_values)]

    prints: dict[str, str] = {}

    def stage(name: str, after: str | None, parts: list[object], kind: str = "") -> None:
        # The id of a condition is only a name: what it changes and how is what counts.
        kind = kind or name
        body = [kind, _STAGES[kind], prints[after] if after else "", parts]
        prints[name] = digest(body)

    stage("corpus", None, [plain(settings.audio), part("corpus")])
    stage("prepare", "corpus", [part("splitter")])
    stage("compose", "prepare", [plain(settings.compose)])
    training = [part(key) for key in (*_TRAIN_SLOTS, "train", "callbacks")]
    stage("train", "prepare", [plain(settings.window), settings.precision, settings.seed, training])
    hop = recipe["detector"].hop_seconds
    stage("score", "train", [prints["compose"], part("scorer"), hop])
    choosing = [part("calibrator"), part("detector"), plain(_lasting_search(recipe))]
    stage("calibrate", "score", choosing)
    for split in ("dev", "test"):
        stage(f"judge-{split}", "calibrate", [split], "judge")
    for number in range(1, getattr(recipe["train"], "passes", 1)):
        stage(f"score-pass-{number}", "train", [number, prints["compose"], part("scorer"), hop], "score")
        stage(f"calibrate-pass-{number}", f"score-pass-{number}", choosing, "calibrate")
    changed = []
    for name, condition in recipe.conditions.items():
        stage(f"condition-{name}", "compose", [plain(condition)], "condition")
        stage(f"score-condition-{name}", "train", [prints[f"condition-{name}"], part("scorer"), hop], "score")
        changed.append([name, prints[f"score-condition-{name}"]])
    stage("evaluate", "calibrate", [part("metrics"), *([changed] if changed else [])])
    for name, exporter in recipe.each("exporters").items():
        stage(f"export-{name}", "calibrate", [plain(exporter)], "export")
    return prints


def _lasting_search(recipe: Recipe) -> Target:
    """Return the operating point with the options of the detector that it searches under their oldest names."""
    target, fields = recipe.settings.operating_point, attrs.fields_dict(type(recipe["detector"]))
    return attrs.evolve(target, search={lasting_name(fields[name]): values for name, values in target.search.items()})


def seeded(recipe: Recipe, seed: int) -> Recipe:
    """Return the recipe with another seed of training; with `KIN_SEED` its stages are those that all its kin share."""
    return attrs.evolve(recipe, settings=attrs.evolve(recipe.settings, seed=seed))


def component_fingerprint(value: object, registry: Registry, contents: Contents) -> str:
    """Return what a component that a recipe chose adds to the fingerprints of its stages."""
    return digest(_Canonical(registry, contents)(value))


def digest(value: object) -> str:
    """Return the hash of JSON data."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def canonical_json(value: object) -> str:
    """Return JSON with one spelling per value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


class _Canonical:
    """Turns attrs values into JSON data; components carry their plugin, name and version."""

    def __init__(self, registry: Registry, contents: Contents) -> None:
        self.registry = registry
        self.contents = contents

    def __call__(self, value: Any) -> Any:  # noqa: ANN401
        if attrs.has(type(value)):
            fields = self._fields(value)
            entry = self.registry.entry_of(value)
            if entry is None:
                return fields
            named = [entry.plugin.name, entry.component.lasting_name, entry.component.version, fields]
            asked = entry.component.kind == "corpus" and callable(getattr(value, "files", None))
            return [*named, self._files(value, named)] if asked else named
        if isinstance(value, Path):
            return {"content": self.contents.once(value, lambda: [value])}
        if isinstance(value, (tuple, list)):
            return [self(item) for item in value]
        if isinstance(value, dict):
            # Pairs, because the order of a table can matter.
            return [[key, self(item)] for key, item in value.items()]
        return value

    def _fields(self, value: Any) -> dict[str, Any]:  # noqa: ANN401
        found = {}
        for field in attrs.fields(type(value)):
            if field.init:
                made, neutral = self(getattr(value, field.name)), option_info(field).neutral
                if neutral is attrs.NOTHING or made != self(neutral):
                    found[lasting_name(field)] = made
        return found

    def _files(self, value: Any, named: list[Any]) -> str:  # noqa: ANN401
        # Where options of type Path lie is not in what is named, but says which files there are.
        key = canonical_json(named) + json.dumps(attrs.asdict(value), default=str)
        return self.contents.once(key, value.files)
