"""The settings of a detector that a search for the operating point tries."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from wakekit.converter import ProblemsError, structure_option, warn
from wakekit.errors import PluginError, Problem, who
from wakekit.kinds import Detector
from wakekit.options import former_names

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
    take, and more than 50 settings, the recipe's own among them; PluginError where the detector names options to
    search that it does not have.
    """
    chosen: dict[str, list[Any]] = {}
    problems: list[Problem] = []
    allowed = _searchable(detector) if search else ()
    for name, values in search.items():
        if name not in allowed:
            offer = f"these may: {', '.join(allowed)}" if allowed else "none of its options may"
            problems.append(Problem((name,), f"{name!r} of this detector may not be searched ({offer})", on_key=True))
        elif not values:
            problems.append(Problem((name,), "expected values to choose from, got none"))
        else:
            chosen[name] = _values(detector, name, values, problems)
    own = {name: getattr(detector, name) for name in chosen}
    count = math.prod(map(len, chosen.values())) + any(own[name] not in values for name, values in chosen.items())
    if count > MOST_SETTINGS:
        message = f"expected at most {MOST_SETTINGS} settings of the detector, got {count}, the recipe's own among them"
        problems.append(Problem((), message))
    if problems:
        raise ProblemsError(problems)
    combined = [dict(zip(chosen, values, strict=True)) for values in itertools.product(*chosen.values())]
    made = [Setting(own, detector), *(_setting(detector, options) for options in combined if options != own)]
    tried = [setting for setting in made if setting is not None]
    _check_used(chosen, tried)
    return tried


def present_search(detector: Detector, search: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Return the same table with the present names of options in place of their former ones, and warn of these.

    Raises ProblemsError, paths below the table, for an option that is there under two names.
    """
    former = former_names(type(detector)) if search else {}
    found: dict[str, tuple[Any, ...]] = {}
    for key, values in search.items():
        name = former.get(key, key)
        if (name != key and name in search) or name in found:
            message = f"{key!r} is now called {name!r}, which is there too; drop one of them"
            raise ProblemsError([Problem((key,), message, on_key=True)])
        if name != key:
            message = f"{key!r} is now called {name!r}; write that"
            warn(Problem((key,), message, on_key=True, suggestion=name))
        found[name] = values
    return found


def _searchable(detector: Detector) -> tuple[str, ...]:
    """Return the options that may be searched."""
    named: object = getattr(detector, "searchable", ())
    options = [field.name for field in attrs.fields(type(detector)) if field.name != "hop_seconds"]  # type: ignore[arg-type]
    if not isinstance(named, (tuple, list)) or not all(name in options for name in named):
        raise PluginError(
            f"{who('detector', detector)}: expected `searchable` to name options among "
            f"{', '.join(options) or 'none'}, got {named!r:.80}"
        )
    return tuple(named)


def _check_used(chosen: Mapping[str, Sequence[Any]], tried: Sequence[Setting]) -> None:
    """Refuse values that the detector takes together with none of the others, rather than drop them."""
    unused = [
        Problem((name, place), f"fits none of the other values searched, got {value!r}")
        for name, values in chosen.items()
        for place, value in enumerate(values)
        if not any(setting.options[name] == value for setting in tried)
    ]
    if unused:
        raise ProblemsError(unused)


def _values(detector: Detector, name: str, values: Sequence[Any], problems: list[Problem]) -> list[Any]:
    made: list[Any] = []
    for place, value in enumerate(values):
        try:
            found = structure_option(type(detector), name, value)
            if found in made:
                problems.append(Problem((name, place), f"expected each value once, got {value!r} again"))
            made.append(found)
        except ProblemsError as error:
            problems += [problem.under(name, place) for problem in error.problems]
    return made


def _setting(detector: Any, options: dict[str, Any]) -> Setting | None:  # noqa: ANN401
    """Return a setting; None where the detector does not take these values together."""
    try:
        return Setting(options, attrs.evolve(detector, **options))
    except ValueError:
        return None
