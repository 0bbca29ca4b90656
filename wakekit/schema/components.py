"""JSON Schema of components: one closed object for each, and for each kind what chooses among them by `type`.

The choice is a chain of if and then, so that a reader hears what is wrong with the component that was chosen rather
than that none of many fits. A recipe that extends another may state any part of a component, hence every kind has two
schemas: what may be written anywhere, and what a recipe on its own must state besides.
"""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING

import attrs

from wakekit.errors import WakekitError, blaming
from wakekit.kinds import SLOTS, Slot
from wakekit.option_types import value_types
from wakekit.options import former_names, option_info
from wakekit.registry import Entry
from wakekit.schema.values import (
    REFERENCE,
    SHARED,
    Schema,
    any_of,
    array,
    one_of,
    options_schema,
    ref,
    required_options,
    value_schema,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit.registry import Registry

_ANYTHING: Schema = {"type": ["string", "object"], "additionalProperties": True}
# What means something in a pattern; a plugin may be called anything.
_SIGNS = re.compile(r"[\\^$.*+?()\[\]{}|]")
_SUFFIX_OF_NAMES = "-names"
_SUFFIX_OF_NEEDS = "-needs"
_SUFFIX_OF_OPTIONS = "-options"


@attrs.frozen(eq=False)
class _Offer:
    """A component that can be imported: `name` is what a recipe writes, `others` what it may write instead."""

    entry: Entry
    cls: type
    name: str
    others: tuple[str, ...]
    defined: str


class Components:
    """Definitions of all components of a registry, by the names that `$ref` gives them.

    `troubles` says in a sentence each what had to be left out.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.definitions: dict[str, Schema] = dict(SHARED)
        self.troubles = [
            f"plugin {plugin.label()} is {plugin.state}: {plugin.reason}"
            for plugin in registry.plugins
            if plugin.state in ("failed", "incompatible")
        ]
        self._contracts = {slot.contract: slot.kind for slot in SLOTS}
        self._offers = {slot.kind: self._offered(slot.kind) for slot in SLOTS}

    def define(self, slot: Slot, name: str, fits: Callable[[type], bool] = lambda _cls: True) -> None:
        """Define a kind under a name, with only those of its components that fit."""
        offers = [offer for offer in self._offers[slot.kind] if fits(offer.cls)]
        for offer in offers:
            self.definitions.setdefault(offer.defined, self._component(offer))
        self.definitions[name] = self._chosen(slot, name, offers)
        self.definitions[name + _SUFFIX_OF_OPTIONS] = self._any_options(slot.kind, offers)
        self.definitions[name + _SUFFIX_OF_NEEDS] = _needs(slot, offers)

    def searchable(self) -> Schema:
        """Return the options of detectors that a search for the operating point may vary, each with its values."""
        found: dict[str, list[Schema]] = {}
        for offer in self._offers["detector"]:
            wanted = value_types(offer.cls)
            named = getattr(offer.cls, "searchable", ())
            for field in attrs.fields(offer.cls):
                if field.name in (named if isinstance(named, (tuple, list)) else ()):
                    schema = value_schema(wanted[field.name], self._nested, option_info(field))
                    found.setdefault(field.name, []).append(schema)
        return {
            name: {
                **array(any_of(schemas), minItems=1),
                "description": "Values of this option of the detector to choose from, on dev.",
            }
            for name, schemas in found.items()
        }

    def _offered(self, kind: str) -> list[_Offer]:
        found = []
        for entry in self.registry.entries(kind):
            name = self.registry.name_of(entry)
            try:
                cls = self.registry.load(entry)
                with blaming(f"{kind} {name!r} of plugin {entry.plugin.label()}"):
                    former_names(cls)
                    json.dumps(options_schema(cls, lambda _contract: {}), allow_nan=False)
            except WakekitError as error:
                self.troubles.append(f"left out: {error}")
                continue
            found.append(_Offer(entry, cls, name, self._other_names(entry, name), f"{kind}.{name}"))
        return found

    def _other_names(self, entry: Entry, name: str) -> tuple[str, ...]:
        """Return what a recipe may write for a component beside its name: the plugin's before it, or a former one."""
        component, plugin = entry.component, entry.plugin.name
        names = [f"{plugin}:{one}" for one in (component.name, *component.formerly)]
        known = [other.component for other in self.registry.entries(component.kind)]
        for old in component.formerly:
            alone = sum(old in other.formerly for other in known) == 1
            names += [old] * (alone and all(other.name != old for other in known))
        return tuple(one for one in names if one != name)

    def _nested(self, contract: type) -> Schema:
        kind = self._contracts.get(contract)
        if kind is None:
            return {}
        return {"allOf": [ref(kind), needs(kind)]}

    def _component(self, offer: _Offer) -> Schema:
        made = options_schema(offer.cls, self._nested)
        component = offer.entry.component
        kind: Schema = {"enum": [offer.name, *offer.others], "description": f"The {component.kind}."}
        told = [_about(component.summary, offer.cls), f"Of plugin {offer.entry.plugin.name}."]
        told += [f"Formerly {', '.join(component.formerly)}."] if component.formerly else []
        about = " ".join(filter(None, told))
        properties = {"type": kind, **made["properties"]}
        made = {"title": offer.name, "description": about, **made, "properties": properties}
        if not component.deprecated:
            return made
        return {**made, "deprecated": True, "description": f"Deprecated: {component.deprecated}. {about}"}

    def _chosen(self, slot: Slot, name: str, offers: list[_Offer]) -> Schema:
        self.definitions[name + _SUFFIX_OF_NAMES] = _names(offers)
        names = ref(name + _SUFFIX_OF_NAMES)
        options = {"if": _TYPED, "else": ref(name + _SUFFIX_OF_OPTIONS)}
        table: Schema = {
            "type": "object",
            "additionalProperties": True,
            "properties": {"type": names},
            "allOf": [*(_if_chosen(offer, ref(offer.defined)) for offer in offers), options],
        }
        return {
            "title": slot.kind,
            "description": self._about_kind(slot, offers),
            "if": {"type": "string"},
            "then": names,
            "else": table,
            # For editors, which offer what stands here: it refuses no more than what stands above.
            "anyOf": [names, *(ref(offer.defined) for offer in offers), ref(name + _SUFFIX_OF_OPTIONS), _ANYTHING],
        }

    def _any_options(self, kind: str, offers: list[_Offer]) -> Schema:
        """Return the options of all of a kind, for a recipe whose base says which component they are for."""
        found: dict[str, list[Schema]] = {}
        for offer in offers:
            for name, schema in self.definitions[offer.defined]["properties"].items():
                found.setdefault(name, []).append(schema)
        found.pop("type", None)
        return {
            "title": f"options of a {kind}",
            "type": "object",
            "additionalProperties": not offers,
            "properties": {name: _together(schemas) for name, schemas in found.items()},
        }

    def _about_kind(self, slot: Slot, offers: list[_Offer]) -> str:
        told = [(inspect.getdoc(slot.contract) or slot.kind).split("\n\n")[0]]
        if slot.neutral:
            told.append(f'Where left out: "{slot.neutral}".')
        if not offers:
            told.append("None is installed.")
        lost = [text for text in self.troubles if text.startswith(f"left out: {slot.kind} ")]
        return " ".join([*told, *(f"{text[0].upper()}{text[1:]}." for text in lost)])


def needs(name: str) -> Schema:
    """Return a reference to what a recipe on its own must state, besides what may be written anywhere."""
    return ref(name + _SUFFIX_OF_NEEDS)


_TYPED: Schema = {"type": "object", "required": ["type"], "additionalProperties": True}


def _if_chosen(offer: _Offer, then: Schema) -> Schema:
    return {"if": {**_TYPED, "properties": {"type": {"enum": [offer.name, *offer.others]}}}, "then": then}


def _names(offers: list[_Offer]) -> Schema:
    """Return the names of components: those offered, and what is allowed besides: longer, former, and references."""
    if not offers:
        return {"type": "string"}
    others = "|".join(_SIGNS.sub(r"\\\g<0>", name) for offer in offers for name in offer.others)
    pattern = f"^({others})$|{REFERENCE}" if others else REFERENCE
    return one_of([offer.name for offer in offers], {"type": "string", "pattern": pattern}, ["string"])


def _needs(slot: Slot, offers: list[_Offer]) -> Schema:
    """Return what a recipe on its own must state: the type, and the options that have no default."""
    needy = {offer: required for offer in offers if (required := required_options(offer.cls))}
    rules = [_if_chosen(offer, {**_ANYTHING, "allOf": required}) for offer, required in needy.items()]
    if needy:
        # A name alone states no option.
        rules.append({"not": {"enum": [name for offer in needy for name in (offer.name, *offer.others)]}})
    made: Schema = dict(_ANYTHING)
    if slot.implied:
        neutral = [offer for offer in offers if offer.name == slot.neutral]
        rules += [{"if": _TYPED, "else": ref(offer.defined)} for offer in neutral]
    else:
        made["required"] = ["type"]
    return {**made, "allOf": rules} if rules else made


def _together(schemas: list[Schema]) -> Schema:
    """Return an option that several components have: what holds for any of them."""
    bare = [{key: value for key, value in one.items() if key not in ("description", "default")} for one in schemas]
    same = all(one == schemas[0] for one in schemas)
    if same:
        return schemas[0]
    told = list(dict.fromkeys(str(one.get("description", "")) for one in schemas))
    return {**any_of(bare), "description": " / ".join(filter(None, told))}


def _about(summary: str, cls: type) -> str:
    """Return what a component is: its summary, and the first paragraph of its documentation."""
    first = (inspect.getdoc(cls) or "").split("\n\n")[0]
    text = " ".join(first.split())
    head = summary.rstrip(".")
    return text if not head or head.lower() in text.lower() else f"{head[:1].upper()}{head[1:]}. {text}".strip()
