"""The judge stage of a cell: from raw scores to evidence, with everything that is chosen chosen apart.

On dev each part is judged at a calibrator and thresholds from the other parts. On test the calibrator is fitted and
thresholds are chosen on dev, as for a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch

from wakekit.ablation.dealt import Judged, check_parts, judged
from wakekit.ablation.evidence import ClipEvidence, Part
from wakekit.detector_settings import settings_of
from wakekit.errors import WakekitError
from wakekit.events import keywords
from wakekit.judge_stage import calibrated_stream, fitted_calibrator, probabilities
from wakekit.operating import check
from wakekit.recipe import Recipe
from wakekit.score_stage import SplitScores
from wakekit.sweep import SWEPT_FA_PER_HOUR, Curve, sweep
from wakekit.tree import save_tree

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from wakekit.data import ClipScores, FloatArray, IntArray

EVIDENCE = "evidence.safetensors"
# Thresholds that give so many times the target's false accepts, and so many more, may come up when audio is resampled.
_TIMES, _MORE = 4, 20


def collect_dev(folder: Path, recipe: Recipe, dev: SplitScores) -> None:
    """Leave the evidence of dev in `folder`; raises WakekitError where dev is too small to choose and judge apart."""
    bench = _Bench.of(recipe, dev)
    check_parts(bench.judged)
    parts, probability = [], np.zeros(len(dev.clips.scores))
    clip_part = bench.judged.clip_parts(dev.clips)
    curve = None
    for number in range(bench.judged.parts):
        own = clip_part == number
        calibrator = fitted_calibrator(recipe, _only(dev.clips, ~own))
        probability[own] = probabilities(calibrator, dev.clips.scores[own])
        if curve is None or hasattr(calibrator, "fit"):
            curve = _joined(bench.chooseable(calibrator))
        parts.append(_dev_part(curve, bench.judged, number))
    _leave(folder, "dev", bench.judged, parts, _clips(dev.clips, probability))


def collect_test(folder: Path, recipe: Recipe, dev: SplitScores, test: SplitScores) -> None:
    """Leave the evidence of test in `folder`, judged at thresholds chosen on dev."""
    calibrator = fitted_calibrator(recipe, dev.clips)
    choosing, seen = _Bench.of(recipe, dev), _Bench.of(recipe, test)
    settings = choosing.chooseable(calibrator)
    chosen = _joined(settings)
    found = _joined([_at(curve, like) for curve, like in zip(seen.curves(calibrator), settings, strict=True)])
    part = Part(
        choose_false_accepts=chosen.part_false_accepts,
        choose_hours=chosen.part_hours,
        units=np.arange(len(chosen.part_hours)),
        choose_hits=chosen.hits,
        choose_words=chosen.events,
        shown_hours=chosen.hours,
        speakers=np.arange(len(seen.judged.speakers)),
        words=found.part_events,
        hits=found.part_hits,
        hours=found.hours,
        false_accepts=found.false_accepts,
    )
    _leave(folder, "test", seen.judged, [part], _clips(test.clips, probabilities(calibrator, test.clips.scores)))


@attrs.frozen(eq=False)
class _Bench:
    """A recipe's detector over the streams of a split."""

    recipe: Recipe
    scores: SplitScores
    judged: Judged

    @classmethod
    def of(cls, recipe: Recipe, scores: SplitScores) -> _Bench:
        tolerance = recipe.settings.operating_point.tolerance_seconds
        truths = [keywords(stream, scores.keyword, tolerance=tolerance) for stream in scores.streams]
        return cls(recipe, scores, judged(scores.streams, truths, scores.keyword))

    def curves(self, calibrator: nn.Module) -> list[Curve]:
        """Return the counts by unit and speaker, of each setting of the detector that is searched."""
        target = self.recipe.settings.operating_point
        streams = [calibrated_stream(calibrator, stream) for stream in self.scores.streams]
        return [
            sweep(
                setting.detector,
                streams,
                self.scores.keyword,
                tolerance=target.tolerance_seconds,
                max_fa_per_hour=max(SWEPT_FA_PER_HOUR, 2 * _TIMES * target.fa_per_hour),
                deal=lambda *_: self.judged.dealt,
            )
            for setting in settings_of(self.recipe["detector"], target.search)
        ]

    def chooseable(self, calibrator: nn.Module) -> list[Curve]:
        """Return the curves at the thresholds that may come to be chosen."""
        found, target = self.curves(calibrator), self.recipe.settings.operating_point
        check(found[0], target)
        limit = _TIMES * target.fa_per_hour * found[0].hours + _MORE
        return [_chooseable(curve, limit) for curve in found]


def _chooseable(curve: Curve, limit: float) -> Curve:
    """Return the curve at the thresholds that may come to be chosen; all where none of those hears a word."""
    corners = curve.corners()
    near = corners.only(np.flatnonzero(corners.false_accepts <= limit))
    return near if (near.hits > 0).any() else corners


def _at(curve: Curve, like: Curve) -> Curve:
    """Return the curve at another split's thresholds: between two that were tried the higher one's counts hold."""
    rows = np.searchsorted(-curve.thresholds, -like.thresholds, side="right") - 1
    taken, none = curve.only(np.maximum(rows, 0)), rows < 0
    taken.part_false_accepts[:, none] = 0
    taken.part_hits[:, none] = 0
    return attrs.evolve(taken, thresholds=like.thresholds)


def _joined(curves: Sequence[Curve]) -> Curve:
    return attrs.evolve(
        curves[0],
        thresholds=np.concatenate([curve.thresholds for curve in curves]),
        part_false_accepts=np.concatenate([curve.part_false_accepts for curve in curves], axis=1),
        part_hits=np.concatenate([curve.part_hits for curve in curves], axis=1),
    )


def _dev_part(curve: Curve, found: Judged, number: int) -> Part:
    """Return one part of dev, judged by the others."""
    speakers, units = found.speaker_part == number, found.unit_part == number
    return Part(
        choose_false_accepts=curve.part_false_accepts[~units],
        choose_hours=curve.part_hours[~units],
        units=np.flatnonzero(~units),
        choose_hits=_total(curve.part_hits[~speakers]),
        choose_words=int(curve.part_events[~speakers].sum()),
        shown_hours=curve.hours,
        speakers=np.flatnonzero(speakers),
        words=curve.part_events[speakers],
        hits=curve.part_hits[speakers],
        hours=float(curve.part_hours[units].sum()),
        false_accepts=_total(curve.part_false_accepts[units]),
    )


def _total(counts: IntArray) -> IntArray:
    total: IntArray = counts.sum(axis=0)
    return total


def _only(clips: ClipScores, chosen: FloatArray) -> ClipScores:
    rows = np.flatnonzero(chosen)
    kept = attrs.evolve(
        clips, clips=tuple(clips.clips[row] for row in rows), scores=clips.scores[rows], labels=clips.labels[rows]
    )
    if len(set(kept.labels.tolist())) < 2:  # noqa: PLR2004
        raise WakekitError(
            "judging on dev fits the calibrator on other speakers than are judged: expected clips of the keyword and "
            "others from two speakers each in dev; add speakers to dev, or judge on test"
        )
    return kept


def _clips(clips: ClipScores, probability: FloatArray) -> ClipEvidence:
    return ClipEvidence(
        raw=clips.scores,
        probability=probability,
        labels=clips.labels,
        pools=tuple(clip.pool for clip in clips.clips),
        clusters=tuple(clips.clusters()),
    )


def _leave(folder: Path, split: str, found: Judged, parts: Sequence[Part], clips: ClipEvidence) -> None:
    tree = {
        "split": split,
        "speakers": list(found.speakers),
        "units": list(found.units),
        "parts": [_tensors(part) for part in parts],
        "clips": _tensors(clips),
    }
    save_tree(folder / EVIDENCE, tree)


def _tensors(value: object) -> dict[str, object]:
    fields = {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}  # type: ignore[arg-type]
    return {
        name: torch.from_numpy(np.ascontiguousarray(item)) if isinstance(item, np.ndarray) else item
        for name, item in fields.items()
    }
