"""Options of this package that state a range: a lower end and an upper end, in that order.

A value is drawn uniformly between them; equal ends always give that value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wakekit import option

if TYPE_CHECKING:
    import attrs


def ranged(
    default: tuple[float, float],
    *,
    help: str,  # noqa: A002
    unit: str,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Any:  # noqa: ANN401
    """Declare an option (low, high); raises ValueError when the class is built with the ends the wrong way round."""
    field = option(default, help=help, unit=unit, above=above, at_least=at_least, at_most=at_most)
    field.validator(_check)
    return field


def _check(_instance: object, attribute: attrs.Attribute[Any], value: tuple[float, float]) -> None:
    low, high = value
    if low > high:
        message = f"{attribute.name}: expected the lower value first, got {value!r}"
        raise ValueError(message)
