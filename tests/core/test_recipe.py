"""Recipes: strict, merged from layers, wrong in all places at once, and stable under saving."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from wakekit.errors import RecipeError
from wakekit.fingerprint import Contents, stage_fingerprints
from wakekit.positions import locate
from wakekit.recipe import Recipe, load_recipe
from wakekit.recipe_table import dump
from wakekit.registry import Registry, installed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Typed


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Everything installed."""
    return installed()


def errors(path: Path, registry: Registry, *changes: str, drops: tuple[str, ...] = ()) -> list[str]:
    """Return the lines of the error that loading a recipe raises."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, registry, changes=changes, drops=drops)
    return list(caught.value.lines)


def prints(recipe: Recipe, tmp_path: Path) -> dict[str, str]:
    """Return a recipe's fingerprints."""
    return stage_fingerprints(recipe, Contents(tmp_path / "contents.json"))


def edited(recipe_file: Path, old: str, new: str) -> Path:
    """Change the text of a recipe."""
    text = recipe_file.read_text()
    assert old in text
    recipe_file.write_text(text.replace(old, new))
    return recipe_file


def test_all_mistakes_at_once_each_with_its_place(recipe_file: Path, registry: Registry) -> None:
    """T35, T41: every mistake in one go, as file:line:column, in the order of the file, with a suggestion."""
    edited(recipe_file, "seed = 3", "sede = 3")
    edited(recipe_file, "n_mels = 20", 'n_mels = "20"')
    edited(recipe_file, "channels = 8", "chanels = 8")
    edited(recipe_file, "lr = 1e-2", "lr = -1")
    edited(recipe_file, 'type = "temperature"', 'type = "temprature"')
    edited(recipe_file, "epochs = 2", "epochs = 2.0")
    found = errors(recipe_file, registry)
    text = recipe_file.read_text().splitlines()
    expected = [
        ("sede", "unknown key 'sede' (did you mean 'seed'?)"),
        ("n_mels", "frontend.n_mels: expected a whole number, got '20'"),
        ("chanels", "unknown option 'chanels' of ds-cnn (did you mean 'channels'?)"),
        ("lr", "optimizer.lr: expected a value above 0, got -1.0"),
        ("epochs", "train.epochs: expected a whole number, got 2.0"),
        ("temprature", "unknown calibrator 'temprature' (did you mean 'temperature'?)"),
    ]
    assert len(found) == len(expected), found
    for line, (word, message) in zip(found, expected, strict=True):
        assert message in line
        number = int(line.removeprefix(f"{recipe_file}:").split(":")[0])
        assert word in text[number - 1]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("train.epochs", "true"),
        ("train.epochs", "1.0"),
        ("optimizer.lr", '"1e-3"'),
        ("optimizer.lr", "true"),
        ("optimizer.lr", "nan"),
        ("optimizer.lr", "inf"),
        ("sampler.ratio", "[1, 2]"),
        ("sampler.ratio", '"123"'),
        ("sampler.ratio", "[1, 2, true]"),
        ("corpus.keyword", "3"),
        ("corpus.path", "3"),
        ("model", "3"),
        ("metrics.roc", "3"),
        ("metrics", '"roc-auc"'),
        ("window", "1.5"),
        ("name", "[]"),
        ("wakekit", "2"),
        ("train.keep", '"worst"'),
    ],
)
def test_nothing_is_coerced(recipe_file: Path, registry: Registry, option: str, value: str) -> None:
    """A value of another type is an error that names the option, never converted."""
    found = errors(recipe_file, registry, f"{option}={value}")
    assert len(found) == 1
    assert f"--set {option}={value}: {option}" in found[0]
    assert "expected" in found[0]


def test_a_whole_number_may_stand_for_a_float(recipe_file: Path, registry: Registry) -> None:
    """`lr = 1` means 1.0, and fingerprints alike."""
    one = load_recipe(recipe_file, registry, changes=["optimizer.lr=1"])
    assert type(one["optimizer"].lr) is float


def test_missing_tables_say_what_there_is_to_choose(recipe_file: Path, registry: Registry) -> None:
    """A recipe without a model lists the models; without a type, likewise."""
    assert "missing [model]" in errors(recipe_file, registry, drops=("model",))[0]
    assert "bc-resnet" in errors(recipe_file, registry, drops=("model",))[0]
    assert "missing type" in errors(recipe_file, registry, drops=("model.type",))[0]
    assert "fa_per_hour" in errors(recipe_file, registry, drops=("operating_point",))[0]


def test_syntax_errors_have_a_place(tmp_path: Path, registry: Registry) -> None:
    """Broken TOML is placed by line and column; what is never closed, where it begins; so is text that is not UTF-8."""
    path = tmp_path / "broken.toml"
    path.write_text("seed = 1\nmodel = [\n")
    assert errors(path, registry) == [f"{path}:2:9: not valid TOML: what begins here is never closed"]
    path.write_text("seed = = 1\n")
    assert errors(path, registry)[0].startswith(f"{path}:1:8: not valid TOML")
    path.write_bytes(b"seed = '\xff'\n")
    assert errors(path, registry) == [f"{path}:1:9: expected a TOML file in UTF-8, got byte 0xff"]
    assert "cannot read recipe" in errors(tmp_path / "none.toml", registry)[0]


def test_a_changed_type_replaces_the_table(recipe_file: Path, registry: Registry, tmp_path: Path) -> None:
    """T40: a swapped component inherits nothing; the same type merges key by key; arrays replace."""
    child = tmp_path / "child.toml"
    child.write_text(
        f'extends = ["{recipe_file.name}"]\n'
        "[model]\ntype = 'bc-resnet'\n[optimizer]\ntype = 'adamw'\nweight_decay = 0.5\n"
        "[sampler]\nratio = [1, 2, 3]\n[metrics.misses]\ntype='eer'\n"
    )
    recipe = load_recipe(child, registry)
    assert not hasattr(recipe["model"], "channels")
    assert (recipe["optimizer"].lr, recipe["optimizer"].weight_decay) == (0.01, 0.5)
    assert recipe["sampler"].ratio == (1.0, 2.0, 3.0)
    assert list(recipe.many["metrics"]) == ["roc", "false_accepts", "misses"]
    assert recipe.settings.name == "child"


def test_set_and_unset_change_the_recipe(recipe_file: Path, registry: Registry) -> None:
    """Values follow TOML's grammar, a bare word names a component, and ids can be added and dropped."""
    recipe = load_recipe(
        recipe_file,
        registry,
        changes=["optimizer.lr=1e-3", "normalizer=none", "callbacks.ema.type='ema'", "metrics.roc=eer"],
        drops=["metrics.misses"],
    )
    assert recipe["optimizer"].lr == 1e-3
    assert recipe.single["normalizer"].entry.component.name == "none"
    assert list(recipe.many["metrics"]) == ["roc", "false_accepts"]
    assert recipe.many["metrics"]["roc"].entry.component.name == "eer"
    assert list(recipe.many["callbacks"]) == ["ema"]
    misspelt = errors(recipe_file, registry, drops=("metrics.mises",))
    assert "no 'metrics.mises' (did you mean 'metrics.misses'?)" in misspelt[0]
    assert "KEY=VALUE" in errors(recipe_file, registry, "seed")[0]
    assert "quote text" in errors(recipe_file, registry, "name=two words")[0]


def test_extends_finds_shipped_recipes_and_refuses_cycles(tmp_path: Path, registry: Registry) -> None:
    """`wakekit:quickstart` is found from anywhere; a recipe that extends itself is an error with its place."""
    path = tmp_path / "mine.toml"
    path.write_text('extends = "wakekit:quickstart"\n[train]\nepochs = 1\n')
    recipe = load_recipe(path, registry)
    assert (recipe["train"].epochs, recipe["corpus"].keyword) == (1, "hey nova")
    path.write_text('extends = ["mine.toml"]')
    assert "extends itself" in errors(path, registry)[0]
    path.write_text('\nextends = ["wakekit:quikstart"]')
    assert errors(path, registry)[0].startswith(f"{path}:2:12: extends.0: cannot read recipe")
    assert "did you mean 'wakekit:quickstart'" in errors(path, registry)[0]
    path.write_text("extends = 3")
    assert "expected a list of recipe files" in errors(path, registry)[0]


def test_paths_are_relative_to_the_file_that_wrote_them(recipe_file: Path, registry: Registry, corpus: Path) -> None:
    """A base's path stays right when a recipe in another folder extends it."""
    linked = recipe_file.parent / "audio"
    linked.symlink_to(corpus)
    edited(recipe_file, str(corpus), "audio")
    inner = recipe_file.parent / "inner"
    inner.mkdir()
    (inner / "child.toml").write_text('extends = ["../tiny.toml"]')
    assert load_recipe(inner / "child.toml", registry)["corpus"].path == corpus.resolve()
    found = errors(inner / "child.toml", registry, "corpus.path='elsewhere'")
    assert "no such file or folder" in found[0]


def test_variables_and_environment(
    recipe_file: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch, corpus: Path
) -> None:
    """`${env:X}` and `${vars.x}` are filled in, typed where they stand alone; unknown ones are placed."""
    monkeypatch.setenv("CHIRPS", str(corpus.parent))
    edited(recipe_file, str(corpus), "${env:CHIRPS}/corpus")
    edited(recipe_file, "epochs = 2", "epochs = '${vars.long}'\n[vars]\nlong = 7")
    recipe = load_recipe(recipe_file, registry)
    assert (recipe["train"].epochs, recipe["corpus"].path) == (7, corpus.resolve())
    monkeypatch.delenv("CHIRPS")
    found = errors(recipe_file, registry)
    assert f"{recipe_file}:8:8: corpus.path: the environment variable CHIRPS is not set" in found[0]
    assert "unknown reference" in errors(recipe_file, registry, "name='${vars.short}'")[1]


def test_the_saved_recipe_has_the_same_fingerprint(recipe_file: Path, registry: Registry, tmp_path: Path) -> None:
    """The filled-in recipe runs anywhere and means the same."""
    recipe = load_recipe(recipe_file, registry, changes=["callbacks.ema=ema", "augmentations.n=noise"])
    saved = tmp_path / "elsewhere" / "recipe.toml"
    saved.parent.mkdir()
    saved.write_text(dump(recipe))
    again = load_recipe(saved, registry)
    assert prints(again, tmp_path) == prints(recipe, tmp_path)
    assert dump(again) == dump(recipe)


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ("corpus.keyword='other'", "corpus"),
        ("audio.bad_files=skip", "corpus"),
        ("splitter.seed=7", "prepare"),
        ("seed=4", "train"),
        ("window.seconds=0.6", "train"),
        ("model.channels=9", "train"),
        ("augmentations.g=gain", "train"),
        ("precision=float32", "train"),
        ("compose.minutes=1", "compose"),
        ("detector.hop_seconds=0.16", "score"),
        ("detector.votes=1", "calibrate"),
        ("calibrator=none", "calibrate"),
        ("operating_point.fa_per_hour=50", "calibrate"),
        ("metrics.more=eer", "evaluate"),
        ("threads=2", None),
        ("device=cpu", None),
        ("name=other", None),
    ],
)
def test_a_change_invalidates_exactly_the_stages_it_should(
    recipe_file: Path, registry: Registry, tmp_path: Path, change: str, first: str | None
) -> None:
    """What a stage depends on changes its fingerprint and those after it; device, threads and name change none."""
    order = ["corpus", "prepare", "train", "score", "calibrate", "evaluate"]
    before = prints(load_recipe(recipe_file, registry), tmp_path)
    after = prints(load_recipe(recipe_file, registry, changes=[change]), tmp_path)
    changed = [stage for stage in order if before[stage] != after[stage]]
    expected = {None: [], "compose": order[3:]}.get(first)
    assert changed == (order[order.index(first):] if expected is None and first else expected)  # fmt: skip


def test_order_and_content_count(recipe_file: Path, registry: Registry, tmp_path: Path) -> None:
    """T42: the order of augmentations counts, the spelling of the recipe does not; a path counts as its content."""
    both = ["augmentations.a=gain", "augmentations.b=shift"]
    one = prints(load_recipe(recipe_file, registry, changes=both), tmp_path)
    two = prints(load_recipe(recipe_file, registry, changes=both[::-1]), tmp_path)
    assert one["train"] != two["train"]
    plain = load_recipe(recipe_file, registry)
    spelling = [f"optimizer.lr={plain['optimizer'].lr:.6f}", "train.keep='last'"]
    spelt = load_recipe(recipe_file, registry, changes=spelling)
    assert prints(plain, tmp_path) == prints(spelt, tmp_path)
    copied = tmp_path / "copy"
    shutil.copytree(plain["corpus"].path, copied)
    moved = load_recipe(recipe_file, registry, changes=[f"corpus.path='{copied}'"])
    assert prints(moved, tmp_path) == prints(plain, tmp_path)
    victim = next(copied.rglob("*.wav"))
    victim.write_bytes(victim.read_bytes()[:-2] + b"xx")
    assert prints(moved, tmp_path)["corpus"] != prints(plain, tmp_path)["corpus"]


def test_positions_of_every_form_of_key() -> None:
    """Dotted keys, inline tables, arrays of tables, quotes and characters beyond ASCII are all found."""
    text = 'a.b = 1\nü = "é"; \n'.replace("; ", "") + '["x y"]\nz = {k = [1, {m = 2}]}\n[[t]]\nq = 1\n[[t]]\nq = 2\n'
    assert locate(text, ("a", "b")) == (1, 7)
    assert locate(text, ("x y", "z", "k", 1, "m")) == (4, 19)
    assert locate(text, ("t", 1, "q"), on_key=True) == (8, 1)
    assert locate(text, ("x y", "missing"), on_key=True) == (3, 1)
    assert locate('k = {"é" = 1, b = 2}', ("k", "b"), on_key=True) == (1, 15)


def test_show_says_where_values_come_from(recipe_file: Path, typed: Typed) -> None:
    """`show --origin` names file and line, the option typed, or the default."""
    answer = typed("show", recipe_file, "--origin", "--set", "train.epochs=5")
    assert answer.code == 0
    lines = {line.split(" = ")[0]: line for line in answer.out.splitlines()}
    assert lines["train.epochs"].endswith("# --set train.epochs=5")
    assert lines["model.channels"].endswith(f"# {recipe_file}:34:1")
    assert lines["optimizer.weight_decay"].endswith("# default")


def test_check_reports_and_exits_2(recipe_file: Path, typed: Typed) -> None:
    """`check` runs nothing, says ok or what is wrong, with the exit code of a wrong recipe."""
    assert typed("check", recipe_file).code == 0
    answer = typed("check", recipe_file, "--set", "detector.hop_seconds=0.015")
    assert answer.code == 2
    assert "no multiple of frontend.hop_seconds" in answer.err
    assert typed("check", recipe_file, "--set", "window.seconds=0.01").code == 2
    assert typed("components", "normaliser").code == 2


def test_names_and_seeds_stay_within_reason(recipe_file: Path, registry: Registry, typed: Typed) -> None:
    """A name cannot lead out of the output folder, a seed fits the generator, ranges stand the right way round."""
    for change in ("name='../x'", "name='/tmp/x'", 'name="a\\nb"', f"name='{'x' * 200}'", "seed=18446744073709551616",
                   "compose.snr_db=[20, 5]", "corpus.keyword=' '"):  # fmt: skip
        assert errors(recipe_file, registry, change), change
    assert typed("check", recipe_file, "--set", "frontend.hop_seconds=1e-9").code == 2
    odd = recipe_file.with_name("my recipe (1).toml")
    odd.write_text(recipe_file.read_text())
    assert load_recipe(odd, registry).settings.name == "my recipe -1-"


def test_variables_may_refer_to_others_but_not_to_themselves(recipe_file: Path, registry: Registry) -> None:
    """A variable may hold references; a circle of them is an error; a path in one is relative to the file it is in."""
    text = recipe_file.read_text() + "[vars]\na = '${vars.b}'\nb = 'x'\nc = '${vars.d}'\nd = '${vars.c}'\n"
    recipe_file.write_text(text)
    assert load_recipe(recipe_file, registry, changes=["name='${vars.a}y'"]).settings.name == "xy"
    assert "refers to itself, through c → d → c" in errors(recipe_file, registry, "name='${vars.c}'")[0]
    inner = recipe_file.parent / "inner"
    (inner / "audio").mkdir(parents=True)
    (inner / "child.toml").write_text("extends = '../tiny.toml'\n[vars]\nwhere = 'audio'\n")
    recipe_file.write_text(text.replace(str(load_recipe(recipe_file, registry)["corpus"].path), "${vars.where}"))
    assert load_recipe(inner / "child.toml", registry)["corpus"].path == (inner / "audio").resolve()


def test_deep_and_odd_files_are_refused_in_words(tmp_path: Path, registry: Registry) -> None:
    """Nesting beyond reason and names no system takes are errors, never tracebacks."""
    path = tmp_path / "deep.toml"
    path.write_text("x = " + "[" * 5000 + "]" * 5000)
    assert errors(path, registry)
    path.write_text('extends = ["a\\u0000b"]')
    assert "cannot read recipe" in errors(path, registry)[0]
