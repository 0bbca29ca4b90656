"""Writes the report of a finished run, or of an ablation, at its end or again later from its folder alone.

Only the `[report]` table of the recipe is built, so that audio and plugins that are gone since do no harm.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakekit.ablation.saved import FILE as ABLATION
from wakekit.ablation.saved import read_result
from wakekit.building import build_component
from wakekit.converter import ProblemsError
from wakekit.errors import PluginError, WakekitError, abridged, blaming, who
from wakekit.kinds import SLOTS
from wakekit.run_folder import read_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from wakekit.kinds import Report
    from wakekit.registry import Registry

_SLOT = next(slot for slot in SLOTS if slot.kind == "report")


def saved_report(registry: Registry, folder: Path) -> Report:
    """Return the report that the recipe in the folder of a run, or of an ablation, names.

    Raises WakekitError where the recipe cannot be read or names a report that cannot be built.
    """
    path = folder / "recipe.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WakekitError(f"expected the folder of a finished run, which holds recipe.toml, got {folder}") from None
    except (OSError, ValueError) as error:
        raise WakekitError(f"the recipe in {path} cannot be read: {error}") from error
    try:
        report: Any = build_component(registry, _SLOT.kind, table.get(_SLOT.key, _SLOT.neutral)).value
    except ProblemsError as error:
        places = (".".join(map(str, (_SLOT.key, *problem.path))) for problem in error.problems)
        told = "; ".join(f"{place}: {problem.message}" for place, problem in zip(places, error.problems, strict=True))
        raise WakekitError(f"{path}: {told}") from error
    return report  # type: ignore[no-any-return]


def write_report(report: Report, folder: Path) -> Path | None:
    """Write the report of the run, or of the ablation, in `folder` into it; return the file to open.

    None where there is none. Raises PluginError where the report fails, or names a file that it has not written.
    """
    if _is_ablation(folder):
        return write_ablation_report(report, folder)
    return _written(report, lambda: report.write(read_run(folder), folder))


def write_ablation_report(report: Report, folder: Path) -> Path | None:
    """Write the report of the ablation in `folder` into it, as `write_report` does; None also where it has none."""
    write = getattr(report, "write_ablation", None)
    return None if write is None else _written(report, lambda: write(read_result(folder), folder))


def _written(report: Report, write: Callable[[], Path | None]) -> Path | None:
    name = who("report", report)
    with blaming(name):
        found = write()
        if not isinstance(found, (str, os.PathLike, type(None))):
            raise PluginError(f"{name}: expected the file that it wrote, or None, got {abridged(found)}")
        path = None if found is None else Path(found)
        if path is not None and not path.is_file():
            raise PluginError(f"{name}: expected the file that it wrote, or None, got {path}, which is no file")
    return path


def _is_ablation(folder: Path) -> bool:
    return (folder / ABLATION).is_file()


def write_plots(report: Report, folder: Path, form: str) -> list[Path]:
    """Write the figures of the run, or of the ablation, in `folder` as files.

    Raises WakekitError where the report has none, PluginError where it fails.
    """
    found: Any = read_result(folder) if _is_ablation(folder) else read_run(folder)
    plots = getattr(report, "plot_ablation" if _is_ablation(folder) else "plots", None)
    if plots is None:
        raise WakekitError(
            f"the report of {folder} draws no plots; name one that does in its recipe.toml, as in "
            f'[{_SLOT.key}] type = "{_SLOT.neutral}"'
        )
    with blaming(who("report", report)):
        return [Path(path) for path in plots(found, folder, form)]
