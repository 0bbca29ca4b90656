"""What a check is given: a component of a plugin, options to build it with, and others drawn within its bounds."""

from __future__ import annotations

import functools
import math
import random
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from wakekit.building import build_component
from wakekit.converter import ProblemsError
from wakekit.errors import WakekitError
from wakekit.option_types import value_types
from wakekit.options import OptionInfo, option_info
from wakekit.registry import Entry, Registry
from wakekit.testing.elsewhere import Elsewhere

_SPAN = 10.0
_TRIES = 20


@attrs.frozen(eq=False)
class Subject:
    """A component under test.

    `options` are those to build it with, `folder` is an empty one for what it writes, and `elsewhere` tells what other
    processes make of the same components.
    """

    entry: Entry
    registry: Registry
    options: Mapping[str, Any]
    folder: Path
    elsewhere: Elsewhere

    @property
    def kind(self) -> str:
        """The component's kind."""
        return self.entry.component.kind

    @property
    def label(self) -> str:
        """The component as `kind:name`."""
        return f"{self.kind}:{self.entry.component.name}"

    @functools.cached_property
    def cls(self) -> type:
        """The component's class."""
        return self.registry.load(self.entry)

    def build(self, **options: Any) -> Any:  # noqa: ANN401
        """Return the component with its options as a recipe gives them, and those of the call on top."""
        return self.made({**self.options, **options})

    def made(self, options: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """Return the component with exactly these options, as a recipe gives them."""
        name = f"{self.entry.plugin.name}:{self.entry.component.name}"
        try:
            return build_component(self.registry, self.kind, {"type": name, **options}).value
        except ProblemsError as error:
            told = "; ".join(f"{'.'.join(map(str, one.path))}: {one.message}".lstrip(": ") for one in error.problems)
            advice = f"; give options in [tool.wakekit.conformance.examples], as in '{self.label}' = {{ … }}"
            advice = advice if any(one.missing for one in error.problems) else ""
            raise WakekitError(f"{self.label} cannot be built from {dict(options)}: {told}{advice}") from error

    @property
    def value(self) -> Any:  # noqa: ANN401
        """The component with the options of its example, its defaults where it has none."""
        return self.build()

    def drawn(self, count: int, seed: int = 0) -> list[Any]:
        """Return up to `count` of the component with other options, drawn within their bounds.

        Options that refuse each other are drawn again; text and paths stay as they are.
        """
        rng = random.Random(seed)  # noqa: S311 - not the global generator, which a check may be watching
        found: list[Any] = []
        for _ in range(_TRIES * count):
            if len(found) == count:
                break
            try:
                found.append(self.build(**self._draw(rng)))
            except WakekitError:
                continue
        return found

    def _draw(self, rng: random.Random) -> dict[str, Any]:
        types = value_types(self.cls)
        fields = {field.name: field for field in attrs.fields(self.cls) if field.init}
        drawn = {
            name: within(rng, types[name], option_info(field)) for name, field in fields.items() if rng.random() < 0.5
        }
        return {name: value for name, value in drawn.items() if value is not None}


def within(rng: random.Random, wanted: Any, info: OptionInfo) -> Any:  # noqa: ANN401
    """Return a value of a type within bounds as TOML would hold it, None where this cannot be told."""
    if info.choices is not None:
        return rng.choice(info.choices)
    if wanted is bool:
        return rng.random() < 0.5
    if wanted in {int, float}:
        return _number(rng, wanted, info)
    arms = typing.get_args(wanted)
    if typing.get_origin(wanted) is tuple and arms and Ellipsis not in arms:
        items = [within(rng, arm, info) for arm in arms]
        return None if None in items else sorted(items)
    return None


def _number(rng: random.Random, wanted: type, info: OptionInfo) -> float:
    low = max((bound for bound in (info.above, info.at_least) if bound is not None), default=None)
    high = min((bound for bound in (info.below, info.at_most) if bound is not None), default=None)
    bottom = low if low is not None else (-_SPAN if high is None else high - _SPAN)
    top = min(high if high is not None else bottom + _SPAN, bottom + _SPAN)
    if wanted is int:
        first = math.floor(bottom) + (info.above is not None)
        last = math.ceil(top) - (info.below is not None and top == info.below)
        return rng.randint(first, max(first, last))
    return bottom + (top - bottom) * rng.uniform(0.05, 0.95)
