"""Scores of long audio: at the right times, the same however the stream is cut, and bounded in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wakekit.data import Clip
from wakekit.network import Network
from wakekit.prepared import Placed, SplitAudio
from wakekit.progress import Silence
from wakekit.streams import score_clips, score_stream

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
        frontend=Frames(), normalizer=normalizer, model=model, window_frames=WINDOW_FRAMES, frame_hop=HOP, shared=shared
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


@settings(deadline=None, max_examples=40)
@given(length=st.integers(0, 1500), hop=st.sampled_from([10, 20, 50]), chunk=st.integers(1, 200), shared=st.booleans())
def test_scores_do_not_depend_on_chunks(length: int, hop: int, chunk: int, shared: bool) -> None:  # noqa: FBT001
    """T30: whatever the chunk, a stream's scores are those of its windows one by one."""
    audio = np.random.default_rng(length).integers(-9999, 9999, length).astype(np.int16)
    net = network(shared=shared)
    found = score_stream(net, Plain(), torch.from_numpy(audio), window=WINDOW, hop=hop, chunk=chunk)
    np.testing.assert_allclose(found, one_by_one(net, audio, hop), atol=1e-5)


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


def test_memory_does_not_grow_with_the_stream() -> None:
    """Ten times the audio is scored without ten times the tensors: no chunk is longer than the first."""
    seen: list[int] = []

    class Watch(Plain):
        def score(self, network: Network, audio: Tensor, hop: int) -> Tensor:
            seen.append(audio.numel())
            return super().score(network, audio, hop)

    for length in (20_000, 200_000):
        score_stream(network(shared=True), Watch(), torch.zeros(length, dtype=torch.int16), window=WINDOW, hop=20)
    assert max(seen) == 511 * 20 + WINDOW
