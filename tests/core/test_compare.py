"""`wakekit compare` says what differs between finished runs, and what keeps their numbers from being compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.compare_support import Made, edit, simulate, write_run
from tests.support import Typed, add_plugin
from wakekit.compare import Comparison, compare
from wakekit.errors import WakekitError
from wakekit.registry import installed
from wakekit.run_folder import read_run

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"clips": 60, "speakers": 8, "words": 24}
STRANGER = """
import attrs, numpy as np
from wakekit import Component, Measure, hookimpl
from wakekit.statistic import Statistic, mean

@attrs.frozen
class Loudest:
    "Mean of the scores of clips."
    def compute(self, results):
        return [Measure(name="level", value=float(np.mean(results.clips.scores)), unit="score")]

@attrs.frozen
class Level(Loudest):
    "The same, made to be compared."
    def statistics(self, run):
        return [mean("level", "clips", [clip.score for clip in run.clips])]

@attrs.frozen
class Broken(Loudest):
    "The same, and it fails."
    def statistics(self, run):
        raise KeyError("what")

@attrs.frozen
class Short(Loudest):
    "The same, with outcomes of one clip only."
    def statistics(self, run):
        (found,) = Level.statistics(self, run)
        return [attrs.evolve(found, outcomes=np.array([True]))]

@attrs.frozen
class Lost(Loudest):
    "The same, over items that there are not."
    def statistics(self, run):
        (found,) = Level.statistics(self, run)
        return [attrs.evolve(found, over="moons")]

@attrs.frozen
class Falls(Loudest):
    "The same, and its values fail."
    def statistics(self, run):
        (found,) = Level.statistics(self, run)
        return [attrs.evolve(found, values=lambda weights: 1 / 0)]

@hookimpl
def wakekit_components():
    for name in ("Loudest", "Level", "Broken", "Short", "Lost", "Falls"):
        yield Component("metric", name.lower(), "odd_metrics:" + name, summary="a stranger's")
"""


def compared(folder: Path, *options: dict[str, Any], made: tuple[Made, ...] = ()) -> Comparison:
    """Write a run per set of options and compare them."""
    sources = made or tuple(simulate(seed + 1, **SMALL) for seed in range(len(options)))
    runs = [
        read_run(write_run(folder / f"run{row}", source, **{"seed": row, **option}))
        for row, (source, option) in enumerate(zip(sources, options, strict=True))
    ]
    return compare(runs, installed())


def warned(found: Comparison) -> str:
    """All warnings as one text."""
    return "\n".join(found.warnings)


def test_recipes_are_compared_key_by_key(tmp_path: Path) -> None:
    """Each key that differs is named with its values, a missing one as None; what is equal is not."""
    changes = [("seconds = 1.2", "seconds = 1.5"), ("[detector]\n", "[model]\ntau = 1.0\n\n[detector]\n")]
    found = compared(tmp_path, {}, {}, {"recipe": changes})
    rows = {change.key: change.values for change in found.recipe}
    assert rows == {
        "name": ("run0", "run1", "run2"),
        "seed": (0, 1, 2),
        "window.seconds": (1.2, 1.2, 1.5),
        "model.tau": (None, None, 1.0),
    }


def test_the_order_of_tables_counts_where_the_keys_are_equal(tmp_path: Path) -> None:
    """Augmentations in another order are a difference, and so is 1 in the place of 1.0; a metric more is no order."""
    tables = ["\n[augmentations.a]\nx = 1\n", "\n[augmentations.b]\nx = 1.0\n"]
    one, two = ("".join(tables), "".join(reversed(tables)).replace("1.0", "1"))
    options = [{"recipe": [("[detector]", text + "\n[detector]")]} for text in (one, two)]
    found = compared(tmp_path, options[0], {**options[1], "metrics": [("wide", "pauc", "max_fpr = 0.2")]})
    rows = {change.key: change.values for change in found.recipe}
    assert rows["augmentations (order)"] == (["a", "b"], ["b", "a"])
    assert rows["augmentations.b.x"] == (1.0, 1)
    assert "metrics (order)" not in rows
    assert rows["metrics.wide.max_fpr"] == (None, 0.2)


def test_environments_and_stages_are_compared(tmp_path: Path) -> None:
    """Only what differs is listed, packages by name; fingerprints say whether corpus and weights are the same."""
    other = {
        "python": "3.12.1",
        "packages": {"numpy": "2.4.7", "torch": "2.14"},
        "stages": {"prepare": "aa", "train": "zz", "compose-test": "cc"},
    }
    found = compared(tmp_path, {}, {"environment": other}, {"environment": {"stages": {}}})
    rows = {change.key: change.values for change in found.environment}
    assert rows["python"] == ("3.11.7", "3.12.1", "3.11.7")
    assert rows["packages.numpy"] == ("2.4.6", "2.4.7", "2.4.6")
    assert rows["packages.torch"] == (None, "2.14", None)
    assert "device" not in rows
    assert [(one.corpus_and_splits, one.weights) for one in found.shared] == [(True, False), (None, None)]


def test_weights_in_the_folders_are_compared_byte_by_byte(tmp_path: Path) -> None:
    """Where both folders hold weights these decide, not the fingerprint."""
    runs = [read_run(write_run(tmp_path / name, simulate(1, **SMALL))) for name in "ab"]
    for run, content in zip(runs, (b"one", b"two"), strict=True):
        (run.folder / "model.safetensors").write_bytes(content)
    assert compare(runs, installed()).shared[0].weights is False
    (runs[1].folder / "model.safetensors").write_bytes(b"one")
    assert compare(runs, installed()).shared[0].weights is True


def test_runs_judged_differently_are_warned_of(tmp_path: Path) -> None:
    """Targets, hops, tolerances, windows, calibrators and keywords have their sentence, only where they differ."""
    sentences = {
        "different targets": {"point": {"target_fa_per_hour": 1.0}},
        "5 per hour by the one-sided 99 % upper bound": {"point": {"bound": "upper", "level": 0.99}},
        "different hops": {"recipe": [("hop_seconds = 0.08", "hop_seconds = 0.01")]},
        "different tolerances": {"recipe": [("tolerance_seconds = 0.5", "tolerance_seconds = 1.5")]},
        "different windows": {"recipe": [("seconds = 1.2", "seconds = 1.5")]},
        "calibrated differently": {"recipe": [('type = "temperature"', 'type = "none"')]},
        "no threshold met its target": {"point": {"reachable": False}},
    }
    plain = warned(compared(tmp_path / "plain", {}, {}))
    for row, (sentence, options) in enumerate(sentences.items()):
        assert sentence not in plain
        assert sentence in warned(compared(tmp_path / str(row), {}, options))
    folders = [write_run(tmp_path / name, simulate(1, **SMALL)) for name in "ab"]
    edit(folders[1] / "metrics.json", lambda table: table.update(keyword="alexa"))
    found = compare([read_run(folder) for folder in folders], installed())
    assert "different keywords (hey nova, alexa)" in warned(found)


def test_a_one_sided_win_is_flagged(tmp_path: Path) -> None:
    """T9: fewer false accepts with fewer keywords heard is no win, in either order; hearing nothing says so."""
    base = simulate(1, **SMALL)
    heard = tuple(attrs.evolve(word, hit=row > 2) for row, word in enumerate(base.words))
    eager = attrs.evolve(base, words=heard, accepts=dict.fromkeys(base.accepts, 6))
    deaf = attrs.evolve(
        base,
        words=tuple(attrs.evolve(word, hit=False) for word in base.words),
        accepts=dict.fromkeys(base.accepts, 0),
    )
    one = warned(compared(tmp_path / "one", {}, {}, made=(eager, deaf)))
    two = warned(compared(tmp_path / "two", {}, {}, made=(deaf, eager)))
    assert "B has fewer false accepts than A (0 and 8 per hour), but it also hears fewer keywords" in one
    assert "(misses 100.0% and 12.5% of the words)" in one
    assert "A has fewer false accepts than B" in two
    assert "A misses 100.0% of the keywords: it hears almost nothing" in two
    better = attrs.evolve(eager, accepts=dict.fromkeys(base.accepts, 1))
    assert "hears fewer" not in warned(compared(tmp_path / "three", {}, {}, made=(eager, better)))


def test_a_one_sided_win_is_flagged_on_clips_too(tmp_path: Path) -> None:
    """Without words in streams the clips at each run's threshold say what it hears."""
    base = attrs.evolve(simulate(1, **SMALL), words=())
    strict = attrs.evolve(base, threshold=0.99, accepts=dict.fromkeys(base.accepts, 0))
    found = warned(
        compared(tmp_path, {}, {}, made=(attrs.evolve(base, accepts=dict.fromkeys(base.accepts, 1)), strict))
    )
    assert "B has fewer false accepts than A" in found
    assert "of the clips)" in found


def test_choosing_by_test_numbers_is_warned_of(tmp_path: Path) -> None:
    """The reminder stands under every comparison of different runs, and not under a run with itself."""
    assert "the best of several runs by them looks better than it is" in warned(compared(tmp_path / "a", {}, {}))
    run = read_run(write_run(tmp_path / "b", simulate(1, **SMALL)))
    assert compare((run, run), installed()).warnings == ()


def test_conditions_stand_side_by_side(tmp_path: Path) -> None:
    """Measures of shifted copies of test are listed, also where one run alone has the condition; none differs."""
    folders = [write_run(tmp_path / name, simulate(1, **SMALL)) for name in "ab"]

    def add(table: dict[str, Any]) -> None:
        table["conditions"]["cafe"] = {"metrics": {"eer": table["metrics"]["eer"]}, "streams": [], "changes": "snr"}

    edit(folders[0] / "metrics.json", add)
    (row,) = compare([read_run(folder) for folder in folders], installed()).conditions["cafe"]
    assert row.measure == "eer"
    assert [value is None for value in row.values] == [False, True]
    assert row.differences == (None, None)


def test_metrics_of_strangers_are_compared_where_they_can_be(tmp_path: Path, site: Path, typed: Typed) -> None:
    """One with statistics has a difference; one without, a failing one and a missing one have a sentence instead."""
    add_plugin(site, "odd-metrics", STRANGER)
    more = [(name, name, "") for name in ("level", "loudest", "broken", "short", "lost", "falls")]
    folders = [write_run(tmp_path / str(seed), simulate(seed, **SMALL), metrics=more) for seed in (1, 2)]
    for disabled, note in ((False, None), (True, "cannot be built here")):
        command = ["compare", *folders, "--format", "json", *(["--disable-plugin", "odd-metrics"] if disabled else [])]
        answer = typed(*command)
        assert (answer.code, answer.err) == (0, "")
        rows = json.loads(answer.out)["metrics"]
        level, loudest, broken, short, lost, falls = [row for row in rows if row["measure"] == "level"]
        if note:
            assert note in level["differences"][1]["note"]
        else:
            assert level["differences"][1]["low"] < level["differences"][1]["value"] < level["differences"][1]["high"]
            assert "no means to compare" in loudest["differences"][1]["note"]
            assert "cannot compare runs (KeyError" in broken["differences"][1]["note"]
            assert "(ValueError: expected outcomes of 60 clips, got (1,))" in short["differences"][1]["note"]
            assert "cannot compare runs (KeyError: 'moons')" in lost["differences"][1]["note"]
            assert "cannot compare runs (ZeroDivisionError" in falls["differences"][1]["note"]
        assert next(row for row in rows if row["measure"] == "eer")["differences"][1]["value"] is not None


def test_json_has_the_keys_of_the_comparison_and_only_finite_numbers(tmp_path: Path, typed: Typed) -> None:
    """The fields of `Comparison` are its keys; None, nan and infinity in the folders become null."""
    folders = [write_run(tmp_path / str(seed), simulate(seed, streams=1, **SMALL)) for seed in (1, 2)]

    def damage(table: dict[str, Any]) -> None:
        table["metrics"]["eer"][0].update(value=float("nan"), low=float("-inf"))
        table["metrics"]["pauc"][0].update(value=None, low=None, high=None)

    edit(folders[0] / "metrics.json", damage)
    recipe = folders[1] / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("fa_per_hour = 5.0", "fa_per_hour = inf\nday = 2026-01-02"))
    answer = typed("compare", *folders, "--format", "json")
    found = json.loads(answer.out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert set(found) == {field.name for field in attrs.fields(Comparison)}
    rows = {row["measure"]: row for row in found["metrics"]}
    assert (rows["eer"]["values"][0]["value"], rows["eer"]["values"][0]["low"]) == (None, None)
    for measure in ("eer", "pauc"):
        assert rows[measure]["differences"][1]["note"] == "A has no value"
    assert {"key": "operating_point.fa_per_hour", "values": [5.0, None]} in found["recipe"]
    assert rows["roc-auc"]["differences"][0] is None
    assert typed("compare", *folders).code == 0


def test_the_tables_say_it_for_a_person(tmp_path: Path, typed: Typed) -> None:
    """Runs are lettered, differences carry their interval, and notes say what they were computed from."""
    folders = [write_run(tmp_path / f"run [b{seed}]", simulate(seed, **SMALL), seed=seed) for seed in (1, 2)]
    answer = typed("compare", *folders, folders[0])
    assert (answer.code, answer.err) == (0, "")
    for text in (
        f"A  {folders[0].as_posix()}",
        "what differs in the recipes",
        "│ run [b1]",
        "the environments are equal",
        "same corpus and splits: yes",
        "60 of 60 clips",
        "B - A",
        "C - A",
        "Tango and cluster bootstrap",
        "0 % [0, 0]",
        "ratio exact",
        "by A only",
        "warning: these are numbers of the test split",
    ):
        assert text in answer.out, text
    assert "[bold" not in answer.out
    same = typed("compare", folders[0], folders[0])
    assert "the recipes are equal" in same.out
    assert "warning" not in same.out


def test_large_numbers_are_written_out(tmp_path: Path, typed: Typed) -> None:
    """Counts of clips and high rates have no exponent, with their intervals."""
    folders = [write_run(tmp_path / name, simulate(1, **SMALL)) for name in ("one", "other")]
    rate = {"name": "rate", "value": 12872.4, "low": 11441.8, "high": 14710.9, "unit": "1/h"}
    cells = {"cells": [{"name": "confusion-tn", "value": 102976, "unit": "clips"}, rate]}
    for folder in folders:
        edit(folder / "metrics.json", lambda told: told["metrics"].update(cells))
    out = typed("compare", *folders).out
    assert "102976 clips" in out
    assert "12872 /h [11442, 14711]" in out


def test_folders_that_are_no_runs_are_one_sentence(tmp_path: Path, typed: Typed) -> None:
    """A wrong folder, a damaged recipe and a lone run are told apart, without a traceback."""
    folder = write_run(tmp_path / "run", simulate(1, **SMALL))
    answer = typed("compare", folder, tmp_path / "nothing")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "expected the folder of a finished run" in answer.err
    assert typed("compare", folder).code == 2
    folds = tmp_path / "run-folds"
    folds.mkdir()
    (folds / "folds.json").write_text("{}")
    answer = typed("compare", folder, folds)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "holds what several folds say together, no run; take one of the runs it names" in answer.err
    (folder / "recipe.toml").write_text("= broken")
    answer = typed("compare", folder, folder)
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert "recipe.toml is damaged" in answer.err
    with pytest.raises(WakekitError, match="two runs or more, got 1"):
        compare([read_run(folder)], installed())


def test_runs_without_streams_and_many_runs(tmp_path: Path, typed: Typed) -> None:
    """Clips alone are compared; runs beyond the 26th are lettered on."""
    folders = [write_run(tmp_path / str(seed), simulate(seed, clips=20, speakers=4, streams=0)) for seed in (1, 2)]
    found = json.loads(typed("compare", *folders, "--format", "json").out)
    rows = {row["measure"]: row["differences"][1] for row in found["metrics"]}
    assert rows["roc-auc"]["value"] is not None
    assert rows["fa-per-hour"]["note"] == "A has no value"
    many = typed("compare", *[folders[0]] * 28, "--format", "json")
    assert [side["letter"] for side in json.loads(many.out)["runs"]][24:] == ["Y", "Z", "AA", "AB"]
