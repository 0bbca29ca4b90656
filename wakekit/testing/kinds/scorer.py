"""Scorers: audio and a trained network to log-odds, one every hop, free of how a stream is cut.

The network is a small one of the kit's own: uncentred frames, a linear and a bent layer over the frames of a window,
once alone and once with a normalizer's context before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from wakekit.network import Network
from wakekit.streams import context_of, score_stream
from wakekit.testing.checks import check, exercise
from wakekit.testing.same import assert_same
from wakekit.testing.sounds import RATE, extremes, sound

if TYPE_CHECKING:
    from wakekit.testing.subject import Subject

_CPU = torch.device("cpu")
_FRAME, _HOP, _FRAMES = 400, 160, 20
_WINDOW = _FRAME + (_FRAMES - 1) * _HOP
_HOPS = (_HOP, 4 * _HOP, 10 * _HOP)
_CONTEXTS = (0, 3)
_CLOSE = 1e-4
_SURE = 8.0


@exercise("scorer")
def scores(subject: Subject, device: torch.device) -> dict[str, Tensor]:
    """Return the scores of two rows of sound, by the frames of context that the network has."""
    return {str(frames): _scored(subject, _network(frames, device), 12, device=device) for frames in _CONTEXTS}


class _Frames(nn.Module):
    """Level and slope of uncentred frames: audio [B, S] → [B, 2, T]."""

    weights: Tensor

    def __init__(self) -> None:
        super().__init__()
        place = torch.linspace(-1, 1, _FRAME)
        self.register_buffer("weights", torch.stack([torch.cos(9 * place), torch.sin(23 * place)]))

    def forward(self, audio: Tensor) -> Tensor:
        """Return the features."""
        if audio.shape[-1] < _FRAME:
            return audio.new_zeros(len(audio), 2, 0)
        return (audio.unfold(-1, _FRAME, _HOP) @ self.weights.T).abs().add(1e-3).log().transpose(1, 2)


class _Before(nn.Module):
    """Takes from every frame the mean of it and `frames` before: features [B, F, T] of the same shape."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.context_frames = frames

    def forward(self, features: Tensor) -> Tensor:
        """Return the features."""
        size = self.context_frames + 1
        mean = nn.functional.pad(features, (size - 1, 0)).unfold(2, size, 1).mean(dim=3)
        return features - 0.5 * mean


class _Logits(nn.Module):
    """Features [B, 2, frames] → logits [B, 2], from weights that are always the same."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.inner = nn.Parameter(torch.randn(2 * _FRAMES, 8, generator=generator) / _FRAMES)
        self.outer = nn.Parameter(torch.randn(8, 2, generator=generator))

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits."""
        return torch.tanh(features.flatten(1) @ self.inner) @ self.outer


def _network(context_frames: int, device: torch.device = _CPU) -> Network:
    made = Network(
        frontend=_Frames(),
        normalizer=_Before(context_frames),
        model=_Logits(),
        window=_WINDOW,
        window_frames=_FRAMES,
        frame_hop=_HOP,
        sample_rate=RATE,
        shared=True,
        context=context_frames * _HOP,
        context_frames=context_frames,
    )
    return made.eval().to(device)


def _samples(subject: Subject, network: Network, windows: int, hop: int) -> int:
    """Return how much audio, context included, is so many windows."""
    return context_of(network, subject.value) + _WINDOW + (windows - 1) * hop


def _score(subject: Subject, network: Network, audio: Tensor, hop: int, windows: int) -> Tensor:
    """Return the first `windows` scores [B, windows] of audio, and check that there are so many."""
    with torch.inference_mode():
        found: Tensor = subject.value.score(network, audio, hop)
    told = f"[{len(audio)}, {windows}] scores, one every {hop} samples of {audio.shape[1]}"
    good = found.dim() == 2 and len(found) == len(audio) and found.shape[1] >= windows
    assert good, f"expected {told}, got {list(found.shape)}"
    assert found.dtype.is_floating_point, f"expected floats, got {found.dtype}"
    return found[:, :windows]


def _scored(
    subject: Subject, network: Network, windows: int, *, hop: int = 4 * _HOP, device: torch.device = _CPU
) -> Tensor:
    audio = sound(2, _samples(subject, network, windows, hop)).to(device)
    return _score(subject, network, audio, hop, windows)


@check("scorer")
def a_score_every_hop(subject: Subject) -> None:
    """[B, context + S] samples give a score for each window of S, for any multiple of the frontend's hop."""
    for frames in _CONTEXTS:
        network = _network(frames)
        for hop in _HOPS:
            for windows in (1, 6):
                found = _scored(subject, network, windows, hop=hop)
                assert bool(found.isfinite().all()), "expected finite log-odds, got NaN or infinity"


@check("scorer")
def stream_in_pieces(subject: Subject) -> None:
    """A stream scored in pieces, each with the declared context before it, has the scores of the whole."""
    for frames in _CONTEXTS:
        network, hop, windows = _network(frames), 4 * _HOP, 12
        audio = sound(2, _samples(subject, network, windows, hop))
        whole = _score(subject, network, audio, hop, windows)
        for first, last in ((0, 5), (5, 12), (11, 12), (3, 4)):
            piece = audio[:, first * hop : first * hop + _samples(subject, network, last - first, hop)]
            found = _score(subject, network, piece, hop, last - first)
            where = f"in a piece of windows {first} to {last}, the scores"
            assert_same(found, whole[:, first:last], tolerance=_CLOSE, where=where)


@check("scorer")
def nothing_from_outside_the_window(subject: Subject) -> None:
    """A score hears its window and the context before it: nothing later, and nothing earlier."""
    network, hop, windows = _network(_CONTEXTS[-1]), 4 * _HOP, 8
    samples = _samples(subject, network, windows, hop)
    audio, other = sound(1, samples), sound(1, samples, seed=1)
    whole = _score(subject, network, audio, hop, windows)
    for window in (0, 3, windows - 1):
        start, end = window * hop, window * hop + _samples(subject, network, 1, hop)
        mixed = torch.cat([other[:, :start], audio[:, start:end], other[:, end:]], dim=1)
        found = _score(subject, network, mixed, hop, windows)[:, window]
        where = f"with other audio outside its samples {start} to {end}, the score of window {window}"
        assert_same(found, whole[:, window], tolerance=_CLOSE, where=where)


@check("scorer")
def streams_as_a_whole(subject: Subject) -> None:
    """`wakekit.streams` gives a stream the same scores, to the bit, whatever the chunks that it is read in."""
    network = _network(_CONTEXTS[-1])
    audio = (sound(1, RATE + 77, seed=2)[0] * 32768).to(torch.int16)
    expected = score_stream(network, subject.value, audio, window=_WINDOW, hop=4 * _HOP)
    count = 1 + (len(audio) - _WINDOW) // (4 * _HOP)
    assert len(expected) == count, f"expected {count} scores of a stream of {len(audio)} samples, got {len(expected)}"
    for chunk in (1601, 9000):
        found = score_stream(network, subject.value, audio, window=_WINDOW, hop=4 * _HOP, chunk=chunk)
        assert_same(found, expected, where=f"in chunks of {chunk}, the scores")


@check("scorer")
def row_by_row(subject: Subject) -> None:
    """A row's scores do not depend on the rows beside it."""
    network, hop, windows = _network(_CONTEXTS[-1]), 4 * _HOP, 5
    samples = _samples(subject, network, windows, hop)
    audio = torch.cat([sound(2, samples), extremes(samples)["full scale"], torch.zeros(1, samples)])
    whole = _score(subject, network, audio, hop, windows)
    for row in range(len(audio)):
        alone = _score(subject, network, audio[row : row + 1], hop, windows)
        assert_same(alone, whole[row : row + 1], tolerance=_CLOSE, where=f"alone, the scores of row {row}")


@check("scorer")
def finite_scores(subject: Subject) -> None:
    """Silence, clicks and full scale give finite log-odds."""
    network, hop, windows = _network(0), 4 * _HOP, 4
    for name, audio in extremes(_samples(subject, network, windows, hop)).items():
        found = _score(subject, network, audio, hop, windows)
        assert bool(found.isfinite().all()), f"expected finite log-odds, got NaN or infinity for {name}"


@check("scorer")
def listens_to_the_network(subject: Subject) -> None:
    """Scores come from the network: other sounds and weights give others, and where it is sure they have its sign."""
    network, hop, windows = _network(0), 4 * _HOP, 6
    samples = _samples(subject, network, windows, hop)
    first = _score(subject, network, sound(1, samples), hop, windows)
    assert not torch.equal(_score(subject, network, sound(1, samples, seed=3), hop, windows), first), (
        "another sound has the same scores"
    )
    with torch.no_grad():
        network.model.outer.neg_()  # type: ignore[operator]
    assert not torch.equal(_score(subject, network, sound(1, samples), hop, windows), first), (
        "a network with other weights gives the same scores"
    )
    for logit in (_SURE, -_SURE):
        network.model = _Sure(logit)
        found = _score(subject, network, sound(1, samples), hop, windows)
        right = bool((found * logit > 0).all())
        assert right, f"of a network whose log-odds are always {logit:g} it makes {float(found.flatten()[0]):.4g}"


class _Sure(nn.Module):
    """Log-odds that are always the same."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits [B, 2]."""
        return torch.tensor([0.0, self.logit], device=features.device).expand(len(features), 2)


@check("scorer")
def network_untouched(subject: Subject) -> None:
    """The network keeps its weights and its mode, and the audio is not written into."""
    network = _network(_CONTEXTS[-1])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    audio = sound(2, _samples(subject, network, 5, 4 * _HOP))
    _score(subject, network, audio, 4 * _HOP, 5)
    assert_same(dict(network.state_dict()), before, where="the network's weights, afterwards")
    assert not any(module.training for module in network.modules()), "it leaves the network in training"
    assert_same(audio, sound(2, audio.shape[1]), where="the audio, afterwards")


_PROMISES = ("context_seconds", "context_windows", "latency_seconds", "earlier_seconds")


def _promises(subject: Subject) -> bool:
    return any(hasattr(subject.value, name) for name in _PROMISES)


@check("scorer", when=_promises)
def promises_fit_together(subject: Subject) -> None:
    """What it declares of context and delay is at least 0, and its context reaches as far back as what it hears."""
    value = subject.value
    earlier: Any = getattr(value, "earlier_seconds", ())
    context = getattr(value, "context_seconds", 0.0)
    told = {name: getattr(value, name) for name in _PROMISES[:3] if hasattr(value, name)}
    told |= {f"earlier_seconds[{place}]": seconds for place, seconds in enumerate(earlier)}
    for name, number in told.items():
        good = isinstance(number, (int, float)) and 0 <= number < float("inf")
        assert good, f"{name}: expected a number of at least 0, got {number!r}"
    longest = max(earlier, default=0.0)
    assert context >= longest - 1e-9, f"it hears windows {longest:g} s earlier, and its context is {context:g} s"
