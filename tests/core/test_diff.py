"""`wakekit diff`: what one recipe has other than another, where both sides wrote it, and what a run would do again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support import TINY, Typed, add_plugin
from wakekit.diff import diff
from wakekit.fingerprint import Contents
from wakekit.pipeline import Pipeline
from wakekit.progress import Silence
from wakekit.recipe import Recipe, load_recipe
from wakekit.registry import installed

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.diff import Diff

STAGES = ("corpus", "prepare", "train", "score", "calibrate", "evaluate")


@pytest.fixture
def child(recipe_file: Path, tmp_path: Path) -> Path:
    """A recipe that extends the tiny one and changes nothing."""
    path = tmp_path / "child.toml"
    path.write_text(f'extends = ["{recipe_file.name}"]\n')
    return path


def found(first: Path, second: Path, *changes: str) -> Diff:
    """Return the difference of two recipe files."""
    one, other = load_recipe(first, installed()), load_recipe(second, installed(), changes=changes)
    return diff(one, other, Contents(first.parent / "none.json", keep=False))


def add(path: Path, text: str) -> None:
    """Write more into a recipe."""
    path.write_text(path.read_text() + text)


def test_each_side_is_told_where_it_was_written(recipe_file: Path, child: Path, typed: Typed) -> None:
    """A base's line, the recipe's own, a default, the command line; nothing where there is no such key."""
    add(child, '[optimizer]\nlr = 0.5\n[callbacks.ema]\ntype = "ema"\n')
    line = recipe_file.read_text().split("\n").index("lr = 1e-2") + 1
    answer = typed("diff", recipe_file, child, "--set", "threads=2", "--set", "normalizer.eps=0.5")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[:2] == [f"A  {recipe_file}", f"B  {child}"]
    told = dict(zip(lines[3::2], lines[4::2], strict=False))
    assert told["optimizer.lr: 0.01 → 0.5"] == f"    A {recipe_file}:{line}:1  B {child}:3:1"
    assert told["callbacks.ema: added ema"] == f"    B {child}:4:1"
    assert told["threads: 1 → 2"].endswith("B --set threads=2")
    assert told["normalizer.eps: 0.01 → 0.5"] == "    A default  B --set normalizer.eps=0.5"
    assert "stages that would be done again: train, score, calibrate, evaluate" in lines
    assert "shared: corpus, prepare" in lines


@pytest.mark.parametrize(
    ("changed", "first"),
    [
        ("corpus.keyword='peep'", "corpus"),
        ("splitter.seed=7", "prepare"),
        ("window.seconds=0.6", "train"),
        ("seed=4", "train"),
        ("optimizer=sgd", "train"),
        ("compose.minutes=0.3", "score"),
        ("detector.hop_seconds=0.02", "score"),
        ("calibrator=none", "calibrate"),
        ("operating_point.fa_per_hour=80", "calibrate"),
        ("metrics.extra.type='eer'", "evaluate"),
        ("threads=2", ""),
        ("report=html", ""),
        ("name='other'", ""),
    ],
)
def test_a_change_invalidates_its_stage_and_those_after(recipe_file: Path, changed: str, first: str) -> None:
    """What a stage and all before it do not depend on is shared; what changes no result invalidates none."""
    told = found(recipe_file, recipe_file, changed)
    number = STAGES.index(first) if first else len(STAGES)
    assert told.again == STAGES[number:]
    assert told.shared == STAGES[:number]
    assert len(told.differences) == 1
    assert not told.same


def test_a_condition_is_a_stage_of_its_own(recipe_file: Path) -> None:
    """Another level of one condition is its audio and scores again, and the measures; the other condition is shared."""
    add(recipe_file, '[conditions.loud.augmentations.gain]\ntype = "gain"\ndb = [6, 6]\n')
    add(recipe_file, '[conditions.soft.augmentations.gain]\ntype = "gain"\ndb = [-6, -6]\n')
    told = found(recipe_file, recipe_file, "conditions.loud.augmentations.gain.db=[9, 9]")
    assert told.again == ("condition loud", "evaluate")
    assert told.shared == (*STAGES[:-1], "condition soft")
    assert "condition soft" in found(recipe_file, recipe_file, "train.epochs=3").again


def test_a_run_does_what_was_told(recipe_file: Path, child: Path, tmp_path: Path, typed: Typed) -> None:
    """After a run of the first, one of the second makes the stages that were named and takes the others."""
    add(recipe_file, '[conditions.loud.augmentations.gain]\ntype = "gain"\ndb = [6, 6]\n')
    add(
        child,
        '[operating_point]\nfa_per_hour = 80\n[conditions.soft.augmentations.gain]\ntype = "gain"\ndb = [-6, -6]\n',
    )
    out = tmp_path / "runs"
    told = found(recipe_file, child)
    folder = Pipeline(load_recipe(recipe_file, installed()), out, Silence()).run().folder
    second = Pipeline(load_recipe(child, installed()), out, Silence())
    second.run()
    made = {one.stage for one in second.stages if not one.reused}
    taken = {one.stage for one in second.stages if one.reused}
    assert told.again == ("calibrate", "condition soft", "evaluate")
    assert told.shared == ("corpus", "prepare", "train", "score", "condition loud")
    assert made == {"calibrate", "condition-soft", "score-condition-soft", "evaluate"}
    assert {"corpus", "prepare", "train", "score-dev", "score-test", "condition-loud"} <= taken
    _a_runs_folder_stands_for_its_recipe(folder, recipe_file, typed)


def _a_runs_folder_stands_for_its_recipe(folder: Path, recipe_file: Path, typed: Typed) -> None:
    """It is the same as what was run; a stage that was run otherwise then, as by another version, is told."""
    answer = typed("diff", folder, recipe_file, "--exit-code")
    assert (answer.code, answer.out.splitlines()[-1]) == (0, "no difference: both resolve to the same recipe")
    record = json.loads((folder / "environment.json").read_text())
    record["stages"]["train"] = record["stages"]["score-dev"] = "0" * 64
    (folder / "environment.json").write_text(json.dumps(record))
    answer = typed("diff", folder, recipe_file, "--exit-code")
    assert answer.code == 1
    assert "A was run with other versions or other audio: its own train, score would be done again too" in answer.out
    assert "stages that would be done again: train, score\n" in answer.out
    assert typed("diff", recipe_file, folder, "--exit-code").code == 0


def test_the_same_in_other_words_is_the_same(recipe_file: Path, child: Path, typed: Typed) -> None:
    """Short forms, defaults written out, bases and variables are ways to write, not differences."""
    add(child, 'normalizer = "cmvn"\n[vars]\nlr = 0.01\n[optimizer]\nlr = "${vars.lr}"\n[audio]\nsample_rate = 16000\n')
    answer = typed("diff", recipe_file, child, "--exit-code")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[-1] == "no difference: both resolve to the same recipe"


def test_codes(recipe_file: Path, typed: Typed) -> None:
    """0 whether they differ or not, unless the code is asked for; 2 where there is nothing to compare."""
    changed = ("--set", "train.epochs=3")
    assert typed("diff", recipe_file, *changed).code == 0
    assert typed("diff", recipe_file, *changed, "--exit-code").code == 1
    assert typed("diff", recipe_file, recipe_file, "--exit-code").code == 0
    answer = typed("diff", recipe_file)
    assert answer.code == 2
    assert answer.err.startswith("nothing to compare with: name a second recipe")


def test_mistakes_of_both_are_told_once(recipe_file: Path, child: Path, tmp_path: Path, typed: Typed) -> None:
    """Both recipes are read to their ends; what they share is wrong once."""
    recipe_file.write_text(recipe_file.read_text().replace('type = "cmvn"', 'type = "cmvnn"'))
    add(child, "[optimizer]\nlrr = 1\n")
    answer = typed("diff", recipe_file, child)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.count("unknown normalizer 'cmvnn'") == 1
    assert answer.err.count(f"{child}:3:1: optimizer.lrr") == 1
    assert typed("diff", tmp_path / "none.toml", child).err.count("none.toml") == 1


def test_nothing_is_written(recipe_file: Path, tmp_path: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing leaves no folder and no memory of files."""
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]}
    assert typed("diff", recipe_file, "--set", "seed=9").code == 0
    assert {path: path.stat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]} == before


def test_as_json(recipe_file: Path, typed: Typed) -> None:
    """All of it can be read by a program, with null where a side has nothing."""
    answer = typed(
        "diff", recipe_file, "--set", "callbacks.ema.type='ema'", "--unset", "calibrator", "--format", "json"
    )
    told = json.loads(answer.out)
    assert told["first"] == str(recipe_file)
    assert told["second"] == f"{recipe_file} with --set callbacks.ema.type='ema' --unset calibrator"
    assert told["same"] is False
    by_path = {one["path"]: one for one in told["differences"]}
    added = by_path["callbacks.ema"]
    assert (added["first"], added["first_place"]) == (None, None)
    assert added["second"]["type"] == "ema"
    assert added["second_place"] == "--set callbacks.ema.type='ema'"
    assert by_path["calibrator.type"]["second_place"] == "default"
    assert told["again"] == ["train", "score", "calibrate", "evaluate"]
    assert told["shared"] == ["corpus", "prepare"]


def test_an_added_step_says_what_it_comes_before(recipe_file: Path, child: Path) -> None:
    """Augmentations apply in the order written: one before another is not one after it."""
    noise, gain = '[augmentations.noise]\ntype = "noise"\n', '[augmentations.gain]\ntype = "gain"\n'
    base = recipe_file.read_text()
    recipe_file.write_text(base + noise)
    child.write_text(base + gain + noise)
    (first,) = found(recipe_file, child).differences
    assert first.change == "added gain, before noise"
    child.write_text(base + noise + gain)
    (last,) = found(recipe_file, child).differences
    assert last.change == "added gain"


def test_ablations_differ_too(recipe_file: Path, child: Path) -> None:
    """What `[ablate]` asks for is no stage of a run, but a difference."""
    add(child, '[ablate]\nseeds = [0, 1]\nleave_out = ["normalizer"]\n')
    (only,) = found(recipe_file, child).differences
    assert only.path == "ablate"
    assert only.change == "added (seeds = [0, 1], leave_out = [normalizer])"
    assert only.second_place == f"{child}:2:1"
    assert found(recipe_file, child).again == ()
    (more,) = found(child, child, "ablate.seeds=[0, 1, 2]").differences
    assert more.change == "[0, 1] → [0, 1, 2]"


RASTA = """
import attrs
from wakekit import Component, hookimpl, option
@hookimpl
def wakekit_components():
    yield Component("callback", "watcher", "acme_watch:Watcher")
@attrs.frozen
class Watcher:
    steps: int = option(3, at_least=1, help="how often", formerly=("every",))
    def build(self):
        raise NotImplementedError
"""


def test_a_former_name_has_its_place(recipe_file: Path, child: Path, site: Path, typed: Typed) -> None:
    """An option written by the name it had is no default."""
    add_plugin(site, "acme-watch", RASTA)
    add(recipe_file, '[callbacks.watch]\ntype = "watcher"\n')
    add(child, "[callbacks.watch]\nevery = 5\n")
    answer = typed("diff", recipe_file, child)
    assert f"callbacks.watch.steps: 3 → 5\n    A default  B {child}:3:1" in answer.out
    assert "every" in answer.err
    shown = typed("show", child, "--origin").out
    line = next(line for line in shown.splitlines() if line.startswith("callbacks.watch.steps"))
    assert line.endswith(f"# {child}:3:1")


def test_every_component_option_has_its_own_line(tmp_path: Path, corpus: Path) -> None:
    """However two recipes differ in the values of tables, each is told once with both places."""
    changed = {"n_mels = 20": "n_mels = 24", "channels = 8": "channels = 9", "batch_size = 16": "batch_size = 8"}
    text = TINY.format(corpus=corpus)
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text(text)
    for old, new in changed.items():
        text = text.replace(old, new)
    second.write_text(text)
    told = found(first, second).differences
    assert [one.path for one in told] == ["frontend.n_mels", "sampler.batch_size", "model.channels"]
    lines = first.read_text().split("\n")
    for one, old in zip(told, ("n_mels = 20", "batch_size = 16", "channels = 8"), strict=True):
        assert one.first_place == f"{first}:{lines.index(old) + 1}:1"
        assert one.second_place == f"{second}:{lines.index(old) + 1}:1"


def test_resolved_recipes_are_not_changed(recipe_file: Path) -> None:
    """Comparing only reads."""
    recipe: Recipe = load_recipe(recipe_file, installed())
    assert diff(recipe, recipe, Contents(recipe_file.parent / "none.json", keep=False)).same
