"""Detectors: the scores of a stream to the frames at which it fires."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from wakekit.data import Stream, StreamScores
from wakekit.events import fire
from wakekit.testing.checks import check, exercise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch

    from wakekit.data import FloatArray, IntArray
    from wakekit.testing.subject import Subject

_NAME = Path("made-up.wav")
_FRAMES = 400
_THRESHOLDS = (0.95, 0.8, 0.5, 0.2)
_HIDES_WORDS = ("lockout", "refractory")


@exercise("detector")
def fired(subject: Subject, _device: torch.device) -> list[IntArray]:
    """Return the frames at which it fires on several streams, at several thresholds."""
    return [_fire(subject, threshold, scores) for threshold in _THRESHOLDS for scores in _streams()]


def _fire(subject: Subject, threshold: float, scores: FloatArray, value: object = None) -> IntArray:
    detector: Any = subject.value if value is None else value
    return fire(detector, threshold, _scored(scores, detector.hop_seconds))


def _scored(scores: FloatArray, hop: float) -> StreamScores:
    about = Stream(audio=_NAME, duration=len(scores) * hop)
    return StreamScores(about, scores, 0.0, hop)


def _streams() -> Iterator[FloatArray]:
    """Yield probabilities [t] of streams: short bursts, long ones, noise, saturation, steps, and ties."""
    rng = np.random.default_rng(3)
    quiet = rng.beta(1, 12, _FRAMES)
    bursts = quiet.copy()
    for start, length in ((20, 1), (60, 3), (100, 12), (200, 60), (330, 25)):
        bursts[start : start + length] = rng.uniform(0.6, 1.0, length)
    yield from (quiet, bursts, rng.uniform(0, 1, _FRAMES), np.round(bursts, 1), np.repeat([0.0, 1.0, 0.0], 50))


def _pieces(count: int, seed: int) -> Sequence[int]:
    """Return where to cut a stream, sometimes twice at one place."""
    rng = np.random.default_rng(seed)
    cuts = rng.integers(0, count + 1, rng.integers(1, 40)).tolist()
    return sorted([0, count, *cuts])


@check("detector")
def chunking_free(subject: Subject) -> None:
    """However a stream is cut into calls, empty ones included, it fires at the same frames, each as it is heard."""
    for seed, (scores, threshold) in enumerate(itertools.product(_streams(), _THRESHOLDS)):
        whole = _fire(subject, threshold, scores)
        for edges in (_pieces(len(scores), seed), range(len(scores) + 1)):
            stream = subject.value.build(threshold)
            given = []
            found = []
            for first, stop in itertools.pairwise(edges):
                given.append(stream.feed(scores[first:stop]))
                frames = [int(frame) for frame in given[-1]]
                strange = [frame for frame in frames if not first <= frame < stop]
                assert not strange, f"given the scores {first} to {stop}, it fires at {strange[0]}, which is not there"
                found.append(frames)
            together = [frame for frames in found for frame in frames]
            assert together == whole.tolist(), (
                f"cut into pieces it fires at {together}, in one call at {whole.tolist()}"
            )
            later = [int(frame) for frames in given for frame in frames]
            assert later == together, f"what it returned changes as it is fed more: {together} becomes {later}"


@check("detector")
def streams_are_their_own(subject: Subject) -> None:
    """What one stream heard does not reach another, nor a stream that is begun later."""
    detector = subject.value
    first, second = list(_streams())[1:3]
    alone = [_fire(subject, 0.5, scores, detector).tolist() for scores in (first, second)]
    beside = [detector.build(0.5), detector.build(0.5)]
    found: list[list[int]] = [[], []]
    for start in range(0, _FRAMES, 50):
        for stream, scores, frames in zip(beside, (first, second), found, strict=True):
            frames += [int(frame) for frame in stream.feed(scores[start : start + 50])]
    assert found == alone, f"side by side two streams fire at {found}, each alone at {alone}"


@check("detector")
def hears_and_keeps_still(subject: Subject) -> None:
    """Five seconds of certainty make it fire; scores of zero never do, from the first frame on."""
    hop = subject.value.hop_seconds
    silence = np.zeros(_FRAMES)
    certain = np.concatenate([silence, np.ones(max(1, round(5 / hop))), silence])
    assert len(_fire(subject, 0.5, certain)), "five seconds of probability 1 do not make it fire at a threshold of 0.5"
    for threshold in (0.5, 0.01):
        assert not len(_fire(subject, threshold, silence)), f"it fires on zeros at a threshold of {threshold}"


@check("detector")
def threshold_decides(subject: Subject) -> None:
    """Where it fires hangs on the threshold, and what it hears at a high one it hears at a low one."""
    found = [[_fire(subject, threshold, scores).tolist() for scores in _streams()] for threshold in _THRESHOLDS]
    assert any(one != found[0] for one in found), f"it fires at the same frames at all thresholds of {_THRESHOLDS}"
    silence, frames = np.zeros(_FRAMES), max(1, round(5 / subject.value.hop_seconds))
    for level in (0.3, 0.6, 0.9, 1.0):
        burst = np.concatenate([silence, np.full(frames, level), silence])
        heard = [bool(len(_fire(subject, threshold, burst))) for threshold in _THRESHOLDS]
        wrong = sorted(heard) != heard
        assert not wrong, f"of five seconds of {level:g} it fires {heard} at the thresholds {_THRESHOLDS}, which fall"


@check("detector")
def a_burst_is_no_event_per_frame(subject: Subject) -> None:
    """A second of certainty is few events, not one for each of its scores."""
    frames = max(4, round(1 / subject.value.hop_seconds))
    burst = np.concatenate([np.zeros(frames), np.ones(frames), np.zeros(frames)])
    count = len(_fire(subject, 0.5, burst))
    assert count <= frames / 2, f"one burst of {frames} scores makes {count} events; let it wait after firing"


@check("detector")
def scores_untouched(subject: Subject) -> None:
    """It does not write into the scores, which others read too, and takes those that cannot be written to."""
    for scores in _streams():
        sealed = scores.copy()
        sealed.flags.writeable = False
        subject.value.build(0.5).feed(sealed)


@check("detector")
def hop_is_stated(subject: Subject) -> None:
    """It says how often it wants a score, in seconds."""
    hop = subject.value.hop_seconds
    assert isinstance(hop, float) and hop > 0, f"expected hop_seconds above 0, got {hop!r}"


@check("detector", when=lambda subject: hasattr(subject.cls, "searchable"))
def search_varies_no_lockout(subject: Subject) -> None:
    """What a search may vary are options of its own, and none that hides words as it hides false accepts."""
    offered, names = subject.cls.searchable, {field.name for field in attrs.fields(subject.cls)}  # type: ignore[attr-defined]
    assert isinstance(offered, tuple), f"expected a tuple, got {offered!r:.80}"
    strange = set(offered) - (names - {"hop_seconds"})
    assert not strange, f"expected options of its own but the hop, got {', '.join(sorted(strange))}"
    hiding = [name for name in offered if any(word in name for word in _HIDES_WORDS)]
    assert not hiding, f"{hiding[0]} hides words as it hides false accepts, and may not be searched"


@check("detector", when=lambda subject: hasattr(subject.cls, "sweep"))
def sweep_is_the_detector(subject: Subject) -> None:
    """As the threshold falls, its sweep has the detections of the detector built anew at each threshold."""
    for value in [subject.value, *subject.drawn(3)]:
        for scores in _streams():
            thresholds = np.unique(np.concatenate([scores, _levels(value, scores)]))[::-1]
            _compare_sweep(subject, value, scores, thresholds)


def _levels(value: Any, scores: FloatArray) -> FloatArray:  # noqa: ANN401
    levels = getattr(value.sweep(scores), "levels", None)
    return np.zeros(0) if levels is None else np.asarray(levels(), np.float64)


def _compare_sweep(subject: Subject, value: Any, scores: FloatArray, thresholds: FloatArray) -> None:  # noqa: ANN401
    sweep, found = value.sweep(scores), np.zeros(len(scores), np.int64)
    for first in range(0, len(thresholds), 37):
        block = thresholds[first : first + 37]
        changes = sweep.lower(block)
        for rank, threshold in enumerate(block):
            now = changes.rank == rank
            np.add.at(found, changes.frame[now], changes.step[now])
            expected = _fire(subject, float(threshold), scores, value)
            assert np.flatnonzero(found).tolist() == expected.tolist(), (
                f"at a threshold of {threshold:g} its sweep has {np.flatnonzero(found).tolist()}, the detector fires "
                f"at {expected.tolist()} ({value})"
            )


@check("detector", when=lambda subject: hasattr(subject.cls, "sweep"))
def levels_are_all(subject: Subject) -> None:
    """Between two of the levels that its sweep offers, no detection changes."""
    for scores in _streams():
        levels = np.unique(_levels(subject.value, scores))[::-1]
        for upper, lower in itertools.pairwise(levels[:200]):
            between = float((upper + lower) / 2)
            if lower < between < upper:
                at, amid = _fire(subject, float(upper), scores), _fire(subject, between, scores)
                assert at.tolist() == amid.tolist(), f"between the levels {lower:g} and {upper:g} detections change"
