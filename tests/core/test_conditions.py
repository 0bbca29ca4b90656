"""Conditions: shifted copies of the test split, as strict in recipes and as repeatable as everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.condition_support import (
    CLIPS,
    NOISE,
    RATE,
    STREAMS,
    Laid,
    changed,
    lay,
    made,
    originals,
    power,
)
from tests.support import Typed, add_plugin
from wakekit.condition_stage import make_condition
from wakekit.data import Stream
from wakekit.errors import PluginError, RecipeError, WakekitError
from wakekit.fingerprint import Contents, stage_fingerprints
from wakekit.origins import origins_text
from wakekit.progress import Silence
from wakekit.recipe import Recipe, load_recipe
from wakekit.recipe_table import dump
from wakekit.registry import Registry, installed
from wakekit.score_stage import read_scores, score_condition, score_split
from wakekit.settings import Condition

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.batch import Batch, Sources

CAFE = "\n[conditions.cafe]\naugmentations.noise = { type = 'noise', snr_db = [5, 5], probability = 1 }\n"


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Everything installed."""
    return installed()


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """The corpus of most tests."""
    return lay(tmp_path / "corpus", [*CLIPS, *STREAMS])


def test_the_noise_stands_at_the_ratio_asked_for(laid: Laid, registry: Registry, tmp_path: Path) -> None:
    """Every clip, and every block of a stream, is 5 dB above the noise, which is the test split's own background."""
    found = changed(laid, made(registry, noise=NOISE), tmp_path / "cafe")
    for name, before in originals().items():
        noise = found[name].astype(float) - before
        assert 10 * np.log10(power(before) / power(noise)) == pytest.approx(5, abs=0.1), name
        spectrum = np.abs(np.fft.rfft(noise * np.hanning(len(noise))))
        assert np.argmax(spectrum) * RATE / len(noise) == pytest.approx(300, abs=2)
    stream, before = found["s"].astype(float), originals()["s"]
    for first in range(0, 50_000, 10_000):
        block = slice(first + 100, first + 9900)
        assert 10 * np.log10(power(before[block]) / power(stream[block] - before[block])) == pytest.approx(5, abs=0.3)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    laid: Laid, registry: Registry, tmp_path: Path
) -> None:
    """T22: what is drawn hangs on the condition's seed alone, and leaves the global state as it was."""
    room = {"type": "reverb", "kind": "synthetic", "probability": 1}
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    one = changed(laid, made(registry, noise=NOISE, room=room), tmp_path / "one")
    two = changed(laid, made(registry, noise=NOISE, room=room), tmp_path / "two")
    other = changed(laid, made(registry, noise=NOISE, room=room, seed=1), tmp_path / "other")
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads
    assert one.keys() == originals().keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
        assert not np.array_equal(one[name], other[name])


def test_a_recording_is_changed_alike_whatever_stands_beside_it(laid: Laid, registry: Registry, tmp_path: Path) -> None:
    """Neither the order of the rows, nor the other rows, nor a recording's name have a part in what becomes of it."""
    reverb = {"type": "reverb", "kind": "synthetic", "probability": 1}
    condition = made(registry, noise=NOISE, room=reverb, level={"type": "gain"})
    found = changed(laid, condition, tmp_path / "one")
    moved = attrs.evolve(CLIPS[1][0], audio="moved"), CLIPS[1][1]
    fewer = lay(tmp_path / "fewer", [CLIPS[4], CLIPS[3], moved, *STREAMS])
    for name, samples in changed(fewer, condition, tmp_path / "two").items():
        np.testing.assert_array_equal(samples, found["b" if name == "moved" else name])


def test_what_is_not_changed_keeps_its_bits(laid: Laid, registry: Registry, tmp_path: Path) -> None:
    """Recordings keep their lengths and places, and samples that no augmentation touched their values."""
    found = changed(laid, made(registry, noise={**NOISE, "probability": 0}), tmp_path / "cafe")
    assert found.keys() == originals().keys()
    for name, before in originals().items():
        np.testing.assert_array_equal(found[name], before)


@attrs.frozen
class Echo:
    """A fixed echo after 0.7 s, that watches how much it is given at once."""

    domain: ClassVar[str] = "waveform"
    seen: list[int]

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:
        """Return the echo."""
        delay = round(0.7 * sources.sample_rate)

        def apply(batch: Batch) -> Batch:
            self.seen.append(batch.audio.shape[1])
            delayed = torch.nn.functional.pad(batch.audio, (delay, 0))[:, : batch.audio.shape[1]]
            return attrs.evolve(batch, audio=batch.audio + 0.5 * delayed)

        return apply


def test_an_echo_runs_on_from_block_to_block(laid: Laid, tmp_path: Path) -> None:
    """What rings into the next block is heard there, and no block outgrows the memory set for one."""
    seen: list[int] = []
    found = changed(laid, Condition(augmentations={"echo": Echo(seen)}), tmp_path / "hall")
    for name, before in originals().items():
        wanted = before.astype(float)
        wanted[700:] += 0.5 * before[:-700]
        np.testing.assert_allclose(found[name], wanted, atol=1)
    assert max(seen) < 22 * RATE


def test_nothing_clicks_where_blocks_meet(registry: Registry, tmp_path: Path) -> None:
    """Between blocks of different level the level slides over 50 ms instead of jumping."""
    flat = np.full(80_000, 3000, dtype=np.int16)
    stream = (Stream(audio="s", duration=80, split="test", sha256="flat"), flat)
    condition = made(registry, level={"type": "gain", "db": [-10, 10]})
    found = changed(lay(tmp_path / "flat", [*CLIPS, stream]), condition, tmp_path / "gain")["s"].astype(float)
    assert np.ptp(found) > 2000
    assert np.abs(np.diff(found)).max() <= np.ptp(found) / 50 + 1


@attrs.frozen
class Spoil:
    """An augmentation that breaks its contract."""

    domain: ClassVar[str] = "waveform"
    how: Callable[[torch.Tensor], torch.Tensor]

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:  # noqa: ARG002
        """Return the change."""
        return lambda batch: attrs.evolve(batch, audio=self.how(batch.audio))


@pytest.mark.parametrize("how", [lambda audio: audio[:, 1:], lambda audio: audio / 0])
def test_a_plugin_that_spoils_recordings_is_named(
    laid: Laid, tmp_path: Path, how: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    """Samples lost or not finite are the plugin's error, with condition, augmentation and recording."""
    with pytest.raises(PluginError, match=r"condition cafe, augmentation x \(Spoil of \S+\): expected 800 finite"):
        changed(laid, Condition(augmentations={"x": Spoil(how)}), tmp_path / "spoilt")


@attrs.frozen
class Lose(Spoil):
    """An augmentation that gives back no batch."""

    def build(self, sources: Sources) -> Callable[[Batch], Any]:  # noqa: ARG002
        """Return the change."""
        return lambda batch: self.how(batch.audio)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda _: None, r"expected a Batch, got None"),
        (lambda audio: audio, r"expected a Batch, got tensor\("),
        (lambda audio: audio[9], r"failed: IndexError: .* @ .*test_conditions\.py:\d+$"),
    ],
)
def test_an_augmentation_that_gives_no_batch_is_named(
    laid: Laid, tmp_path: Path, how: Callable[[torch.Tensor], Any], told: str
) -> None:
    """As in training: with its id and where it comes from."""
    with pytest.raises(PluginError, match=rf"^condition cafe, augmentation x \(Lose of \S+\):? {told}"):
        changed(laid, Condition(augmentations={"x": Lose(how)}), tmp_path / "lost")


def test_noise_of_other_splits_is_no_source(registry: Registry, tmp_path: Path) -> None:
    """T20: a test split without background says so, whatever the train split has."""
    poor = lay(tmp_path / "poor", [CLIPS[0], CLIPS[4]])
    with pytest.raises(WakekitError, match="condition cafe, which draws from the test split"):
        changed(poor, made(registry, noise=NOISE), tmp_path / "cafe")


def test_a_condition_that_cannot_be_made_ends_a_run_before_training(cafe: Path, tmp_path: Path, typed: Typed) -> None:
    """A corpus without rooms is told so while nothing has been trained."""
    room = "conditions.hall.augmentations.room={type='reverb', kind='measured'}"
    answer = typed("run", cafe, "--out", tmp_path / "runs", "--set", room)
    assert answer.code == 1
    assert "condition hall, which draws from the test split: expected impulse responses" in answer.err
    assert not list((tmp_path / "runs" / ".store").glob("train*"))


def test_scores_of_an_unchanged_copy_are_those_of_the_split(
    registry: Registry, recipe_file: Path, tmp_path: Path
) -> None:
    """A condition is scored as the split is: the same rows in the same order, its own samples."""
    recipe = load_recipe(recipe_file, registry, changes=["normalizer=none", "model.blocks=0"])
    frontend = recipe["frontend"]
    model = recipe["model"].build(frontend.n_features, 2)
    weights = tmp_path / "model.safetensors"
    save_file({f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}, weights)
    laid = lay(tmp_path / "corpus", [*CLIPS, *STREAMS], 16000)
    quiet = Silence()
    folders = {name: tmp_path / name for name in ("plain", "same", "noisy")}
    for folder in folders.values():
        folder.mkdir()
    score_split(folders["plain"], recipe, laid.prepared, laid.composed, weights, split="test", progress=quiet)
    for name, probability in (("same", 0), ("noisy", 1)):
        condition = made(registry, noise={**NOISE, "probability": probability})
        make_condition(folders[name], condition, laid.prepared, laid.composed, name=name, progress=quiet)
        score_condition(
            folders[name], recipe, laid.prepared, laid.composed, weights, changed=folders[name], progress=quiet
        )
    scores = {name: read_scores(folder, recipe, laid.prepared, "test") for name, folder in folders.items()}
    plain, same, noisy = scores["plain"], scores["same"], scores["noisy"]
    np.testing.assert_array_equal(plain.clips.scores, same.clips.scores)
    assert not np.array_equal(plain.clips.scores, noisy.clips.scores)
    assert [one.stream for one in plain.streams] == [one.stream for one in noisy.streams]
    assert len(plain.streams) == 2
    for one, two, three in zip(plain.streams, same.streams, noisy.streams, strict=True):
        np.testing.assert_array_equal(one.scores, two.scores)
        assert one.scores.shape == three.scores.shape
        assert not np.array_equal(one.scores, three.scores)


def errors(path: Path, registry: Registry, *changes: str, drops: tuple[str, ...] = ()) -> list[str]:
    """Return the lines of the error that loading a recipe raises."""
    with pytest.raises(RecipeError) as caught:
        load_recipe(path, registry, changes=changes, drops=drops)
    return list(caught.value.lines)


@pytest.fixture
def cafe(recipe_file: Path) -> Path:
    """A recipe with a condition."""
    recipe_file.write_text(recipe_file.read_text() + CAFE)
    return recipe_file


def test_conditions_are_read_changed_and_dropped(cafe: Path, registry: Registry, tmp_path: Path) -> None:
    """Options, ids and whole conditions follow `--set`, `--unset` and `extends` like any other table."""
    change = "conditions.cafe.augmentations.noise.snr_db=[0, 1]"
    recipe = load_recipe(cafe, registry, changes=[change, "conditions.loud.augmentations.a=gain"])
    assert list(recipe.conditions) == ["cafe", "loud"]
    assert recipe.conditions["cafe"].augmentations["noise"].snr_db == (0.0, 1.0)
    assert recipe.conditions["cafe"].seed == 0
    assert recipe.conditions["cafe"].describe() == "Noise (snr_db = [0, 1], probability = 1)"
    assert load_recipe(cafe, registry, drops=["conditions.cafe"]).conditions == {}
    child = tmp_path / "child.toml"
    child.write_text(
        f"extends = '{cafe.name}'\n[conditions.cafe]\nseed = 7\naugmentations.late = 'gain'\n"
        "augmentations.noise.probability = 0.5\n"
    )
    inherited = load_recipe(child, registry).conditions["cafe"]
    assert (inherited.seed, list(inherited.augmentations)) == (7, ["noise", "late"])
    assert (inherited.augmentations["noise"].snr_db, inherited.augmentations["noise"].probability) == ((5.0, 5.0), 0.5)


def test_all_mistakes_in_conditions_have_their_place(cafe: Path, registry: Registry) -> None:
    """T35, T41: unknown keys, wrong options, missing and foreign augmentations, all at once, by line."""
    first = len(cafe.read_text().splitlines()) + 1
    cafe.write_text(
        cafe.read_text() + "[conditions.none]\nseed = 1\n"
        "[conditions.empty]\naugmentations = {}\n"
        "[conditions.bad]\nsede = 1\naugmentations.n = { type = 'noise', snr_bd = [5, 5] }\n"
        "augmentations.o = 'nosie'\n"
        "[conditions.'a/b']\nseed = -1\naugmentations.g = 'gain'\n"
        "[conditions.test]\naugmentations = 3\n"
    )
    expected = [
        (0, "conditions.none: missing option 'augmentations' of a condition"),
        (3, "conditions.empty.augmentations: expected at least one augmentation, got none"),
        (5, "conditions.bad.sede: unknown option 'sede' of a condition (did you mean 'seed'?)"),
        (6, "conditions.bad.augmentations.n.snr_bd: unknown option 'snr_bd' of noise (did you mean 'snr_db'?)"),
        (7, "conditions.bad.augmentations.o.type: unknown augmentation 'nosie' (did you mean 'noise'?)"),
        (8, "conditions.a/b: expected an id that can name a folder"),
        (9, "conditions.a/b.seed: expected a value at least 0"),
        (11, "conditions.test: expected an id that can name a folder and is not train, dev, test, got 'test'"),
        (12, "conditions.test.augmentations: expected tables keyed by id, got 3"),
    ]
    found = errors(cafe, registry)
    assert len(found) == len(expected), found
    for line, (number, message) in zip(found, expected, strict=True):
        assert line.startswith(f"{cafe}:{first + number}:"), line
        assert message in line
    assert "conditions: expected tables keyed by id, got 3" in errors(cafe, registry, "conditions=3")[0]


def test_only_augmentations_of_recordings_make_a_condition(cafe: Path, site: Path) -> None:
    """An augmentation of features has nothing to change in a recording, and is refused where it stands."""
    source = (
        "import attrs\nfrom typing import ClassVar\nfrom wakekit import Component, hookimpl\n"
        "@attrs.frozen\nclass Mask:\n    domain: ClassVar[str] = 'features'\n"
        "    def build(self, sources): return lambda batch: batch\n"
        "@hookimpl\ndef wakekit_components():\n    yield Component('augmentation', 'mask', 'acme_mask:Mask')\n"
    )
    add_plugin(site, "acme-mask", source)
    cafe.write_text(cafe.read_text() + "augmentations.m = 'mask'\n")
    (line,) = errors(cafe, installed())
    number = len(cafe.read_text().splitlines())
    assert line.startswith(f"{cafe}:{number}:19: conditions.cafe.augmentations.m.type: ")
    assert "a condition changes recordings: mask changes features" in line


def test_a_saved_recipe_keeps_its_conditions(cafe: Path, registry: Registry, tmp_path: Path) -> None:
    """The filled-in form means the same, in the same order, and says where every value came from."""
    recipe = load_recipe(cafe, registry, changes=["conditions.loud.augmentations.b=gain", "conditions.loud.seed=4"])
    saved = tmp_path / "saved" / "recipe.toml"
    saved.parent.mkdir()
    saved.write_text(dump(recipe))
    again = load_recipe(saved, registry)
    assert dump(again) == dump(recipe)
    assert prints(again, tmp_path) == prints(recipe, tmp_path)
    lines = {line.split(" = ")[0]: line for line in origins_text(recipe).splitlines()}
    number = len(cafe.read_text().splitlines())
    assert f"# {cafe}:{number}:" in lines["conditions.cafe.augmentations.noise.snr_db"]
    assert lines["conditions.cafe.seed"].endswith("# default")
    assert lines["conditions.loud.seed"].endswith("# --set conditions.loud.seed=4")
    assert "conditions" not in dump(load_recipe(cafe, registry, drops=["conditions.cafe"]))


def prints(recipe: Recipe, tmp_path: Path) -> dict[str, str]:
    """Return a recipe's fingerprints."""
    return stage_fingerprints(recipe, Contents(tmp_path / "contents.json"))


CAFE_PRINTS = {"condition-cafe", "score-condition-cafe", "evaluate"}
JUDGED = {"calibrate", "judge-dev", "judge-test", "evaluate"}
SCORES = {"score", "score-condition-cafe", "score-condition-hall", *JUDGED}


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        ("conditions.cafe.augmentations.noise.snr_db=[0, 0]", CAFE_PRINTS),
        ("conditions.cafe.seed=1", CAFE_PRINTS),
        ("conditions.more.augmentations.g=gain", {"condition-more", "score-condition-more", "evaluate"}),
        ("compose.minutes=3", {"compose", "condition-cafe", "condition-hall", *SCORES}),
        ("model.channels=9", {"train", *SCORES}),
        ("detector.hop_seconds=0.16", SCORES),
        ("metrics.more=eer", {"evaluate"}),
        ("scorer=plain", set()),
    ],
)
def test_a_condition_is_remade_only_for_its_own_changes(
    cafe: Path, registry: Registry, tmp_path: Path, change: str, differ: set[str]
) -> None:
    """Touching one condition trains nothing and scores no other; what conditions hang on remakes them."""
    other = "conditions.hall.augmentations.r=reverb"
    before = prints(load_recipe(cafe, registry, changes=[other]), tmp_path)
    after = prints(load_recipe(cafe, registry, changes=[other, change]), tmp_path)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == differ


def test_a_name_is_only_a_name(cafe: Path, registry: Registry, tmp_path: Path) -> None:
    """A recipe without conditions has the fingerprints it always had; a renamed condition needs no new audio."""
    without = load_recipe(cafe, registry, drops=["conditions.cafe"])
    one = prints(load_recipe(cafe, registry), tmp_path)
    assert {name for name in one if one[name] != prints(without, tmp_path).get(name)} == {
        "condition-cafe", "score-condition-cafe", "evaluate",
    }  # fmt: skip
    cafe.write_text(cafe.read_text().replace("conditions.cafe", "conditions.bar"))
    two = prints(load_recipe(cafe, registry), tmp_path)
    assert two["condition-bar"] == one["condition-cafe"]
    assert two["evaluate"] != one["evaluate"]


def test_a_base_may_write_an_augmentation_in_short(recipe_file: Path, tmp_path: Path) -> None:
    """A child adds options to what its base wrote as a string."""
    base = recipe_file.read_text() + '\n[conditions.cafe.augmentations]\nnoise = "noise"\n'
    recipe_file.write_text(base)
    child = tmp_path / "child.toml"
    child.write_text(f'extends = ["{recipe_file.name}"]\n[conditions.cafe.augmentations.noise]\nsnr_db = [5, 5]\n')
    found = load_recipe(child, installed()).conditions["cafe"].augmentations["noise"]
    assert found.snr_db == (5.0, 5.0)
