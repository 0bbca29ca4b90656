"""Conditions that change whole recordings: in bounded memory, in step with the words, and held to their contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import numpy as np
import pytest
from scipy.signal import resample_poly

from tests.condition_support import NOISE, RATE, Laid, Samples, changed, clip, lay, made, originals, power, sound
from wakekit import Batch, Draws, Recorded, Sources
from wakekit.condition_stage import changed_split, make_condition
from wakekit.data import Clip, Event, Stream, StreamScores
from wakekit.errors import PluginError, RecipeError
from wakekit.events import judge_stream
from wakekit.progress import Silence
from wakekit.recipe import load_recipe
from wakekit.registry import Registry, installed
from wakekit.settings import Condition

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Blocks = Iterator[Floats]

SLOW = {"type": "speed", "factors": [0.8]}


@pytest.fixture(scope="module")
def registry() -> Registry:
    """Everything installed."""
    return installed()


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """A corpus with short clips, a clip of several blocks, a stream and a composed stream."""
    stream = Stream(audio=Path("s"), duration=57.3, split="test", sha256="5")
    clips = [clip("a", sound(1, 0.8), "positive"), clip("c", sound(3, 32.7)), clip("hum", sound(9, 4.0), "background")]
    return lay(tmp_path / "corpus", [*clips, (stream, sound(4, 57.3))])


def before(laid: Laid) -> dict[str, Samples]:
    """Return the recordings as they lie in the corpus, by name."""
    split = laid.split()
    spans = zip(split.clips.starts.tolist(), split.clips.lengths.tolist(), strict=True)
    found = {row.audio.name: split.samples(*span).numpy() for row, span in zip(split.clips.rows, spans, strict=True)}
    (stream,) = split.stream_samples()
    return {**found, "s": stream[0 : len(stream)].numpy(), "composed-test-0": originals()["composed-test-0"]}


def rounded(values: Any) -> Samples:
    """Return samples as they are stored."""
    return np.clip(np.rint(values), -32768, 32767).astype(np.int16)


def test_speed_resamples_whole_recordings(laid: Laid, registry: Registry, tmp_path: Path) -> None:
    """Every recording, of one block or many, is SciPy's resampling of the whole, a quarter longer."""
    found = changed(laid, made(registry, slow=SLOW), tmp_path / "slow")
    for name, samples in before(laid).items():
        expected = rounded(resample_poly(samples.astype(np.float32) / 32768, 5, 4) * 32768)
        assert len(expected) == -(-5 * len(samples) // 4)
        np.testing.assert_array_equal(found[name], expected)


def clicks(*seconds: float, length: float) -> Samples:
    """Return short tones that end at the given times."""
    found = np.zeros(round(length * RATE), dtype=np.int16)
    for second in seconds:
        last = round(second * RATE)
        found[last - 60 : last] = 9000 * np.sin(2 * np.pi * 100 / RATE * np.arange(60))
    return found


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_the_times_of_words_move_with_the_sound(factor: float, registry: Registry, tmp_path: Path) -> None:
    """Words end where the sound ends, durations are those of the samples, and hours and false accepts are of them."""
    ends = (7.0, 19.995, 33.3)
    events = tuple(Event(start=end - 0.06, end=end, label="chirp", speaker="ann", snr_db=4.0) for end in ends)
    stream = Stream(audio=Path("s"), duration=40.0, split="test", sha256="5", events=events)
    word = Clip(
        audio=Path("w"), duration=2.0, label="chirp", pool="positive", split="test", sha256="w", word=(0.94, 1.0)
    )
    rows = [clip("x", sound(1, 1.0)), (word, clicks(1.0, length=2.0)), (stream, clicks(*ends, length=40.0))]
    corpus = lay(tmp_path / "corpus", rows)
    folder = tmp_path / "cond"
    found = changed(corpus, made(registry, speed={"type": "speed", "factors": [factor]}), folder)
    split = changed_split(folder, corpus.split(), corpus.composed)
    (moved,) = (row for row in split.clips.rows if row.audio.name == "w")
    assert moved.duration == pytest.approx(2.0 / factor)
    assert moved.word == pytest.approx((0.94 / factor, 1.0 / factor))
    real, composed = split.streams.rows
    assert composed.duration == pytest.approx(21.0 / factor)
    assert real.duration == pytest.approx(40.0 / factor)
    assert (real.events[0].speaker, real.events[0].snr_db, real.sha256) == ("ann", 4.0, "5")
    loud = np.flatnonzero(np.abs(found["s"].astype(float)) > 1500) / RATE
    for event, end in zip(real.events, ends, strict=True):
        assert event.end == pytest.approx(end / factor)
        inside = loud[(loud > event.start - 0.05) & (loud < event.end + 0.05)]
        assert inside.min() == pytest.approx(event.start, abs=0.006)
        assert inside.max() == pytest.approx(event.end, abs=0.006)
    scores = StreamScores(real, np.zeros(int(len(found["s"]) / RATE / 0.1) - 9), 1.0, 0.1)
    result = judge_stream(scores, np.array([2]), "chirp", tolerance=0.5)
    spoken = 3 * (0.06 / factor + 0.5)
    assert result.negative_hours * 3600 == pytest.approx(40.0 / factor - 1 - spoken, abs=0.3)
    assert (result.events, len(result.misses)) == (3, 3)


def test_a_telephone_condition_goes_through_the_codec(registry: Registry, tmp_path: Path) -> None:
    """Recordings keep length and place through a codec that runs at another rate, noise before it included."""
    rows = [clip("x", sound(1, 1.3, 16000)), clip("hum", sound(2, 2.0, 16000), "background")]
    corpus = lay(tmp_path / "corpus", rows, rate=16000)
    folder = tmp_path / "gsm"
    found = changed(corpus, made(registry, noise=NOISE, codec={"type": "codec", "format": "gsm"}), folder)
    plain = changed(corpus, made(registry, noise=NOISE), tmp_path / "plain")
    assert found["x"].shape == rows[0][1].shape
    assert not np.array_equal(found["x"], plain["x"])
    narrow = resample_poly(resample_poly(plain["x"].astype(float), 1, 2), 2, 1)
    likeness = np.correlate(found["x"].astype(float), narrow, "same")
    assert int(np.argmax(likeness)) == len(narrow) // 2
    assert np.abs(np.fft.rfft(found["x"])[6000:]).max() < 0.05 * np.abs(np.fft.rfft(plain["x"])[6000:]).max()


@attrs.frozen
class Half:
    """Halves the level of a recording and watches the blocks and draws it is given."""

    domain: ClassVar[str] = "recording"
    seen: list[tuple[int, float]]

    def record(self, blocks: Blocks, sample_rate: int, draws: Draws) -> Recorded:
        """Return the recording at half its level, in blocks of another size."""
        assert sample_rate == RATE
        drawn = float(draws.uniform()[0])

        def halved() -> Blocks:
            for block in blocks:
                self.seen.append((len(block), drawn))
                yield from np.array_split(block * np.float32(0.5), 3)

        return Recorded(halved())


@attrs.frozen
class Add:
    """Adds a drawn constant to every block."""

    domain: ClassVar[str] = "waveform"
    seen: list[float]

    def build(self, sources: Sources) -> Callable[[Batch], Batch]:  # noqa: ARG002
        """Return the change."""

        def apply(batch: Batch) -> Batch:
            level = batch.draws.uniform(0.01, 0.1)
            self.seen.append(float(level[0]))
            return attrs.evolve(batch, audio=batch.audio + level[:, None])

        return apply


def test_both_sorts_follow_one_another_in_the_order_written(laid: Laid, tmp_path: Path) -> None:
    """Blocks stay small between the steps, each step draws anew, and each is applied to what the one before left."""
    halves: list[tuple[int, float]] = []
    first: list[float] = []
    second: list[float] = []
    steps = {"first": Add(first), "half": Half(halves), "second": Add(second)}
    found = changed(laid, Condition(augmentations=steps), tmp_path / "chain")
    assert len(first) == len(second) == 1 + 3 + 1 + 5 + 2
    assert not set(first) & set(second)
    assert max(length for length, _ in halves) < 20 * RATE
    assert len({drawn for _, drawn in halves}) == 5
    expected = rounded((before(laid)["a"] / 32768 + first[0]) / 2 * 32768 + second[0] * 32768)
    np.testing.assert_allclose(found["a"], expected, atol=1)
    late = slice(10_100, 19_900)
    expected = rounded((before(laid)["c"][late] / 32768 + first[2]) / 2 * 32768 + second[2] * 32768)
    np.testing.assert_allclose(found["c"][late], expected, atol=1)


def test_a_recording_is_changed_alike_whatever_stands_beside_it(laid: Laid, registry: Registry, tmp_path: Path) -> None:
    """What is drawn for a whole recording hangs on its content and the seed, not on its place or name."""
    speeds = {"type": "speed", "factors": [0.8, 0.9, 1.1, 1.2, 1.25]}
    found = changed(laid, made(registry, speed=speeds), tmp_path / "one")
    (row, samples) = clip("moved", sound(3, 32.7))
    other = changed(lay(tmp_path / "fewer", [(row, samples)]), made(registry, speed=speeds), tmp_path / "two")
    np.testing.assert_array_equal(other["moved"], found["c"])
    lengths = {len(changed(laid, made(registry, speed=speeds, seed=n), tmp_path / f"s{n}")["c"]) for n in range(8)}
    assert len(lengths) > 2


@attrs.frozen
class Spoil:
    """An augmentation of recordings that breaks its contract."""

    domain: ClassVar[str] = "recording"
    how: Callable[[Blocks], Blocks]
    scale: float = 1.0

    def record(self, blocks: Blocks, sample_rate: int, draws: Draws) -> Recorded:  # noqa: ARG002
        """Return what is not right."""
        return Recorded(self.how(blocks), self.scale)


@pytest.mark.parametrize(
    ("how", "scale", "told"),
    [
        (lambda blocks: (block[1:] for block in blocks), 1.0, "1 times as long as its 800 samples read, got 799"),
        (lambda blocks: blocks, 2.0, "2 times as long as its 800 samples read, got 800"),
        (lambda blocks: iter([]) if blocks else blocks, 1.0, "expected all of a"),
        (lambda blocks: (block / 0 for block in blocks), 1.0, "blocks of finite samples"),
        (lambda blocks: (block[None] for block in blocks), 1.0, "blocks of finite samples"),
        (lambda blocks: (block["x"] for block in blocks), 1.0, "failed: IndexError"),
        (lambda _: 3, 1.0, "failed: TypeError"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_plugin_that_spoils_recordings_is_named(
    how: Callable[[Blocks], Blocks], scale: float, told: str, laid: Laid, tmp_path: Path
) -> None:
    """Samples lost, more time than promised, or anything but finite samples are the plugin's error, with its place."""
    folder = tmp_path / "bad"
    folder.mkdir()
    condition = Condition(augmentations={"bad": Spoil(how, scale)})
    with pytest.raises(PluginError, match=told) as caught:
        make_condition(folder, condition, laid.prepared, laid.composed, name="hall", progress=Silence())
    assert "condition hall, augmentation bad" in str(caught.value)


def test_what_changes_recordings_only_is_refused_in_training(registry: Registry, recipe_file: Path) -> None:
    """A codec among the augmentations of training is a mistake with its line; in a condition it is none."""
    text = recipe_file.read_text()
    recipe_file.write_text(text + "\n[augmentations.phone]\ntype = 'codec'\nformat = 'gsm'\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file, registry)
    number = len(text.splitlines()) + 3
    told = "training changes batches: codec changes whole recordings, as in [conditions.<id>]"
    assert caught.value.lines == (f"{recipe_file}:{number}:8: augmentations.phone.type: {told}",)
    recipe_file.write_text(text + "\n[conditions.phone]\naugmentations.a = { type = 'codec', format = 'gsm' }\n")
    assert load_recipe(recipe_file, registry).conditions["phone"].describe() == "Codec (format = gsm)"


def voices() -> list[Samples]:
    """Return sentences of several voices at 22050 Hz, some quiet, one after a pause."""
    pytest.importorskip("espeakng_loader")
    from wakekit_data.espeak_library import find_espeak  # noqa: PLC0415

    names = ("en-us", "en-us+f3", "en-us+m3")
    lines = [
        {"voice": voice, "text": "the weather is cold today, and so it goes", "rate": 160, "pitch": 50, "range": 50}
        for voice in names
    ]
    found = find_espeak().speak(lines)
    quiet = (found[1].astype(float) / 20).astype(np.int16)
    return [found[0] // 3, quiet, np.concatenate([np.zeros(15_000, np.int16), found[2] // 4])]


@pytest.mark.parametrize("snr", [20, 10, 5, 0])
def test_speech_has_the_ratio_asked_for_in_what_is_stored(snr: int, registry: Registry, tmp_path: Path) -> None:
    """Measured on the stored samples of real utterances, loud and quiet, the ratio is right within 0.1 dB."""
    rate = 22050
    rows = [clip(f"v{number}", samples) for number, samples in enumerate(voices())]
    hum = np.cumsum(np.random.default_rng(0).standard_normal(8 * rate))
    hum = (3000 * (hum - np.linspace(0, hum[-1], len(hum))) / np.abs(hum).max()).astype(np.int16)
    corpus = lay(tmp_path / "corpus", [*rows, clip("hum", hum, "background")], rate=rate)
    found = changed(corpus, made(registry, noise={**NOISE, "snr_db": [snr, snr]}), tmp_path / "noisy")
    for row, samples in rows:
        assert len(samples) > rate
        heard = found[row.audio if isinstance(row.audio, str) else row.audio.name].astype(float)
        assert np.abs(heard).max() < 32767
        assert 10 * np.log10(power(samples) / power(heard - samples)) == pytest.approx(snr, abs=0.1)
