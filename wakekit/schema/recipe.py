"""The JSON Schema of a recipe: its own tables, the slots of its components, `[conditions]` and `[ablate]`.

It knows three shapes: a recipe on its own, which must name what has no neutral component; one with `extends`, which may
state any part; and a suite, which holds conditions alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wakekit.ablate_table import Axis
from wakekit.data import SPLITS
from wakekit.kinds import SLOTS, Slot
from wakekit.schema.components import Components, needs
from wakekit.schema.values import DIALECT, Schema, array, options_schema, ref, required_options
from wakekit.settings import Condition, Settings, Target
from wakekit.variants import Ablate

if TYPE_CHECKING:
    from wakekit.registry import Registry

_CONDITIONS = "conditions"
_AUGMENTATIONS = "augmentations"
_CHANGE = "recording-change"
_SUITE = (_CONDITIONS, "vars", "plugins", "wakekit")
_SETTINGS = "settings"
_LABEL = "x-tombi-additional-key-label"
_OPEN: Schema = {"type": "object", "additionalProperties": True}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}


def recipe_schema(registry: Registry) -> tuple[Schema, list[str]]:
    """Return the schema of recipes for what a registry holds, and in a sentence each what had to be left out of it."""
    components = Components(registry)
    _define_kinds(components)
    tables = _tables(components)
    own: Schema = {
        "extends": {
            "type": ["string", "array"],
            "items": {"type": "string"},
            "description": "Recipes below this one: files relative to it, or wakekit:<name> for a shipped one.",
        },
        "vars": {**_OPEN, "description": "Values for ${vars.<name>}."},
        "ablate": _ablate(tables),
    }
    schema: Schema = {
        "$schema": DIALECT,
        "title": "wakekit recipe",
        "description": "An experiment: the components that it names, and their options.",
        "x-tombi-toml-version": "v1.0.0",
        "type": "object",
        "additionalProperties": False,
        "properties": {**tables, **own},
        "allOf": [
            {"if": {**_OPEN, "required": ["extends"]}, "else": _stated()},
            {"if": {**_OPEN, "anyOf": [{"required": ["extends"]}, _only(_SUITE)]}, "else": _whole()},
        ],
        "definitions": components.definitions,
    }
    return schema, components.troubles


def _define_kinds(components: Components) -> None:
    for slot in SLOTS:
        if slot.key == _AUGMENTATIONS:
            components.define(slot, slot.kind, lambda cls: _domain(cls) != "recording")
            components.define(slot, _CHANGE, lambda cls: _domain(cls) in ("waveform", "recording", None))
        else:
            components.define(slot, slot.kind)


def _domain(cls: type) -> str | None:
    """Return what an augmentation changes, None where that depends on its options."""
    found = getattr(cls, "domain", None)
    return found if isinstance(found, str) else None


def _tables(components: Components) -> Schema:
    """Return what a recipe and a variant may both hold."""
    settings: Schema = options_schema(Settings, lambda _contract: {})["properties"]
    search = {**_closed(components.searchable()), "description": "Values of detector options to choose from, on dev."}
    settings["operating_point"]["properties"]["search"] = search
    slots = {slot.key: _keyed(slot.kind) if slot.many else ref(slot.kind) for slot in SLOTS}
    condition = options_schema(Condition, lambda _contract: {})
    condition["properties"][_AUGMENTATIONS] = {**_keyed(_CHANGE), "minProperties": 1}
    conditions: Schema = {
        "type": "object",
        "description": "Shifted copies of the test set, keyed by id.",
        "propertyNames": {"not": {"enum": list(SPLITS)}},
        "additionalProperties": condition,
        _LABEL: "id",
    }
    return {**settings, **slots, _CONDITIONS: conditions}


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _keyed(name: str) -> Schema:
    text = "Components keyed by an id of your choosing, applied in the order written."
    return {"type": "object", "description": text, "additionalProperties": ref(name), _LABEL: "id"}


def _stated() -> Schema:
    """Return what must be stated of each table where no base can have stated it."""
    slots = {slot.key: _each(slot.kind) if slot.many else needs(slot.kind) for slot in SLOTS}
    condition = {
        **_OPEN,
        "required": [_AUGMENTATIONS],
        "properties": {_AUGMENTATIONS: _each(_CHANGE)},
    }
    target = {**_OPEN, "allOf": required_options(Target)}
    pair = {
        **_OPEN,
        "if": {**_OPEN, "required": ["swap"]},
        "then": {**_OPEN, "required": ["with"], "properties": {"set": False, "to": False}},
        "else": {**_OPEN, "required": ["set", "to"], "properties": {"with": False}},
    }
    axes = {"type": "object", "additionalProperties": pair}
    return {
        **_OPEN,
        "properties": {
            **slots,
            "operating_point": target,
            _CONDITIONS: {"type": "object", "additionalProperties": condition},
            "ablate": {**_OPEN, "properties": {"axes": axes}},
        },
    }


def _each(name: str) -> Schema:
    return {"type": "object", "additionalProperties": needs(name)}


def _only(keys: tuple[str, ...]) -> Schema:
    return {"propertyNames": {"enum": list(keys)}}


def _whole() -> Schema:
    """Return what a recipe on its own must hold."""
    needed = [slot.key for slot in SLOTS if not slot.many and slot.neutral is None]
    return {**_OPEN, "required": [*needed, "operating_point"]}


def _ablate(tables: Schema) -> Schema:
    made = options_schema(Ablate, lambda _contract: {})
    properties: Schema = made["properties"]
    properties["seeds"]["else"] |= {"minItems": 1, "uniqueItems": True}
    properties["axes"] |= {"additionalProperties": _axis(), _LABEL: "id"}
    dropped = {**_TEXTS, "description": "Keys of the recipe to drop."}
    variant = {**_closed({**tables, "unset": dropped}), "minProperties": 1}
    properties["variants"] |= {"additionalProperties": variant, _LABEL: "name"}
    return {**made, "description": "Variants to set against the recipe; a run leaves them aside."}


def _axis() -> Schema:
    made = options_schema(Axis, lambda _contract: {})
    properties: Schema = {key.rstrip("_"): schema for key, schema in made["properties"].items()}
    for key, held in (("with", {"type": ["string", "object"]}), ("to", {})):
        items = {**held, "additionalProperties": True}
        text = properties[key]["description"].partition("; default")[0]
        properties[key] = {**array(items, minItems=1), "description": text}
    return {**_closed(properties), "allOf": [_swap(slot) for slot in SLOTS]}


def _swap(slot: Slot) -> Schema:
    """Return that what is swapped with a component of a kind is of that kind too."""
    path: Schema = {"pattern": rf"^{slot.key}\."} if slot.many else {"const": slot.key}
    chosen = {**_OPEN, "required": ["swap"], "properties": {"swap": {"type": "string", **path}}}
    return {"if": chosen, "then": {**_OPEN, "properties": {"with": {"type": "array", "items": ref(slot.kind)}}}}
