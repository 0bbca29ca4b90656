"""The `running-cmvn` normalizer equals a loop over frames in float64, however a stream is cut."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import FeatureBatch, WakekitError
from wakekit_features.cmvn import Cmvn
from wakekit_features.log_mel import LogMel
from wakekit_features.mfcc import Mfcc
from wakekit_features.running_cmvn import RunningCmvn, RunningCmvnModule, window_sums

SILENCE = torch.tensor([-3.0, -2.0, -4.0])


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return standard normal numbers, always the same."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_silence(features: torch.Tensor, share: float, *, seed: int = 9) -> torch.Tensor:
    """Return the features [B, 3, T] with a share of their frames replaced by digital silence."""
    silent = torch.rand(len(features), 1, features.shape[2], generator=torch.Generator().manual_seed(seed)) < share
    return torch.where(silent, SILENCE[:, None], features)


def fitted(options: RunningCmvn, *, offset: float = 0.0) -> RunningCmvnModule:
    """Return a module that knows digital silence and a train split around `offset`."""
    module = options.build(3)
    module.hear_silence(SILENCE)
    train = drawn(4, 3, 50, seed=5) * torch.tensor([0.5, 1.0, 3.0])[:, None] + offset
    return module.fit([FeatureBatch(train, torch.full((4,), 50))])


def looped(module: RunningCmvnModule, features: torch.Tensor, row: int, frame: int) -> np.ndarray:
    """Return one normalized frame [F] by the definition, in float64."""
    options, silence = module.options, SILENCE.numpy()
    mean, std = module.corpus.mean.double().numpy(), module.corpus.std.double().numpy()
    values = features[row].double().numpy()
    past = range(max(0, frame - options.window_frames + 1), frame + 1)
    seen = np.array([values[:, t] for t in past if np.abs(values[:, t] - silence).max() > 1e-3]).reshape(-1, 3)
    weights = np.concatenate([np.ones(len(seen)), [options.prior_frames]])
    centres = np.vstack([seen, mean])
    middle = np.average(centres, axis=0, weights=weights)
    within = np.vstack([np.zeros_like(seen), std**2])
    variance = np.average((centres - middle) ** 2 + within, axis=0, weights=weights) if options.variance else std**2
    return (values[:, frame] - middle) / np.sqrt(np.maximum(variance, options.eps**2))


@settings(deadline=None, max_examples=40)
@given(
    window=st.integers(1, 12),
    prior=st.floats(0.01, 50),
    variance=st.booleans(),
    frames=st.integers(1, 30),
    share=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 1000),
)
def test_equals_a_loop_over_frames(
    *, window: int, prior: float, variance: bool, frames: int, share: float, seed: int
) -> None:
    """Statistics are those of the last frames without silence, joined with the train split's as so many frames."""
    module = fitted(RunningCmvn(window_frames=window, prior_frames=prior, variance=variance), offset=2.0)
    features = with_silence(drawn(2, 3, frames, seed=seed) * 2 + 1, share, seed=seed)
    normalized = module(features)
    assert normalized.dtype is torch.float32
    for row in range(2):
        for frame in range(frames):
            expected = looped(module, features, row, frame)
            np.testing.assert_allclose(normalized[row, :, frame], expected, rtol=1e-5, atol=1e-5)


def test_a_million_frames_far_from_zero() -> None:
    """T19: neither a mean of 10 000 nor the length of a stream costs digits, also far from the train split's mean."""
    features = drawn(1, 3, 1_000_000) * torch.tensor([0.5, 1.0, 20.0])[:, None] + 1e4
    for offset in (1e4, 0.0):
        module = fitted(RunningCmvn(window_frames=300, prior_frames=1e-3), offset=offset)
        normalized = module(features)
        assert normalized.isfinite().all()
        for frame in (0, 299, 300, 500_017, 999_999):
            expected = looped(module, features, 0, frame)
            np.testing.assert_allclose(normalized[0, :, frame], expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=40)
@given(
    window=st.integers(1, 20),
    frames=st.integers(1, 60),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    seed=st.integers(0, 1000),
)
def test_streaming_equals_offline(window: int, frames: int, cuts: list[int], seed: int) -> None:
    """T30: pieces with `context_frames` of context, silence before the first, give the frames of the whole."""
    module = fitted(RunningCmvn(window_frames=window, prior_frames=5))
    context = module.context_frames
    assert context == window - 1
    features = with_silence(drawn(1, 3, frames, seed=seed), 0.2, seed=seed)
    padded = torch.cat([SILENCE[None, :, None].expand(1, 3, context), features], dim=2)
    edges = sorted({0, frames, *(cut for cut in cuts if cut < frames)})
    pieces = [module(padded[:, :, first : last + context])[:, :, context:] for first, last in pairwise(edges)]
    torch.testing.assert_close(torch.cat(pieces, dim=2), module(features), rtol=1e-5, atol=1e-5)


def test_is_causal_and_forgets() -> None:
    """A frame changes itself and the next `window_frames` - 1 frames, none before and none after."""
    module = fitted(RunningCmvn(window_frames=7))
    features = drawn(1, 3, 40)
    changed = features.clone()
    changed[:, :, 10] += 5
    differs = ((module(features) - module(changed)).abs() > 1e-4).any(dim=1).squeeze(0)
    assert differs.nonzero().squeeze(1).tolist() == list(range(10, 17))


def test_a_stream_begins_as_with_cmvn() -> None:
    """T18: silence is left out, so that at the start of a stream the train split's statistics stand alone."""
    module = fitted(RunningCmvn(prior_frames=1e6))
    cmvn = Cmvn().build(3).fit([FeatureBatch(drawn(4, 3, 50, seed=5) * torch.tensor([0.5, 1.0, 3.0])[:, None],
                                             torch.full((4,), 50))])  # fmt: skip
    features = drawn(2, 3, 9)
    torch.testing.assert_close(module(features), cmvn(features), rtol=0, atol=1e-3)
    silence = SILENCE[None, :, None].expand(1, 3, 500)
    torch.testing.assert_close(fitted(RunningCmvn(prior_frames=1))(silence), cmvn(silence), rtol=1e-5, atol=1e-5)


def test_a_stream_far_from_the_train_split_is_centred() -> None:
    """A channel that the train split never showed falls out once the window is full of it."""
    module = fitted(RunningCmvn(window_frames=200, prior_frames=1))
    settled = module(drawn(1, 3, 2000) * 4 + 30)[:, :, 200:]
    assert settled.mean(dim=2).abs().max() < 0.3
    assert (settled.std(dim=2) - 1).abs().max() < 0.3


def test_fit_leaves_padding_and_silence_out() -> None:
    """T18: the train split's statistics are those of `cmvn` on frames that are neither padding nor silence."""
    features = drawn(3, 3, 20) + 1
    batch = FeatureBatch(features.clone(), torch.tensor([20, 12, 5]))
    for row, frames in enumerate(batch.frames.tolist()):
        batch.features[row, :, frames:] = float("nan")
    batch.features[0, :, 4:9] = SILENCE[:, None]
    kept = torch.cat([features[0][:, [*range(4), *range(9, 20)]], features[1][:, :12], features[2][:, :5]], dim=1)
    module = RunningCmvn().build(3)
    module.hear_silence(SILENCE)
    module.fit([batch])
    assert int(module.corpus.count) == 32
    torch.testing.assert_close(module.corpus.mean, kept.mean(dim=1))
    torch.testing.assert_close(module.corpus.std, kept.std(dim=1, correction=0))


@pytest.mark.parametrize("frontend", [LogMel(), Mfcc()], ids=["log-mel", "mfcc"])
def test_digital_silence_is_heard_and_the_last_bit_is_not(frontend: LogMel | Mfcc) -> None:
    """Padding of any length is silence; a room so quiet that only the last of 16 bits moves is not."""
    heard, module = frontend.build(16000), RunningCmvn().build(frontend.n_features)
    module.hear_silence(heard(torch.zeros(1, 16000))[0, :, 0])
    assert module.silence(heard(torch.zeros(3, 7000))).all()
    quiet = torch.randint(-1, 2, (1, 16000), generator=torch.Generator().manual_seed(1)) / 32768
    assert not module.silence(heard(quiet)).any()
    bit = torch.zeros(1, 480)
    bit[:, 240] = 1 / 32768
    assert not module.silence(heard(bit)).any()


def test_rounding_does_not_hide_silence() -> None:
    """A device that rounds otherwise still hears silence; one feature that differs is enough to be sound."""
    module = fitted(RunningCmvn())
    silence = SILENCE[None, :, None].expand(1, 3, 4)
    assert module.silence(silence * (1 + 1e-6) + 1e-5).all()
    sound = silence.clone()
    sound[:, 1, 2] += 0.01
    assert module.silence(sound).tolist() == [[True, True, False, True]]


def test_without_hearing_silence_every_frame_counts() -> None:
    """Before `hear_silence` no frame is silence, whatever it holds."""
    module = RunningCmvn().build(3)
    assert not module.silence(torch.zeros(1, 3, 4)).any()
    assert not module.silence(torch.full((1, 3, 4), 1e38)).any()


def test_silence_that_does_not_fit_is_an_error() -> None:
    """Another number of features, or features that are no numbers, are refused."""
    for features in (torch.zeros(4), torch.full((3,), float("nan"))):
        with pytest.raises(WakekitError, match="3 finite features of digital silence"):
            RunningCmvn().build(3).hear_silence(features)


def test_state_survives_saving() -> None:
    """Loaded weights, and a copy, normalize as the fitted module does, and know silence."""
    module, features = fitted(RunningCmvn(), offset=3), with_silence(drawn(2, 3, 30), 0.5)
    loaded = RunningCmvn().build(3)
    loaded.load_state_dict(module.state_dict())
    assert set(module.state_dict()) == {"corpus.mean", "corpus.std", "corpus.count", "silence.features"}
    assert torch.equal(loaded(features), module(features))
    assert torch.equal(copy.deepcopy(module)(features), module(features))


def test_autocast_does_not_reach_it() -> None:
    """Under bfloat16 autocast type and values stay."""
    module, features = fitted(RunningCmvn()), drawn(2, 3, 30)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        normalized = module(features)
    assert normalized.dtype is torch.float32
    assert torch.equal(normalized, module(features))


def test_unfitted_use_and_other_layouts_are_errors() -> None:
    """Before `fit` it refuses, and the axis of features is never guessed."""
    with pytest.raises(WakekitError, match="unfitted running-cmvn"):
        RunningCmvn().build(3)(torch.zeros(1, 3, 4))
    with pytest.raises(WakekitError, match=r"\[batch, 3, time\], got \[1, 4, 3\] @ normalizer running-cmvn"):
        fitted(RunningCmvn())(torch.zeros(1, 4, 3))
    with pytest.raises(WakekitError, match=r"\[batch, 3, time\]"):
        RunningCmvn().build(3).fit([FeatureBatch(torch.zeros(1, 4, 3), torch.tensor([3]))])


def test_its_scope_says_that_it_needs_context() -> None:
    """The scope is `running`, and no frames are no error."""
    assert RunningCmvn.scope == "running"
    assert fitted(RunningCmvn())(torch.zeros(2, 3, 0)).shape == (2, 3, 0)


@settings(deadline=None, max_examples=40)
@given(window=st.integers(1, 15), frames=st.integers(0, 40))
def test_window_sums_equal_sums(window: int, frames: int) -> None:
    """Sums over the last values equal the sums written out."""
    values = drawn(2, frames).double()
    expected = [values[:, max(0, end - window) : end].sum(dim=1) for end in range(1, frames + 1)]
    sums = window_sums(values, window)
    assert sums.shape == values.shape
    if expected:
        torch.testing.assert_close(sums, torch.stack(expected, dim=1))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_cpu() -> None:
    """Statistics and output are the same on both devices."""
    module, features = fitted(RunningCmvn()), with_silence(drawn(4, 3, 500), 0.2)
    expected = module(features)
    cuda = module.cuda().fit([FeatureBatch((drawn(4, 3, 50, seed=5) * torch.tensor([0.5, 1.0, 3.0])[:, None]).cuda(),
                                           torch.full((4,), 50))])  # fmt: skip
    torch.testing.assert_close(cuda(features.cuda()).cpu(), expected, rtol=1e-5, atol=1e-5)
