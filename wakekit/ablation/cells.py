"""The cells of an ablation: every variant of a recipe, and the recipe itself, with every seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from wakekit.fingerprint import KIN_SEED, Contents, digest, seeded, stage_fingerprints
from wakekit.recipe import Recipe
from wakekit.settings import folder_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Stages that are made for each split by themselves, in folders of their own.
_SPLIT = ("compose", "score")


@attrs.frozen(eq=False, kw_only=True)
class Cell:
    """One variant with one seed; `variant` is "" for the recipe itself.

    `stages` maps the name of each stage's folder in the store to its fingerprint, in the order they are made, `kin` to
    the fingerprint that it shares with other seeds. `folder` is the cell's own, below the ablation's.
    """

    variant: str
    seed: int
    recipe: Recipe
    stages: Mapping[str, str]
    kin: Mapping[str, str]
    folder: str

    @property
    def name(self) -> str:
        """What a person calls the cell."""
        return f"{self.variant or 'the recipe'}, seed {self.seed}"

    @property
    def training(self) -> str:
        """The fingerprint of the weights."""
        return self.stages["train"]


def cells(recipe: Recipe, out: Path, *, remember: bool = True) -> tuple[Cell, ...]:
    """Return all cells, seed by seed, so that whole comparisons are finished early; `out` is where runs go.

    Hashes of what the recipe names are kept there, unless `remember` is false: then nothing is written.
    """
    contents = Contents(out / ".store" / "contents.json", keep=remember)
    split = "dev" if recipe.ablate is None else recipe.ablate.judge
    plain = {name: attrs.evolve(one, variants={}, ablate=None) for name, one in {"": recipe, **recipe.variants}.items()}
    folders = _folders(list(plain))

    def stages(one: Recipe) -> dict[str, str]:
        return _stages(stage_fingerprints(one, contents), split)

    kin = {name: stages(seeded(one, KIN_SEED)) for name, one in plain.items()}
    found = ((seed, name, seeded(one, seed)) for seed in recipe.seeds for name, one in plain.items())
    return tuple(
        Cell(
            variant=name, seed=seed, recipe=one, stages=stages(one), kin=kin[name],
            folder=f"cells/{folders[name]}/seed-{seed}",
        )
        for seed, name, one in found
    )  # fmt: skip


def _stages(prints: Mapping[str, str], split: str) -> dict[str, str]:
    """Return the stages that a cell needs by the names of their folders: without test's, where dev is judged."""
    found = {"corpus": prints["corpus"], "prepare": prints["prepare"], "train": prints["train"]}
    for part in ("dev", "test") if split == "test" else ("dev",):
        found |= {f"{stage}-{part}": prints[stage] for stage in _SPLIT}
    if split == "test":
        passes = {name: value for name, value in prints.items() if "-pass-" in name}
        found["calibrate"] = prints["calibrate"]
        for name, value in passes.items():
            found |= (
                {f"{name}-{part}": value for part in ("dev", "test")} if name.startswith("score") else {name: value}
            )
        found |= {name: value for name, value in prints.items() if name.startswith(("condition-", "score-condition-"))}
        found["evaluate"] = prints["evaluate"]
    return found | {f"judge-{split}": prints[f"judge-{split}"]}


def _folders(names: Sequence[str]) -> dict[str, str]:
    """Return a folder for each variant; those that would be of one name get a mark of their own."""
    plain = {name: folder_name(name or "recipe") for name in names}
    taken = list(plain.values())
    return {
        name: f"{folder[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}" if taken.count(folder) > 1 else folder
        for name, folder in plain.items()
    }


def trainings(found: Sequence[Cell]) -> list[list[Cell]]:
    """Return the cells in groups that share their weights, each group in the order of its first cell."""
    groups: dict[str, list[Cell]] = {}
    for cell in found:
        groups.setdefault(cell.training, []).append(cell)
    return list(groups.values())


def ablation_fingerprint(found: Sequence[Cell]) -> str:
    """Return what tells this ablation from others: its variants, seeds and all that they depend on."""
    return digest([[cell.variant, cell.seed, list(cell.stages.items())] for cell in found])
