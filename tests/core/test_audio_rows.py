"""Audio from file to training rows: exact samples, right places, nothing from outside a clip."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from unittest.mock import patch

import attrs
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from wakekit import audio
from wakekit.audio import BadAudioError, open_recording, write_audio
from wakekit.batch import AudioTable, Draws, gather
from wakekit.data import Clip, Manifest
from wakekit.prepared import Placed, SplitAudio
from wakekit.progress import Silence
from wakekit.rows import training_rows
from wakekit.settings import Audio, Window

if TYPE_CHECKING:
    from pathlib import Path

RATE = 1000


def clip(**facts: object) -> Clip:
    """Return a clip with what the test does not care about filled in."""
    return Clip(**({"duration": 1.0, "label": "x", "pool": "negative"} | facts))  # type: ignore[arg-type]


def read(row: Clip, sample_rate: int = 16000) -> np.ndarray:
    """Return all samples of a row."""
    with open_recording(row, sample_rate) as recording:
        return np.concatenate(list(recording.blocks()))


def split_of(clips: list[Clip], lengths: list[int]) -> SplitAudio:
    """Lay clips end to end; sample n of the audio has the value n."""
    starts = np.cumsum([0, *lengths[:-1]])
    audio = torch.arange(sum(lengths), dtype=torch.int16)
    placed = Placed(tuple(clips), torch.from_numpy(starts), torch.tensor(lengths))
    none = Placed((), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    return SplitAudio("train", "x", RATE, audio, placed, none, none)


def test_sixteen_bit_audio_is_read_to_the_bit(tmp_path: Path) -> None:
    """What was written as 16-bit at the recipe's rate comes back unchanged, with offset and duration."""
    samples = np.random.default_rng(0).integers(-32768, 32767, 3000, dtype=np.int16)
    for suffix in ("wav", "flac"):
        path = tmp_path / f"a.{suffix}"
        soundfile.write(path, samples, 16000, subtype="PCM_16")
        np.testing.assert_array_equal(read(clip(audio=path, duration=3000 / 16000)), samples)
        part = read(clip(audio=path, offset=1000 / 16000, duration=500 / 16000))
        np.testing.assert_array_equal(part, samples[1000:1500])
        with open_recording(clip(audio=path, duration=3000 / 16000), 16000) as recording:
            assert recording.remarks == ()


def test_resampling_keeps_a_tone(tmp_path: Path) -> None:
    """A 440 Hz tone at 44.1 kHz is the same tone at 16 kHz, and the remark says what was done."""
    time = np.arange(44100) / 44100
    soundfile.write(tmp_path / "t.wav", 0.5 * np.sin(2 * np.pi * 440 * time), 44100, subtype="FLOAT")
    found = read(clip(audio=tmp_path / "t.wav"))
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    np.testing.assert_allclose(found[200:-200] / 32768, wanted[200:-200], atol=2e-3)
    with open_recording(clip(audio=tmp_path / "t.wav"), 16000) as recording:
        assert recording.remarks == ("resampled from 44100 Hz to 16000 Hz",)


@given(
    rate=st.sampled_from([8000, 11025, 15999, 22050, 44100, 44101, 48000, 96000]),
    channels=st.integers(1, 3),
    frames=st.integers(1, 12_000),
    block=st.integers(1, 8000),
)
@settings(deadline=None, max_examples=40)
def test_blocks_hold_the_bits_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, rate: int, channels: int, frames: int, block: int
) -> None:
    """Reading, mixing down and resampling in blocks of any length gives what SciPy makes of the whole recording."""
    sound = np.random.default_rng(frames).uniform(-1.2, 1.2, (frames, channels)).astype(np.float32)
    path = tmp_path_factory.mktemp("blocks") / "a.wav"
    soundfile.write(path, sound, rate, subtype="FLOAT")
    with patch.object(audio, "_BLOCK_FRAMES", block):
        found = read(clip(audio=path, duration=frames / rate))
    whole = resample_poly(sound.mean(axis=1), 16000, rate)
    np.testing.assert_array_equal(found, np.clip(np.rint(whole * 32768), -32768, 32767))


@pytest.mark.parametrize("form", ["OGG/VORBIS", "OGG/OPUS", "MP3/MPEG_LAYER_III", "FLAC/PCM_24"])
def test_a_compressed_recording_is_the_same_in_blocks(tmp_path: Path, form: str) -> None:
    """Reading on where a block ended loses nothing of a decoder's state."""
    container, subtype = form.split("/")
    sound = 0.3 * np.random.default_rng(3).standard_normal((48_000, 2)).clip(-3, 3)
    soundfile.write(tmp_path / "a", sound, 48_000, format=container, subtype=subtype)
    row = clip(audio=tmp_path / "a", offset=0.1, duration=0.8)
    whole = read(row)
    with patch.object(audio, "_BLOCK_FRAMES", 1111):
        np.testing.assert_array_equal(read(row), whole)


def test_a_recording_that_turns_out_bad_leaves_no_samples(tmp_path: Path) -> None:
    """What was written of a recording before it turned out bad is taken back; its neighbours are whole."""
    samples = np.random.default_rng(4).uniform(-0.5, 0.5, 16000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="PCM_16")
    soundfile.write(tmp_path / "b.wav", samples[::-1], 16000, subtype="PCM_16")
    late = samples.copy()
    late[12000] = np.nan
    soundfile.write(tmp_path / "late.wav", late, 16000, subtype="FLOAT")
    clips = tuple(clip(audio=tmp_path / name) for name in ("a.wav", "late.wav", "b.wav", "late.wav"))
    with patch.object(audio, "_BLOCK_FRAMES", 1000):
        made = write_audio(Manifest(keyword="x", clips=clips), tmp_path, Audio(bad_files="skip"), Silence())
    assert np.load(tmp_path / "spans.npy").tolist() == [[0, 16000], [16000, 16000]]
    assert [row.audio.name for row in made.clips] == ["a.wav", "b.wav"]
    assert "late.wav: holds samples that are not finite numbers" in made.notes[-1]
    stored = np.fromfile(tmp_path / "audio.i16", dtype=np.int16)
    np.testing.assert_array_equal(stored, np.concatenate([read(clips[0]), read(clips[2])]))
    for row, part in zip(made.clips, stored.reshape(2, -1), strict=True):
        assert row.sha256 == hashlib.sha256(part.tobytes()).hexdigest()


def test_a_file_shorter_than_stated_is_refused(tmp_path: Path) -> None:
    """A manifest that promises more audio than there is is not padded in silence."""
    soundfile.write(tmp_path / "s.wav", np.zeros(16000), 16000)
    with pytest.raises(BadAudioError, match=r"the file ends at 1\.000 s"):
        read(clip(audio=tmp_path / "s.wav", duration=2.0))


def test_content_hash_ignores_the_container_and_digital_silence(tmp_path: Path) -> None:
    """The same samples in WAV and FLAC hash alike; all-zero audio has no hash."""
    samples = np.random.default_rng(1).integers(-999, 999, 16000, dtype=np.int16)
    for name, data in (("a.wav", samples), ("b.flac", samples), ("c.wav", samples * 0)):
        soundfile.write(tmp_path / name, data, 16000, subtype="PCM_16")
    clips = tuple(clip(audio=tmp_path / name) for name in ("a.wav", "b.flac", "c.wav"))
    made = write_audio(Manifest(keyword="x", clips=clips), tmp_path, Audio(), Silence())
    hashes = [row.sha256 for row in made.clips]
    assert hashes[0] == hashes[1] != ""
    assert hashes[2] == ""
    assert np.load(tmp_path / "spans.npy").tolist() == [[0, 16000], [16000, 16000], [32000, 16000]]
    assert (tmp_path / "audio.i16").read_bytes()[:32000] == samples.tobytes()


@given(
    start=st.integers(-50, 150), low=st.integers(0, 60), length=st.integers(0, 60), samples=st.integers(1, 80)
)  # fmt: skip
def test_gather_equals_a_loop(start: int, low: int, length: int, samples: int) -> None:
    """A batched cut equals slicing with zeros outside the clip."""
    audio = torch.arange(1, 121, dtype=torch.int16)
    found = gather(audio, torch.tensor([start]), torch.tensor([low]), torch.tensor([low + length]), samples)
    wanted = [int(audio[i]) / 32768 if low <= i < low + length else 0.0 for i in range(start, start + samples)]
    np.testing.assert_allclose(found[0], wanted, rtol=1e-6)


def test_keyword_windows_end_with_the_word() -> None:
    """Every window of a keyword row ends between the word's end and the tolerance after it, and pads with zeros."""
    split = split_of([clip(audio="a"), clip(audio="b", pool="positive", word=(0.2, 0.6))], [700, 900])
    rows = training_rows(split, Window(seconds=0.5, tolerance_seconds=0.1, silence=0.0))
    (row,) = rows.pools["positive"].tolist()
    ends = set()
    for fraction in torch.linspace(0, 1, 50):
        window, real = rows.crop(torch.tensor([row]), fraction.reshape(1))
        first, last = round(float(window[0, 0]) * 32768), round(float(window[0, -1]) * 32768)
        assert last == first + 499
        assert 700 + 599 <= last < 700 + 700
        assert int(real) == 500
        ends.add(last)
    assert min(ends) == 1299
    assert max(ends) > 1390


def test_tiles_cover_every_sample_of_a_negative() -> None:
    """Windows of a long negative reach all its samples and none of its neighbours."""
    split = split_of([clip(audio="a"), clip(audio="b"), clip(audio="c")], [333, 1234, 400])
    rows = training_rows(split, Window(seconds=0.25, silence=0.0))
    seen = set()
    for row in range(len(rows)):
        for fraction in torch.linspace(0, 1, 41):
            window, real = rows.crop(torch.tensor([row]), fraction.reshape(1))
            values = {round(float(value) * 32768) for value in window[0] if value > 0}
            span = [values_in for values_in in ((0, 333), (333, 1567), (1567, 1967)) if values and
                    values_in[0] <= min(values) < values_in[1]]  # fmt: skip
            assert not values or max(values) < span[0][1]
            assert int(real) >= len(values)
            seen |= values
    assert seen >= set(range(1, 1967))


def test_silence_and_pools() -> None:
    """The stated share of the negatives is all-zero; hard negatives have their own pool; labels follow the pools."""
    clips = [clip(audio=str(i)) for i in range(98)] + [clip(audio="h", pool="hard"), clip(audio="p", pool="positive")]
    rows = training_rows(split_of(clips, [200] * 100), Window(seconds=0.2, silence=0.02))
    assert {name: len(found) for name, found in rows.pools.items()} == {"positive": 1, "negative": 100, "hard": 1}
    silent = rows.pools["negative"][-2:]
    window, real = rows.crop(silent, torch.tensor([0.3, 0.9]))
    assert not window.any()
    assert real.tolist() == [0, 0]
    assert rows.labels[rows.pools["positive"]].tolist() == [1]
    assert int(rows.labels.sum()) == 1


def test_draws_do_not_depend_on_the_device_and_leave_the_global_state() -> None:
    """Draws come from the generator handed in, and from nothing else."""
    before = torch.get_rng_state()
    one = Draws(torch.Generator().manual_seed(1), 4, torch.device("cpu"))
    two = Draws(torch.Generator().manual_seed(1), 4, torch.device("cpu"))
    assert torch.equal(one.uniform(2, 3), two.uniform(2, 3))
    assert torch.equal(one.normal(3), two.normal(3))
    assert torch.equal(one.integers(9), two.integers(9))
    assert one.uniform(2, 3).ge(2).all()
    assert torch.equal(before, torch.get_rng_state())


def test_an_audio_table_crops_within_its_rows() -> None:
    """A crop beyond a row's end is zero, whatever comes next in the flat audio."""
    table = AudioTable(torch.arange(1, 11, dtype=torch.int16), torch.tensor([0, 4]), torch.tensor([4, 6]), RATE)
    found = table.crop(torch.tensor([0, 1]), torch.tensor([2, 0]), 4) * 32768
    assert found.tolist() == [[3, 4, 0, 0], [5, 6, 7, 8]]
    assert len(attrs.evolve(table)) == 2
