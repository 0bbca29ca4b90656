"""Each fault that makes numbers lie is planted here, and seen to be refused or flagged."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import pytest
import soundfile

from tests.support import Typed, add_plugin
from wakekit.data import Clip, ClipScores, Event, Stream, StreamScores
from wakekit.errors import WakekitError
from wakekit.excerpts import Sounds
from wakekit.judge_stage import calibrate, evaluate, read_operating_point
from wakekit.recipe import load_recipe
from wakekit.registry import installed
from wakekit.score_stage import SplitScores
from wakekit.testing.chirps import RATE, chirp

if TYPE_CHECKING:
    from wakekit.recipe import Recipe

HOP = 0.08


@pytest.fixture
def recipe(recipe_file: Path) -> Recipe:
    """The tiny recipe with voting on single scores."""
    return load_recipe(recipe_file, installed(), changes=["detector.votes=1", "detector.window=1"])


def scores(split: str, seed: int, *, level: float = 6.0, hours: float = 0.2, silence: float = -9.0) -> SplitScores:
    """Raw scores of a split: noise, with keywords of ten speakers that score `level` higher."""
    rng = np.random.default_rng(seed)
    frames = int(hours * 3600 / HOP)
    odds = rng.normal(-6, 1, frames)
    starts = np.arange(100, frames - 100, 120)
    for offset in range(4):
        odds[starts + offset] += level
    events = tuple(
        Event(start=s * HOP, end=s * HOP + 0.3, label="chirp", speaker=f"s{s % 10}") for s in starts.tolist()
    )
    stream = Stream(audio=Path(f"{split}.wav"), duration=frames * HOP, events=events, split=split)
    labels = np.arange(40) % 2
    clips = tuple(
        Clip(audio=Path(f"{row}.wav"), duration=1.0, label="chirp", pool="positive" if label else "negative")
        for row, label in enumerate(labels.tolist())
    )
    raw = rng.normal(-6 + level * labels, 1)
    return SplitScores(split, "chirp", ClipScores(clips, raw, labels), (StreamScores(stream, odds, 0.0, HOP),), silence)


def judged(folder: Path, recipe: Recipe, test: SplitScores, *, dev: SplitScores | None = None) -> dict[str, Any]:
    """Calibrate and evaluate, and return `metrics.json`."""
    for name in ("dev", "test"):
        (folder / name).mkdir(exist_ok=True)
    calibrate(folder / "dev", recipe, dev or scores("dev", 0))
    return evaluated(folder, recipe, test)


def evaluated(folder: Path, recipe: Recipe, test: SplitScores) -> dict[str, Any]:
    """Evaluate on silent sounds."""
    sounds = Sounds([_Silence()] * len(test.streams), RATE)
    training = {"keyword_share": 0.5, "dev_keyword_share": 0.5, "warnings": []}
    evaluate(folder / "test", recipe, folder / "dev", test, sounds=sounds, conditions={}, earlier=[], training=training)
    found: dict[str, Any] = json.loads((folder / "test" / "metrics.json").read_text())
    return found


class _Silence:
    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, part: slice) -> Any:
        return SimpleNamespace(numpy=lambda: np.zeros(part.stop - part.start, np.int16))


def test_a_threshold_is_never_chosen_on_test(tmp_path: Path, recipe: Recipe) -> None:
    """T4: calibrating on test scores is refused, and nothing is written."""
    with pytest.raises(WakekitError, match="chosen on dev, never on test"):
        calibrate(tmp_path, recipe, scores("test", 0))
    assert not list(tmp_path.glob("*.json"))


def test_a_threshold_fitted_on_test_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    """T4: test scores passed off as dev's give themselves away when they are judged."""
    test = scores("test", 1)
    with pytest.raises(WakekitError, match="chosen on the very scores it would be judged on"):
        judged(tmp_path, recipe, test, dev=attrs.evolve(test, split="dev"))


def test_a_threshold_says_which_split_it_is_of(tmp_path: Path, recipe: Recipe) -> None:
    """T4: an operating point of another split is refused, and so is judging dev as if it were test."""
    judged(tmp_path, recipe, scores("test", 1))
    with pytest.raises(WakekitError, match="would be judged on dev"):
        evaluated(tmp_path, recipe, scores("dev", 2))
    path = tmp_path / "dev" / "operating_point.json"
    path.write_text(path.read_text().replace('"split": "dev"', '"split": "test"'))
    with pytest.raises(WakekitError, match="this one was chosen on test"):
        evaluated(tmp_path, recipe, scores("test", 1))


def test_a_threshold_of_another_calibration_is_refused(tmp_path: Path, recipe: Recipe) -> None:
    """T29: a threshold chosen before calibration is never applied after it."""
    judged(tmp_path, recipe, scores("test", 1))
    other = attrs.evolve(read_operating_point(tmp_path / "dev"), calibration="another")
    (tmp_path / "dev" / "operating_point.json").write_text(json.dumps(attrs.asdict(other)))
    with pytest.raises(WakekitError, match="under another calibration"):
        evaluated(tmp_path, recipe, scores("test", 1))


def test_a_rate_from_too_few_hours_is_flagged(tmp_path: Path, recipe: Recipe) -> None:
    """T8: no false accept in 0.2 h does not show 5 per hour, in 1 h it does, and the run says which."""
    recipe = attrs.evolve(
        recipe,
        settings=attrs.evolve(
            recipe.settings, operating_point=attrs.evolve(recipe.settings.operating_point, fa_per_hour=5.0)
        ),
    )
    short = judged(tmp_path, recipe, scores("test", 1, hours=0.2))
    assert any("test audio cannot show 5 false accepts per hour: it takes 0.599 h" in w for w in short["warnings"])
    enough = judged(tmp_path, recipe, scores("test", 1, hours=1.0))
    assert not any("cannot show" in warning for warning in enough["warnings"])
    (rate,) = [row for row in short["metrics"]["false_accepts"] if row["name"] == "fa-per-hour"]
    assert rate["high"] > 3.6 / rate["counts"]["hours"]


def test_a_detector_that_hears_nothing_is_no_success(tmp_path: Path, recipe: Recipe) -> None:
    """T9: no false accepts because nothing fires is flagged, however good the rate looks."""
    deaf = judged(tmp_path, recipe, scores("test", 1, level=-8.0))
    assert deaf["metrics"]["false_accepts"][0]["value"] == 0
    assert any("it hears none of the" in warning for warning in deaf["warnings"])
    hearing = judged(tmp_path, recipe, scores("test", 1))
    assert not any("hears none" in warning for warning in hearing["warnings"])


def test_the_setting_found_is_the_one_that_test_is_judged_with(tmp_path: Path, recipe_file: Path) -> None:
    """A threshold belongs to the setting of the detector that it was found with, and never to the recipe's own."""
    changes = ["detector.window=6", "detector.votes=6", "operating_point.search={votes=[1]}"]
    found = judged(tmp_path, load_recipe(recipe_file, installed(), changes=changes), scores("test", 1))
    assert found["operating_point"]["detector"] == {"votes": 1}
    # A word is four frames long, too short for six votes.
    assert found["metrics"]["misses"][0]["value"] < 0.2


def test_a_detection_after_the_word_counts_on_test_as_it_did_on_dev(tmp_path: Path, recipe: Recipe) -> None:
    """The tolerance of the operating point holds on both splits: 0.1 s after the word is a hit."""

    def late(split: str, seed: int) -> SplitScores:
        found = scores(split, seed)
        (stream,) = found.streams
        words = tuple(attrs.evolve(word, start=word.start - 0.4, end=word.end - 0.4) for word in stream.stream.events)
        moved = attrs.evolve(stream, stream=attrs.evolve(stream.stream, events=words))
        return attrs.evolve(found, streams=(moved,))

    found = judged(tmp_path, recipe, late("test", 1), dev=late("dev", 0))
    assert found["operating_point"]["miss_rate"] < 0.2
    assert found["metrics"]["misses"][0]["value"] < 0.2


def test_a_choice_is_never_one_sided(tmp_path: Path, recipe: Recipe) -> None:
    """T9: on dev too, the threshold with no false accept that hears nothing is not taken for the best."""
    found = judged(tmp_path, recipe, scores("test", 1), dev=scores("dev", 0, level=2.0))["operating_point"]
    assert found["misses"] < found["events"]


def test_firing_on_silence_is_flagged(tmp_path: Path, recipe: Recipe) -> None:
    """T12: a model that scores an all-zero window above the threshold is flagged."""
    loud = judged(tmp_path, recipe, scores("test", 1, silence=30.0))
    assert any("fires on digital silence" in warning for warning in loud["warnings"])
    assert not any("silence" in w for w in judged(tmp_path, recipe, scores("test", 1))["warnings"])


def test_silence_is_judged_after_calibration(tmp_path: Path, recipe: Recipe) -> None:
    """T12, T29: the threshold is a probability, so silence is compared with it as one, not as log-odds."""
    for silence, flagged in ((0.4, True), (-0.4, False)):
        found = judged(tmp_path, recipe, scores("test", 1))
        (tmp_path / "dev" / "operating_point.json").write_text(
            json.dumps({**found["operating_point"], "threshold": 0.5})
        )
        again = evaluated(tmp_path, recipe, scores("test", 1, silence=silence))
        assert any("fires on digital silence" in warning for warning in again["warnings"]) is flagged


def test_firing_on_silence_is_flagged_by_a_run(recipe_file: Path, site: Path, tmp_path: Path, typed: Typed) -> None:
    """T12: a scorer that likes all-zero audio is found out by the command line."""
    add_plugin(
        site,
        "acme-loud",
        "import attrs, torch\nfrom wakekit import Component, hookimpl\n\n"
        "@attrs.frozen\nclass Loud:\n    'High on silence.'\n"
        "    def score(self, network, audio, hop):\n"
        "        found = network.score_windows(audio, hop)\n"
        "        return found if audio.any() else torch.full_like(found, 50.0)\n\n"
        "@hookimpl\ndef wakekit_components():\n"
        "    yield Component('scorer', 'loud', 'acme_loud:Loud', summary='x')\n",
    )
    answer = typed("run", recipe_file, "--out", tmp_path / "runs", "--set", "scorer=loud")
    assert answer.code == 0, answer.err
    assert "fires on digital silence" in answer.out


@pytest.mark.parametrize("fault", ["speaker", "content"])
def test_dev_and_test_that_share_are_refused(fault: str, recipe_file: Path, tmp_path: Path, typed: Typed) -> None:
    """T15, T20: one speaker, or one identical clip under another name, on two sides ends the run before training."""
    rng = np.random.default_rng(0)
    rows, samples = [], {}
    for split in ("train", "dev", "test"):
        for number in range(12):
            name, up = f"{split}{number}", number % 2 == 0
            samples[name] = chirp(rng, up=up)
            if fault == "content" and name == "test0":
                samples[name] = samples["dev0"]
            soundfile.write(tmp_path / f"{name}.wav", samples[name], RATE, subtype="PCM_16")
            speaker = "shared" if fault == "speaker" and name in ("dev0", "test0") else name
            row = {
                "kind": "clip",
                "audio_filepath": f"{name}.wav",
                "duration": 0.4,
                "label": "chirp" if up else "speech",
            }
            rows.append(json.dumps({**row, "split": split, "speaker": speaker, "word": [0.0, 0.4]}))
    (tmp_path / "manifest.jsonl").write_text("\n".join(rows))
    table = f"corpus={{type='manifest', path='{tmp_path / 'manifest.jsonl'}', keyword='chirp'}}"
    out = tmp_path / "runs"
    answer = typed("run", recipe_file, "--out", out, "--set", table, "--set", "splitter=given")
    assert answer.code == 1
    assert "Splits leak into each other" in answer.err
    assert "training" not in answer.err
    assert not list(out.glob("*/metrics.json"))
