"""Scores of long audio: at the right times, and the same however the stream is cut."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wakekit import streams
from wakekit.building import build_component
from wakekit.data import Clip
from wakekit.network import Network
from wakekit.pooling import log_odds
from wakekit.prepared import FileSamples, Placed, SplitAudio
from wakekit.progress import Silence
from wakekit.registry import installed
from wakekit.streams import score_clip_windows, score_clips, score_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOP, FRAME, WINDOW_FRAMES = 10, 20, 8
WINDOW = FRAME + (WINDOW_FRAMES - 1) * HOP


class Frames(nn.Module):
    """A frontend of two features: mean and spread of every uncentred frame."""

    def forward(self, audio: Tensor) -> Tensor:
        """Return [B, 2, T]."""
        frames = audio.unfold(1, FRAME, HOP)
        return torch.stack([frames.mean(dim=2), frames.std(dim=2)], dim=1)


class Peak(nn.Module):
    """A normalizer that works window by window: it takes the window's peak off."""

    def forward(self, features: Tensor) -> Tensor:
        """Return features with each window's maximum at 0."""
        return features - features.amax(dim=2, keepdim=True)


class Plain:
    """The scorer under test conditions."""

    def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
        """Return the network's own scores."""
        return network.score_windows(audio, hop)


def network(*, shared: bool) -> Network:
    """Return a small random network."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * WINDOW_FRAMES, 3))
    normalizer: nn.Module = nn.Identity() if shared else Peak()
    return Network(
        frontend=Frames(),
        normalizer=normalizer,
        model=model,
        window=WINDOW,
        window_frames=WINDOW_FRAMES,
        frame_hop=HOP,
        sample_rate=1000,
        shared=shared,
    ).eval()


def one_by_one(net: Network, audio: np.ndarray, hop: int) -> list[float]:
    """Score each window by itself, as a device would with a full buffer."""
    scores = []
    for start in range(0, len(audio) - WINDOW + 1, hop):
        window = torch.from_numpy(audio[start : start + WINDOW].astype(np.float32) / 32768).unsqueeze(0)
        with torch.no_grad():
            logits = net.model(net.normalizer(net.frontend(window)))
        scores.append(float(logits[0, 1] - torch.logsumexp(logits[0, [0, 2]], 0)))
    return scores


def scored(net: Network, audio: np.ndarray, hop: int, chunk: int, batch: int = 512) -> np.ndarray:
    """Score a stream in pieces of `chunk` samples and batches of `batch` windows."""
    with patch.dict(streams._BATCH_WINDOWS, cpu=batch):
        return score_stream(net, Plain(), torch.from_numpy(audio), window=WINDOW, hop=hop, chunk=chunk)


@settings(deadline=None, max_examples=60)
@given(
    length=st.integers(0, 1500),
    hop=st.sampled_from([10, 20, 50, 90, 100, 250]),
    chunk=st.integers(1, 2000),
    batch=st.integers(1, 70),
    shared=st.booleans(),
)
def test_scores_do_not_depend_on_chunks(length: int, hop: int, chunk: int, batch: int, shared: bool) -> None:  # noqa: FBT001
    """T30: however a stream is cut, its scores are those of its windows one by one, and the same bits for any cut."""
    audio = np.random.default_rng(length).integers(-9999, 9999, length).astype(np.int16)
    net = network(shared=shared)
    found = scored(net, audio, hop, chunk, batch)
    np.testing.assert_allclose(found, one_by_one(net, audio, hop), atol=1e-5)
    np.testing.assert_array_equal(found, scored(net, audio, hop, max(1, length), batch))


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small operations on one thread, where other processes may keep the second waiting."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def real() -> tuple[Network, np.ndarray]:
    """A network as recipes build them, and 10 s of sound for it."""
    registry = installed()

    def made(kind: str, **options: object) -> Any:
        return build_component(registry, kind, options).value

    frontend = made("frontend", type="log-mel")
    torch.manual_seed(0)
    net = Network(
        frontend=frontend.build(16000),
        normalizer=made("normalizer", type="none").build(40),
        model=made("model", type="ds-cnn", channels=16, blocks=1).build(40, 2),
        window=480 + 47 * 160,
        window_frames=48,
        frame_hop=160,
        sample_rate=16000,
        shared=True,
    ).eval()
    rng = np.random.default_rng(0)
    level = np.repeat(rng.uniform(1, 2000, 100), 1600)
    return net, (level * rng.standard_normal(160_000)).astype(np.int16)


@pytest.mark.usefixtures("one_thread")
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chunk=st.integers(100, 200_000), cuts=st.lists(st.integers(0, 1000), max_size=6), data=st.data())
def test_events_do_not_depend_on_chunks(
    real: tuple[Network, np.ndarray], chunk: int, cuts: list[int], data: st.DataObject
) -> None:
    """Detections are equal however the audio is cut for scoring and the scores for the detector.

    The threshold is one of the scores itself, where the smallest change of a bit would add or lose a vote.
    """
    net, audio = real
    sizes = {"window": 480 + 47 * 160, "hop": 320}
    with patch.dict(streams._BATCH_WINDOWS, cpu=100):
        whole = score_stream(net, Plain(), torch.from_numpy(audio), **sizes, chunk=len(audio))
        found = score_stream(net, Plain(), torch.from_numpy(audio), **sizes, chunk=chunk)
    np.testing.assert_array_equal(found, whole)
    threshold = float(data.draw(st.sampled_from(sorted(set(whole.tolist()))[-300:])))
    options = {"type": "vote", "hop_seconds": 0.02, "lockout_seconds": 0.1, "hysteresis": 0.0}
    detector = build_component(installed(), "detector", options).value
    probabilities, level = 1 / (1 + np.exp(-found)), 1 / (1 + np.exp(-threshold))
    at_once = detector.build(level).feed(1 / (1 + np.exp(-whole)))
    in_pieces = detector.build(level)
    edges = [0, *sorted(min(cut, len(found)) for cut in cuts), len(found)]
    fired = [in_pieces.feed(probabilities[low:high]) for low, high in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(fired), at_once)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_scores_do_not_depend_on_chunks_on_cuda(real: tuple[Network, np.ndarray]) -> None:
    """On a GPU too a score is the same to the bit however the stream is cut, and close to the CPU's."""
    net, audio = real
    sizes = {"window": 480 + 47 * 160, "hop": 320}
    expected = score_stream(net, Plain(), torch.from_numpy(audio), **sizes)
    net.cuda()
    with patch.dict(streams._BATCH_WINDOWS, cuda=100):
        found = [score_stream(net, Plain(), torch.from_numpy(audio), **sizes, chunk=n) for n in (999, 54321, 160_000)]
    net.cpu()
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[2])
    np.testing.assert_allclose(found[0], expected, atol=0.01)


def test_a_stream_in_a_file_is_scored_as_one_in_memory(tmp_path: Path) -> None:
    """Samples read from a file, between others, give the scores of the same samples in memory."""
    audio = np.random.default_rng(2).integers(-9999, 9999, 3000).astype(np.int16)
    audio.tofile(tmp_path / "audio.i16")
    part = FileSamples(tmp_path / "audio.i16", 500, 2000)
    assert len(part) == 2000
    assert part[1990:5000].tolist() == audio[2490:2500].tolist()
    assert part[3000:5000].tolist() == []
    net = network(shared=False)
    found = score_stream(net, Plain(), part, window=WINDOW, hop=10, chunk=77)
    np.testing.assert_array_equal(found, scored(net, audio[500:2500], 10, 2000))


@pytest.mark.parametrize("hop", [20, 200])
def test_a_long_clip_is_scored_as_a_short_one(hop: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clip that is too long for a batch gets the score it would get in one."""
    audio = torch.from_numpy(np.random.default_rng(6).integers(-9999, 9999, 4000).astype(np.int16))
    clips = Placed(
        (Clip(audio="a", duration=1, label="x", pool="negative"),), torch.tensor([300]), torch.tensor([3333])
    )
    none = Placed((), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    split = SplitAudio("dev", "x", 1000, audio, clips, none, none)
    found = []
    for limit in (2_000_000, 1000):
        monkeypatch.setattr(streams, "_BATCH_SAMPLES", limit)
        monkeypatch.setattr(streams, "_CHUNK_SAMPLES", 512)
        scores = score_clips(network(shared=True), Plain(), split, window=WINDOW, hop=hop, progress=Silence())
        found.append(scores.scores)
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


@pytest.mark.parametrize("shared", [True, False])
def test_a_clips_score_is_the_highest_after_silence(shared: bool) -> None:  # noqa: FBT001
    """T3, T30: a clip is scored like a stream that was silent before it, at the same hop, whatever is in its batch."""
    rng = np.random.default_rng(5)
    lengths = [3, 57, 140, 900, 10]
    audio = rng.integers(-9999, 9999, sum(lengths)).astype(np.int16)
    starts = np.cumsum([0, *lengths[:-1]])
    clips = tuple(
        Clip(audio=f"{n}", duration=1, label="x", pool="positive" if n % 2 else "negative") for n in range(len(lengths))
    )
    placed = Placed(clips, torch.from_numpy(starts), torch.tensor(lengths))
    none = Placed((), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    split = SplitAudio("dev", "x", 1000, torch.from_numpy(audio), placed, none, none)
    net = network(shared=shared)
    found = score_clips(net, Plain(), split, window=WINDOW, hop=20, progress=Silence())
    for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        padded = np.zeros(WINDOW - 20 + -(-length // 20) * 20, dtype=np.int16)
        padded[WINDOW - 20 : WINDOW - 20 + length] = audio[start : start + length]
        assert found.scores[row] == pytest.approx(max(one_by_one(net, padded, 20)), abs=1e-5)
    assert found.labels.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("limit", [2_000_000, 1500])
def test_every_window_of_a_clip_has_its_time(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Window k of a clip ends k + 1 hops after its start, for the clips asked for, whether scored together or alone."""
    monkeypatch.setattr(streams, "_BATCH_SAMPLES", limit)
    lengths = [57, 1700, 140, 900]
    audio = np.random.default_rng(8).integers(-9999, 9999, sum(lengths)).astype(np.int16)
    starts = np.cumsum([0, *lengths[:-1]])
    clips = tuple(Clip(audio=f"{n}", duration=1, label="x", pool="negative") for n in range(len(lengths)))
    none = Placed((), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64))
    placed = Placed(clips, torch.from_numpy(starts), torch.tensor(lengths))
    split = SplitAudio("dev", "x", 1000, torch.from_numpy(audio), placed, none, none)
    net, seen = network(shared=True), []
    for rows, found in score_clip_windows(net, Plain(), split, torch.tensor([3, 0, 1]), window=WINDOW, hop=20):
        for row, scores in zip(rows.tolist(), found, strict=True):
            seen.append(row)
            count = -(-lengths[row] // 20)
            padded = np.zeros(WINDOW - 20 + 20 * count, dtype=np.int16)
            padded[WINDOW - 20 : WINDOW - 20 + lengths[row]] = audio[starts[row] : starts[row] + lengths[row]]
            np.testing.assert_allclose(scores[:count], one_by_one(net, padded, 20), atol=1e-5)
            assert np.isneginf(scores[count:]).all()
    assert sorted(seen) == [0, 1, 3]


@pytest.mark.parametrize(("kernel", "stride"), [(2, 1), (3, 2), (5, 1), (6, 2)])
def test_scores_per_frame_are_those_that_came_in_the_last_hop(kernel: int, stride: int) -> None:
    """Run over the whole stream at once, the model's frames are each heard by one score, however wide its kernel is."""

    class Framed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 3, kernel, stride)

        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return self.conv(features)

    net = network(shared=True)
    torch.manual_seed(1)
    net.model, step = Framed(), 2 * stride
    audio = torch.from_numpy(np.random.default_rng(0).normal(size=(1, FRAME + 79 * HOP)).astype(np.float32))
    with torch.no_grad():
        scores = net.score_windows(audio, step * HOP)[0]
        odds = log_odds(net.model(net.frontend(audio)))[0]
    frames = (WINDOW_FRAMES - kernel) // stride + 1
    ends = [frames + 2 * number for number in range(len(scores))]
    assert torch.allclose(scores, torch.stack([odds[max(0, end - 2) : end].max() for end in ends]), atol=1e-6)
