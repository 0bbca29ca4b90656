"""The settings of a detector that a search for the operating point tries."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.converter import ProblemsError, structure_option
from wakekit.errors import Problem
from wakekit.kinds import Detector

if TYPE_CHECKING:
    from collections.abc import Sequence


MOST_SETTINGS = 50


@attrs.frozen(eq=False)
class Setting:
    """A detector to try, with the options that make it differ from the recipe's."""

    options: Mapping[str, Any]
    detector: Detector


def settings_of(detector: Detector, search: Mapping[str, Sequence[Any]]) -> list[Setting]:
    """Return the recipe's own detector, then every combination of the values that the detector accepts.

    Raises ProblemsError, paths below the search table, for options that may not be searched, values that they do not
    take, and more than 50 settings.
    """
    chosen: dict[str, list[Any]] = {}
    problems: list[Problem] = []
    allowed: tuple[str, ...] = getattr(detector, "searchable", ())
    for name, values in search.items():
        if name not in allowed:
            offer = f"these may: {', '.join(allowed)}" if allowed else "none of its options may"
            problems.append(Problem((name,), f"{name!r} of this detector may not be searched ({offer})", on_key=True))
        elif not values:
            problems.append(Problem((name,), "expected values to choose from, got none"))
        else:
            chosen[name] = _values(detector, name, values, problems)
    count = 1
    for values in chosen.values():
        count *= len(values)
    if count > MOST_SETTINGS:
        problems.append(Problem((), f"expected at most {MOST_SETTINGS} settings of the detector, got {count}"))
    if problems:
        raise ProblemsError(problems)
    own = {name: getattr(detector, name) for name in chosen}
    combined = [dict(zip(chosen, values, strict=True)) for values in itertools.product(*chosen.values())]
    tried = [_setting(detector, options) for options in combined if options != own]
    return [Setting(own, detector), *(setting for setting in tried if setting is not None)]


def _values(detector: Detector, name: str, values: Sequence[Any], problems: list[Problem]) -> list[Any]:
    made = []
    for place, value in enumerate(values):
        try:
            made.append(structure_option(type(detector), name, value))
        except ProblemsError as error:
            problems += [problem.under(name, place) for problem in error.problems]
    return made


def _setting(detector: Any, options: dict[str, Any]) -> Setting | None:  # noqa: ANN401
    """Return a setting; None where the detector does not take these values together."""
    try:
        return Setting(options, attrs.evolve(detector, **options))
    except ValueError:
        return None
