"""The house: who may import whom, what the core may know, and what importing it may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wakekit
from wakekit.kinds import KINDS, SLOTS
from wakekit.registry import installed

CORE = Path(wakekit.__file__).parent
COMMANDS = sorted(path.stem for path in (CORE / "commands").glob("*.py") if path.stem not in {"__init__", "asked"})
# From the top of the house to its foundations: a module imports only from lines below its own.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("parser",),
    tuple(f"commands/{name}" for name in COMMANDS),
    ("commands/asked",),
    ("pytest_plugin", "contracts", "testing/rehearsal"),
    ("testing/tally",),
    ("testing/conformance",),
    ("testing/generic", *(f"testing/kinds/{kind}" for kind in KINDS)),
    ("testing/answering",),
    ("testing/checks",),
    ("testing/subject", "testing/declared"),
    (
        "testing/elsewhere",
        "testing/same",
        "testing/minimum",
        "testing/training_task",
        "testing/chirps",
        "testing/sounds",
        "testing/devices",
        "testing/judged",
    ),
    ("testing/surroundings",),
    ("folds", "ablation/conduct"),
    ("launching", "ablation/text", "ablation/plan_text", "ablation/markdown", "ablation/found"),
    ("ablation/work",),
    ("ablation/plan", "ablation/factors"),
    ("ablation/verdicts",),
    ("ablation/wording",),
    ("ablation/effects",),
    ("ablation/measures",),
    ("ablation/choice", "ablation/crossed"),
    ("ablation/collect",),
    ("ablation/cells", "ablation/evidence", "ablation/dealt"),
    ("compare", "compare_text"),
    ("compare_measures", "compare_warnings"),
    ("paired", "compare_difference"),
    ("listing_json",),
    ("pipeline", "summary", "listing", "console", "diff", "completing"),
    ("scaffold/package", "scaffold/recipe"),
    ("scaffold/names",),
    ("scaffold/writing",),
    ("report",),
    ("run_folder", "ablation/saved", "ablation/words"),
    ("export_stage",),
    ("prepare_stage", "train_stage", "score_stage", "judge_stage"),
    ("excerpts", "saved_curve", "run_rows", "condition_stage", "measured", "cost", "cautions"),
    ("condition_changes", "parity"),
    ("environment",),
    ("streams", "compose", "fingerprint", "geometry", "training", "allocator", "culprit"),
    ("callbacks", "rows", "checkpoints", "history"),
    ("search",),
    ("prepared", "operating", "sweep", "readings"),
    ("tally", "dealing"),
    (
        "recipe",
        "compare_intervals",
        "artifacts",
        "audio",
        "leakage",
        "events",
        "curves",
        "network",
        "shipped",
        "worst",
        "tree",
    ),
    ("schema/recipe",),
    ("schema/components",),
    ("schema/values",),
    ("variant_recipes", "references", "hints", "building"),
    ("changes", "ids"),
    ("origins",),
    ("detector_settings", "ablate_table", "recipe_table"),
    ("variants",),
    ("converter", "manifest", "intervals", "settings", "statistic"),
    ("manifest_line",),
    ("layers",),
    ("merging",),
    ("toml_syntax",),
    ("registry", "required", "positions"),
    ("plugins",),
    ("kinds", "batch"),
    ("columns", "complaint", "option_types"),
    (
        "data",
        "options",
        "hookspecs",
        "progress",
        "pooling",
        "units",
        "ablation/result",
        "distributed",
        "terminal",
        "answers",
    ),
    ("errors",),
    ("widths",),
)


def modules(folder: Path) -> list[Path]:
    """Return the Python files of a package, recursively."""
    return sorted(folder.rglob("*.py"))


def imported(path: Path, *, typing: bool = False) -> set[str]:
    """Return the modules that a file imports; those under TYPE_CHECKING only where `typing` says so."""
    tree = ast.parse(path.read_text())
    if not typing:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def plugin_folders() -> list[Path]:
    """Return the folders of the first-party plugins, wherever they are installed."""
    import importlib  # noqa: PLC0415

    names = {plugin.module for plugin in installed().plugins if plugin.name.startswith("wakekit-")}
    return [Path(str(importlib.import_module(name).__file__)).parent for name in sorted(names)]


def test_importing_wakekit_imports_nothing_heavy() -> None:
    """`import wakekit` brings in neither torch nor numpy, attrs or cattrs."""
    code = "import sys, wakekit; print([m for m in ('torch', 'numpy', 'attr', 'cattrs', 'rich') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_core_imports_no_plugin_and_knows_no_component() -> None:
    """No core module imports `wakekit_*` or names a component, save the neutral ones that `kinds` declares."""
    neutral = {slot.neutral for slot in SLOTS}
    registry = installed()
    names = {
        entry.component.name
        for kind in KINDS
        for entry in registry.entries(kind)
        if entry.plugin.name.startswith("wakekit-")
    } - neutral
    # Words that are also plain English in the core: a pool's label in the audio, a kind of file, a folder.
    names -= {"manifest", "noise", "gain", "shift", "folder"}
    # Measures that an ablation computes itself, over speakers and seeds; metrics of the same names measure runs.
    names -= {"eer", "pauc", "brier", "fa-per-hour"}
    for path in modules(CORE):
        assert not {name for name in imported(path, typing=True) if name.startswith("wakekit_")}, path
        strings = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        assert not strings & names, (path, strings & names)


def test_plugins_import_the_core_only() -> None:
    """No plugin imports another plugin, the command line or the pipeline."""
    folders = plugin_folders()
    assert len(folders) >= 5
    for folder in folders:
        for path in modules(folder):
            names = imported(path, typing=True)
            others = {name for name in names if name.startswith("wakekit_") and name.split(".")[0] != folder.name}
            above = {name for name in names if name in {"wakekit.cli", "wakekit.pipeline", "wakekit.recipe"}}
            assert not others | above, path


def test_every_core_module_has_its_layer() -> None:
    """A new module must be given its place in the house."""
    known = {name for layer in LAYERS for name in layer}
    found = {path.relative_to(CORE).with_suffix("").as_posix() for path in modules(CORE)}
    assert {name for name in found if not name.endswith("__init__")} == known


@pytest.mark.parametrize("level", range(len(LAYERS)))
def test_imports_go_one_way(level: int) -> None:
    """A core module imports only from layers below its own, so that there can be no cycle."""
    below = {name for layer in LAYERS[level + 1 :] for name in layer}
    for name in LAYERS[level]:
        names = {found for found in imported(CORE / f"{name}.py") if found.startswith("wakekit.")}
        upward = {module for module in map(_module, names) if module} - below
        assert not upward, (name, upward)


def _module(name: str) -> str:
    """Return the core module that a dotted name lies in, as `LAYERS` writes it."""
    parts = name.split(".")[1:]
    paths = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((path for path in paths if (CORE / f"{path}.py").exists()), "")


def test_first_party_callbacks_keep_to_the_contract() -> None:
    """A callback knows training only by what `wakekit.callbacks` gives it: nothing of the trainer, nothing private."""
    entries = [entry for entry in installed().entries("callback") if entry.plugin.name.startswith("wakekit-")]
    assert len(entries) >= 7
    trainer = {"loop", "standard", "snapshot", "rehearsal", "validation"}
    for home in {Path(str(sys.modules[entry.load().__module__].__file__)).parent for entry in entries}:
        for path in [path for path in modules(home) if path.stem not in trainer]:
            names = imported(path, typing=True)
            assert not {name for name in names if name.split(".")[-1] in trainer}, path
            assert not names & {"wakekit.training", "wakekit.train_stage", "wakekit.recipe"}, path
            assert "state._" not in path.read_text(), path
