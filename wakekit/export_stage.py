"""The export stage: what was trained, written for use without wakekit, and refused unless it says the same.

An exported model judges a window by itself, as the neutral scorer does. Both models hear the same windows of dev: what
was compared stands in `parity.json` beside what was written.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import attrs
import torch

from wakekit.artifacts import copy_file, write_text
from wakekit.data import as_json
from wakekit.errors import PluginError, Problem, RecipeError, WakekitError, abridged, blaming, who
from wakekit.geometry import geometry
from wakekit.judge_stage import read_calibrator, read_operating_point
from wakekit.kinds import SLOTS
from wakekit.parity import measure_parity, parity_audio
from wakekit.recipe_table import as_data
from wakekit.score_stage import load_network
from wakekit.settings import folder_name
from wakekit.shipped import Facts, Shipped

if TYPE_CHECKING:
    from wakekit.prepared import SplitAudio
    from wakekit.recipe import Recipe

EXPORTERS, FOLDER, PARITY = "exporters", "export", "parity.json"
_WRITTEN = "written"
_PLAIN = next(slot.neutral for slot in SLOTS if slot.kind == "scorer")
# The first bytes of a pickle of protocol 2 or later, and how a pickle is called inside an archive.
_PICKLES, _PICKLED = tuple(bytes([0x80, protocol]) for protocol in range(2, 6)), (".pkl", ".pickle")
_ARCHIVE = b"PK\x03\x04"


def check_exports(recipe: Recipe) -> None:
    """Ask every exporter whether it can work here; raises RecipeError where one cannot, or no export could be right."""
    problems = [
        Problem((EXPORTERS, name), f"expected an id that can name a folder, got {name!r}", on_key=True)
        for name in recipe.many[EXPORTERS]
        if folder_name(name) != name
    ]
    for name, chosen in recipe.many[EXPORTERS].items():
        try:
            with blaming(who("exporter", chosen.value, name)):
                getattr(chosen.value, "check", _no_check)()
        except WakekitError as error:
            problems.append(Problem((EXPORTERS, name, "type"), str(error)))
    scorer = recipe.single["scorer"].entry.component.name
    if recipe.many[EXPORTERS] and scorer != _PLAIN:
        message = (
            f"the threshold is chosen for scores of {scorer!r}, and an exported model gives those of {_PLAIN!r}, each "
            f"window by itself; use that scorer, or leave [{EXPORTERS}] out"
        )
        problems.append(Problem(("scorer", "type"), message))
    if problems:
        raise RecipeError(recipe.merged.mistakes(problems))


def _no_check() -> None:
    """Do nothing, as exporters that can always work have no check."""


def shipped(recipe: Recipe, weights: Path, calibration: Path, *, keyword: str, fingerprint: str) -> Shipped:
    """Return what was trained and calibrated as one module on the CPU; `weights` is a file, `calibration` a folder."""
    network, shape = load_network(recipe, weights, torch.device("cpu")), geometry(recipe)
    point = read_operating_point(calibration)
    facts = Facts(
        keyword=keyword,
        sample_rate=recipe.settings.audio.sample_rate,
        window=shape.window,
        context=network.context,
        hop=shape.hop,
        threshold=point.threshold,
        detector=as_data(attrs.evolve(recipe["detector"], **point.detector), recipe.registry),
        fingerprint=fingerprint,
    )
    return Shipped(network, read_calibrator(recipe, calibration), facts)


def export(folder: Path, recipe: Recipe, model: Shipped, dev: SplitAudio, *, name: str) -> None:
    """Let the exporter of that id write the model, and compare; leaves `written` and `parity.json`.

    Raises WakekitError where what was written says something else than the model, PluginError where the exporter fails
    or wrote a pickle.
    """
    exporter, place = recipe.each(EXPORTERS)[name], f"{EXPORTERS}.{name}"
    called = who("exporter", exporter, name)
    rows = parity_audio(dev, model.facts.samples)
    # Before the exporter has the module in its hands.
    expected = model.probabilities(rows.audio)
    target = folder / _WRITTEN
    target.mkdir()
    with blaming(called):
        found: object = exporter.export(model, target)
    path = _written(found, target, called)
    with blaming(called):
        run = exporter.load(path)
    threshold, tolerance = model.facts.threshold, exporter.tolerance
    measured = measure_parity(run, rows, expected, threshold=threshold, tolerance=tolerance, name=called)
    if not measured.holds:
        raise WakekitError(
            f"{place}: what was written is not the model that was trained: probabilities differ by up to "
            f"{measured.largest_difference:.3g} on {measured.windows} windows, and {tolerance:g} is its tolerance; "
            f"nothing is exported; raise {place}.tolerance only if that is near enough, or leave the exporter out"
        )
    kept = {"file": path.resolve().relative_to(target.resolve()).as_posix(), **as_json(measured)}
    write_text(folder / PARITY, json.dumps(kept, indent=2, allow_nan=False))


def _written(found: object, folder: Path, called: str) -> Path:
    """Return the file that an exporter wrote; raises PluginError unless it is in `folder`, and nothing is a pickle."""
    if not isinstance(found, (str, os.PathLike)):
        raise PluginError(f"{called}: expected the file that it wrote, got {abridged(found)}")
    path = Path(found)
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise PluginError(f"{called}: expected the file that it wrote into {folder}, got {path}")
    for one in (one for one in folder.rglob("*") if one.is_file()):
        if is_pickle(one):
            raise PluginError(
                f"{called}: it wrote a pickle, {one.name}, and to load one is to run what it holds; "
                "write another format"
            )
    return path


def is_pickle(path: Path) -> bool:
    """Return whether a file begins or is named as a pickle, or is an archive that holds one."""
    with path.open("rb") as stream:
        if zipfile.is_zipfile(stream):
            return _holds_pickle(stream)
        stream.seek(0)
        return stream.read(2) in _PICKLES or path.suffix in _PICKLED


def _holds_pickle(stream: IO[bytes]) -> bool:
    """Return whether something in an archive is named as a pickle, or is an archive that holds one."""
    with zipfile.ZipFile(stream) as archive:
        for name in archive.namelist():
            with archive.open(name) as inner:
                if name.endswith(_PICKLED) or (inner.read(4) == _ARCHIVE and _holds_pickle(inner)):
                    return True
    return False


def leave_export(stage: Path, run: Path, name: str) -> None:
    """Copy what an exporter left into `export/<id>` of a run's folder."""
    written, target = stage / _WRITTEN, run / FOLDER / name
    for path in (path for path in written.rglob("*") if path.is_file()):
        copy_file(path, target / path.relative_to(written))
    # Last, as it says that the rest is there.
    copy_file(stage / PARITY, target / PARITY)


def drop_exports(run: Path) -> None:
    """Remove what an earlier run of other exporters left in a run's folder."""
    for path in (run / FOLDER).glob(f"*/{PARITY}"):
        shutil.rmtree(path.parent)
