"""Verdicts hold up: variants that are the same are rarely told apart, and a planted effect is found as often as stated.

The figures of 500 ablations stand in the docstring of `wakekit.ablation.verdicts`; `-m slow -s` prints them anew.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest

from tests.core.ablation.simulated import TARGET, World, questions
from wakekit.ablation.result import HELPS, HURTS, NO_DIFFERENCE
from wakekit.ablation.verdicts import answers, holm, verdict_of
from wakekit.variants import Ablate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wakekit.ablation.result import Answer

QUIET = {"training": 0.03, "false_training": 0.03, "speaker_training": 0.05, "word_training": 0.1}
WORLDS = {
    "seeds differ": World(),
    "seeds differ much": World(training=0.4, false_training=0.4),
    "seeds differ little": World(**QUIET),
    "speakers differ": World(speaker_variant=0.4),
    "recordings differ": World(unit_variant=0.5),
    "speakers and recordings differ, seeds little": World(**QUIET, speaker_variant=0.4, unit_variant=0.5),
    "few false accepts": World(hours=1.0, bursts=3.0),
    "few misses": World(easy=4.0),
    "seeds in common": World(paired=0.7),
}
MEASURES = ("miss-rate", "eer", "pauc", "brier")


@attrs.frozen
class Found:
    """The share of ablations with a verdict of a difference, by the measure that decides.

    Of the first variant also its mean effect, the shares of its verdicts, and how often its interval held the truth.
    """

    any: dict[str, float]
    effect: float
    verdicts: dict[str, float]
    covered: float


def judged(world: World, seeds: int, shifts: Sequence[float], count: int, truth: float = 0.0) -> Found:
    """Judge simulated ablations and print what came of them."""
    rng = np.random.default_rng(5)
    wrong, verdicts, values, covered = dict.fromkeys(MEASURES, 0), [], [], 0
    for number in range(count):
        base, variants = world.ablation(rng, seeds, shifts)
        found = answers(questions(variants), base, variants, ablate=Ablate(), target=TARGET, seed=number)
        for measure in MEASURES:
            wrong[measure] += any_difference(found, measure)
        effect = found[0].effects[0]
        assert effect.value is not None
        assert effect.low is not None
        assert effect.high is not None
        verdicts.append(found[0].verdict)
        values.append(effect.value)
        covered += effect.low <= truth <= effect.high
    first = {verdict: verdicts.count(verdict) / count for verdict in (HELPS, HURTS, NO_DIFFERENCE)}
    shares, mean = {measure: times / count for measure, times in wrong.items()}, float(np.mean(values))
    print(
        f"\n{seeds} seeds, {count}: any {shares}, first {mean:+.4f} {first}, covered {covered / count:.1%}", flush=True
    )
    return Found(shares, mean, first, covered / count)


def any_difference(found: Sequence[Answer], measure: str) -> bool:
    """Tell whether some variant would help or hurt, were this measure the one that decides."""
    effects = [next(one for one in answer.effects if one.measure == measure) for answer in found]
    adjusted = holm([one.p or 0.0 for one in effects])
    changed = [attrs.evolve(one, adjusted_p=p) for one, p in zip(effects, adjusted, strict=True)]
    told = [verdict_of(one, 0.0) in {HELPS, HURTS} for one in changed]
    if measure == found[0].measure:
        assert told == [answer.verdict in {HELPS, HURTS} for answer in found]
    return any(told)


def noise(share: float, count: int) -> float:
    """Return two and a half standard deviations of a share counted so often."""
    return 2.5 * math.sqrt(share * (1 - share) / count)


def rates(reduced: Sequence[tuple[str, int, int]]) -> list[Any]:
    """Return the cases of the ordinary run (world, seeds, ablations) and all cases in full."""
    full = [(name, seeds, 500) for name in WORLDS for seeds in (3, 5, 10)]
    return [*reduced, *(pytest.param(*case, marks=pytest.mark.slow) for case in full)]


@pytest.mark.parametrize(
    ("name", "seeds", "count"),
    rates([("seeds differ", 3, 60), ("seeds differ", 5, 60), ("seeds differ", 10, 20), ("recordings differ", 3, 40)]),
)
def test_variants_that_are_the_same(name: str, seeds: int, count: int) -> None:
    """At most 5 % of ablations of four variants that are the same as the recipe say that one helps or hurts.

    So it is by any measure that may decide, where seeds, speakers or recordings differ much or little.
    """
    print(f"\n{name}", end="")
    found = judged(WORLDS[name], seeds, [0.0] * 4, count)
    for measure, share in found.any.items():
        assert share <= 0.05 + noise(0.05, count), measure
    assert found.covered >= 0.95 - noise(0.05, count)


@pytest.mark.parametrize(
    ("name", "shift", "seeds", "points", "stated", "count"),
    [
        ("seeds differ", -1.0, 5, 28, 0.92, 20),
        ("seeds differ little", -0.5, 3, 14, 0.81, 20),
        *(
            pytest.param("seeds differ", *case, 500, marks=pytest.mark.slow)
            for case in [
                (-0.25, 3, 7, 0.01), (-0.25, 5, 7, 0.08), (-0.25, 10, 7, 0.23),
                (-0.5, 3, 14, 0.09), (-0.5, 5, 14, 0.31), (-0.5, 10, 14, 0.87),
                (-1.0, 3, 28, 0.38), (-1.0, 5, 28, 0.92), (-1.0, 10, 28, 1.0),
            ]
        ),
        pytest.param("seeds differ little", -0.5, 3, 14, 0.81, 500, marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_planted_effect_is_found_as_often_as_stated(
    name: str, shift: float, seeds: int, points: float, stated: float, count: int
) -> None:
    """A variant whose words score lower misses so many points more, and is found to hurt as often as the docs say."""
    print(f"\n{name}", end="")
    found = judged(WORLDS[name], seeds, [shift, 0.0, 0.0, 0.0], count)
    assert 100 * found.effect == pytest.approx(points, abs=1 if count > 100 else 6)
    # The rates stated were counted in 500 ablations themselves.
    spread = 2.5 * math.sqrt(max(stated * (1 - stated), 0.01) * (1 / count + 1 / 500))
    assert abs(found.verdicts[HURTS] - stated) <= spread
    assert found.verdicts[HELPS] <= 0.01 + noise(0.01, count)
