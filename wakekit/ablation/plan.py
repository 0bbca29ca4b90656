"""What an ablation will cost before anything runs: what is shared, what is in the store, and how long the rest takes.

Times and sizes are medians of what the store says of artifacts made before, the closest ones there are; what they rest
on is told with them, and what nothing is known of is left open. Nothing is written.
"""

from __future__ import annotations

import heapq
import shutil
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

import attrs

from wakekit.ablation.cells import trainings
from wakekit.artifacts import Store, seals
from wakekit.errors import WakekitError
from wakekit.progress import Silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from wakekit.ablation.cells import Cell
    from wakekit.artifacts import Seal
    from wakekit.variants import Variant

    Artifact = tuple[str, str]  # stage and fingerprint

SAME, VARIANTS, OTHERS = BASES = ("same", "variants", "others")


@attrs.frozen(kw_only=True)
class Basis:
    """What estimates of a stage rest on: `estimates` artifacts to be made are judged by `finished` ones.

    `kind` is `same` (the same but for the seed), `variants` (the same stage of other variants of this ablation) or
    `others` (that stage of any recipe).
    """

    kind: str
    estimates: int
    finished: int


@attrs.frozen(kw_only=True)
class StagePlan:
    """One stage: how many cells need it, how many distinct results that makes, and how many are in the store (`held`).

    `seconds` and `bytes` are estimates for all that is still to be made; None where no artifact of this stage tells.
    """

    stage: str
    cells: int
    distinct: int
    held: int
    seconds: float | None
    bytes: float | None
    time_basis: tuple[Basis, ...] = ()
    disk_basis: tuple[Basis, ...] = ()
    to_make: int = attrs.Factory(lambda self: self.distinct - self.held, takes_self=True)


@attrs.frozen(kw_only=True)
class VariantPlan:
    """A variant: what it changes, in words, and the stages whose results it shares with the recipe for every seed."""

    variant: str
    subject: str
    changes: tuple[str, ...]
    shares: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Plan:
    """What an ablation will cost.

    `seconds` and `bytes` are sums over the stages that are known; `unknown_time` and `unknown_disk` name the others.
    `wall_seconds` is for so many `jobs` at once, if the machine carries them. `free_bytes` are left on the device.
    """

    name: str
    judge: str
    seeds: tuple[int, ...]
    cells: int
    variants: tuple[VariantPlan, ...]
    stages: tuple[StagePlan, ...]
    jobs: int
    seconds: float
    wall_seconds: float
    bytes: float
    free_bytes: int
    unknown_time: tuple[str, ...] = ()
    unknown_disk: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def training(self) -> StagePlan:
        """The stage that makes the weights."""
        return next(stage for stage in self.stages if stage.stage == "train")

    @property
    def to_make(self) -> int:
        """How many artifacts are still to be made."""
        return sum(stage.to_make for stage in self.stages)


def plan(found: Sequence[Cell], store: Path, *, jobs: int = 1, described: Mapping[str, Variant] | None = None) -> Plan:
    """Return what the cells of an ablation will cost, over the store in the folder `store`, which need not exist.

    `described` says what each variant changes. Raises WakekitError where there are no cells or no jobs.
    """
    if not found or jobs < 1:
        raise WakekitError(f"expected cells to plan and at least 1 job, got {len(found)} cells and {jobs} jobs")
    needed, past, kept = _needed(found), _Past(store), Store(store, Silence())
    missing = {
        stage: {print_: kin for print_, kin in kins.items() if not kept.holds(stage, print_)}
        for stage, kins in needed.items()
    }
    time, disk = _Guesses(past, needed, missing, _seconds), _Guesses(past, needed, missing, _bytes)
    counts = Counter(stage for cell in found for stage in cell.stages)
    stages = tuple(
        StagePlan(
            stage=stage,
            cells=counts[stage],
            distinct=len(needed[stage]),
            held=len(needed[stage]) - len(missing[stage]),
            seconds=time.total(stage),
            bytes=disk.total(stage),
            time_basis=time.basis(stage),
            disk_basis=disk.basis(stage),
        )
        for stage in _order(found)
    )
    size, free = sum(stage.bytes or 0.0 for stage in stages), shutil.disk_usage(_existing(store)).free
    return Plan(
        name=found[0].recipe.settings.name,
        judge=next((stage.removeprefix("judge-") for stage in needed if stage.startswith("judge-")), ""),
        seeds=tuple(dict.fromkeys(cell.seed for cell in found)),
        cells=len(found),
        variants=_variants(found, described or {}),
        stages=stages,
        jobs=jobs,
        seconds=sum(stage.seconds or 0.0 for stage in stages),
        wall_seconds=_wall(found, time.each, jobs),
        bytes=size,
        free_bytes=free,
        unknown_time=tuple(stage.stage for stage in stages if stage.seconds is None),
        unknown_disk=tuple(stage.stage for stage in stages if stage.bytes is None),
        warnings=_warnings(size, free, store),
    )


def shared(found: Iterable[Cell]) -> dict[str, tuple[str, ...]]:
    """Return for each variant the stages whose results are the recipe's own, for every seed of both."""
    found = list(found)
    base = {cell.seed: cell.stages for cell in found if not cell.variant}
    result: dict[str, tuple[str, ...]] = {}
    for cell in found:
        if cell.variant and cell.seed in base:
            own = base[cell.seed]
            same = (stage for stage, print_ in cell.stages.items() if own.get(stage) == print_)
            before = result.get(cell.variant)
            result[cell.variant] = tuple(stage for stage in same if before is None or stage in before)
    return result


def _variants(found: Sequence[Cell], described: Mapping[str, Variant]) -> tuple[VariantPlan, ...]:
    told = []
    for name, shares in shared(found).items():
        variant = described.get(name)
        changes = () if variant is None else variant.changes
        subject = name if variant is None else variant.subject
        told.append(VariantPlan(variant=name, subject=subject, changes=changes, shares=shares))
    return tuple(told)


def _order(found: Sequence[Cell]) -> list[str]:
    """Return the stages of all cells in the order they are made; a stage that few have stands where those have it."""
    order: list[str] = []
    for cell in found:
        place = 0
        for stage in cell.stages:
            if stage not in order:
                order.insert(place, stage)
            place = order.index(stage) + 1
    return order


def _needed(found: Sequence[Cell]) -> dict[str, dict[str, str]]:
    """Return for each stage its distinct fingerprints, each with the one that it shares with other seeds."""
    needed: dict[str, dict[str, str]] = {}
    for cell in found:
        for stage, print_ in cell.stages.items():
            needed.setdefault(stage, {})[print_] = cell.kin[stage]
    return needed


class _Past:
    """The artifacts that were ever finished in a store, by stage."""

    def __init__(self, store: Path) -> None:
        self.seals: dict[str, list[Seal]] = {}
        for seal in seals(store):
            self.seals.setdefault(seal.stage, []).append(seal)

    def closest(
        self, stage: str, kin: str, kins: Iterable[str], amount: Callable[[Seal], float | None]
    ) -> tuple[str, dict[str, float]]:
        """Return amounts of the finished artifacts of a stage that come closest, by fingerprint, and how close."""
        known = [(seal, value) for seal in self.seals.get(stage, ()) if (value := amount(seal)) is not None]
        for kind, family in ((SAME, {kin}), (VARIANTS, set(kins)), (OTHERS, {seal.kin for seal, _ in known})):
            chosen = {seal.fingerprint: value for seal, value in known if seal.kin in family}
            if chosen:
                return kind, chosen
        return "", {}


class _Guesses:
    """Estimates of one amount for all that is missing."""

    def __init__(
        self,
        past: _Past,
        needed: Mapping[str, Mapping[str, str]],
        missing: Mapping[str, Mapping[str, str]],
        amount: Callable[[Seal], float | None],
    ) -> None:
        self._missing = missing
        self.each: dict[Artifact, float] = {}
        self._rests: dict[tuple[str, str], list[Mapping[str, float]]] = {}
        for stage, kins in missing.items():
            for print_, kin in kins.items():
                kind, amounts = past.closest(stage, kin, needed[stage].values(), amount)
                if amounts:
                    self.each[stage, print_] = median(amounts.values())
                    self._rests.setdefault((stage, kind), []).append(amounts)

    def total(self, stage: str) -> float | None:
        """Return the sum for a stage; None where nothing tells, which is so for all that is missing of it or none."""
        values = [self.each.get((stage, print_)) for print_ in self._missing[stage]]
        return None if None in values else float(sum(value for value in values if value is not None))

    def basis(self, stage: str) -> tuple[Basis, ...]:
        """Return what the estimates of a stage rest on, the closest first."""
        rests = {kind: self._rests.get((stage, kind), ()) for kind in BASES}
        return tuple(
            Basis(kind=kind, estimates=len(used), finished=len(set().union(*used)))
            for kind, used in rests.items()
            if used
        )


def _seconds(seal: Seal) -> float | None:
    return seal.seconds


def _bytes(seal: Seal) -> float | None:
    return float(seal.bytes)


def _wall(found: Sequence[Cell], each: Mapping[Artifact, float], jobs: int) -> float:
    """Return how long so many workers take: first what several trainings wait for, then each training and what follows.

    Cells that share their weights are one job; jobs are taken in order.
    """
    groups = [{item for cell in group for item in cell.stages.items() if item in each} for group in trainings(found)]
    users = Counter(item for group in groups for item in group)
    free = [0.0] * min(jobs, len(groups))
    for group in groups:
        own = sum(each[item] for item in group if users[item] == 1)
        heapq.heapreplace(free, free[0] + own)
    return sum(each[item] for item, count in users.items() if count > 1) + max(free)


def _existing(folder: Path) -> Path:
    """Return the closest folder above that is there."""
    return next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())


def _warnings(size: float, free: int, store: Path) -> tuple[str, ...]:
    if size <= free:
        return ()
    have = f"what is still to be made takes about {size / 1e9:.3g} GB, and {free / 1e9:.3g} GB are free"
    return (f"{have} for {store.parent}: make room, or name a folder on another device with --out",)
