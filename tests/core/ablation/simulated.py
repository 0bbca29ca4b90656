"""Ablations drawn from a known model, at the level of scores: what cells of variants and seeds would show.

Words of 20 speakers and bursts of other audio get scores: the same words and bursts in every cell, moved by what the
training of a cell came to. A variant's `shift` is a true effect: its words score higher by so much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit.ablation.evidence import ClipEvidence, Evidence, Part
from wakekit.ablation.verdicts import Question
from wakekit.settings import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakekit.data import FloatArray

TARGET = Target(fa_per_hour=4.0)


@attrs.frozen(kw_only=True)
class World:
    """A model of ablations; spreads are standard deviations of scores, those of words within a speaker being 1.

    `training` moves all words of a cell, `false_training` all bursts; `speaker_training` the words of each speaker in
    each cell, `word_training` each word or burst by itself. `speaker_variant` and `unit_variant` are the same in all
    seeds of a variant: it differs for a speaker or a recording without differing on average. `paired` is the share of
    a cell's variances that all variants with its seed have in common.
    """

    speakers: int = 20
    words: tuple[int, int] = (5, 10)
    units: int = 20
    hours: float = 4.0
    bursts: float = 6.0
    """Expected bursts of a unit that could become false accepts."""
    parts: int = 5
    easy: float = 2.0
    """How much higher than a burst's a word scores."""
    speaker: float = 0.8
    recording: float = 0.5
    training: float = 0.15
    false_training: float = 0.15
    speaker_training: float = 0.2
    word_training: float = 0.4
    speaker_variant: float = 0.0
    unit_variant: float = 0.0
    paired: float = 0.0

    def ablation(
        self, rng: np.random.Generator, seeds: int, shifts: Sequence[float]
    ) -> tuple[dict[int, Evidence], dict[str, dict[int, Evidence]]]:
        """Draw the recipe and one variant per shift, each with so many seeds."""
        drawn = _Draw(self, rng)
        cells = [drawn.variant_cells(shift, seeds) for shift in [0.0, *shifts]]
        return cells[0], {f"v{number}": found for number, found in enumerate(cells[1:])}


class _Draw:
    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self.world, self.rng = world, rng
        counts = rng.integers(world.words[0], world.words[1] + 1, world.speakers)
        self.speaker = np.repeat(np.arange(world.speakers), counts)
        self.unit = np.repeat(np.arange(world.units), rng.poisson(world.bursts, world.units))
        self.word = (
            world.easy + rng.normal(0, world.speaker, world.speakers)[self.speaker] + rng.normal(size=len(self.speaker))
        )
        self.burst = rng.normal(0, world.recording, world.units)[self.unit] + rng.normal(size=len(self.unit))
        self.speaker_part = rng.permutation(world.speakers) % world.parts
        self.unit_part = rng.permutation(world.units) % world.parts
        self.common: dict[int, tuple[FloatArray, FloatArray]] = {}

    def _trained(self) -> tuple[FloatArray, FloatArray]:
        world, rng = self.world, self.rng
        words = rng.normal(0, world.training) + rng.normal(0, world.speaker_training, world.speakers)[self.speaker]
        words = words + rng.normal(0, world.word_training, len(self.word))
        return words, rng.normal(0, world.false_training) + rng.normal(0, world.word_training, len(self.burst))

    def variant_cells(self, shift: float, seeds: int) -> dict[int, Evidence]:
        world, rng = self.world, self.rng
        liked = shift + rng.normal(0, world.speaker_variant, world.speakers)[self.speaker]
        heard = rng.normal(0, world.unit_variant, world.units)[self.unit]
        found = {}
        for seed in range(seeds):
            if seed not in self.common:
                self.common[seed] = self._trained()
            own, same = self._trained(), self.common[seed]
            mix, rest = world.paired**0.5, (1 - world.paired) ** 0.5
            found[seed] = self._evidence(
                self.word + liked + mix * same[0] + rest * own[0], self.burst + heard + mix * same[1] + rest * own[1]
            )
        return found

    def _evidence(self, words: FloatArray, bursts: FloatArray) -> Evidence:
        world = self.world
        rows = np.unique(np.concatenate([words, bursts]))[::-1]
        hits = _above(words, self.speaker, world.speakers, rows)
        accepts = _above(bursts, self.unit, world.units, rows)
        most = np.searchsorted(accepts.sum(axis=0), 8 * TARGET.fa_per_hour * world.hours, "right")
        hits, accepts = hits[:, :most], accepts[:, :most]
        said = np.bincount(self.speaker, minlength=world.speakers)
        hours = np.full(world.units, world.hours / world.units)
        parts = []
        for part in range(world.parts):
            chosen, judged = self.unit_part != part, self.speaker_part == part
            parts.append(
                Part(
                    choose_false_accepts=accepts[chosen],
                    choose_hours=hours[chosen],
                    units=np.flatnonzero(chosen),
                    choose_hits=hits[~judged].sum(axis=0),
                    choose_words=int(said[~judged].sum()),
                    shown_hours=world.hours,
                    speakers=np.flatnonzero(judged),
                    words=said[judged],
                    hits=hits[judged],
                    hours=float(hours[~chosen].sum()),
                    false_accepts=accepts[~chosen].sum(axis=0),
                )
            )
        raw = np.concatenate([words, bursts])
        clusters = [f"s{number}" for number in self.speaker] + [f"u{number}" for number in self.unit]
        labels = np.repeat([1, 0], [len(words), len(bursts)])
        return Evidence(
            split="dev",
            speakers=tuple(f"s{number}" for number in range(world.speakers)),
            units=tuple(f"u{number}" for number in range(world.units)),
            parts=tuple(parts),
            clips=ClipEvidence(
                raw=raw,
                probability=1 / (1 + np.exp(-2 * (raw - 1))),
                labels=labels,
                pools=tuple("keyword" if label else "speech" for label in labels),
                clusters=tuple(clusters),
            ),
            train_seconds=float(self.rng.normal(60, 2)),
            score_seconds=float(self.rng.normal(5, 0.2)),
            dev_loss=tuple((1 / np.arange(1, 21) + self.rng.normal(0, 0.01, 20)).tolist()),
        )


def _above(scores: FloatArray, owner: FloatArray, owners: int, rows: FloatArray) -> FloatArray:
    """Count the scores [owners, rows] that reach each threshold."""
    counts = np.zeros((owners, len(rows)), np.int64)
    np.add.at(counts, (owner, np.searchsorted(-rows, -scores)), 1)
    return counts.cumsum(axis=1)


def questions(variants: Mapping[str, object], *, left_out: bool = False) -> list[Question]:
    """Return a question for each variant, about a thing of its own name."""
    return [
        Question(
            variant=name,
            subject=name,
            left_out=left_out,
            changes=(),
            shares=(),
            calibration_only=False,
            identical=False,
        )
        for name in variants
    ]


def counted(missed: Sequence[int], *, words: int = 10, noise: int = 0, **changed: Any) -> Evidence:
    """Return a cell whose speakers miss so many of their words each, at the one threshold that there is.

    Its clips are random, drawn from `noise`; the fields of `Evidence` in `changed` take the place of its own.
    """
    rng = np.random.default_rng(noise)
    count = len(missed)
    part = Part(
        choose_false_accepts=np.ones((3, 1), np.int64),
        choose_hours=np.ones(3),
        units=np.arange(3),
        choose_hits=np.array([5]),
        choose_words=5,
        shown_hours=3.0,
        speakers=np.arange(count),
        words=np.full(count, words),
        hits=words - np.array(missed).reshape(count, 1),
        hours=2.0,
        false_accepts=np.array([3]),
    )
    raw = rng.normal(size=4 * count)
    clips = ClipEvidence(
        raw=raw,
        probability=1 / (1 + np.exp(-raw)),
        labels=np.arange(4 * count) % 2,
        pools=("speech",) * (4 * count),
        clusters=tuple(f"s{number // 4}" for number in range(4 * count)),
    )
    found = Evidence(
        split="dev",
        speakers=tuple(f"s{number}" for number in range(count)),
        units=("u0", "u1", "u2"),
        parts=(part,),
        clips=clips,
        train_seconds=10.0 + noise,
        score_seconds=None,
        dev_loss=(0.5, 0.4, 0.3 + noise / 1000),
    )
    return attrs.evolve(found, **changed)
