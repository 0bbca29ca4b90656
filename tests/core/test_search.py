"""The search for an operating point tries what it is told to, takes the best, and says what choosing flatters."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import pytest

from wakekit import option
from wakekit.converter import ProblemsError
from wakekit.data import Event, Stream, StreamScores
from wakekit.detector_settings import settings_of
from wakekit.errors import PluginError, WakekitError
from wakekit.events import judge_stream
from wakekit.search import search
from wakekit.settings import Target
from wakekit_evaluation.vote import Vote

if TYPE_CHECKING:
    from tests.support import Typed


@attrs.frozen
class Rises:
    """Fires at every rise of the mean of the last `smooth` scores to the threshold."""

    searchable: ClassVar[tuple[str, ...]] = ("smooth",)
    smooth: int = option(1, at_least=1, help="scores averaged")
    lockout_seconds: float = option(0.0, help="not searched")
    hop_seconds: float = 1.0

    def build(self, threshold: float) -> Any:
        """Start a stream."""
        return SimpleNamespace(feed=lambda scores: self.fired(scores, threshold))

    def fired(self, scores: np.ndarray, threshold: float) -> np.ndarray:
        """Return the frames of the rises."""
        mean = np.convolve(scores, np.ones(self.smooth) / self.smooth)[: len(scores)]
        above = np.concatenate([[False], mean >= threshold])
        return np.flatnonzero(above[1:] & ~above[:-1])


def world(rng: np.random.Generator, *, recordings: int = 4, frames: int = 300) -> list[StreamScores]:
    """Noise of several recordings, with words of three frames by several speakers."""
    found = []
    for number in range(recordings):
        scores = rng.random(frames)
        starts = range(20, frames - 20, 40)
        for start in starts:
            scores[start : start + 3] += rng.uniform(-0.2, 0.6)
        events = tuple(Event(start=float(s), end=s + 2.0, label="nova", speaker=f"s{rng.integers(6)}") for s in starts)
        stream = Stream(audio=Path(f"{number}.wav"), duration=float(frames), events=events)
        found.append(StreamScores(stream, scores / 2, 0.0, 1.0))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_the_best_of_all_settings_and_thresholds_is_taken(seed: int) -> None:
    """Brute force over every setting and every distinct score finds nothing better, and the point says its setting."""
    streams = world(np.random.default_rng(seed))
    target = Target(fa_per_hour=60.0, search={"smooth": (1, 2, 4)}, tolerance_seconds=1.0)
    point = search(Rises(), streams, "nova", target, calibration="c").point
    thresholds = np.unique(np.concatenate([scores.scores for scores in streams]))[::-1]
    best = (0, 0)
    for smooth, threshold in itertools.product(
        (1, 2, 4), thresholds[np.unique(np.geomspace(1, len(thresholds), 200).astype(int)) - 1]
    ):
        detector = Rises(smooth=smooth)
        results = [judge_stream(s, detector.build(threshold).feed(s.scores), "nova", tolerance=1.0) for s in streams]
        outcomes = [found.outcome for result in results for found in result.detections]
        hours = sum(result.negative_hours for result in results)
        if outcomes.count("false accept") / hours <= 60:
            best = max(best, (outcomes.count("hit"), -outcomes.count("false accept")))
    assert (point.events - point.misses, -point.false_accepts) == best
    assert point.configurations == 3
    assert set(point.detector) == {"smooth"}
    assert "among 3 settings" in point.optimism


def test_optimism_is_what_cross_fitting_loses() -> None:
    """On pure noise the choice looks better than what the parts of dev, each judged without it, show."""
    flattered = []
    for seed in range(12):
        streams = world(np.random.default_rng(seed), recordings=5, frames=200)
        target = Target(fa_per_hour=100.0, search={"smooth": (1, 2, 3, 5)}, tolerance_seconds=1.0)
        point = search(Rises(), streams, "nova", target, calibration="c").point
        words = point.optimism.split()
        missed, accepted = int(words[words.index("misses") + 1]), int(words[words.index("has") + 1])
        flattered.append((missed - point.misses, accepted - point.false_accepts))
    assert np.mean([missed + accepted for missed, accepted in flattered]) > 0


def test_too_few_recordings_leave_the_optimism_unknown() -> None:
    """With one recording nothing can be left out, which is said."""
    streams = world(np.random.default_rng(0), recordings=1)
    target = Target(fa_per_hour=100.0, search={"smooth": (1, 2)}, tolerance_seconds=1.0)
    assert "cannot be told" in search(Rises(), streams, "nova", target, calibration="c").point.optimism


def test_recordings_cut_in_pieces_are_left_out_whole() -> None:
    """Streams of one source are one recording: nothing is judged on its own other half."""
    streams = [
        attrs.evolve(scores, stream=attrs.evolve(scores.stream, source="one evening"))
        for scores in world(np.random.default_rng(0))
    ]
    target = Target(fa_per_hour=100.0, search={"smooth": (1, 2)}, tolerance_seconds=1.0)
    assert "cannot be told" in search(Rises(), streams, "nova", target, calibration="c").point.optimism


def test_without_a_search_nothing_is_said_of_one() -> None:
    """One setting, no optimism, no options."""
    point = search(
        Vote(hop_seconds=1.0), world(np.random.default_rng(0)), "nova", Target(fa_per_hour=50), calibration="c"
    ).point
    assert (point.configurations, point.detector, point.optimism) == (1, {}, "")


def test_settings_are_the_recipes_own_first_then_all_that_fit() -> None:
    """Combinations that the detector refuses, such as more votes than scores, are left out."""
    found = [dict(s.options) for s in settings_of(Vote(window=3, votes=2), {"window": (1, 3), "votes": (1, 2, 3)})]
    assert found[0] == {"window": 3, "votes": 2}
    assert sorted(tuple(options.values()) for options in found) == [(1, 1), (3, 1), (3, 2), (3, 3)]


@pytest.mark.parametrize(
    ("table", "place", "message"),
    [
        ({"lockout_seconds": (1.0,)}, ("lockout_seconds",), "may not be searched"),
        ({"hop_seconds": (0.1,)}, ("hop_seconds",), "these may: window, votes, hysteresis"),
        ({"votes": (1, 1.5)}, ("votes", 1), "expected a whole number, got 1.5"),
        ({"window": (0,)}, ("window", 0), "at least 1"),
        ({"window": ()}, ("window",), "got none"),
        ({"window": tuple(range(1, 12)), "votes": (1, 2, 3, 4, 5)}, (), "at most 50 settings of the detector, got 55"),
        ({"hysteresis": tuple(map(float, range(50)))}, (), "got 51, the recipe's own among them"),
        ({"window": (3, 5, 3)}, ("window", 2), "expected each value once, got 3 again"),
        ({"votes": (1, 9)}, ("votes", 1), "fits none of the other values searched, got 9"),
    ],
)
def test_what_may_not_be_searched_is_refused(table: dict[str, Any], place: tuple[Any, ...], message: str) -> None:
    """T11: never the lockout; wrong names, values and too many settings are problems with their place."""
    with pytest.raises(ProblemsError) as caught:
        settings_of(Vote(), table)
    assert [problem.path for problem in caught.value.problems] == [place]
    assert message in caught.value.problems[0].message


def test_fifty_settings_are_tried_at_most() -> None:
    """The recipe's own setting is one of the 50."""
    values = tuple(0.8 + step for step in range(50))
    assert len(settings_of(Vote(), {"hysteresis": values})) == 50


@pytest.mark.parametrize("named", [("smoth",), "smooth", ("hop_seconds",), 3])
def test_a_detector_that_names_options_it_does_not_have_is_the_plugins_mistake(named: Any) -> None:
    """What may be searched are options of the detector, named in a tuple, and never the hop."""

    @attrs.frozen
    class Odd(Rises):
        searchable: ClassVar[Any] = named

    with pytest.raises(
        PluginError, match=r"detector Odd of \S+: expected `searchable` to name options among smooth, lockout"
    ):
        settings_of(Odd(), {"smooth": (1, 2)})


def test_a_recipe_that_searches_the_lockout_is_refused_with_its_line(recipe_file: Path, typed: Typed) -> None:
    """`check` finds it before anything runs."""
    text = recipe_file.read_text().replace("fa_per_hour = 90", "fa_per_hour = 90\nsearch = { lockout_seconds = [1.0] }")
    recipe_file.write_text(text)
    answer = typed("check", recipe_file)
    assert answer.code == 2
    assert "operating_point.search.lockout_seconds" in answer.err
    assert f":{text[: text.index('search =')].count(chr(10)) + 1}:" in answer.err


def test_a_run_searches_and_is_judged_at_what_was_found(recipe_file: Path, store: Path, typed: Typed) -> None:
    """The frozen point names the setting, and the saved recipe keeps the search."""
    searched = ("--set", "operating_point.search={votes=[1, 2, 3], window=[3]}", "--set", "name=searched")
    answer = typed("run", recipe_file, "--out", store, *searched)
    assert answer.code == 0, answer.err
    (folder,) = store.glob("searched-*")
    point = json.loads((folder / "operating_point.json").read_text())
    assert point["configurations"] == 3
    assert set(point["detector"]) == {"votes", "window"}
    assert typed("run", folder / "recipe.toml", "--out", store).code == 0


def test_dev_without_the_keyword_is_refused() -> None:
    """Nothing can be chosen where nothing can be missed."""
    with pytest.raises(WakekitError, match="expected streams with the keyword in dev"):
        search(Vote(hop_seconds=1.0), world(np.random.default_rng(0)), "other", Target(fa_per_hour=5), calibration="c")
