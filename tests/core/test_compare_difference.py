"""Differences between runs are those of a loop over resamples, on items that are really the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from tests.compare_support import Made, clip, edit, simulate, write_run
from wakekit.compare import Comparison, compare
from wakekit.compare_intervals import rate_difference, rate_ratio, tango
from wakekit.intervals import bootstrap, envelope
from wakekit.registry import installed
from wakekit.run_folder import Run, read_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wakekit.compare_difference import Difference
    from wakekit.data import FloatArray

SMALL = {"clips": 60, "speakers": 8, "words": 24}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Run, Run]:
    """Two runs on the same test items, the second with its files in another order."""
    one, two = simulate(1), simulate(2)
    return read_run(write_run(tmp_path / "one", one)), read_run(write_run(tmp_path / "two", two, seed=1, shuffle=7))


def differences(*runs: Run) -> dict[str, Difference]:
    """The differences of the second run to the first, by measure."""
    return {row.measure: row.differences[1] for row in compare(runs, installed()).metrics}


def brute(statistic: Callable[[list[Any]], float], pairs: list[tuple[Any, Any]], clusters: list[str]) -> Any:
    """The bootstrap's interval of the difference, each resample laid out item by item and measured by itself."""

    def values(weights: FloatArray) -> FloatArray:
        found = []
        for row in weights:
            chosen = [pair for pair, times in zip(pairs, row.astype(int), strict=True) for _ in range(times)]
            found.append(statistic([two for _, two in chosen]) - statistic([one for one, _ in chosen]))
        return np.array(found)

    return bootstrap(values, clusters)


def truth(clips: list[Any]) -> list[bool]:
    """Whether each clip is of the keyword."""
    return [clip.pool == "positive" for clip in clips]


@pytest.mark.parametrize(
    ("measure", "statistic"),
    [
        ("roc-auc", lambda clips: roc_auc_score(truth(clips), [one.score for one in clips])),
        ("pauc-standardized", lambda clips: roc_auc_score(truth(clips), [one.score for one in clips], max_fpr=0.1)),
        ("brier", lambda clips: brier_score_loss(truth(clips), [one.score for one in clips])),
        ("brier-raw", lambda clips: np.mean([(1 / (1 + np.exp(-c.raw)) - (c.pool == "positive")) ** 2 for c in clips])),
    ],
)
def test_differences_of_clips_are_those_of_a_loop(
    pair: tuple[Run, Run], measure: str, statistic: Callable[[list[Any]], float]
) -> None:
    """Whole speakers are drawn, the same for both runs, and each run is measured on the clips drawn."""
    first, other = pair
    by_id = {one.id: one for one in other.clips}
    pairs = sorted(((one, by_id[one.id]) for one in first.clips), key=lambda two: two[0].id)
    found = differences(first, other)[measure]
    expected = brute(statistic, pairs, [one.cluster for one, _ in pairs])
    assert found.value == pytest.approx(statistic([two for _, two in pairs]) - statistic([one for one, _ in pairs]))
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert found.low < found.value < found.high
    assert (found.items, found.clusters, found.over) == (240, 20, "clips")


def test_words_are_paired_by_place_and_clustered(pair: tuple[Run, Run]) -> None:
    """The interval holds Tango's and a loop's over speakers; McNemar's counts are those of a loop."""
    first, other = pair
    by_place = {(word.stream_id, word.start, word.end): word for word in other.words}
    pairs = sorted(
        ((word, by_place[word.stream_id, word.start, word.end]) for word in first.words),
        key=lambda two: (two[0].stream_id, two[0].start),
    )
    found = differences(first, other)["false-rejects"]
    alone = sum(not a.hit and b.hit for a, b in pairs), sum(a.hit and not b.hit for a, b in pairs)
    assert (found.first_only, found.other_only) == alone
    assert min(alone) > 2
    looped = brute(lambda words: np.mean([not word.hit for word in words]), pairs, [a.cluster for a, _ in pairs])
    expected = envelope(tango(*alone, 60), looped)
    assert found.value == pytest.approx((alone[1] - alone[0]) / 60)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert found.items == 60


def test_keyword_clips_below_the_threshold_are_paired_too(pair: tuple[Run, Run]) -> None:
    """Only clips of the keyword count, each run at its own threshold."""
    first, other = pair
    found = differences(first, other)["false-rejects-clips"]
    below = [{one.id: one.score < 0.5 for one in run.clips if one.pool == "positive"} for run in pair]
    assert found.items == len(below[0])
    assert found.first_only == sum(below[0][name] and not below[1][name] for name in below[0])
    assert found.value == pytest.approx(np.mean(list(below[1].values())) - np.mean(list(below[0].values())))


def test_rates_of_many_streams_are_resampled_by_stream(tmp_path: Path) -> None:
    """With ten streams or more the interval is the cluster bootstrap's, and beside it stands the exact ratio."""
    runs = [read_run(write_run(tmp_path / str(seed), simulate(seed, streams=12, **SMALL))) for seed in (1, 2)]
    found = differences(*runs)["fa-per-hour"]
    by_name = {row["stream"]: row for row in runs[1].test.streams}
    pairs = sorted(((row, by_name[row["stream"]]) for row in runs[0].test.streams), key=lambda two: two[0]["stream"])

    def per_hour(rows: list[Any]) -> float:
        return sum(row["false_accepts"] for row in rows) / sum(row["hours_without_keyword"] for row in rows)

    # The streams' names sort as text, as the pairing does.
    pairs.sort(key=lambda two: str((two[0]["stream"], "")))
    expected = brute(per_hour, pairs, [row["stream"] for row, _ in pairs])
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    keys = ("false_accepts", "hours_without_keyword")
    totals = [sum(row[key] for row in run.test.streams) for run in runs for key in keys]
    bound = rate_ratio(*totals)
    assert found.ratio == pytest.approx(((totals[2] / totals[3]) / (totals[0] / totals[1]), bound.low, bound.high))


def test_one_stream_leaves_the_intervals_of_counts(tmp_path: Path) -> None:
    """There is nothing to resample, which is said; no false accept in the first run leaves the ratio open upwards."""
    runs = []
    for name, accepts in (("quiet", 0), ("loud", 5)):
        made = attrs.evolve(simulate(1, streams=1, **SMALL), accepts={"stream0.flac": accepts})
        runs.append(read_run(write_run(tmp_path / name, made)))
    found = differences(*runs)["fa-per-hour"]
    bound = rate_difference(0, 0.5, 5, 0.5)
    assert (found.value, found.low, found.high) == pytest.approx((10.0, bound.low, bound.high))
    assert found.ratio == (None, pytest.approx(rate_ratio(0, 0.5, 5, 0.5).low), None)
    assert "one cluster of streams" in found.note
    assert "independent" in found.note


def test_a_run_against_itself_differs_by_exactly_nothing(tmp_path: Path) -> None:
    """The same run twice, and a copy with its files in another order, give 0 [0, 0] for every difference."""
    first = read_run(write_run(tmp_path / "first", simulate(3)))
    copy = read_run(write_run(tmp_path / "copy", simulate(3), shuffle=5))
    for other in (first, copy):
        found = differences(first, other)
        known = {name: (one.value, one.low, one.high) for name, one in found.items() if one.value is not None}
        assert set(known) == set(found)
        assert set(known.values()) == {(0.0, 0.0, 0.0)}


def test_runs_that_happen_to_agree_are_not_the_same(tmp_path: Path) -> None:
    """T8: two detectors that both hear all of 24 words, or rank all clips right, are not shown to be equal."""
    runs = []
    for seed in (1, 2):
        made = simulate(seed, **SMALL)
        clips = tuple(
            clip(row, positive=one["pool"] == "positive", speaker=one["speaker"], raw=seed * (1.0 + row % 5) * sign)
            for row, one in enumerate(made.clips)
            for sign in (1 if one["pool"] == "positive" else -1,)
        )
        heard = tuple(attrs.evolve(word, hit=True) for word in made.words)
        runs.append(read_run(write_run(tmp_path / str(seed), attrs.evolve(made, words=heard, clips=clips))))
    found = differences(*runs)
    words, area = found["false-rejects"], found["roc-auc"]
    assert (words.value, words.low, words.high) == (0.0, tango(0, 0, 24).low, tango(0, 0, 24).high)
    assert "every resample gives the same" in words.note
    assert (area.value, area.low, area.high) == (0.0, None, None)
    assert "no interval" in area.note


@given(st.integers(0, 2**31), st.integers(0, 2**31))
@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_rows_in_the_files_does_not_matter(small: tuple[Run, Run], one: int, two: int) -> None:
    """Clips (some with equal content), words and streams in any order give the same differences."""
    first, other = small
    expected = differences(first, other)
    assert expected["roc-auc"].low is not None
    assert differences(shuffled(first, one), shuffled(other, two)) == expected


def shuffled(run: Run, seed: int) -> Run:
    """Return a run with the rows of its files in another order."""
    rng = np.random.default_rng(seed)

    def mixed(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(rows[row] for row in rng.permutation(len(rows)))

    test = attrs.evolve(run.test, streams=mixed(run.test.streams))
    return attrs.evolve(run, clips=mixed(run.clips), words=mixed(run.words), test=test)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Two small runs in which every third clip has the content of the one before."""
    runs = []
    for seed in (1, 2):
        made = simulate(seed, **SMALL)
        clips = [{**one, "id": f"{row - (row % 3 == 2):016x}"} for row, one in enumerate(made.clips)]
        for row in range(2, 60, 3):
            clips[row] = {
                **clips[row - 1],
                "audio": f"again{row}.wav",
                "raw": clips[row]["raw"],
                "score": clips[row]["score"],
            }
        folder = tmp_path_factory.mktemp("small") / str(seed)
        runs.append(read_run(write_run(folder, attrs.evolve(made, clips=tuple(clips)))))
    return runs[0], runs[1]


def test_other_clips_and_other_labels_have_no_difference(tmp_path: Path) -> None:
    """A clip that only one run has, or one that is labelled otherwise, leaves no difference, and a sentence why."""
    made = simulate(1, **SMALL)
    first = read_run(write_run(tmp_path / "first", made))
    fewer = read_run(write_run(tmp_path / "fewer", attrs.evolve(made, clips=made.clips[1:])))
    relabelled = ({**made.clips[0], "label": "something else"}, *made.clips[1:])
    other = read_run(write_run(tmp_path / "other", attrs.evolve(made, clips=relabelled)))
    for run, reason in ((fewer, "59 are in both, of 60 and 59"), (other, "1 of the 60 test clips have another label")):
        found = compare((first, run), installed())
        notes = {row.measure: row.differences[1] for row in found.metrics}
        for measure in ("roc-auc", "brier", "false-rejects-clips"):
            assert notes[measure].value is None
            assert reason in notes[measure].note
        assert notes["false-rejects"].value == 0.0
        assert found.shared[0].items["clips"].paired == 0


def test_words_that_only_one_run_could_hear_are_left_out(tmp_path: Path) -> None:
    """A longer window hears a stream's first word no more; words of another stream are not compared at all."""
    made = simulate(1, **SMALL)
    first = read_run(write_run(tmp_path / "first", made))
    later = read_run(write_run(tmp_path / "later", attrs.evolve(made, words=made.words[1:])))
    found = differences(first, later)["false-rejects"]
    assert (found.items, found.value) == (23, 0.0)
    assert "left out, as only one run could hear them: 1 words" in found.note
    moved = tuple(attrs.evolve(word, stream=f"new {word.stream}") for word in made.words)
    hours = {f"new {name}": hours for name, hours in made.hours.items()}
    accepts = {f"new {name}": 1 for name in made.hours}
    elsewhere = attrs.evolve(made, words=moved, hours=hours, accepts=accepts)
    found = differences(first, read_run(write_run(tmp_path / "elsewhere", elsewhere)))
    assert "0 are in both" in found["false-rejects"].note
    assert "test streams are not the same" in found["fa-per-hour"].note


def test_pieces_of_one_recording_are_drawn_together(tmp_path: Path) -> None:
    """Streams cut from one recording depend on each other, so that they are one cluster."""
    runs = [read_run(write_run(tmp_path / name, simulate(seed, **SMALL))) for seed, name in enumerate("ab")]
    assert differences(*runs)["fa-per-hour"].clusters == 3
    for run in runs:
        edit(run.folder / "metrics.json", lambda table: [row.update(recording="one") for row in table["streams"]])
    found = differences(*(read_run(run.folder) for run in runs))["fa-per-hour"]
    assert (found.items, found.clusters) == (3, 1)


def test_streams_of_one_name_and_other_content_are_not_compared(tmp_path: Path) -> None:
    """Equal names do not make streams the same: what they hold does."""
    runs = [read_run(write_run(tmp_path / name, simulate(seed, **SMALL))) for seed, name in enumerate("ab")]
    assert differences(*runs)["fa-per-hour"].value is not None
    edit(
        runs[1].folder / "metrics.json",
        lambda table: [row.update(stream_id=row["stream_id"][::-1] + "0") for row in table["streams"]],
    )
    assert "streams are not the same" in differences(runs[0], read_run(runs[1].folder))["fa-per-hour"].note


def test_a_number_that_cannot_be_computed_again_is_not_compared(pair: tuple[Run, Run]) -> None:
    """A recorded number that the folder's items do not give (another version of a metric) has no difference."""
    edit(pair[1].folder / "metrics.json", lambda table: table["metrics"]["eer"][0].update(value=0.01))
    found = differences(pair[0], read_run(pair[1].folder))
    assert found["eer"].value is None
    assert "computed again from B's folder it is" in found["eer"].note
    assert found["roc-auc"].value is not None


def test_without_streams_words_or_clips_there_is_no_difference(tmp_path: Path) -> None:
    """What was not measured has no difference; nothing fails, with or without a value on the other side."""
    empty = read_run(write_run(tmp_path / "empty", Made()))
    again = read_run(write_run(tmp_path / "again", Made(), seed=1))
    full = read_run(write_run(tmp_path / "full", simulate(1, **SMALL)))
    for runs in ((empty, again), (empty, full), (full, empty)):
        assert all(one.value is None and one.note for one in differences(*runs).values())


def test_measures_meet_by_name_and_options(tmp_path: Path) -> None:
    """Two partial areas with different limits are two rows; one that a run lacks has no difference."""
    more = [("wide", "pauc", "max_fpr = 0.2")]
    runs = [read_run(write_run(tmp_path / name, simulate(seed, **SMALL), metrics=extra)) for name, seed, extra in (
        ("a", 1, ()), ("b", 2, more), ("c", 3, more))]  # fmt: skip
    found: Comparison = compare(runs, installed())
    narrow, wide = (row for row in found.metrics if row.measure == "pauc")
    assert [value is None for value in wide.values] == [True, False, False]
    assert (narrow.options, wide.options) == ({}, {"max_fpr": 0.2})
    assert wide.differences[1].note == "A was not measured so"
    assert narrow.differences[2].value is not None


def test_clips_without_a_speaker_are_each_their_own_cluster(tmp_path: Path) -> None:
    """A clip's cluster is its own in each run's order of rows; the first run's clusters are used for both."""
    runs = []
    for seed in (1, 2):
        rows = tuple({**one, "speaker": None} for one in simulate(seed, **SMALL).clips)
        made = Made(clips=tuple({**one, "cluster": f"clip {row}"} for row, one in enumerate(rows)))
        runs.append(read_run(write_run(tmp_path / str(seed), made)))
    assert differences(*runs)["roc-auc"].clusters == 60
