"""What an ablation found, as its folder keeps it in `ablation.json` and reports show it.

A difference is always that between the recipe with the thing in question and without it: for what a variant leaves out,
recipe minus variant; for what a variant swaps in or sets, variant minus recipe.
"""

from __future__ import annotations

from typing import Any

import attrs

HELPS, HURTS, NO_DIFFERENCE, CANNOT_TELL = "helps", "hurts", "no difference", "cannot tell"
IDENTICAL, FAILED, UNFINISHED = "identical by construction", "failed", "unfinished"
VERDICTS = (HELPS, HURTS, NO_DIFFERENCE, CANNOT_TELL, IDENTICAL, FAILED, UNFINISHED)


@attrs.frozen(kw_only=True)
class Effect:
    """What one measure differs by, with its interval at `level`; `low` and `high` are for this measure by itself.

    `base` and `variant` are the measure of the recipe and of the variant, means over seeds, `spread` the standard
    deviations over seeds of the two. `p` tests that there is no difference; `adjusted_p` is Holm's over the variants,
    given for the measure that decides. None where something cannot be had, and then `note` says why. `better` is
    `lower` or `higher`. `parts` are the shares of the variance that come from seeds,
    speakers and the choice of the threshold.
    """

    measure: str
    unit: str
    better: str
    value: float | None
    low: float | None
    high: float | None
    level: float = 0.95
    p: float | None = None
    adjusted_p: float | None = None
    base: float | None = None
    variant: float | None = None
    spread: tuple[float, float] | None = None
    parts: dict[str, float] = attrs.field(factory=dict)
    degrees: float | None = None
    note: str = ""


@attrs.frozen(kw_only=True)
class Answer:
    """What is to be said of one variant.

    `subject` is the thing in question (`normalizer (cmvn)`, `sampler = shuffle`), `left_out` says that the variant is
    the recipe without it. `measure` names the effect that decides, `margin` what counts as nothing in it. `sentence` is
    the verdict in words, `needed` what would settle one that cannot be told. `effects` starts with the deciding one.
    """

    variant: str
    subject: str
    left_out: bool
    changes: tuple[str, ...]
    verdict: str
    sentence: str
    measure: str
    margin: float
    effects: tuple[Effect, ...] = ()
    needed: str = ""
    shares: tuple[str, ...] = ()
    """Stages whose results the variant shares with the recipe."""
    seeds: tuple[int, ...] = ()
    """Seeds that are finished for both."""


@attrs.frozen(kw_only=True)
class CellRecord:
    """One variant with one seed: how it ended, and the folder, relative to the ablation's, that it left.

    `state` is `done`, `failed` or `not run`; `variant` is "" for the recipe itself. `measures` are its own numbers.
    """

    variant: str
    seed: int
    state: str
    folder: str
    reason: str = ""
    seconds: float | None = None
    made: tuple[str, ...] = ()
    """Stages that were made for it rather than reused."""
    measures: dict[str, float] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Term:
    """A main effect or an interaction of a grid: what it is, and its difference in the deciding measure."""

    name: str
    order: int
    effect: Effect


@attrs.frozen(kw_only=True)
class AblationResult:
    """An ablation as a whole.

    `judge` is the split that is judged, `folder_name` that of the ablation. `reused` counts stages: made, wanted and
    shared. `readings` is how often the test split of this corpus was read by recipes in this store, before and by this.
    """

    name: str
    question: str
    fingerprint: str
    keyword: str
    judge: str
    mode: str
    target_fa_per_hour: float
    level: float
    seeds: tuple[int, ...]
    answers: tuple[Answer, ...]
    cells: tuple[CellRecord, ...]
    terms: tuple[Term, ...] = ()
    reused: dict[str, dict[str, int]] = attrs.field(factory=dict)
    """By stage: `cells` (that need it), `distinct` (that is how many there are), `made` (by this or an earlier run)."""
    seconds: float = 0.0
    readings: dict[str, Any] = attrs.field(factory=dict)
    """`count` (runs that read test), `first` and `last` (times), `recipes` (names)."""
    warnings: tuple[str, ...] = ()
    environment: dict[str, Any] = attrs.field(factory=dict)
    judged: dict[str, float] = attrs.field(factory=dict)
    """What the verdicts rest on: `speakers`, `words`, `hours`, `clips`."""
