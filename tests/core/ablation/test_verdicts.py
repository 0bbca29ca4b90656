"""From evidence to answers: which verdict, in which words, and what would settle it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.ablation.simulated import TARGET, World, counted, questions
from wakekit.ablation.crossed import Crossed
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
from wakekit.ablation.verdicts import answers, holm, verdict_of
from wakekit.ablation.wording import needed
from wakekit.variants import Ablate, Margin

if TYPE_CHECKING:
    from wakekit.ablation.evidence import Evidence

SEEDS = range(4)


def cells(missed: int, *, jitter: int = 0, noise: int = 0, speakers: int = 40) -> dict[int, Evidence]:
    """Return the seeds of a variant whose speakers miss so many of ten words, one more or less in some of them."""
    return {
        seed: counted(
            [missed + (jitter if (seed + number) % 2 else 0) for number in range(speakers)], noise=noise + seed
        )
        for seed in SEEDS
    }


def one(base: dict[int, Evidence], variant: dict[int, Evidence], *, left_out: bool = True, **terms: object) -> Answer:
    """Return the answer to the one question of an ablation."""
    asked = [attrs.evolve(question, subject="normalizer (cmvn)") for question in questions({"v": 0}, left_out=left_out)]
    return answers(asked, base, {"v": variant}, ablate=Ablate(**terms), target=TARGET)[0]


def test_what_is_missed_without_it_makes_it_help() -> None:
    """The sentence tells what the change does, with the interval in the same direction, and the verdict."""
    found = one(cells(1), cells(2, jitter=1, noise=9))
    assert found.verdict == HELPS
    assert found.effects[0].value == pytest.approx(-0.15)
    assert found.sentence == (
        "Without normalizer (cmvn) 15.0 points more words are missed at thresholds chosen for 4 false accepts per hour "
        "(13.0 to 17.0): normalizer (cmvn) helps."
    ).replace("13.0 to 17.0", f"{-100 * (found.effects[0].high or 0):.1f} to {-100 * (found.effects[0].low or 0):.1f}")
    assert (found.measure, found.margin, found.seeds, found.needed) == ("miss-rate", 0.02, (0, 1, 2, 3), "")


def test_what_is_missed_with_it_makes_it_hurt() -> None:
    """For what a variant puts in the same difference speaks against it."""
    found = one(cells(1), cells(2, jitter=1, noise=9), left_out=False)
    assert found.verdict == HURTS
    assert found.sentence.startswith("With normalizer (cmvn) 15.0 points more words are missed")
    assert found.effects[0].value == pytest.approx(0.15)


def test_a_change_for_the_better_is_told_in_its_own_direction() -> None:
    """Fewer words missed are counted as so many fewer, interval and all, whichever way the effect's sign goes."""
    base, better = cells(2, jitter=1), cells(1, noise=9)
    for left_out, verdict in ((True, HURTS), (False, HELPS)):
        found = one(base, better, left_out=left_out)
        ends = sorted(abs(100 * (end or 0.0)) for end in (found.effects[0].low, found.effects[0].high))
        assert found.verdict == verdict
        start = "15.0 points fewer words are missed at thresholds chosen for 4 false accepts per hour"
        told = f"{start} ({ends[0]:.1f} to {ends[1]:.1f}): "
        assert told in found.sentence


def test_an_interval_within_the_margin_makes_no_difference() -> None:
    """Where nothing is missed that was not missed before, among enough words, there is no difference."""
    found = one(cells(1), cells(1, noise=9))
    assert found.verdict == NO_DIFFERENCE
    assert found.sentence.endswith("which lies within 2.0 points either way: normalizer (cmvn) makes no difference.")


def test_few_words_cannot_show_that_nothing_differs() -> None:
    """Of 40 words all the same leaves more open than the margin, and the answer says what would settle it."""
    found = one(cells(1, speakers=4), cells(1, noise=9, speakers=4))
    assert found.verdict == CANNOT_TELL
    assert found.sentence.endswith("whether normalizer (cmvn) helps or hurts cannot be told.")
    assert "times the speakers would settle an effect of 2.0 points" in found.needed


def test_a_difference_within_the_margin_is_said_to_be_small() -> None:
    """It helps or hurts all the same, with a word on its size."""
    found = one(cells(1), cells(2, jitter=1, noise=9), margin=Margin(miss_rate=0.3))
    assert found.verdict == HELPS
    assert found.sentence.endswith("helps, by less than the margin of 30.0 points.")


def test_one_seed_tells_nothing() -> None:
    """However large the difference, other seeds might show another."""
    found = one({0: cells(1)[0]}, {0: cells(5, noise=9)[0]})
    assert found.verdict == CANNOT_TELL
    assert found.needed == "One seed does not tell what other seeds would change: take 5 or more."


@pytest.mark.parametrize(
    ("low", "high", "adjusted", "better", "verdict"),
    [
        (0.01, 0.05, 0.01, "lower", HURTS),
        (0.01, 0.05, 0.01, "higher", HELPS),
        (-0.05, -0.01, 0.01, "lower", HELPS),
        (-0.05, -0.01, 0.06, "lower", CANNOT_TELL),
        (0.001, 0.015, 0.06, "lower", NO_DIFFERENCE),
        (0.001, 0.015, 0.04, "lower", HURTS),
        (-0.01, 0.02, 0.3, "lower", CANNOT_TELL),
    ],
)
def test_the_rule(low: float, high: float, adjusted: float, better: str, verdict: str) -> None:
    """A chance below 5 % after Holm decides; then the interval by itself, which has to lie inside the margin."""
    effect = Effect(
        measure="eer",
        unit="share",
        better=better,
        value=(low + high) / 2,
        low=low,
        high=high,
        p=0.01,
        adjusted_p=adjusted,
    )
    assert verdict_of(effect, 0.02) == verdict


def test_several_variants_are_adjusted_for() -> None:
    """The same evidence is worth less among several questions; those without a chance of their own do not count."""
    base, variants = World().ablation(np.random.default_rng(0), 3, [0.0, 0.0])
    asked = questions({**variants, "same": 0})
    asked[2] = attrs.evolve(asked[2], identical=True)
    found = answers(asked, base, variants, ablate=Ablate(), target=TARGET)
    chances = [answer.effects[0].p or 0.0 for answer in found[:2]]
    assert [answer.effects[0].adjusted_p for answer in found[:2]] == holm(chances)
    assert found[2].verdict == IDENTICAL
    assert found[2].effects == ()


def test_holm_is_worked_by_hand() -> None:
    """The smallest counts as often as there are, the next once less, and none falls below one before it."""
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order(chances: list[float]) -> None:
    """It never makes a chance smaller, nor larger than 1, and keeps who comes first."""
    adjusted = holm(chances)
    for chance, found in zip(chances, adjusted, strict=True):
        assert chance <= found <= 1
    ranks = sorted(range(len(chances)), key=chances.__getitem__)
    assert [adjusted[at] for at in ranks] == sorted(adjusted)


def test_seeds_that_one_side_lacks_are_left_out() -> None:
    """Only seeds that are finished for both count; without any the variant is unfinished, or failed with its reason."""
    base, other = cells(1), cells(2, noise=9)
    found = one({seed: base[seed] for seed in (0, 1, 3)}, {seed: other[seed] for seed in (1, 2, 3)})
    assert found.seeds == (1, 3)
    asked = questions({"v": 0, "w": 0})
    told = answers(asked, {0: base[0]}, {"v": {1: other[1]}}, ablate=Ablate(), target=TARGET, failed={"w": "no memory"})
    assert [answer.verdict for answer in told] == [UNFINISHED, FAILED]
    assert told[1].sentence == "w failed: no memory"
    assert told[0].effects == ()


def test_a_calibrator_is_decided_by_the_brier_score() -> None:
    """It cannot change what is missed at a rate; a measure that the recipe names decides in its place."""
    base = cells(1)
    sharper = {
        seed: attrs.evolve(cell, clips=attrs.evolve(cell.clips, probability=(2 * cell.clips.probability + 0.5) / 3))
        for seed, cell in base.items()
    }
    asked = [attrs.evolve(questions({"v": 0})[0], calibration_only=True)]
    found = answers(asked, base, {"v": sharper}, ablate=Ablate(), target=TARGET)[0]
    assert (found.measure, found.margin, found.verdict) == ("brier", 0.005, HELPS)
    assert found.effects[0].measure == "brier"
    assert "the Brier score is" in found.sentence
    named = answers(asked, base, {"v": sharper}, ablate=Ablate(measure="eer"), target=TARGET)[0]
    assert (named.measure, named.verdict) == ("eer", IDENTICAL)
    assert "the equal error rate" in named.sentence


def test_a_measure_that_cannot_be_had_tells_nothing() -> None:
    """Without a keyword among the clips there is no equal error rate to compare, and the sentence says so."""
    base, other = (
        {
            seed: attrs.evolve(cell, clips=attrs.evolve(cell.clips, labels=np.zeros(160, np.int64)))
            for seed, cell in cells(1, noise=noise).items()
        }
        for noise in (0, 9)
    )
    found = one(base, other, measure="eer")
    assert found.verdict == CANNOT_TELL
    assert found.sentence == (
        "Without normalizer (cmvn) there is no equal error rate to compare: "
        "there is nothing among the clips to measure it on."
    )


def test_another_rate_of_false_accepts_is_pointed_out() -> None:
    """Where the audio that was not chosen on shows different rates beyond chance, misses are not at the same rate."""

    def louder(cell: Evidence) -> Evidence:
        return attrs.evolve(cell, parts=(attrs.evolve(cell.parts[0], false_accepts=np.array([60])),))

    other = {seed: louder(cell) for seed, cell in cells(2, noise=9).items()}
    found = one(cells(1), other)
    assert "false accepts differ, too" in found.effects[0].note
    assert "false accepts differ, too" in found.effects[1].note
    assert found.effects[1].measure == "fa-per-hour"


@pytest.mark.parametrize(
    ("parts", "more", "what"),
    [
        ({"clusters": 4e-4}, ("speakers",), "times the speakers would settle an effect of 2.0 points."),
        ({"threshold": 4e-4}, ("audio",), "times the hours of audio that thresholds are chosen on would settle"),
        ({"clusters": 3e-4, "threshold": 3e-4}, ("speakers", "audio"), "times the speakers and the hours of audio"),
    ],
)
def test_what_is_needed_beside_seeds_follows_from_the_variance(
    parts: dict[str, float], more: tuple[str, ...], what: str
) -> None:
    """Speakers or audio, whichever leaves the interval too wide, so much more that it is wide no longer."""
    spread = Crossed(**{"clusters": 0.0, "threshold": 0.0, **parts}, seeds=1e-4, floor=0.0, degrees=9.0, count=4)
    told = needed(one(cells(1, speakers=4), cells(1, noise=9, speakers=4)), spread)
    assert told.startswith("Seeds alone will not do; 10 seeds with about ")
    assert what in told
    times = float(told.split()[9])
    assert spread.with_more(seeds=10, **dict.fromkeys(more, times)).half_width(0.95) <= 0.02
    assert spread.with_more(seeds=10, **dict.fromkeys(more, 0.9 * times)).half_width(0.95) > 0.02


def test_what_cannot_be_settled_is_said() -> None:
    """Where no sensible number of seeds would do, the sentence says so."""
    spread = Crossed(seeds=9.0, clusters=0.0, threshold=0.0, floor=0.0, degrees=3.0, count=4)
    told = needed(one(cells(1, speakers=4), cells(1, noise=9, speakers=4)), spread)
    assert told == (
        "Neither 1000 seeds nor 1000 times the speakers and the audio would settle an effect of 2.0 points."
    )


def test_an_interval_that_is_narrow_enough_asks_for_the_effect_found() -> None:
    """Where the margin would be settled, but the effect lies at its edge, more seeds are for the effect itself."""
    found = one(cells(1, speakers=4), cells(1, noise=9, speakers=4))
    edge = attrs.evolve(found, effects=(attrs.evolve(found.effects[0], value=0.015),))
    told = needed(edge, Crossed(seeds=3.6e-5, clusters=0.0, threshold=0.0, floor=0.0, degrees=4.0, count=5))
    assert told == "About 6 seeds would settle an effect of the size that was found."


def test_seeds_that_are_said_to_suffice_do() -> None:
    """The interval of so many seeds is no wider than the margin, that of one seed fewer is."""
    spread = Crossed(seeds=9e-4, clusters=1e-5, threshold=0.0, floor=0.0, degrees=4.2, count=5)
    found = one(cells(1, speakers=4), cells(1, noise=9, speakers=4))
    seeds = int(needed(found, spread).split()[1])
    assert spread.with_more(seeds=seeds).half_width(0.95) <= 0.02 < spread.with_more(seeds=seeds - 1).half_width(0.95)


def test_no_interval_leaves_what_shares_can_differ_by() -> None:
    """Two seeds that disagree wildly say nothing, which is 100 points either way and not more."""
    base = {seed: counted([9 * seed] * 10, noise=seed) for seed in (0, 1)}
    other = {seed: counted([9 - 9 * seed] * 10, noise=seed + 5) for seed in (0, 1)}
    effect = one(base, other).effects[0]
    assert (effect.low, effect.high) == (-1.0, 1.0)


def test_no_change_is_said_as_such() -> None:
    """As many words missed on either side are not so many points more."""
    assert "as many words are missed at thresholds chosen for 4" in one(cells(1), cells(1, noise=9)).sentence
