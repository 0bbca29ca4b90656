"""The `[ablate]` table: what it makes of a recipe, and what is wrong with it, said at its place."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wakekit.errors import RecipeError
from wakekit.fingerprint import Contents, stage_fingerprints
from wakekit.recipe import Recipe, load_recipe
from wakekit.recipe_table import dump
from wakekit.registry import installed

if TYPE_CHECKING:
    from tests.support import Typed

TABLES = """
[callbacks.ema]
type = "ema"

[ablate]
seeds = [5, 6]
leave_out = ["normalizer", "callbacks.ema"]

[ablate.axes.sampler]
swap = "sampler"
with = ["shuffle", { type = "balanced", ratio = [1, 2, 1] }]

[ablate.axes.epochs]
set = "train.epochs"
to = [1, 3]

[ablate.variants.both]
unset = ["callbacks.ema"]
normalizer = "none"
detector = { window = 4 }
"""


def loaded(recipe_file: Path, text: str) -> Recipe:
    """Return the tiny recipe with more tables."""
    recipe_file.write_text(recipe_file.read_text() + text)
    return load_recipe(recipe_file, installed())


def complaints(recipe_file: Path, text: str) -> list[str]:
    """Return what is said against more tables."""
    with pytest.raises(RecipeError) as caught:
        loaded(recipe_file, text)
    return [line.removeprefix(f"{recipe_file}:") for line in caught.value.lines]


def test_variants_are_the_recipe_with_one_change(recipe_file: Path) -> None:
    """Each variant is resolved whole; what it does not name is as in the recipe."""
    recipe = loaded(recipe_file, TABLES)
    assert recipe.seeds == (5, 6)
    assert list(recipe.variants) == [
        "without normalizer", "without callbacks.ema", "sampler = shuffle",
        "sampler = balanced (ratio = [1, 2, 1])", "epochs = 1", "epochs = 3", "both",
    ]  # fmt: skip
    kinds = {name: type(found["normalizer"]).__name__ for name, found in recipe.variants.items()}
    assert kinds["without normalizer"] == kinds["both"] == "Identity"
    assert kinds["epochs = 1"] == type(recipe["normalizer"]).__name__ == "Cmvn"
    assert not recipe.variants["without callbacks.ema"].each("callbacks")
    assert recipe.variants["epochs = 3"]["train"].epochs == 3
    swapped = recipe.variants["sampler = balanced (ratio = [1, 2, 1])"]["sampler"]
    assert (swapped.ratio, swapped.batch_size) == ((1, 2, 1), 16)
    assert recipe.variants["both"]["detector"].window == 4
    assert recipe.variants["both"]["detector"].lockout_seconds == recipe["detector"].lockout_seconds


def test_an_ablation_is_no_part_of_a_run(recipe_file: Path, tmp_path: Path) -> None:
    """The recipe itself has the fingerprint that it has without the table, and is saved without it."""
    plain = load_recipe(recipe_file, installed(), changes=["callbacks.ema.type='ema'"])
    recipe = loaded(recipe_file, TABLES)
    assert dump(recipe) == dump(plain)
    memory = Contents(tmp_path / "memory")
    assert stage_fingerprints(recipe, memory) == stage_fingerprints(plain, memory)
    assert "ablate" not in dump(recipe)


def test_mistakes_are_said_at_their_place(recipe_file: Path) -> None:
    """Variants that are invalid, or change nothing, are all reported at once, each where it was written."""
    first = recipe_file.read_text().count("\n") + 1
    found = complaints(
        recipe_file,
        '[ablate]\nleave_out = ["schedule", "callbacks.swa", "corpus"]\n'
        '[ablate.axes.sampler]\nswap = "sampler"\nwith = ["shufle", { type = "balanced", batch_size = 16 }]\n'
        '[ablate.axes.rate]\nset = "optimizer.lr"\nto = [-1.0, 1e-3]\n'
        "[ablate.variants.odd]\ndetector = { windw = 3 }\n",
    )
    told = [
        (first + 1, "variant 'without schedule' changes nothing; leave it out"),
        (first + 1, "the recipe has no 'callbacks.swa' to leave out"),
        (first + 1, "variant 'without corpus': missing [corpus]"),
        (first + 4, "(did you mean 'shuffle'?)"),
        (first + 4, "variant 'sampler = balanced (batch_size = 16)' changes nothing"),
        (first + 7, "variant 'rate = -1.0': expected"),
        (first + 9, "unknown option 'windw' of vote (did you mean 'window'?)"),
    ]
    assert len(found) == len(told), found
    for line, (number, words) in zip(found, told, strict=True):
        assert line.startswith(f"{number}:"), (line, number)
        assert words in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ablate]\nseeds = [0]\n", "expected variants in leave_out, axes or variants, got none"),
        ('[ablate]\nseeds = [1, 1]\nleave_out = ["normalizer"]\n', "expected seeds that differ, got [1, 1]"),
        (
            '[ablate]\nseed = [1]\nleave_out = ["normalizer"]\n',
            "unknown option 'seed' of ablate (did you mean 'seeds'?)",
        ),
        ('[ablate.axes.x]\nswap = "normalizer"\n', "expected swap = '…' with = […], or set = '…' to = […]"),
        ('[ablate.axes.x]\nswap = "normalizer"\nset = "seed"\nto = [1]\n', "expected swap = '…' with = […]"),
        ('[ablate.axes.x]\nswap = "normalizer"\nwith = ["none"]\nto = [3]\n', "and nothing else"),
        ('[ablate.axes.x]\nswap = "normalizer"\nwith_ = ["none"]\n', "'with_' of an axis (did you mean 'with'?)"),
        ('[ablate.axes.x]\nset = "seed"\nto = [7]\n', "variant 'x = 7' changes nothing"),
        ('[ablate.axes.x]\nset = "ablate.level"\nto = [0.9]\n', "changes nothing: the terms of an ablation"),
        ("[ablate.variants.x]\nthreads = 2\nablate.level = 0.9\n", "x.ablate: the terms of an ablation"),
        ("[ablate.variants.x]\nthreads = 2\nextends = ['a']\n", "x.extends: a variant is tables laid over"),
        ('[vars]\nw = 1\n[ablate.axes.x]\nset = "vars.w"\nto = [2]\n', "changes nothing: [vars] is put into"),
        ('[ablate]\nleave_out = ["normaliser"]\n', "no 'normaliser' to leave out (did you mean 'normalizer'?)"),
        ('[ablate.variants."a\\nb"]\nnormalizer = "none"\n', "ablate.variants.'a\\nb': expected a name on one line"),
        ("[ablate.variants]\nx = 3\n", "expected tables of a recipe, got 3"),
        ('[ablate]\nleave_out = ["normalizer", "normalizer"]\n', "two variants are named 'without normalizer'"),
    ],
)
def test_a_wrong_table_is_refused(recipe_file: Path, text: str, words: str) -> None:
    """Each mistake is one sentence."""
    assert any(words in line for line in complaints(recipe_file, text)), complaints(recipe_file, text)


def test_a_name_written_twice_is_told_beside_other_mistakes(recipe_file: Path) -> None:
    """What is wrong with the seeds hides neither a variant that is written twice nor one that leaves nothing out."""
    text = '[ablate]\nseeds = [1, 1]\nleave_out = ["normalizer", "normalizer", "normalizr"]\n'
    told = "\n".join(complaints(recipe_file, text))
    for words in ("expected seeds that differ", "two variants are named 'without normalizer'", "no 'normalizr' to"):
        assert words in told


@pytest.mark.parametrize("text", ["mode = 'leave-one-out'", """leave_out = ['callbacks."a.b"']"""])
def test_an_id_with_a_dot_can_be_left_out(recipe_file: Path, text: str) -> None:
    """In quotes, as TOML has it in a key."""
    found = loaded(recipe_file, f'[callbacks."a.b"]\ntype = "ema"\n[ablate]\n{text}\n')
    assert "a.b" in found.many["callbacks"]
    assert "a.b" not in found.variants['without callbacks."a.b"'].many["callbacks"]


def test_a_variant_whose_parts_do_not_fit_is_named(recipe_file: Path, typed: Typed) -> None:
    """`check` says in which variant a hop fits no frontend, at the place of that variant."""
    recipe_file.write_text(recipe_file.read_text() + '[ablate.axes.hop]\nset = "detector.hop_seconds"\nto = [0.013]\n')
    answer = typed("check", recipe_file)
    assert answer.code == 2
    assert ":7: ablate.axes.hop.to.0: variant 'hop = 0.013': the hop is" in answer.err, answer.err
    assert "no multiple of frontend.hop_seconds" in answer.err


SHIPPED = sorted((Path(__file__).parents[2] / "recipes" / "ablations").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_ablation_has_variants(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every technique has its recipe, with the technique switched on and variants to set against it."""
    if "WAKEKIT_DATA" not in os.environ:
        (tmp_path / "manifest.jsonl").touch()
        monkeypatch.setenv("WAKEKIT_DATA", str(tmp_path))
    recipe = load_recipe(path, installed())
    assert len(recipe.variants) >= 1
    assert len(recipe.seeds) >= 3
    assert f"wakekit ablate recipes/ablations/{path.name}" in path.read_text()


def test_a_variant_says_what_it_is_about_and_changes(recipe_file: Path) -> None:
    """What is left out is named with the recipe's own component; levels are for grids."""
    recipe = loaded(recipe_file, TABLES)
    assert list(recipe.described) == list(recipe.variants)
    found = {name: (one.subject, one.left_out, one.changes) for name, one in recipe.described.items()}
    assert found["without normalizer"] == ("normalizer (cmvn)", True, ("normalizer.type: cmvn → none",))
    assert found["without callbacks.ema"] == ("callbacks.ema (ema)", True, ("callbacks.ema: dropped",))
    assert found["sampler = shuffle"] == ("sampler = shuffle", False, ("sampler.type: balanced → shuffle",))
    assert found["epochs = 3"] == ("epochs = 3", False, ("train.epochs: 2 → 3",))
    assert found["both"][:2] == ("both", False)
    assert set(found["both"][2]) == {
        "callbacks.ema: dropped", "normalizer.type: cmvn → none", "detector.window: 3 → 4",
    }  # fmt: skip
    assert recipe.levels == {}
    assert all(one.levels == {} for one in recipe.described.values())
    assert recipe.ablate is not None
    assert (recipe.ablate.mode, recipe.ablate.judge, recipe.ablate.max_variants) == ("one-at-a-time", "dev", 50)


def test_what_every_sampler_has_stays_as_it_is(recipe_file: Path) -> None:
    """A variant with another sampler draws batches of the recipe's size, not of that sampler's own."""
    recipe = loaded(recipe_file, '[ablate]\nleave_out = ["sampler"]\n')
    assert recipe["sampler"].batch_size == recipe.variants["without sampler"]["sampler"].batch_size == 16


def test_leave_one_out_takes_out_what_is_optional(recipe_file: Path) -> None:
    """Components that are their kind's neutral one already stay, as does what is around a detector."""
    parts = '[callbacks.ema]\ntype = "ema"\n[augmentations.a]\ntype = "noise"\n'
    recipe = loaded(recipe_file, parts + '[ablate]\nmode = "leave-one-out"\n')
    assert [one.subject for one in recipe.described.values()] == [
        "augmentations.a (noise)", "normalizer (cmvn)", "sampler (balanced)", "callbacks.ema (ema)",
        "calibrator (temperature)",
    ]  # fmt: skip
    assert all(one.left_out for one in recipe.described.values())


GRID = """
[callbacks.ema]
type = "ema"

[ablate]
mode = "grid"
seeds = [0]
leave_out = ["normalizer", "callbacks.ema"]
exclude = ["without callbacks.ema, average*"]

[ablate.axes.rate]
set = "optimizer.lr"
to = [0.1]

[ablate.axes.average]
swap = "callbacks.average"
with = ["checkpoint-averaging"]
"""


def test_a_grid_says_the_levels_of_every_cell(recipe_file: Path) -> None:
    """The recipe's own levels are its values and components; cells that leave out and no more are about all of that."""
    recipe = loaded(recipe_file, GRID)
    own = {"normalizer": "with", "callbacks.ema": "with", "rate": "0.01", "average": "no callbacks.average"}
    assert recipe.levels == own
    assert len(recipe.variants) == 2**4 - 1 - 1
    cell = recipe.described["without normalizer, without callbacks.ema"]
    assert cell.levels == {**own, "normalizer": "without", "callbacks.ema": "without"}
    assert (cell.subject, cell.left_out) == ("normalizer (cmvn) and callbacks.ema (ema)", True)
    mixed = recipe.described["without normalizer, rate = 0.1, average = checkpoint-averaging"]
    assert mixed.levels == {**own, "normalizer": "without", "rate": "0.1", "average": "checkpoint-averaging"}
    assert (mixed.subject, mixed.left_out) == (mixed.name, False)
    assert mixed.changes == (
        "normalizer.type: cmvn → none", "optimizer.lr: 0.01 → 0.1", "callbacks.average: added checkpoint-averaging",
    )  # fmt: skip
    made = recipe.variants[mixed.name]
    assert list(made.each("callbacks")) == ["ema", "average"]
    assert made["optimizer"].lr == 0.1


def test_a_grids_mistakes_are_said_once(recipe_file: Path) -> None:
    """A level that is wrong, or the recipe's own, is not said again for every cell that it is in."""
    first = recipe_file.read_text().count("\n") + 1
    found = complaints(
        recipe_file,
        '[ablate]\nmode = "grid"\nleave_out = ["normalizer"]\n'
        '[ablate.axes.epochs]\nset = "train.epochs"\nto = [2, 0, 5]\n'
        '[ablate.axes.rate]\nset = "optimizer.rate"\nto = [0.1, 0.2]\n',
    )
    assert len(found) == 3, found
    assert found[0].startswith(
        f"{first + 5}:7: ablate.axes.epochs.to.0: variant 'epochs = 2' changes nothing; a grid has"
    )
    assert found[1].startswith(
        f"{first + 5}:10: ablate.axes.epochs.to.1: variant 'epochs = 0': expected a value at least 1"
    )
    assert found[2].startswith(
        f"{first + 7}:7: ablate.axes.rate.set: variant 'rate = 0.1': optimizer.rate: unknown option"
    )


def test_an_option_that_a_swapped_component_lacks_is_blamed(recipe_file: Path) -> None:
    """Where two levels are right and their combination is not, the closest to what is wrong is named."""
    found = complaints(
        recipe_file,
        '[schedule]\ntype = "one-cycle"\n[ablate]\nmode = "grid"\n[ablate.axes.kind]\nswap = "schedule"\n'
        'with = ["cosine"]\n[ablate.axes.peak]\nset = "schedule.max_lr"\nto = [2.0]\n',
    )
    assert len(found) == 1
    assert "ablate.axes.peak.set: variant 'kind = cosine, peak = 2.0': schedule.max_lr: unknown option" in found[0]


def test_cells_that_are_the_same_are_named(recipe_file: Path) -> None:
    """Options of what is left out make no difference; the cells to exclude are said."""
    text = (
        '[callbacks.ema]\ntype = "ema"\n[ablate]\nmode = "grid"\nleave_out = ["callbacks.ema"]\nexclude = []\n'
        '[ablate.axes.decay]\nset = "callbacks.ema.decay"\nto = [0.5, 0.6]\n'
    )
    plain = recipe_file.read_text()
    found = complaints(recipe_file, text)
    assert [line.partition(": variant ")[2] for line in found] == [
        f"'without callbacks.ema, decay = {decay}' is the same as variant 'without callbacks.ema'; exclude one of them"
        for decay in (0.5, 0.6)
    ]
    recipe_file.write_text(plain)
    recipe = loaded(recipe_file, text.replace("exclude = []", 'exclude = ["without callbacks.ema, *"]'))
    assert list(recipe.variants) == ["decay = 0.5", "decay = 0.6", "without callbacks.ema"]


def test_variants_that_are_the_same_or_nothing_are_named(recipe_file: Path) -> None:
    """Two ways to write one variant are one too many, and where and how it runs makes no variant."""
    first = recipe_file.read_text().count("\n") + 1
    found = complaints(
        recipe_file,
        '[ablate]\nleave_out = ["normalizer"]\n[ablate.variants.bare]\nnormalizer = "none"\n'
        '[ablate.variants.shown]\nreport = "html"\nthreads = 2\n[ablate.variants.named]\nname = "other"\nseed = 8\n'
        '[ablate.variants.here]\ndevice = "cpu"\nlauncher = { type = "local", workers = 2 }\n',
    )
    assert found == [
        (
            f"{first + 2}:1: ablate.variants.bare: "
            "variant 'bare' is the same as variant 'without normalizer'; leave one out"
        ),
        f"{first + 4}:1: ablate.variants.shown: variant 'shown' changes nothing; leave it out",
        (
            f"{first + 7}:1: ablate.variants.named: "
            "variant 'named' changes nothing: seeds of training are those of ablate.seeds"
        ),
        f"{first + 10}:1: ablate.variants.here: variant 'here' changes nothing; leave it out",
    ]


def test_the_order_of_augmentations_makes_a_variant(recipe_file: Path) -> None:
    """They apply in the order written."""
    recipe = loaded(
        recipe_file,
        '[augmentations.a]\ntype = "noise"\n[augmentations.b]\ntype = "gain"\n'
        '[ablate.variants.turned]\nunset = ["augmentations.a"]\naugmentations.a = "noise"\n',
    )
    assert recipe.described["turned"].changes == ("augmentations: order a, b → b, a",)


def test_all_mistakes_of_recipe_and_ablation_are_said_at_once(recipe_file: Path) -> None:
    """A mistake in the recipe hides none of `[ablate]` nor of what its variants change."""
    plain = recipe_file.read_text()
    recipe_file.write_text(plain.replace("epochs = 2", "epochs = 0"))
    table = '[ablate]\nlevel = 2.0\nleave_out = ["normalizer"]\n[ablate.axes.x]\nset = "seed"\n'
    found = complaints(recipe_file, table)
    assert ["level" in line or "axes.x" in line or "train.epochs" in line for line in found] == [True] * 3, found
    recipe_file.write_text(plain.replace("epochs = 2", "epochs = 0"))
    found = complaints(recipe_file, '[ablate]\nleave_out = ["normalizer"]\nexclude = ["withot *"]\n')
    assert [line.split(": ")[1] for line in found] == ["train.epochs", "ablate.exclude.0"]
    for table, also in (
        ('mode = "leave-one-out"', []),
        ('leave_out = ["normalizer", "callbacks.none"]', ["ablate.leave_out.1"]),
        ('[ablate.axes.loss]\nswap = "loss"\nwith = ["focul"]\n', ["ablate.axes.loss.with.0.type"]),
        (
            'mode = "grit"\n[ablate.axes.loss]\nset = "model.chanels"\nto = [1]\n',
            ["ablate.mode", "ablate.axes.loss.set"],
        ),
    ):
        recipe_file.write_text(plain.replace("epochs = 2", "epochs = 0"))
        found = complaints(recipe_file, f"[ablate]\n{table}\n")
        assert [line.split(": ")[1] for line in found] == ["train.epochs", *also]
    recipe_file.write_text(plain)
    found = complaints(recipe_file, '[ablate]\nquestion = "${vars.none}"\nlevel = 2.0\n')
    assert len(found) == 2
    assert "ablate.question: unknown reference ${vars.none}" in found[0]
    assert "ablate.level: expected" in found[1]


def test_a_plugin_that_fails_a_variant_is_the_plugins_fault(recipe_file: Path, site: Path, typed: Typed) -> None:
    """Where nothing but plugins stands in the way, the exit code says so; with another mistake it is the recipe's."""
    del site
    plain = recipe_file.read_text()
    recipe_file.write_text(plain + '[ablate.axes.loss]\nswap = "loss"\nwith = ["nowhere:focal"]\n')
    assert typed("check", recipe_file).code == 3
    recipe_file.write_text(plain + '[ablate.axes.loss]\nswap = "loss"\nwith = ["nowhere:focal", "cross-entropy"]\n')
    answer = typed("check", recipe_file)
    assert answer.code == 2
    assert answer.err.count(" variant ") == 2, answer.err


def test_check_says_how_much_is_compared(recipe_file: Path, typed: Typed) -> None:
    """The number of variants, the seeds of each, and the mode."""
    plain = recipe_file.read_text()
    recipe_file.write_text(plain + TABLES)
    assert (
        "components; 7 variants to set against it, 2 seeds each, mode one-at-a-time" in typed("check", recipe_file).out
    )
    recipe_file.write_text(plain + '[ablate]\nseeds = [3]\nmode = "grid"\nleave_out = ["normalizer"]\n')
    assert "components; 1 variant to set against it, 1 seed each, mode grid\n" in typed("check", recipe_file).out
    recipe_file.write_text(plain)
    assert typed("check", recipe_file).out.splitlines()[0].endswith(" components")


def test_all_variants_whose_parts_do_not_fit_are_named(recipe_file: Path, typed: Typed) -> None:
    """One that does not fit hides no other."""
    axis = '[ablate.axes.hop]\nset = "detector.hop_seconds"\nto = [0.013, 0.1, 0.017]\n'
    recipe_file.write_text(recipe_file.read_text() + axis)
    answer = typed("check", recipe_file)
    assert answer.code == 2
    told = [line.split(": ")[1:3] for line in answer.err.splitlines() if line.startswith(str(recipe_file))]
    assert told == [
        ["ablate.axes.hop.to.0", "variant 'hop = 0.013'"],
        ["ablate.axes.hop.to.2", "variant 'hop = 0.017'"],
    ]


def test_fifty_variants_are_resolved_in_a_second(recipe_file: Path) -> None:
    """Whoever types `check` does not wait for it."""
    load_recipe(recipe_file, installed())
    begun = time.process_time()
    recipe = loaded(recipe_file, f'[ablate.axes.epochs]\nset = "train.epochs"\nto = {list(range(3, 53))}\n')
    assert len(recipe.variants) == 50
    assert time.process_time() - begun < 1


def test_variants_keep_the_operating_point(recipe_file: Path) -> None:
    """Another target would compare other rates; settings of the detector to choose from may differ."""
    axis = '\n[ablate.axes.{0}]\nset = "operating_point.{0}"\nto = [{1}]\n'
    (line,) = complaints(recipe_file, axis.format("fa_per_hour", 120))
    assert "has another operating point: variants are compared at the recipe's own" in line
    recipe_file.write_text(recipe_file.read_text().partition("\n[ablate")[0])
    assert loaded(recipe_file, axis.format("search", "{ votes = [1, 2] }")).variants
