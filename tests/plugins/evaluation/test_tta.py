"""The mean over shifted and resampled copies: known means, nothing from the future, free smoothing said so."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wakekit import WakekitError, streams
from wakekit.network import Network
from wakekit.streams import context_of, score_stream
from wakekit_evaluation.plain import Plain
from wakekit_evaluation.smoothed import Smoothed
from wakekit_evaluation.tta import Tta

RATE, HOP, FRAME, FRAMES = 1000, 10, 20, 8
WINDOW = FRAME + (FRAMES - 1) * HOP + 3  # as long as no whole number of frames


class Frames(nn.Module):
    """A linear frontend of one feature, the weighted mean of each uncentred frame."""

    def forward(self, audio: Tensor) -> Tensor:
        """Return [B, 1, T]."""
        if audio.shape[1] < FRAME:
            return audio.new_zeros(len(audio), 1, 0)
        return audio.unfold(1, FRAME, HOP).mean(dim=2).unsqueeze(1)


class Logits(nn.Module):
    """Log-odds that are linear in the features: a weight per frame."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits [N, 2], of which the first is 0."""
        odds = features[:, 0] @ self.weights
        return torch.stack([torch.zeros_like(odds), odds], dim=1)


def network(*, context_frames: int = 0) -> Network:
    """Return a network that is linear from audio to log-odds."""
    weights = torch.from_numpy(np.random.default_rng(0).normal(0, 9, FRAMES)).float()
    return Network(
        frontend=Frames(),
        normalizer=nn.Identity(),
        model=Logits(weights),
        window=WINDOW,
        window_frames=FRAMES,
        frame_hop=HOP,
        sample_rate=RATE,
        shared=True,
        context=context_frames * HOP,
        context_frames=context_frames,
    ).eval()


def noise(samples: int, seed: int = 0) -> Tensor:
    """Return int16 noise."""
    return torch.from_numpy(np.random.default_rng(seed).integers(-9999, 9999, samples).astype(np.int16))


def scores(scorer: Plain | Tta, audio: Tensor, hop: int, *, context_frames: int = 0, chunk: int = 999) -> np.ndarray:
    """Score a stream."""
    return score_stream(network(context_frames=context_frames), scorer, audio, window=WINDOW, hop=hop, chunk=chunk)


@pytest.mark.parametrize("average", ["log-odds", "probability"])
def test_one_copy_as_it_is_is_plain(average: str) -> None:
    """One shift of 0 at speed 1 gives the bits of plain, and needs neither context nor time."""
    same = Tta(shifts=(0.0,), speeds=(1.0,), average=average)
    assert (same.context_seconds, same.context_windows, same.latency_seconds) == (0, 0, 0)
    np.testing.assert_array_equal(scores(same, noise(3000), 20), scores(Plain(), noise(3000), 20))


@given(
    shifts=st.lists(st.integers(0, 12), min_size=1, max_size=4, unique=True),
    hop=st.sampled_from([10, 20, 50]),
    length=st.integers(0, 1200),
    chunk=st.integers(1, 1500),
    context_frames=st.integers(0, 3),
    average=st.sampled_from(["log-odds", "probability"]),
)
@settings(deadline=None, max_examples=60)
def test_shifts_are_the_mean_of_windows_that_ended_earlier(
    shifts: list[int], hop: int, length: int, chunk: int, context_frames: int, average: str
) -> None:
    """Whatever hop, cuts and context, it is the mean of plain scores of the stream delayed by each shift."""
    audio = noise(length, length)
    found = scores(
        Tta(shifts=tuple(shift * HOP / RATE for shift in shifts), speeds=(1.0,), average=average),
        audio,
        hop,
        context_frames=context_frames,
        chunk=chunk,
    )
    delayed = [
        scores(Plain(), torch.cat([noise(shift * HOP) * 0, audio])[:length], hop, context_frames=context_frames)
        for shift in shifts
    ]
    if average == "log-odds":
        expected = np.mean(delayed, axis=0)
    else:
        mean = np.mean(1 / (1 + np.exp(-np.array(delayed))), axis=0)
        expected = np.log(mean / (1 - mean))
    np.testing.assert_allclose(found, expected, atol=2e-4)
    with patch.dict(streams._BATCH_WINDOWS, cpu=7):
        np.testing.assert_allclose(
            scores(Tta(shifts=(0.0, 0.03), speeds=(1.0,)), audio, hop, chunk=chunk),
            scores(Tta(shifts=(0.0, 0.03), speeds=(1.0,)), audio, hop, chunk=length + 1),
            atol=0,
        )


@pytest.mark.parametrize("average", ["log-odds", "probability"])
def test_shifts_are_free_smoothing(average: str) -> None:
    """T13: shifts of 0, 1 and 2 hops fire where a moving average of 3 plain scores does, as late as that."""
    audio, hop = noise(6000, 3), 20
    tta = Tta(shifts=(0.0, hop / RATE, 2 * hop / RATE), speeds=(1.0,), average=average)
    smoothed = Smoothed(hop_seconds=hop / RATE, window=3, average=average)
    plain, averaged = (1 / (1 + np.exp(-scores(scorer, audio, hop))) for scorer in (Plain(), tta))
    np.testing.assert_allclose(smoothed.means(plain), averaged[2:], atol=1e-6)
    assert tta.latency_seconds == pytest.approx((smoothed.window - 1) / 2 * hop / RATE)


@pytest.mark.parametrize("speed", [0.8, 0.95, 1.05, 1.25])
def test_a_speed_plays_the_window_to_its_end(speed: float) -> None:
    """A slow sine keeps its value at the window's end and has its period divided by the speed, context included."""
    time = np.arange(900) / RATE
    wave = torch.from_numpy((9000 * np.sin(2 * np.pi * 7 * time)).astype(np.int16))
    hop, net = 50, network(context_frames=2)
    found = score_stream(net, Tta(shifts=(0.0,), speeds=(speed,)), wave, window=WINDOW, hop=hop)
    expected = []
    heard = net.context + WINDOW
    for end in range(WINDOW, 901, hop):
        played = (end - 1 - speed * np.arange(heard)[::-1]) / RATE
        copy = torch.from_numpy(9000 / 32768 * np.sin(2 * np.pi * 7 * played)).float().unsqueeze(0)
        with torch.no_grad():
            expected.append(float(net.score_windows(copy, hop)[0, 0]))
    # The first windows hear the silence before the stream, and the resampler its edge.
    whole = [row for row in range(len(found)) if WINDOW + row * hop >= speed * heard + 30]
    assert len(whole) > 5
    np.testing.assert_allclose(found[whole], np.array(expected)[whole], atol=0.02)
    assert np.std(expected) > 1.0


@given(st.integers(0, 10), st.sampled_from([(0.9, 1.0, 1.1), (1.3,), (0.7, 1.0)]), st.integers(1, 900))
@settings(deadline=None, max_examples=25)
def test_nothing_is_heard_before_it_is_said(seed: int, speeds: tuple[float, ...], chunk: int) -> None:
    """T30: what comes after a window changes no bit of its score, nor does the cut; and n windows give n scores."""
    audio = noise(800, seed)
    later = audio.clone()
    later[500:] = noise(300, 77)
    tta = Tta(shifts=(0.0, 0.02), speeds=speeds)
    before, after = scores(tta, audio, 20, chunk=chunk), scores(tta, later, 20)
    safe = (500 - WINDOW) // 20 + 1
    np.testing.assert_array_equal(before[:safe], after[:safe])
    assert len(before) == len(scores(Plain(), audio, 20))
    assert not np.array_equal(before[safe:], after[safe:])


def test_copies_of_speeds_and_shifts_are_all_averaged() -> None:
    """Two shifts at three speeds are the mean of six scores, each speed as it is alone."""
    audio, shifts, speeds = noise(900), (0.0, 0.03), (0.9, 1.0, 1.1)
    alone = [
        scores(Tta(shifts=(0.0,), speeds=(speed,)), torch.cat([torch.zeros(cut, dtype=torch.int16), audio]), 10)
        for cut in (0, 30)
        for speed in speeds
    ]
    expected = np.mean([one[: len(alone[0])] for one in alone], axis=0)
    found = scores(Tta(shifts=shifts, speeds=speeds), audio, 10)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_context_is_what_the_copies_need() -> None:
    """The earliest shift, and the fastest copy of what network and window hear, are asked for to the sample."""
    net = network(context_frames=3)
    assert context_of(net, Tta(shifts=(0.0, 0.05), speeds=(0.9, 1.1))) == 30 + 50 + math.ceil(0.1 * (30 + WINDOW))
    assert Tta(shifts=(0.0, 0.05, 0.1)).latency_seconds == pytest.approx(0.05)
    assert Tta(shifts=(0.0, 0.05, 0.1)).earlier_seconds == (0.0, 0.05, 0.1)


def test_near_certain_scores_keep_their_digits() -> None:
    """The mean of probabilities near 1 is not rounded to 1: log-odds of 30 and 40 give 30.69, not infinity."""

    class Given:
        context = 0
        sample_rate, frame_hop, window = RATE, HOP, WINDOW

        def score_windows(self, audio: Tensor, hop: int) -> Tensor:
            return audio[:, WINDOW - 1 :: hop]

    audio = torch.full((1, 10 + WINDOW + 10), 40.0)
    audio[:, : WINDOW + 10] = 30.0
    found = Tta(shifts=(0.0, 0.01), speeds=(1.0,), average="probability").score(Given(), audio, 10)
    assert found[0].tolist() == pytest.approx([30.0, 30 + math.log(2)], abs=1e-3)


def test_what_no_device_has_is_refused() -> None:
    """A shift between frames, one into the future, no copies, a copy twice and odd speeds are errors in a sentence."""
    with pytest.raises(WakekitError, match=r"scorer\.shifts: 0\.015 s is no multiple of the frontend's hop, 0\.01 s"):
        scores(Tta(shifts=(0.015,)), noise(500), 10)
    for options, message in (
        ({"shifts": (-0.01,)}, "shifts: expected a value at least 0"),
        ({"shifts": ()}, "shifts: expected at least one value"),
        ({"speeds": (1.0, 1.0)}, "speeds: expected at least one value, and each once"),
        ({"speeds": (1.001,)}, "speeds: expected whole hundredths"),
    ):
        with pytest.raises(ValueError, match=message):
            Tta(**options)
