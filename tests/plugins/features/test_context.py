"""Features that need context give a stream the scores that each window has alone, after its own context."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wakekit import FeatureBatch, streams
from wakekit.network import Network
from wakekit_evaluation.plain import Plain
from wakekit_features.cmvn import Cmvn
from wakekit_features.log_mel import LogMel
from wakekit_features.pcen import Pcen
from wakekit_features.running_cmvn import RunningCmvn
from wakekit_features.utterance_cmvn import UtteranceCmvn

RATE, FRAME, HOP, WINDOW_FRAMES = 8000, 160, 80, 12
WINDOW = FRAME + (WINDOW_FRAMES - 1) * HOP
MELS = {"n_mels": 6, "frame_seconds": 0.02, "hop_seconds": 0.01, "f_min": 100.0, "f_max": 3000.0}
FRONTENDS = {"log-mel": LogMel(**MELS), "pcen": Pcen(**MELS, memory_seconds=0.1)}
NORMALIZERS = {
    "cmvn": Cmvn(),
    "utterance-cmvn": UtteranceCmvn(),
    "running-cmvn": RunningCmvn(window_frames=17, prior_frames=5),
}


def made(frontend_name: str, normalizer_name: str) -> Network:
    """Return a network with random weights, whose normalizer knows silence and other audio than it will hear."""
    options = FRONTENDS[frontend_name]
    frontend, normalizer = options.build(RATE), NORMALIZERS[normalizer_name].build(6)
    before = round(getattr(options, "context_seconds", 0) * RATE)
    if hasattr(normalizer, "hear_silence"):
        normalizer.hear_silence(frontend(torch.zeros(1, before + WINDOW))[0, :, -1])
    if hasattr(normalizer, "fit"):
        train = frontend(torch.randn(1, RATE, generator=torch.Generator().manual_seed(2)) * 0.1)
        normalizer.fit([FeatureBatch(train, torch.tensor([train.shape[2]]))])
    frames = getattr(normalizer, "context_frames", 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(6 * WINDOW_FRAMES, 2))
    return Network(
        frontend=frontend,
        normalizer=normalizer,
        model=model,
        window=WINDOW,
        window_frames=WINDOW_FRAMES,
        frame_hop=HOP,
        sample_rate=RATE,
        shared=NORMALIZERS[normalizer_name].scope in {"corpus", "running"},
        context=before + frames * HOP,
        context_frames=frames,
    ).eval()


@pytest.mark.parametrize("normalizer", NORMALIZERS)
@pytest.mark.parametrize("frontend", FRONTENDS)
@settings(deadline=None, max_examples=8)
@given(batch=st.integers(1, 30), chunk=st.integers(50, 5000), seed=st.integers(0, 100))
def test_a_stream_is_its_windows(frontend: str, normalizer: str, batch: int, chunk: int, seed: int) -> None:
    """T30: however a stream is cut, each window scores as it does alone with the audio before it, or silence."""
    network = made(frontend, normalizer)
    generator = torch.Generator().manual_seed(seed)
    audio = (torch.randn(4000, generator=generator) * 2000).to(torch.int16)
    audio[1000:1600] = 0
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(streams, "_BATCH_WINDOWS", {"cpu": batch})
        found = streams.score_stream(network, Plain(), audio, window=WINDOW, hop=2 * HOP, chunk=chunk)
        before = torch.cat([torch.zeros(network.context), audio / 32768])
        alone = before.unfold(0, network.context + WINDOW, 2 * HOP)
        expected = torch.cat([network.score_windows(window[None], 2 * HOP)[0] for window in alone])
    assert found.shape == expected.shape
    torch.testing.assert_close(torch.from_numpy(found).float(), expected, rtol=1e-4, atol=1e-4)
