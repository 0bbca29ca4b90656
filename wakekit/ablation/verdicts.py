"""The verdict on each variant of an ablation: helps, hurts, no difference, or cannot tell.

A variant helps or hurts where the deciding measure differs by more than chance, by Holm's adjustment over all variants
(1979), so that of an ablation of variants that are the same at most 1 - `level` get any such verdict. It makes no
difference where the interval of this measure, at `level` and by itself, lies inside the margin to either side: that is
two one-sided tests (Schuirmann, 1987) at half of 1 - `level` each. Everything else cannot be told.

How far that can be believed: of 500 simulated ablations of four variants that are the same as the recipe (20 speakers
with 5 to 10 words each, 20 units of audio; the models are in `tests/core/ablation/simulated.py`) so many said by the
miss rate that some variant helps or hurts:

    seeds                                                  3        5       10
    seeds differ (by 6 to 7 points of words missed)      0.6 %    2.6 %    3.6 %
    seeds differ much (by 16 points)                     4.2      4.6      2.6
    seeds differ little (by 2 points)                    0.0      0.2      0.6
    variants differ for each speaker                     1.4      3.0      2.4
    variants differ for each recording                   3.0      3.4      4.0
    for both, and seeds differ little                    2.4      1.6      3.6
    few false accepts                                    1.0      3.0      4.2
    few misses                                           0.0      0.4      0.0

Where another measure decides it was at most 7.2 % (partial area, where variants differ for each recording, at ten
seeds; elsewhere 5.8 %), 4.8 % (Brier score) and 3.8 % (equal error rate).

One variant of the four that truly misses more words was said to do so in so many of 500 ablations:

    seeds                                                  3        5       10
    7 points more, seeds differ                            1 %      8 %     23 %
    14 points more, seeds differ                           9       31       87
    28 points more, seeds differ                          38       92      100
    14 points more, seeds differ little                   81
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from wakekit.ablation.effects import SAME, Compared, pair
from wakekit.ablation.measures import KINDS, Samples, measures_of
from wakekit.ablation.result import (
    CANNOT_TELL,
    FAILED,
    HELPS,
    HURTS,
    IDENTICAL,
    NO_DIFFERENCE,
    UNFINISHED,
    Answer,
    Effect,
)
from wakekit.ablation.wording import needed, sentence

__all__ = ["Question", "answers", "deciding", "holm", "margin_of", "measures_of", "verdict_of"]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wakekit.ablation.evidence import Evidence
    from wakekit.settings import Target
    from wakekit.variants import Ablate


@attrs.frozen(kw_only=True)
class Question:
    """What is asked of one variant.

    `subject` is the thing in question, which the variant leaves out where `left_out`; `changes` and `shares` are told
    on. With `calibration_only` nothing but the calibrator differs, so that the Brier score decides. `identical` are
    variants of which every stage that the judgement rests on is the recipe's own.
    """

    variant: str
    subject: str
    left_out: bool
    changes: tuple[str, ...]
    shares: tuple[str, ...]
    calibration_only: bool
    identical: bool


def deciding(question: Question, ablate: Ablate) -> str:
    """Return the name of the measure that decides."""
    return ablate.measure or ("brier" if question.calibration_only else "miss-rate")


def margin_of(measure: str, ablate: Ablate) -> float:
    """Return what counts as no difference in a measure that can decide."""
    return float(getattr(ablate.margin, measure.replace("-", "_")))


def answers(
    questions: Sequence[Question],
    base: Mapping[int, Evidence],
    variants: Mapping[str, Mapping[int, Evidence]],
    *,
    ablate: Ablate,
    target: Target,
    seed: int = 0,
    failed: Mapping[str, str] | None = None,
) -> tuple[Answer, ...]:
    """Answer all questions, in their order; `base` and `variants` hold the evidence of finished cells by seed.

    Seeds that one side lacks are left out. A variant without a common seed is unfinished, or failed where `failed`
    gives the reason under its name ("" for the recipe). `seed` is that of the weights that thresholds are chosen under.
    """
    samples = Samples({**variants, "": base}, target, seed=seed)
    compared: list[tuple[Compared, ...]] = []
    for question in questions:
        seeds = _common(question, base, variants)
        compared.append(_all_measures(samples, question, seeds, ablate) if seeds else ())
    tested = [at for at, found in enumerate(compared) if found and found[0].effect.p is not None]
    adjusted = holm([compared[at][0].effect.p or 0.0 for at in tested])
    for at, p in zip(tested, adjusted, strict=True):
        first = compared[at][0]
        effect = attrs.evolve(first.effect, adjusted_p=p)
        compared[at] = (attrs.evolve(first, effect=effect), *compared[at][1:])
    return tuple(
        _answer(question, found, _common(question, base, variants), ablate=ablate, target=target, failed=failed or {})
        for question, found in zip(questions, compared, strict=True)
    )


def holm(chances: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for there being several (Holm, 1979), in their order."""
    adjusted, largest = [0.0] * len(chances), 0.0
    for passed, at in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        largest = max(largest, min(1.0, chances[at] * (len(chances) - passed)))
        adjusted[at] = largest
    return adjusted


def _common(
    question: Question, base: Mapping[int, Evidence], variants: Mapping[str, Mapping[int, Evidence]]
) -> tuple[int, ...]:
    if question.identical:
        return ()
    return tuple(sorted(set(base) & set(variants.get(question.variant, {}))))


def _all_measures(samples: Samples, question: Question, seeds: Sequence[int], ablate: Ablate) -> tuple[Compared, ...]:
    """Compare in every measure, the deciding one first."""
    first = deciding(question, ablate)
    names = [first, *(name for name in KINDS if name != first)]
    found = {
        name: pair(samples, name, question.variant, seeds, left_out=question.left_out, level=ablate.level)
        for name in names
    }
    rate = found["fa-per-hour"].effect
    if rate.p is not None and rate.p < 1 - ablate.level:
        for name in ("fa-per-hour", "miss-rate"):
            note = f"{found[name].effect.note}; {_OTHER_RATE}".removeprefix("; ")
            found[name] = attrs.evolve(found[name], effect=attrs.evolve(found[name].effect, note=note))
    return tuple(found.values())


_OTHER_RATE = "on the audio not chosen on the false accepts differ, too, by more than chance"


def _answer(
    question: Question,
    compared: Sequence[Compared],
    seeds: tuple[int, ...],
    *,
    ablate: Ablate,
    target: Target,
    failed: Mapping[str, str],
) -> Answer:
    measure = deciding(question, ablate)
    answer = Answer(
        variant=question.variant,
        subject=question.subject,
        left_out=question.left_out,
        changes=question.changes,
        verdict=IDENTICAL,
        sentence=f"{question.subject} changes nothing that is judged: identical by construction.",
        measure=measure,
        margin=margin_of(measure, ablate),
        shares=question.shares,
        seeds=seeds,
    )
    if question.identical:
        return answer
    reason = failed.get(question.variant) or failed.get("")
    if not compared:
        verdict = FAILED if reason else UNFINISHED
        told = f"failed: {reason}" if reason else "cannot be judged yet: no seed is finished for it and the recipe."
        return attrs.evolve(answer, verdict=verdict, sentence=f"{question.subject} {told}")
    effects = tuple(one.effect for one in compared)
    answer = attrs.evolve(answer, effects=effects)
    if effects[0].note.startswith(SAME):
        told = f"{question.subject} changes nothing that {KINDS[measure].noun} rests on: identical by construction."
        return attrs.evolve(answer, sentence=told)
    answer = attrs.evolve(answer, verdict=verdict_of(effects[0], answer.margin))
    answer = attrs.evolve(answer, sentence=sentence(answer, target))
    if answer.verdict != CANNOT_TELL:
        return answer
    return attrs.evolve(answer, needed=needed(answer, compared[0].spread))


def verdict_of(effect: Effect, margin: float) -> str:
    """Return the verdict on an effect that decides; one seed, without a p, never shows anything."""
    if effect.value is None or effect.p is None or effect.low is None or effect.high is None:
        return CANNOT_TELL
    adjusted = effect.p if effect.adjusted_p is None else effect.adjusted_p
    if adjusted < 1 - effect.level and effect.value:
        return HELPS if (effect.value > 0) == (effect.better == "higher") else HURTS
    return NO_DIFFERENCE if -margin < effect.low and effect.high < margin else CANNOT_TELL
