"""Whatever a stranger's detector, metric, report or statistic does, a user reads one sentence and no wrong number."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest

from tests.compare_support import simulate, write_run
from tests.support import add_plugin
from wakekit.data import Changes, ClipScores, Event, Measure, Results, Stream, StreamScores
from wakekit.errors import PluginError, WakekitError, blaming
from wakekit.measured import measured
from wakekit.report import write_report
from wakekit.search import search
from wakekit.settings import Target
from wakekit.sweep import sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support import Typed

NONE = np.zeros(0, np.int64)


@attrs.frozen
class Odd:
    """A detector that fires where it is told to."""

    answer: Any = attrs.field(eq=False)
    hop_seconds: float = 1.0

    def build(self, threshold: float) -> Any:
        """Start a stream."""
        return SimpleNamespace(feed=lambda scores: self.answer(np.flatnonzero(scores >= threshold)))


@attrs.frozen
class OddSweep(Odd):
    """A detector with a sweep that gives the changes it is told to."""

    changes: Any = attrs.field(eq=False, default=None)

    def sweep(self, scores: np.ndarray) -> Any:
        """Start a sweep."""
        return SimpleNamespace(lower=lambda thresholds: self.changes(scores, thresholds))


def stream() -> StreamScores:
    """Ten scores around a keyword."""
    events = (Event(start=3.0, end=4.0, label="nova"),)
    about = Stream(audio=Path("a.wav"), duration=10.0, events=events)
    return StreamScores(about, np.array([1, 2, 3, 9, 8, 3, 7, 2, 1, 0]) / 10, 0.0, 1.0)


def swept(detector: Any) -> Any:
    """Sweep the detector over the stream."""
    return sweep(detector, [stream()], "nova", tolerance=0.0, max_fa_per_hour=1e9)


def fails(_: object) -> Any:
    """Raise what no one expects."""
    raise ZeroDivisionError("by nothing")


def test_the_place_that_is_told_is_the_strangers_own() -> None:
    """What they handed to a library, to Python or to wakekit is theirs to mend; without them the last place is told."""
    for mistake in (lambda: np.mean(["a"]), lambda: sorted([1, None]), lambda: swept(None), lambda: json.loads("{")):  # type: ignore[list-item,type-var]
        with pytest.raises(PluginError, match=r"^metric z failed: .* @ .*test_strangers\.py:\d+$"), blaming("metric z"):
            mistake()
    with pytest.raises(PluginError, match=r" @ .*decoder\.py:\d+$"):
        exec("with blaming('metric z'): json.loads('{')", {"blaming": blaming, "json": json})  # noqa: S102


class Speechless(Exception):  # noqa: N818
    """An error that cannot say what is wrong."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SystemExit(0), "SystemExit: 0"),
        (SystemExit("no licence"), "SystemExit: no licence"),
        (BrokenPipeError(32, "Broken pipe"), r"BrokenPipeError: \[Errno 32\] Broken pipe"),
        (Speechless(), "Speechless"),
        (ValueError(), "ValueError"),
        (ValueError("one\ntwo \x1b[31mred"), r"ValueError: one two \\x1b\[31mred"),
        (ValueError("x" * 1_000_000), "ValueError: x{399}…"),
        (StopIteration(), "StopIteration"),
    ],
)
def test_whatever_is_raised_becomes_one_line(error: BaseException, told: str) -> None:
    """A component neither ends the command with code 0 nor floods the terminal."""
    with pytest.raises(PluginError, match=rf"^metric z failed: {told} @ \S+:\d+$"), blaming("metric z"):
        raise error


def test_an_installed_strangers_line_is_told_though_a_library_was_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of installed packages are not the stranger's, but those of an installed plugin are."""
    point = SimpleNamespace(module="acme_wake.plugin", dist=SimpleNamespace(name="acme-wake"))
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point] * (group == "wakekit"))
    folder = Path(np.__file__).parent.parent
    code = compile("def go(): json.loads('{')", str(folder / "acme_wake" / "rasta.py"), "exec")
    scope: dict[str, Any] = {"__name__": "acme_wake.rasta", "json": json}
    exec(code, scope)  # noqa: S102
    caller: dict[str, Any] = {"__name__": "other", "go": scope["go"], "blaming": blaming}
    caller_code = compile("with blaming('metric z'): go()", str(folder / "other.py"), "exec")
    with pytest.raises(PluginError, match=r" @ .*acme_wake/rasta\.py:1$"):
        exec(caller_code, caller)  # noqa: S102


@pytest.mark.parametrize("kind", [list, lambda frames: frames.astype(np.int32), lambda frames: tuple(frames.tolist())])
def test_frames_in_any_whole_numbers_will_do(kind: Callable[[np.ndarray], Any]) -> None:
    """Lists, tuples and shorter integers count the same."""
    expected, found = swept(Odd(lambda frames: frames)), swept(Odd(kind))
    np.testing.assert_array_equal(found.false_accepts, expected.false_accepts)
    np.testing.assert_array_equal(found.hits, expected.hits)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda frames: frames + 0.4, "whole numbers [n], got array"),
        (lambda frames: np.isin(np.arange(10), frames), "whole numbers [n], got array"),
        (lambda frames: frames[None], "whole numbers [n]"),
        (lambda _: np.zeros((2, 2)), "whole numbers [n], got array([[0., 0.], [0., 0.]])"),
        (lambda _: None, "whole numbers [n], got array(None"),
        (lambda _: ["a"], "whole numbers [n]"),
        (lambda frames: frames[::-1], "rising from 0 to 9 at most"),
        (lambda frames: np.repeat(frames, 2), "rising from 0 to 9 at most"),
        (lambda frames: np.append(frames, 10), "rising from 0 to 9 at most"),
        (lambda frames: np.append([-1], frames), "rising from 0 to 9 at most"),
        (fails, "failed: ZeroDivisionError: by nothing @ "),
    ],
)
def test_what_are_no_frames_of_the_stream_is_refused(answer: Any, message: str) -> None:
    """Fractions, flags, frames out of order or out of the stream are the detector's mistake, never counts."""
    with pytest.raises(PluginError, match=rf"^detector Odd:? (.* )?{re.escape(message)}"):
        swept(Odd(answer))


@attrs.frozen
class Scribbler(Odd):
    """A detector that writes into what it is given."""

    def build(self, threshold: float) -> Any:
        """Start a stream."""
        detector = super().build(threshold)
        return SimpleNamespace(feed=lambda scores: (detector.feed(scores), scores.fill(1.0))[0])


@attrs.frozen
class ScribblerSweep(Scribbler):
    """One with a sweep that does so too, to the thresholds as well."""

    def sweep(self, scores: np.ndarray) -> Any:
        """Start a sweep."""
        kept, last = scores.copy(), [np.inf]
        scores.fill(1.0)

        def lower(thresholds: np.ndarray) -> Changes:
            found = [
                np.flatnonzero((kept >= one) & (kept < high))
                for one, high in zip(thresholds, [*last, *thresholds], strict=False)
            ]
            ranks = np.repeat(np.arange(len(found)), [len(one) for one in found])
            last[0] = thresholds[-1]
            thresholds.fill(0.5)
            frames = np.concatenate(found)
            return Changes(rank=ranks, frame=frames, step=np.ones(len(frames), np.int64))

        return SimpleNamespace(lower=lower)


@pytest.mark.parametrize("kind", [Scribbler, ScribblerSweep])
def test_a_detector_that_writes_into_the_scores_changes_no_number(kind: type[Odd]) -> None:
    """What others read stays as it is: counts are those of a detector that only reads."""
    expected, found = swept(Odd(lambda frames: frames)), swept(kind(lambda frames: frames))
    np.testing.assert_array_equal(found.thresholds, expected.thresholds)
    np.testing.assert_array_equal(found.false_accepts, expected.false_accepts)
    np.testing.assert_array_equal(found.hits, expected.hits)


def changes(rank: Any, frame: Any, step: Any) -> Callable[[object, object], Changes]:
    """Return a sweep's answer."""
    return lambda _scores, _thresholds: Changes(rank=np.array(rank), frame=np.array(frame), step=np.array(step))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda *_: None, "wakekit.data.Changes"),
        (lambda *_: (NONE, NONE, NONE), "wakekit.data.Changes"),
        (changes([0, 1], [0], [1]), "three int64 arrays of one length"),
        (changes([0.5], [0], [1]), "three int64 arrays of one length"),
        (changes([99], [0], [1]), "ranks that never fall, from 0 to 6"),
        (changes([-1], [0], [1]), "ranks that never fall"),
        (changes([1, 0], [0, 1], [1, 1]), "ranks that never fall"),
        (changes([0], [10], [1]), "frames from 0 to 9"),
        (changes([0], [-1], [1]), "frames from 0 to 9"),
        (changes([0], [0], [2]), "steps of 1 or -1"),
        (changes([0], [0], [-1]), "takes back a detection that it never made"),
        (changes([0], [3], [-1]), "takes back a detection that it never made"),
        (lambda *_: fails(0), "failed: ZeroDivisionError: by nothing @ "),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(answer: Any, message: str) -> None:
    """Changes of other shapes, thresholds or frames than there are never become counts."""
    with pytest.raises(PluginError, match=rf"^detector OddSweep:? (.* )?{re.escape(message)}"):
        swept(OddSweep(lambda frames: frames, changes=answer))


def test_a_sweep_that_is_not_what_the_detector_does_is_refused() -> None:
    """A threshold chosen on other counts than the detector's own is never frozen."""
    detector = OddSweep(lambda frames: frames, changes=changes([0, 0], [3, 9], [1, 1]))
    with pytest.raises(PluginError, match=r"sweep counts 1 false accepts and 0 misses, the detector itself 0 and 0"):
        search(detector, [stream()], "nova", Target(fa_per_hour=1e6, tolerance_seconds=0.0), calibration="c")


def results() -> Results:
    """Return results of two clips and no streams."""
    clips: Any = (object(), object())
    scores = ClipScores(clips, np.array([0.2, 0.8]), np.array([0, 1]))
    point: Any = None
    return Results(raw=scores, clips=scores, streams=(), operating_point=point)


def measure(**values: Any) -> Measure:
    """Return a measure that is right but for the given values."""
    return Measure(**{"name": "m", "value": 0.5, "unit": "share", **values})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "expected a list of wakekit.Measure, got None"),
        ("abc", "expected a list of wakekit.Measure, got 'abc'"),
        ([0.5], "expected a list of wakekit.Measure, got 0.5"),
        (measure(value=float("nan")), "m holds a number that is not finite"),
        (measure(simple=(0.0, float("inf"))), "m holds a number that is not finite"),
        (measure(level=float("nan")), "m holds a number that is not finite"),
        (measure(counts={"hours": float("nan")}), "m holds a number that is not finite"),
        (measure(value="0.5"), "no number where it should (expected a number, got '0.5')"),
        (measure(value=True), "no number where it should (expected a number, got True)"),
        (measure(simple=0.3), "no number where it should"),
        (measure(counts={"hours": None}), "no number where it should"),
        (measure(counts=[1]), "no number where it should"),
        (measure(note=None), "expected text as note, got None"),
        (measure(name=4), "expected text as name, got 4"),
        (measure(name=""), "expected a name for every measure, got ''"),
        (measure(low=0.9, high=0.1), "expected both ends of an interval, the lower first, got 0.9, 0.1"),
        (measure(low=0.9), "expected both ends of an interval"),
        ([measure(), measure(value=0.7)], "expected measures of different names, got 'm' twice"),
    ],
)
def test_what_is_no_measure_is_refused(answer: Any, message: str) -> None:
    """A metric's mistake is named with its id; nothing half right is written."""
    metric: Any = SimpleNamespace(compute=lambda _: answer)
    with pytest.raises(PluginError, match=rf"^metric z \(SimpleNamespace of types\): .*{re.escape(message)}"):
        measured("z", metric, results())


def test_numbers_of_any_library_become_plain_ones() -> None:
    """NumPy's numbers are written as Python's, also in the simple interval and the counts."""
    odd = measure(
        value=np.float32(0.5), low=np.float64(0.25), high=1, simple=[np.float32(0), 1], counts={"n": np.int64(3)}
    )
    metric: Any = SimpleNamespace(compute=lambda _: [odd])
    (found,) = measured("z", metric, results())
    numbers = (found.value, found.low, found.high, *(found.simple or ()), found.counts["n"])
    assert numbers == (0.5, 0.25, 1.0, 0.0, 1.0, 3.0)
    assert {type(number) for number in numbers} == {float}


def test_a_metric_that_fails_or_writes_into_the_scores_is_named() -> None:
    """What one metric does cannot change what the next one reads."""
    given = results()
    for compute, message in (
        (fails, r"^metric z \(.*\) failed: ZeroDivisionError: by nothing @ .*test_strangers\.py:\d+$"),
        (lambda found: found.clips.scores.sort(), r"^metric z \(.*\) failed: ValueError: .*read-only"),
        (lambda found: found.clips.labels.fill(0), r"^metric z \(.*\) failed: ValueError: .*read-only"),
    ):
        metric: Any = SimpleNamespace(compute=compute)
        with pytest.raises(PluginError, match=message):
            measured("z", metric, given)
    given.clips.scores[0] = 0.1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (fails, "report SimpleNamespace of types failed: ZeroDivisionError: by nothing @ "),
        (lambda folder: folder / "nothing.html", "nothing.html, which is no file"),
        (lambda _: 3, "report SimpleNamespace of types: expected the file that it wrote, or None, got 3"),
    ],
)
def test_a_report_that_fails_or_wrote_nothing_is_named(tmp_path: Path, answer: Any, message: str) -> None:
    """A file that is not there is never shown as the report."""
    folder = write_run(tmp_path / "run", simulate(1))
    report: Any = SimpleNamespace(write=lambda _run, folder: answer(folder))
    with pytest.raises(PluginError, match=re.escape(message)):
        write_report(report, folder)


def test_a_report_may_name_its_file_as_text(tmp_path: Path) -> None:
    """Text is as good as a path, and a user's own error passes as it is."""
    folder = write_run(tmp_path / "run", simulate(1))
    report: Any = SimpleNamespace(write=lambda _run, folder: str(folder / "metrics.json"))
    assert write_report(report, folder) == folder / "metrics.json"

    def refused(*_: object) -> None:
        raise WakekitError("no room")

    refusing: Any = SimpleNamespace(write=refused)
    with pytest.raises(WakekitError, match=r"^no room$") as caught:
        write_report(refusing, folder)
    assert not isinstance(caught.value, PluginError)


def test_a_run_with_a_strangers_mistake_ends_in_one_sentence(
    recipe_file: Path, store: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No traceback, exit code 3, and the detector is named."""
    source = """
import attrs
from wakekit import Component, hookimpl

@attrs.frozen
class Late:
    hop_seconds: float = 0.08

    def build(self, threshold):
        return self

    def feed(self, scores):
        return [len(scores)]

@hookimpl
def wakekit_components():
    yield Component("detector", "late", "late_wake:Late", version=1, summary="Fires too late.")
"""
    add_plugin(tmp_path / "site", "late-wake", source)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    answer = typed("run", recipe_file, "--out", store, "--set", "detector=late")
    assert answer.code == 3
    assert "Traceback" not in answer.err
    assert "detector Late of late_wake: expected the frames at which it fired, rising from 0 to " in answer.err
