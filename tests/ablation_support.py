"""Invented ablations as reports and files meet them: every verdict, long names, text that means more to HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from wakekit.ablation.result import (
    CANNOT_TELL,
    FAILED,
    HELPS,
    HURTS,
    IDENTICAL,
    NO_DIFFERENCE,
    UNFINISHED,
    AblationResult,
    Answer,
    CellRecord,
    Effect,
    Term,
)

if TYPE_CHECKING:
    from pathlib import Path

SEEDS = (0, 1, 2, 3, 4)
LONG = "augmentations.background-noise (noise, snr_db = [5.0, 20.0], recordings = cafe-and-street)"
NASTY = '<img src=x onerror=alert(1)> & "quoted" | `ticked` *starred* $math$ javascript:alert(2)'
_OTHERS = (
    ("eer", "share", "lower", 0.041),
    ("pauc", "area", "higher", 0.8731),
    ("brier", "squared error", "lower", 0.0214),
    ("fa-per-hour", "1/h", "lower", 0.94),
    ("training-time", "s", "lower", 311.4),
    ("scoring-time", "s", "lower", 18.2),
    ("epochs", "epochs", "lower", 24.0),
)


def ablation(**changes: Any) -> AblationResult:
    """Return an ablation of one thing at a time with every verdict; `changes` are fields to set."""
    answers = (
        _measured("without normalizer", "normalizer (cmvn)", HELPS, (-0.031, -0.052, -0.010), p=0.0012, by=0.0072),
        _measured("without callbacks.ema", "callbacks.ema (ema)", NO_DIFFERENCE, (-0.002, -0.011, 0.007), p=0.61),
        _measured("without noise", LONG, HURTS, (0.043, 0.018, 0.068), p=0.0008, by=0.0056),
        attrs.evolve(
            _measured("sampler = shuffle", "sampler = shuffle", CANNOT_TELL, (0.012, -0.024, 0.048), p=0.41, out=False),
            needed="About 14 seeds, or 9 hours of dev, would settle an effect of 2 points.",
        ),
        _by_brier(),
        attrs.evolve(
            _measured("detector = smoothed", "detector = smoothed", IDENTICAL, (0.0, 0.0, 0.0), out=False),
            effects=(),
            sentence="The scores of detector = smoothed are those of the recipe: identical by construction.",
            shares=("prepare", "train", "score"),
        ),
        Answer(
            variant=NASTY, subject=NASTY, left_out=False, changes=(f"model.width = {NASTY}",), verdict=FAILED,
            sentence=f"{NASTY} failed with all seeds.", measure="miss-rate", margin=0.02,
        ),
        Answer(
            variant="without train.lr-finder", subject="callbacks.lr-finder (lr-finder)", left_out=True,
            changes=("callbacks.lr-finder",), verdict=UNFINISHED, measure="miss-rate", margin=0.02,
            sentence="callbacks.lr-finder is unfinished: 1 of 5 seeds is there.", seeds=(0,),
        ),
    )  # fmt: skip
    found = AblationResult(
        name="quickstart",
        question="Which parts of the quickstart earn their place?",
        fingerprint="5e" * 32,
        keyword="hey nova",
        judge="dev",
        mode="one-at-a-time",
        target_fa_per_hour=1.0,
        level=0.95,
        seeds=SEEDS,
        answers=answers,
        cells=_cells(answers),
        reused={
            "prepare": {"cells": 45, "distinct": 1, "made": 0},
            "train": {"cells": 45, "distinct": 31, "made": 26},
            "score": {"cells": 45, "distinct": 31, "made": 26},
            "judge": {"cells": 45, "distinct": 36, "made": 33},
        },
        seconds=4361.7,
        readings={
            "count": 3, "first": "2026-02-03T10:11:12Z", "last": "2026-03-01T08:00:00Z", "recipes": ["quickstart"],
        },
        warnings=("9 of 45 cells are not done: their variants are judged on fewer seeds, or not at all.",),
        environment={
            "python": "3.11.7",
            "platform": "Linux-6.1-x86_64",
            "device": "cpu",
            "threads": 2,
            "packages": {"numpy": "2.4.6", "torch": "2.14.1", "wakekit": "0.1.0", "attrs": "26.1.0"},
        },
        judged={"speakers": 20.0, "words": 412.0, "hours": 3.1, "clips": 1860.0},
    )  # fmt: skip
    return attrs.evolve(found, **changes)


def grid() -> AblationResult:
    """Return a grid of two components, with main effects and the interaction."""
    pairs = ("sampler = shuffle", "normalizer = none", "sampler = shuffle, normalizer = none")
    answers = tuple(
        _measured(name, name, verdict, numbers, p=0.02, by=0.06, out=False)
        for name, verdict, numbers in zip(
            pairs, (CANNOT_TELL, HURTS, HURTS),
            ((0.008, -0.013, 0.029), (0.031, 0.010, 0.052), (0.055, 0.029, 0.081)), strict=True,
        )
    )  # fmt: skip
    terms = (
        Term(name="sampler", order=1, effect=_effect("miss-rate", "share", "lower", (0.016, -0.001, 0.033), p=0.062)),
        Term(name="normalizer", order=1, effect=_effect("miss-rate", "share", "lower", (0.039, 0.022, 0.056), p=3e-4)),
        Term(
            name="sampler × normalizer", order=2,
            effect=_effect("miss-rate", "share", "lower", (0.016, -0.018, 0.050), p=0.34),
        ),
    )  # fmt: skip
    return ablation(mode="grid", question="", answers=answers, terms=terms, cells=_cells(answers), warnings=())


def leave_cells(result: AblationResult, folder: Path) -> None:
    """Write what finished cells leave in an ablation's folder: a recipe, and for the recipe itself a report too."""
    for cell in result.cells:
        if cell.state == "done":
            place = folder / cell.folder
            place.mkdir(parents=True)
            (place / "recipe.toml").write_text("", encoding="utf-8")
            if not cell.variant:
                (place / "report.html").write_text("", encoding="utf-8")


def _measured(
    variant: str,
    subject: str,
    verdict: str,
    numbers: tuple[float, float, float],
    *,
    p: float | None = None,
    by: float = 1.0,
    out: bool = True,
) -> Answer:
    """Return the answer on a variant whose miss rate differs by `numbers`, with every other measure."""
    scale = numbers[0] / 0.05
    adjusted = None if p is None else by
    adjusted = None if p is None else by
    first = _effect("miss-rate", "share", "lower", numbers, p=p, adjusted_p=adjusted, out=out)
    shape = [scale * shift for shift in (0.05, -0.03, 0.13)]
    others = tuple(
        _effect(name, unit, better, tuple(at * part for part in shape), base=at, p=0.3, out=out)
        for name, unit, better, at in _OTHERS
    )
    missing = attrs.evolve(
        others[-2], value=None, low=None, high=None, p=None, base=None, variant=None, spread=None,
        note="scoring was interrupted and resumed, so that its time is not known",
    )  # fmt: skip
    told = f"{100 * abs(numbers[0]):.1f} points {'more' if (numbers[0] < 0) == out else 'fewer'} words are missed"
    return Answer(
        variant=variant,
        subject=subject,
        left_out=out,
        changes=(f"{subject.split(' ', maxsplit=1)[0]} changed",),
        verdict=verdict,
        sentence=f"{'Without' if out else 'With'} {subject} {told}: {verdict}.",
        measure="miss-rate",
        margin=0.02,
        effects=(first, *others[:-2], missing, others[-1]),
        shares=("prepare",),
        seeds=SEEDS,
    )


def _effect(
    measure: str,
    unit: str,
    better: str,
    numbers: tuple[float, ...],
    *,
    base: float = 0.082,
    out: bool = True,
    **more: Any,
) -> Effect:
    value, low, high = numbers[0], min(numbers), max(numbers)
    return Effect(
        measure=measure,
        unit=unit,
        better=better,
        value=value,
        low=low,
        high=high,
        base=base,
        variant=base - value if out else base + value,
        spread=(0.09 * base, 0.11 * base),
        parts={"seeds": 0.31, "speakers": 0.52, "threshold": 0.17},
        degrees=11.4,
        **more,
    )


def _by_brier() -> Answer:
    """Return the answer on a calibrator, which the Brier score decides."""
    found = _measured("without calibrator", "calibrator (temperature)", HELPS, (-0.0001, -0.004, 0.003), p=0.9)
    brier = _effect(
        "brier", "squared error", "lower", (-0.0087, -0.0121, -0.0053), base=0.0214, p=2e-5, adjusted_p=1.6e-4
    )
    rest = tuple(effect for effect in found.effects if effect.measure != "brier")
    return attrs.evolve(
        found, measure="brier", margin=0.005, effects=(brier, *rest), shares=("prepare", "train", "score"),
        sentence="calibrator (temperature) helps: the Brier score is 0.0087 lower with it.",
    )  # fmt: skip


def _cells(answers: tuple[Answer, ...]) -> tuple[CellRecord, ...]:
    found = [_cell("", "recipe", seed) for seed in SEEDS]
    for number, answer in enumerate(answers):
        slug = f"{number:02d}-variant"
        for seed in SEEDS:
            if answer.verdict == FAILED:
                found.append(
                    CellRecord(
                        variant=answer.variant, seed=seed, state="failed", folder=f"cells/{slug}/seed-{seed}",
                        reason=f"model {NASTY} ran out of memory @ train",
                    )
                )  # fmt: skip
            elif answer.verdict == UNFINISHED and seed:
                found.append(
                    CellRecord(variant=answer.variant, seed=seed, state="not run", folder=f"cells/{slug}/seed-{seed}")
                )
            else:
                found.append(_cell(answer.variant, slug, seed, made="train" if "train" not in answer.shares else ""))
    return tuple(found)


def _cell(variant: str, slug: str, seed: int, made: str = "train") -> CellRecord:
    return CellRecord(
        variant=variant,
        seed=seed,
        state="done",
        folder=f"cells/{slug}/seed-{seed}",
        seconds=97.3 + seed,
        made=(made, "score", "judge") if made else ("judge",),
        measures={"miss-rate": 0.08 + 0.004 * seed, "eer": 0.041, "brier": 0.0214},
    )
