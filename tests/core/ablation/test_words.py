"""What an ablation found in words: numbers keep their meaning, what helps most comes first, nothing goes uncounted."""

from __future__ import annotations

import math

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ablation_support import ablation, grid
from wakekit.ablation import words
from wakekit.ablation.result import CANNOT_TELL, HELPS, VERDICTS, Effect

UNITS = ("share", "area", "squared error", "1/h", "s", "epochs")
REAL = st.floats(-1e4, 1e4).map(lambda value: 0.0 if abs(value) < 1e-5 else value)


def effect(**changes: object) -> Effect:
    """Return an effect with some fields set."""
    numbers = {"measure": "miss-rate", "unit": "share", "better": "lower", "value": None, "low": None, "high": None}
    return Effect(**{**numbers, **changes})  # type: ignore[arg-type]


def read(text: str) -> float:
    """Return the number that a difference or an end of an interval says."""
    return float(text.split(" ", maxsplit=1)[0].replace(words.MINUS, "-"))


@settings(max_examples=50)
@given(st.lists(REAL, min_size=3, max_size=3).map(sorted), st.sampled_from(UNITS))
def test_a_difference_reads_as_it_is(numbers: list[float], unit: str) -> None:
    """Value and ends read back within half of their last decimal, in points for shares, with as many decimals each."""
    low, value, high = numbers
    found = effect(value=value, low=low, high=high, unit=unit)
    told = [words.difference(found).split(" ")[0], *words.bounds(found).strip("[]").split(", ")]
    decimals = {len(text.partition(".")[2]) for text in told if text != "0"}
    assert len(decimals) <= 1
    scale = 100 if unit == "share" else 1
    for text, number in zip(told, (value, low, high), strict=True):
        assert read(text) == pytest.approx(scale * number, abs=0.5001 * 10.0 ** -max(decimals or {0}))
        assert text.startswith("+" if number > 0 else words.MINUS if number < 0 else "0")
    largest = max(map(abs, numbers)) * scale
    assert max(decimals or {0}) >= min(0.0 if not largest else 1 - math.floor(math.log10(largest)), 7)


@pytest.mark.parametrize(
    ("unit", "told", "interval"),
    [
        ("share", "-3.1 points", "[-5.2, +1.0]"),
        ("area", "-0.0310", "[-0.0520, +0.0100]"),
        ("1/h", "-0.031 per hour", "[-0.052, +0.010]"),
        ("s", "-0.0310 s", "[-0.0520, +0.0100]"),
    ],
)
def test_a_difference_has_its_unit(unit: str, told: str, interval: str) -> None:
    """Shares differ by points, areas and squared errors by bare numbers, the rest by their unit."""
    found = effect(value=-0.031, low=-0.052, high=0.01, unit=unit)
    assert words.difference(found).replace(words.MINUS, "-") == told
    assert words.bounds(found).replace(words.MINUS, "-") == interval


@pytest.mark.parametrize("missing", [None, math.nan, math.inf, -math.inf])
def test_what_cannot_be_had_is_a_dash(missing: float | None) -> None:
    """A number that is missing or not finite is a dash, and so is an interval with such an end."""
    found = effect(value=missing, low=-0.1, high=missing)
    assert {words.difference(found), words.bounds(found), words.difference(None), words.bounds(None)} == {words.DASH}
    assert {words.amount(missing, "s"), words.chance(missing), words.duration(missing)} == {words.DASH}


def test_amounts_chances_and_margins() -> None:
    """Amounts have their unit, a p-value too small to write is bounded, a margin is given to either side."""
    assert words.amount(0.0824, "share") == "8.2 %"
    assert words.amount(0.0214, "squared error") == "0.0214"
    assert words.amount(311.4, "s") == "311 s"
    assert [words.chance(p) for p in (0.0004, 0.001, 0.0472, 1.0)] == ["<0.001", "0.001", "0.047", "1.000"]
    assert [words.spread(value, "area") for value in (0.000067, 0.0214, None)] == ["0.0001", "0.0214", words.DASH]
    assert (words.spread(0.0074, "share"), words.spread(12.345, "s")) == ("0.7", "12.3")
    answer = ablation().answers[0]
    assert words.margin(answer) == "±2 points"
    assert words.margin(attrs.evolve(answer, effects=())) == words.DASH


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.25, "0.25 s"), (9.97, "10 s"), (59.4, "59 s"), (59.7, "1 min 0 s"), (754, "12 min 34 s"),
     (3599.6, "1 h 0 min"), (4361.7, "1 h 13 min"), (360000, "100 h 0 min")],
)  # fmt: skip
def test_durations(seconds: float, told: str) -> None:
    """A time is told in its two largest units, and never as 60 of one."""
    assert words.duration(seconds) == told


@pytest.mark.parametrize(
    ("seeds", "told"), [((0, 1, 2, 3, 4), "0 to 4"), ((3, 1), "1, 3"), ((0, 1), "0, 1"), ((7,), "7"), ((), "none")]
)
def test_seeds(seeds: tuple[int, ...], told: str) -> None:
    """Seeds in a row are told by their ends."""
    assert words.seeds_text(seeds) == told


def test_what_helps_most_comes_first() -> None:
    """Answers are in groups by the measure that decides, from most helpful to most harmful, those without one last."""
    found = words.ranked(reversed(ablation().answers))
    told = [answer.subject.split(" ", maxsplit=1)[0] for answer in found]
    assert told[:5] == ["calibrator", "normalizer", "callbacks.ema", "sampler", "augmentations.background-noise"]
    assert all(words.deciding(answer) is None for answer in found[5:])


@settings(max_examples=50)
@given(st.lists(REAL, min_size=1, max_size=8), st.sampled_from(["lower", "higher"]))
def test_ranks_follow_what_is_better(values: list[float], better: str) -> None:
    """Nothing is lost, and the gain never rises down the list, whichever way the measure is better."""
    one = ablation().answers[0]
    answers = [attrs.evolve(one, effects=(effect(value=value, better=better),)) for value in values]
    told = [answer.effects[0].value for answer in words.ranked(answers)]
    assert told == sorted(values, reverse=better == "higher")


def test_every_verdict_is_counted() -> None:
    """The tally names each verdict with its number, and the numbers add up to all variants."""
    assert words.tally(grid()) == "Of 3 things in question, 2 hurt and 1 cannot be told."
    told = words.tally(ablation())
    assert told == (
        "Of 8 things in question, 2 help, 1 hurts, 1 makes no difference, 1 cannot be told, "
        "1 is identical by construction, 1 failed and 1 is unfinished."
    )
    assert set(VERDICTS) == set(words.SYMBOLS)
    assert len(set(words.SYMBOLS.values())) == len(VERDICTS)
    one = attrs.evolve(ablation().answers[0], verdict=HELPS)
    assert words.tally(ablation(answers=(one,))) == "Of 1 thing in question, 1 helps."
    assert words.tally(ablation(answers=())) == "Nothing was compared."
    assert words.tally(ablation(answers=(attrs.evolve(one, verdict=CANNOT_TELL),) * 2)).endswith("2 cannot be told.")


def test_what_verdicts_rest_on_is_said() -> None:
    """The basis names split, audio, target, seeds, level and the correction; test is not said to be cross-fitted."""
    told = words.basis(ablation(level=0.9, seeds=(3,)))
    for part in ("on dev (20 speakers, 412 words, 3.1 hours of audio", "cross-fitted by speaker", "at most 1 false",
                 "seed 3.", "90 %", "Holm"):  # fmt: skip
        assert part in told
    told = words.basis(ablation(judge="test", judged={}))
    assert told.startswith("Judged on test, thresholds chosen on dev")
