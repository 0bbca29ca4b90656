"""`option()`: declare a component's parameter once, with its default, bounds, choices, unit and help.

The declaration feeds validation (also when the class is used from Python), `wakekit components KIND NAME` and the
fingerprint. Bounds apply to every number of a tuple. An option may be renamed, retired or added later without changing
what recipes mean: see `formerly`, `deprecated` and `neutral` of `option`.
"""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_KEY = "wakekit.option"


@attrs.frozen
class OptionInfo:
    """What `option()` was told about a parameter; bounds are None where there is none.

    `neutral` is `attrs.NOTHING` where the option is as old as its component.
    """

    help: str = ""
    above: float | None = None
    below: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    choices: tuple[Any, ...] | None = None
    unit: str | None = None
    formerly: tuple[str, ...] = ()
    deprecated: str = ""
    neutral: Any = attrs.Factory(lambda: attrs.NOTHING)

    def complaint(self, value: object) -> str | None:
        """Return what is wrong with the value, or None where it is within bounds."""
        seen = _as_written(value)
        for number in _numbers(value):
            if (self.above is not None and not number > self.above) or (
                self.at_least is not None and not number >= self.at_least
            ):
                return f"expected {self.bounds()}, got {seen!r}"
            if (self.below is not None and not number < self.below) or (
                self.at_most is not None and not number <= self.at_most
            ):
                return f"expected {self.bounds()}, got {seen!r}"
        if self.choices is not None and value is not None and value not in self.choices:
            named = [repr(_as_written(one)) for one in self.choices if one not in ("", None)]
            return f"expected {'one of ' * (len(named) > 1)}{', '.join(named)}, got {seen!r}"
        return None

    def bounds(self) -> str:
        """Describe the bounds in words, as in `a value above 0 and at most 1`; empty where there are none."""
        parts = [
            f"{word} {f'{bound:g}' if float(f'{bound:g}') == bound else bound}"
            for word, bound in (
                ("above", self.above),
                ("at least", self.at_least),
                ("below", self.below),
                ("at most", self.at_most),
            )
            if bound is not None
        ]
        return "a value " + " and ".join(parts) if parts else ""


def _as_written(value: object) -> object:
    return [_as_written(item) for item in value] if isinstance(value, (tuple, list)) else value


def _numbers(value: object) -> Iterable[float]:
    if isinstance(value, bool):
        return ()
    if isinstance(value, (int, float)):
        return (float(value),)
    if isinstance(value, (tuple, list, dict)):
        items = value.values() if isinstance(value, dict) else value
        return tuple(number for item in items for number in _numbers(item))
    return ()


def option(
    default: Any = attrs.NOTHING,  # noqa: ANN401
    *,
    help: str = "",  # noqa: A002
    above: float | None = None,
    below: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    choices: tuple[Any, ...] | None = None,
    unit: str | None = None,
    formerly: tuple[str, ...] = (),
    deprecated: str = "",
    neutral: Any = attrs.NOTHING,  # noqa: ANN401
) -> Any:  # noqa: ANN401
    """Declare a parameter of an attrs class; without a default a recipe must state it.

    `formerly` are the names that the option had, oldest first: a recipe may still write one, with a warning, and the
    oldest stays in the fingerprint. `deprecated` continues the sentence "… is deprecated: " for who writes the option,
    as in "use 'pole'; it goes in 0.5". `neutral` is the value with which the component does what it did before it had
    the option: with it the option is left out of the fingerprint.

    Raises ValueError when the class is built with a value outside the bounds; and at once TypeError for a bound that is
    no number and former names that are not a tuple of texts, ValueError for bounds that leave no value.
    """
    if not isinstance(formerly, tuple) or not all(isinstance(name, str) and name for name in formerly):
        raise TypeError(f"formerly: expected a tuple of names, got {formerly!r}")
    if not isinstance(deprecated, str):
        raise TypeError(f"deprecated: expected a sentence, got {deprecated!r}")
    bounds = {"above": above, "below": below, "at_least": at_least, "at_most": at_most}
    info = OptionInfo(
        help=" ".join(help.split()),
        choices=choices,
        unit=unit,
        formerly=formerly,
        deprecated=deprecated,
        neutral=neutral,
        **{name: _bound(name, bound) for name, bound in bounds.items()},
    )
    _refuse_empty(info)

    def check(_instance: object, attribute: attrs.Attribute[Any], value: object) -> None:
        complaint = info.complaint(value)
        if complaint is not None:
            message = f"{attribute.name}: {complaint}"
            raise ValueError(message)

    return attrs.field(default=default, validator=check, metadata={_KEY: info})


def _bound(name: str, bound: Any) -> float | None:  # noqa: ANN401
    """Return a bound as JSON can have it; a fraction, say, as the float next to it."""
    if isinstance(bound, bool) or not isinstance(bound, (numbers.Real, type(None))):
        raise TypeError(f"{name}: expected a number, got {bound!r}")
    if bound is None or isinstance(bound, int):
        return bound
    if math.isnan(bound):
        raise ValueError(f"{name}: expected a number, got nan")
    return float(bound)


def _refuse_empty(info: OptionInfo) -> None:
    low = max((bound for bound in (info.above, info.at_least) if bound is not None), default=-math.inf)
    high = min((bound for bound in (info.below, info.at_most) if bound is not None), default=math.inf)
    if low > high or (low == high and (info.above == low or info.below == high)):
        raise ValueError(f"expected bounds with numbers within, got {info.bounds().removeprefix('a value ')}")


def option_info(attribute: attrs.Attribute[Any]) -> OptionInfo:
    """Return what was declared for a field; an empty declaration for a plain attrs field."""
    info: OptionInfo = attribute.metadata.get(_KEY, OptionInfo())
    return info


def former_names(cls: type) -> Mapping[str, str]:
    """Return the former names of an attrs class's options, each with the present one.

    Raises PluginError where a former name is an option of its own, or was that of two.
    """
    fields = [field for field in attrs.fields(cls) if field.init]
    present = {field.name for field in fields}
    found: dict[str, str] = {}
    for field in fields:
        for name in option_info(field).formerly:
            if name in present or name in found:
                other = "an option of its own" if name in present else f"the former name of {found[name]!r} too"
                raise PluginError(
                    f"{cls.__module__}.{cls.__qualname__}: {name!r}, a former name of the option {field.name!r}, "
                    f"is {other}; a name that was used once may not be used again"
                )
            found[name] = field.name
    return found


def lasting_name(field: attrs.Attribute[Any]) -> str:
    """Return the name under which an option is fingerprinted: its oldest."""
    return (*option_info(field).formerly, field.name)[0]
