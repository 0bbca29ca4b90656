"""`wakekit plan`: what is shared, what is left to make, what the rest will take, and on what grounds that is said."""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit.ablation.cells import Cell, cells
from wakekit.ablation.plan import Basis, plan, shared
from wakekit.ablation.plan_text import headline, rests, sentences
from wakekit.artifacts import Store
from wakekit.errors import WakekitError
from wakekit.pipeline import run
from wakekit.progress import Silence
from wakekit.recipe import Recipe, load_recipe
from wakekit.registry import installed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support import Typed

AFTER_TRAINING = """
[ablate]
seeds = [3, 4]
leave_out = ["calibrator"]

[ablate.axes.window]
set = "detector.window"
to = [4]

[ablate.variants.measured]
metrics = { extra = "eer" }
"""
MIXED = """
[ablate]
seeds = [0, 1]
leave_out = ["normalizer", "calibrator"]

[ablate.variants.shuffled]
sampler = "shuffle"
"""
STAGES = ("corpus", "prepare", "train", "compose-dev", "score-dev", "judge-dev")


def loaded(recipe_file: Path, text: str) -> Recipe:
    """Return the tiny recipe with `[ablate]`."""
    recipe_file.write_text(recipe_file.read_text() + text)
    return load_recipe(recipe_file, installed())


_numbers = count()


def fingerprint(*parts: object) -> str:
    """Return what could be a fingerprint of these parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def seal(store: Path, stage: str, *, kin: str, seconds: float | None, size: int = 100, print_: str = "") -> None:
    """Plant an artifact that says how long it took."""
    found = print_ or fingerprint("planted", next(_numbers))
    folder = store / stage / found[:32]
    folder.mkdir(parents=True)
    (folder / "x").write_bytes(bytes(size))
    said = {"stage": stage, "fingerprint": found, "kin": kin, "seconds": seconds, "files": {"x": size}}
    (folder / "artifact.json").write_text(json.dumps(said))


def test_what_comes_after_training_costs_no_training(recipe_file: Path, tmp_path: Path) -> None:
    """Variants of calibrator, detector and metrics need one training a seed, and one scoring of dev."""
    found = plan(cells(loaded(recipe_file, AFTER_TRAINING), tmp_path, remember=False), tmp_path / "none")
    counts = {stage.stage: (stage.cells, stage.distinct, stage.held, stage.to_make) for stage in found.stages}
    assert list(counts) == list(STAGES)
    assert counts["corpus"] == counts["prepare"] == counts["compose-dev"] == (8, 1, 0, 1)
    assert counts["train"] == counts["score-dev"] == (8, 2, 0, 2)
    # What is measured on test changes nothing on dev.
    assert counts["judge-dev"] == (8, 6, 0, 6)
    assert sentences(found)[0] == "2 trainings instead of 8."
    assert (found.cells, found.seeds, found.judge) == (8, (3, 4), "dev")


def test_variants_share_up_to_what_they_change(recipe_file: Path, tmp_path: Path) -> None:
    """A variant shares with the recipe the stages before its change, and all where it cannot make a difference."""
    recipe = loaded(recipe_file, AFTER_TRAINING + '\n[ablate.variants.shuffled]\nsampler = "shuffle"\n')
    found = shared(cells(recipe, tmp_path, remember=False))
    assert found == {
        "without calibrator": STAGES[:-1],
        "window = 4": STAGES[:-1],
        "measured": STAGES,
        "shuffled": ("corpus", "prepare", "compose-dev"),
    }


def test_what_one_seed_does_not_share_is_not_shared() -> None:
    """A stage counts as shared where it is for every seed."""
    same, other = {"train": "a", "judge-dev": "b"}, {"train": "a", "judge-dev": "c"}
    table = [("", 0, same), ("x", 0, same), ("", 1, same), ("x", 1, other), ("", 2, same), ("x", 2, same)]
    assert shared([made(variant, seed, stages) for variant, seed, stages in table]) == {"x": ("train",)}


def made(variant: str, seed: int, stages: Mapping[str, str], kin: Mapping[str, str] | None = None) -> Cell:
    """Return a cell of stages with these fingerprints."""
    recipe: Any = SimpleNamespace(settings=SimpleNamespace(name="drawn"))
    return Cell(variant=variant, seed=seed, recipe=recipe, stages=stages, kin=kin or stages, folder="")


def test_estimates_come_from_the_closest_that_is_finished(recipe_file: Path, tmp_path: Path) -> None:
    """Another seed's time counts first, then another variant's, then another recipe's; the median of each."""
    found = cells(loaded(recipe_file, MIXED), tmp_path, remember=False)
    kin = {(cell.variant, stage): print_ for cell in found for stage, print_ in cell.kin.items()}
    for seconds in (10.0, 14.0, 90.0):
        seal(tmp_path, "train", kin=kin["", "train"], seconds=seconds, size=50)
    # Of an attempt that was interrupted the size is known, and the time is not.
    seal(tmp_path, "train", kin=kin["without normalizer", "train"], seconds=None, size=300)
    seal(tmp_path, "score-dev", kin="another recipe", seconds=3.0, size=20)
    seal(tmp_path, "score-dev", kin="another recipe", seconds=5.0, size=40)
    told = plan(found, tmp_path)
    stages = {stage.stage: stage for stage in told.stages}
    train, score = stages["train"], stages["score-dev"]
    assert train.seconds == 6 * 14.0
    assert train.time_basis == (
        Basis(kind="same", estimates=2, finished=3),
        Basis(kind="variants", estimates=4, finished=3),
    )
    assert train.bytes == 2 * 50 + 2 * 300 + 2 * 50
    assert train.disk_basis == (
        Basis(kind="same", estimates=4, finished=4),
        Basis(kind="variants", estimates=2, finished=4),
    )
    assert (score.seconds, score.bytes) == (6 * 4.0, 6 * 30)
    assert score.time_basis == score.disk_basis == (Basis(kind="others", estimates=6, finished=2),)
    assert stages["judge-dev"].seconds is None
    assert told.unknown_time == told.unknown_disk == ("corpus", "prepare", "compose-dev", "judge-dev")
    assert (told.seconds, told.bytes) == (6 * 18.0, 800 + 6 * 30)
    time, disk = sentences(told)[1:]
    unknown = "without corpus, prepare, compose-dev, judge-dev (not known, as no run of this is finished yet)"
    assert time == f"Time: at least 1 min 48 s of work, {unknown}."
    assert disk.startswith(f"Disk: at least 980 B in the store, {unknown}; ")
    seed, others = "finished with another seed", "finished of other variants or of the recipe"
    assert rests(told) == [
        f"Estimates for time of train rest on 3 {seed} (for 2 of 6) and 3 {others} (for 4 of 6).",
        f"Estimates for disk of train rest on 4 {seed} (for 4 of 6) and 4 {others} (for 2 of 6).",
        "Estimates for score-dev rest on 2 finished of other recipes in this folder.",
    ]


def test_nothing_is_guessed_where_nothing_is_known(recipe_file: Path, tmp_path: Path) -> None:
    """A first plan says that time and disk are not known."""
    told = plan(cells(loaded(recipe_file, MIXED), tmp_path, remember=False), tmp_path, jobs=4)
    assert {stage.seconds for stage in told.stages} == {stage.bytes for stage in told.stages} == {None}
    _, time, disk = sentences(told)
    assert time == "Time: not known, as no run of this is finished yet."
    assert disk.startswith("Disk: not known, as no run of this is finished yet; ")
    assert rests(told) == []


def test_a_damaged_artifact_is_to_be_made(recipe_file: Path, tmp_path: Path) -> None:
    """What lies in the store whole is not made again; what lost a file is."""
    found = cells(loaded(recipe_file, MIXED), tmp_path, remember=False)
    for cell in found[:2]:
        seal(tmp_path, "train", kin=cell.kin["train"], print_=cell.training, seconds=7.0)
    assert plan(found, tmp_path).training.to_make == 4
    assert sentences(plan(found, tmp_path))[0] == "6 trainings instead of 8; 2 of them in the store, 4 to make."
    (tmp_path / "train" / found[0].training[:32] / "x").write_bytes(b"")
    assert plan(found, tmp_path).training.to_make == 5


def test_too_little_room_is_told(recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what is to be made does not fit the device, the plan warns; where it just fits, it does not."""
    found = cells(loaded(recipe_file, MIXED), tmp_path, remember=False)
    seal(tmp_path / "store", "train", kin="x", seconds=1.0, size=100)
    places: list[Path] = []

    def usage(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda place: places.append(place) or SimpleNamespace(free=free))

    usage(600)
    assert plan(found, tmp_path / "store").warnings == ()
    usage(599)
    (warning,) = plan(found, tmp_path / "store").warnings
    assert "make room, or name a folder on another device with --out" in warning
    plan(found, tmp_path / "not" / "yet")
    assert places == [tmp_path / "store", tmp_path / "store", tmp_path]


class Drawn(NamedTuple):
    """A cell as Hypothesis draws it: a number for each of three stages in a row, and whether each is in the store."""

    weights: int
    scores: int
    verdict: int


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.builds(Drawn, *[st.integers(0, 3)] * 3), min_size=1, max_size=8),
    st.lists(st.integers(1, 50), min_size=3, max_size=3),
    st.sets(st.integers(0, 3)),
    st.integers(1, 5),
)
def test_sums_and_bounds(drawn: Sequence[Drawn], seconds: Sequence[int], held: set[int], jobs: int) -> None:
    """Counts and sums are those of a count by hand; no number of jobs is faster than the longest or slower than all."""
    names = ("train", "score-dev", "judge-dev")
    prints = [
        {
            "train": fingerprint(cell.weights),
            "score-dev": fingerprint(cell.weights, cell.scores),
            "judge-dev": fingerprint(cell.weights, cell.scores, cell.verdict),
        }
        for cell in drawn
    ]
    found = [made(f"v{place}" if place else "", 0, stages) for place, stages in enumerate(prints)]
    with TemporaryDirectory() as folder:
        store = Path(folder)
        for name, took in zip(names, seconds, strict=True):
            seal(store, name, kin="others", seconds=float(took), size=took)
        for weights in held:
            seal(store, "train", kin="", seconds=None, print_=fingerprint(weights), size=0)
        told, alone = plan(found, store, jobs=jobs), plan(found, store)
    in_store = {fingerprint(weights) for weights in held}
    cost = dict(zip(names, seconds, strict=True))
    missing = {(name, stages[name]) for stages in prints for name in names} - {("train", print_) for print_ in in_store}
    total = sum(cost[name] for name, _ in missing)
    groups: dict[int, set[tuple[str, str]]] = {}
    for cell, stages in zip(drawn, prints, strict=True):
        groups.setdefault(cell.weights, set()).update((name, stages[name]) for name in names)
    longest = max(sum(cost[name] for name, _ in group & missing) for group in groups.values())
    assert {stage.stage: stage.to_make for stage in told.stages} == {
        name: sum(stage == name for stage, _ in missing) for name in names
    }
    assert told.seconds == alone.wall_seconds == total
    assert max(longest, total / jobs) - 1e-9 <= told.wall_seconds <= total
    # Greedy on equal machines is within twice the best (Graham, 1966).
    assert told.wall_seconds <= longest + total / jobs + 1e-9


def test_what_all_wait_for_comes_first(tmp_path: Path) -> None:
    """What several trainings need is made once, and the others wait for it."""
    found = [made(f"v{n}" if n else "", 0, {"corpus": "c", "train": fingerprint(n)}) for n in range(4)]
    seal(tmp_path, "corpus", kin="x", seconds=100.0)
    seal(tmp_path, "train", kin="x", seconds=10.0)
    walls = [plan(found, tmp_path, jobs=jobs).wall_seconds for jobs in (1, 2, 3, 4, 9)]
    assert walls == [140, 120, 120, 110, 110]


def test_a_stage_of_few_stands_where_they_have_it(tmp_path: Path) -> None:
    """Stages come in the order they are made, those that only some variants have among them."""
    first = {"corpus": "a", "train": "b", "judge-dev": "c"}
    second = {"corpus": "a", "train": "d", "score-pass-1-dev": "e", "judge-dev": "f"}
    found = plan([made("", 0, first), made("v", 0, second)], tmp_path)
    assert [stage.stage for stage in found.stages] == ["corpus", "train", "score-pass-1-dev", "judge-dev"]


def test_what_is_planned_is_what_is_made(recipe_file: Path, tmp_path: Path) -> None:
    """Running all cells makes of each stage what the plan said, and then nothing is left but the verdicts."""
    text = AFTER_TRAINING.replace("seeds = [3, 4]", 'seeds = [3]\njudge = "test"')
    store = tmp_path / "runs"
    found = cells(loaded(recipe_file, text), store, remember=False)
    place = store / ".store"
    run(found[0].recipe, store, Silence())
    said = {stage.stage: stage.to_make for stage in plan(found, place).stages}
    names = [name for name in said if name != "judge-test"]

    def there() -> dict[str, int]:
        return {name: len([path for path in (place / name).glob("[!.]*") if path.is_dir()]) for name in names}

    before = there()
    for cell in found:
        run(cell.recipe, store, Silence())
    assert {name: number - before[name] for name, number in there().items()} == {name: said[name] for name in names}
    after = plan(found, place)
    assert {stage.stage: stage.to_make for stage in after.stages if stage.to_make} == {"judge-test": said["judge-test"]}
    assert sum(said[name] for name in ("train", "score-dev", "score-test")) <= 3


def test_planning_writes_nothing(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """Neither a fresh folder for runs nor a store that is there is touched."""
    recipe_file.write_text(recipe_file.read_text() + MIXED)
    out = tmp_path / "runs"
    assert typed("plan", recipe_file, "--out", out).code == 0
    assert not out.exists()
    seal(out / ".store", "train", kin="x", seconds=2.0)
    before = {path: path.stat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]}
    answer = typed("plan", recipe_file, "--out", out)
    assert "Time: at least 12 s of work" in answer.out
    assert {path: path.stat().st_mtime_ns for path in [tmp_path, *tmp_path.rglob("*")]} == before


def test_the_plan_reads_well(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """In a pipe its tables are 80 columns wide, and it names variants, what they change, stages and grounds."""
    long = '\n[ablate.variants."a name that goes on and on, longer than a column"]\nunset = ["metrics.roc"]\n'
    recipe_file.write_text(recipe_file.read_text() + MIXED + long)
    seal(tmp_path / ".store", "train", kin="x", seconds=90.0)
    answer = typed("plan", recipe_file, "--out", tmp_path, "--jobs", "3")
    assert (answer.code, answer.err) == (0, "")
    tables = answer.out[: answer.out.rindex("\n\n")].splitlines()
    assert max(map(len, tables)) <= 80
    out = " ".join(answer.out.split())
    for words in (
        "tiny: the recipe and 4 variants, 2 seeds each",
        "normalizer.type:",
        "all but judge-dev",
        "all: identical by",
        "6 trainings instead of 10.",
        "Time: at least 9 min 0 s of work; at least 3 min 0 s with 3 at once, if the machine can carry them",
        "Estimates for train rest on 1 finished of other recipes in this folder.",
    ):
        assert words in out, words


def test_the_plan_as_json(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """All of it can be read by a program, with null for what is not known."""
    recipe_file.write_text(recipe_file.read_text() + MIXED)
    seal(tmp_path / ".store", "train", kin="x", seconds=2.0)
    found = json.loads(typed("plan", recipe_file, "--out", tmp_path, "--format", "json").out)
    train = next(stage for stage in found["stages"] if stage["stage"] == "train")
    assert (train["cells"], train["distinct"], train["to_make"], train["seconds"]) == (8, 6, 6, 12.0)
    assert train["time_basis"] == [{"kind": "others", "estimates": 6, "finished": 1}]
    assert found["stages"][0]["seconds"] is None
    assert found["variants"][0]["changes"] == ["normalizer.type: cmvn → none"]
    assert found["variants"][1]["shares"] == list(STAGES[:-1])


def test_many_conditions_are_one_row(recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """Stages of conditions stand together, so that fifteen of them do not fill the screen."""
    shifted = "".join(f'\n[conditions.c{n}.augmentations.g]\ntype = "gain"\ndb = [{n}.0, {n}.0]\n' for n in range(1, 5))
    text = MIXED.replace("seeds = [0, 1]", 'seeds = [0, 1]\njudge = "test"')
    recipe_file.write_text(recipe_file.read_text() + shifted + text)
    out = typed("plan", recipe_file, "--out", tmp_path / "none").out
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.split()[1:2] in (["8"], ["32"])}
    assert rows["condition-*"] == ["32", "4", "0", "4", "?", "?"]
    assert rows["score-condition-*"] == ["32", "24", "0", "24", "?", "?"]
    assert "condition-c1" not in out


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("", (), "tiny.toml:1:1: nothing to plan: add a table [ablate], or use run"),
        (MIXED, ("--jobs", "0"), "expected a whole number from 1 on, got '0'"),
        (MIXED, ("--jobs", "many"), "expected a whole number from 1 on, got 'many'"),
        (MIXED, ("--format", "yaml"), "invalid choice: 'yaml'"),
        ("[ablate.variants.x]\nwindow.seconds = 0.01\n", (), "variant 'x'"),
        ('[ablate.variants.x]\nsampler = "balancd"\n', (), "did you mean 'balanced'?"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_sentence(
    recipe_file: Path, tmp_path: Path, typed: Typed, text: str, arguments: tuple[str, ...], words: str
) -> None:
    """A recipe without an ablation or with one that cannot be, and options that make no sense, are refused."""
    recipe_file.write_text(recipe_file.read_text() + text)
    answer = typed("plan", recipe_file, "--out", tmp_path / "runs", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert "Traceback" not in answer.err


def test_a_plan_needs_cells_and_jobs(tmp_path: Path) -> None:
    """No cells, or no jobs, are an error that says so."""
    with pytest.raises(WakekitError, match="got 0 cells and 1 jobs"):
        plan([], tmp_path)
    with pytest.raises(WakekitError, match="got 1 cells and 0 jobs"):
        plan([made("", 0, {"train": "a"})], tmp_path, jobs=0)


def test_everything_done_leaves_nothing_to_tell(tmp_path: Path) -> None:
    """When all is in the store the plan says that nothing is left, and estimates nothing."""
    cell = made("", 0, {"train": "a" * 64, "judge-dev": "b" * 64})
    kept = Store(tmp_path, Silence())
    for stage, print_ in cell.stages.items():
        kept.get(stage, print_, lambda _: None, kin=print_)
    told = plan([cell], tmp_path)
    assert (told.to_make, told.seconds, told.bytes, told.unknown_time) == (0, 0.0, 0.0, ())
    assert sentences(told) == [
        "1 training, none of them shared; in the store already.",
        "Everything is in the store: nothing is left to make.",
    ]
    assert headline(told).startswith("drawn: the recipe and 0 variants, 1 seed each")


def test_the_median_is_of_what_is_finished(tmp_path: Path) -> None:
    """With any number of finished artifacts the estimate is their median, as the standard library gives it."""
    took = [9.0, 1.0, 4.0, 30.0]
    for number, seconds in enumerate(took, 1):
        seal(tmp_path, "train", kin="k", seconds=seconds)
        found = plan([made("", 0, {"train": "a"}, {"train": "k"})], tmp_path)
        assert found.seconds == statistics.median(took[:number])
        assert found.training.time_basis == (Basis(kind="same", estimates=1, finished=number),)


def test_the_files_of_a_corpus_are_looked_at_once(recipe_file: Path, tmp_path: Path) -> None:
    """However many variants and seeds there are, what they all name is listed and read once."""
    found = loaded(recipe_file, AFTER_TRAINING)
    kind, asked = type(found["corpus"]), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "files", lambda corpus: asked.append(corpus.path) or [corpus.path], raising=False)
        assert len(cells(found, tmp_path, remember=False)) > 4
    assert len(asked) == 1
