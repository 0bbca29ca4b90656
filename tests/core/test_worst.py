"""The worst speaker: counted from words, never a lucky or unlucky single one, and no surer than many picks allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from wakekit.data import (
    ClipScores,
    Detection,
    Event,
    Miss,
    OperatingPoint,
    Results,
    Stream,
    StreamResult,
    StreamScores,
)
from wakekit.worst import speaker_counts, worst_speaker


def rows(**counts: tuple[int, int]) -> list[dict[str, Any]]:
    """Return rows of (missed, words) by speaker."""
    return [{"speaker": name, "words": words, "missed": missed} for name, (missed, words) in counts.items()]


def stream(name: str, *words: tuple[str | None, str]) -> StreamResult:
    """Return a stream with words by speaker, each `hit`, `repeat` (hit twice), `miss` or `unheard` (not counted)."""
    events = tuple(Event(start=9.0 * n, end=9.0 * n + 1, label="x", speaker=who) for n, (who, _) in enumerate(words))
    whole = Stream(audio=Path(f"{name}.wav"), duration=100.0, events=events)
    found = [Detection(name, 5.0, 0.9, "false accept")]
    misses = []
    for number, (who, outcome) in enumerate(words):
        if outcome in {"hit", "repeat"}:
            found.append(Detection(name, 9.0 * number, 0.9, "hit", number))
        if outcome == "repeat":
            found.append(Detection(name, 9.0 * number + 0.5, 0.9, "repeat", number))
        if outcome == "miss":
            misses.append(Miss(name, 9.0 * number, 9.0 * number + 1, who, 0.1, number))
    scores = StreamScores(whole, np.zeros(3), 1.0, 0.1)
    return StreamResult(scores, tuple(found), tuple(misses), len(words), 0.02)


def test_words_are_counted_by_speaker_over_all_streams() -> None:
    """A word hit twice counts once, one that no score could hear not at all; without a speaker the recording counts."""
    one = stream("one", ("ann", "hit"), ("bob", "miss"), ("ann", "repeat"), (None, "miss"))
    two = stream("two", ("ann", "miss"), ("bob", "unheard"))
    nothing = ClipScores((), np.zeros(0), np.zeros(0, dtype=np.int64))
    point = OperatingPoint(0.5, 1, True, 0, 0, 1, 0, 0, 1, "", "")  # noqa: FBT003
    found = speaker_counts(Results(raw=nothing, clips=nothing, streams=(one, two), operating_point=point))
    assert {row.pop("speaker"): row for row in found} == {
        "ann": {"words": 3, "missed": 1},
        "bob": {"words": 1, "missed": 1},
        "one.wav": {"words": 1, "missed": 1},
    }


def test_the_surest_leads_not_the_highest_share() -> None:
    """One missed word of one, and five of five, rank behind thirty of forty; the interval holds for all at once."""
    found = worst_speaker(rows(luck=(1, 1), few=(3, 5), many=(30, 40), good=(1, 60)))
    assert found is not None
    assert (found.name, found.missed, found.words, found.of, found.left_out) == ("many", 30, 40, 3, 1)
    bounds = binomtest(30, 40).proportion_ci(1 - 0.05 / 3, method="wilson")
    assert (found.low, found.high) == pytest.approx((bounds.low, bounds.high))
    assert found.beyond_chance
    assert found.sentence().replace("\u00a0", " ") == (
        "Worst speaker is many, of 3 with 5 words or more: 30 of 40 words missed, 75 % "
        f"(95 % for all 3 at once: {100 * bounds.low:.3g} to {100 * bounds.high:.3g} %)."
    )


def test_among_equals_chance_is_named() -> None:
    """Of speakers that are alike one leads, and in fewer than one set of speakers in twenty it is said for sure."""
    rng = np.random.default_rng(0)
    sure = 0
    for _ in range(200):
        missed = rng.binomial(20, 0.3, size=30)
        found = worst_speaker(rows(**{f"s{n}": (int(count), 20) for n, count in enumerate(missed)}))
        assert found is not None
        sure += found.beyond_chance
        assert found.beyond_chance == ("chance may have picked it" not in found.sentence())
    assert sure <= 10


def test_nobody_is_worst_without_company_or_words() -> None:
    """Fewer than two speakers with words enough: none; nobody missed: said so."""
    assert worst_speaker([]) is None
    assert worst_speaker(rows(ann=(9, 9), bob=(4, 4))) is None
    found = worst_speaker(rows(ann=(0, 9), bob=(0, 8)))
    assert found is not None
    assert found.sentence() == "No speaker was missed, of 2 with 5 words or more."
