"""The file `ablation.json`: what an ablation found, written whole or not at all, and read back as it was."""

from __future__ import annotations

import json
import math
import types
import typing
from pathlib import Path
from typing import Any

import attrs

from wakekit.ablation.result import AblationResult
from wakekit.artifacts import write_text
from wakekit.data import as_json
from wakekit.errors import WakekitError

FILE = "ablation.json"
_NAMED_NUMBERS = {"parts", "measures", "judged"}


def write_result(folder: Path, result: AblationResult) -> Path:
    """Write `ablation.json` into `folder` and return its path.

    A number that is not finite is one that cannot be had: it becomes null. Where a table holds numbers by name, as the
    measures of a cell, the name is left out.
    """
    path = folder / FILE
    table = _finite(as_json(result))
    write_text(path, json.dumps(table, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def read_result(folder: str | Path) -> AblationResult:
    """Return what `ablation.json` in `folder` holds; raises WakekitError where there is none, or it is damaged."""
    path = Path(folder) / FILE
    try:
        found: AblationResult = _structured(json.loads(path.read_text(encoding="utf-8")), AblationResult, "")
    except FileNotFoundError:
        raise WakekitError(f"expected the folder of an ablation, which holds {FILE}, got {folder}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise WakekitError(
            f"the ablation in {path} cannot be read ({type(error).__name__}: {error}); the command that made it, typed "
            "again, makes it whole"
        ) from error
    return found


def _finite(value: Any, within: str = "") -> Any:  # noqa: ANN401
    """Return JSON data without the numbers that JSON does not know."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if within not in _NAMED_NUMBERS or _can_be_had(item)}
        return {key: _finite(item, key) for key, item in kept.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value if _can_be_had(value) else None


def _can_be_had(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _structured(value: Any, wanted: Any, place: str) -> Any:  # noqa: ANN401
    """Return JSON data as the type wanted, which is one that a field of an `AblationResult` has.

    Unlike a recipe, a file may say null. Raises ValueError with the place of what is wrong.
    """
    if wanted is Any:
        return value
    if isinstance(wanted, types.UnionType):
        arm = next(arm for arm in typing.get_args(wanted) if arm is not type(None))
        return None if value is None else _structured(value, arm, place)
    if attrs.has(wanted):
        return _fields(_of(dict, value, place), wanted, place)
    arms = typing.get_args(wanted)
    if typing.get_origin(wanted) is dict:
        items = _of(dict, value, place).items()
        return {key: _structured(item, arms[1], f"{place}.{key}") for key, item in items}
    if typing.get_origin(wanted) is tuple:
        items = _of(list, value, place)
        if arms[-1] is not Ellipsis and len(items) != len(arms):
            raise ValueError(f"expected {len(arms)} values as {place}, got {len(items)}")
        return tuple(_structured(item, arms[0], f"{place}[{at}]") for at, item in enumerate(items))
    return float(_of((int, float), value, place)) if wanted is float else _of(wanted, value, place)


def _fields(table: dict[str, Any], wanted: Any, place: str) -> Any:  # noqa: ANN401
    attrs.resolve_types(wanted)
    fields = {field.name: field for field in attrs.fields(wanted)}
    missing = [name for name, field in fields.items() if field.default is attrs.NOTHING and name not in table]
    if missing or table.keys() - fields:
        told = f"no {missing[0]}" if missing else f"an unknown {min(table.keys() - fields)!r}"
        raise ValueError(f"there is {told} in {place or FILE}")
    inner = f"{place}." if place else ""
    return wanted(**{name: _structured(item, fields[name].type, f"{inner}{name}") for name, item in table.items()})


def _of(wanted: Any, value: Any, place: str) -> Any:  # noqa: ANN401
    if isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool)):
        return value
    name = {dict: "a table", list: "a list", str: "text", int: "a whole number", bool: "true or false"}
    expected = name[wanted] if isinstance(wanted, type) else "a number"
    raise ValueError(f"expected {expected} as {place or FILE}, got {value!r:.80}")
