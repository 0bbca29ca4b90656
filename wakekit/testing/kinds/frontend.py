"""Frontends: audio to features, in frames that are the same wherever a clip or a chunk of a stream begins.

Of 16, 8, 48 and 44.1 kHz those rates are tried that the frontend does not refuse with a WakekitError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import torch
from torch import Tensor, nn

from wakekit.errors import WakekitError
from wakekit.testing.checks import check, exercise
from wakekit.testing.devices import assert_moves
from wakekit.testing.same import assert_same
from wakekit.testing.sounds import RATE, as_sixteen_bits, extremes, sound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wakekit.testing.subject import Subject

_CPU = torch.device("cpu")
_RATES = (RATE, 8000, 48000, 44100)
_FRAMES = 16
_CLOSE = 1e-4


@attrs.frozen(eq=False)
class _Built:
    """A frontend's module at a sample rate, and what it says of itself in samples."""

    module: nn.Module
    rate: int
    features: int
    frame: int
    hop: int
    context: int

    def __call__(self, audio: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = self.module(audio)
        return found

    def samples(self, frames: int) -> int:
        """Return how much audio, context included, is as many frames."""
        return self.context + self.frame + (frames - 1) * self.hop


def _at(frontend: Any, rate: int, device: torch.device = _CPU) -> _Built:  # noqa: ANN401
    return _Built(
        module=frontend.build(rate).eval().to(device),
        rate=rate,
        features=frontend.n_features,
        frame=round(frontend.frame_seconds * rate),
        hop=round(frontend.hop_seconds * rate),
        context=round(getattr(frontend, "context_seconds", 0.0) * rate),
    )


def _rates(frontend: Any) -> Iterator[_Built]:  # noqa: ANN401
    """Yield the frontend at every rate that it takes, which must be one at least."""
    refusals = []
    for rate in _RATES:
        try:
            built = _at(frontend, rate)
        except WakekitError as error:
            refusals.append(f"{rate} Hz: {error}")
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            raise AssertionError(f"build({rate}) raises {told}; refuse a sample rate with a WakekitError") from error
        else:
            yield built
    assert len(refusals) < len(_RATES), f"no sample rate will do: {'; '.join(refusals)}"


def _usual(frontend: Any, device: torch.device = _CPU) -> _Built:  # noqa: ANN401
    rate = next(_rates(frontend)).rate
    return _at(frontend, rate, device)


@exercise("frontend")
def features(subject: Subject, device: torch.device) -> dict[str, Tensor]:
    """Return the features of two rows of sound and of silence."""
    built = _usual(subject.value, device)
    audio = sound(2, built.samples(_FRAMES)).to(device)
    return {"sound": built(audio), "silence": built(torch.zeros_like(audio))}


@check("frontend")
def hop_and_shape_as_declared(subject: Subject) -> None:
    """[B, context + S] samples become [B, n_features, 1 + (S - frame) // hop] features in float32, at every rate."""
    for built in _rates(subject.value):
        assert built.hop >= 1, f"a hop of {subject.value.hop_seconds} s is no sample at {built.rate} Hz"
        for more in (0, 1, built.hop - 1, built.hop, 7 * built.hop + built.hop // 2):
            audio = sound(2 if built.rate == RATE else 1, built.context + built.frame + more)
            found, expected = built(audio), [len(audio), built.features, 1 + more // built.hop]
            told = f"{audio.shape[1]} samples at {built.rate} Hz, {built.context} of them context"
            assert list(found.shape) == expected, f"expected {expected} for {told}, got {list(found.shape)}"
            assert found.dtype == torch.float32, f"expected float32, got {found.dtype}"


@check("frontend")
def frames_do_not_depend_on_the_start(subject: Subject) -> None:
    """A frame is the same wherever a clip, or a chunk of a stream, begins and ends."""
    built = _usual(subject.value)
    audio = sound(2, built.samples(_FRAMES))
    whole = built(audio)
    for first, last in ((1, _FRAMES), (5, 9), (_FRAMES - 1, _FRAMES), (0, 1)):
        cut = audio[:, first * built.hop : first * built.hop + built.samples(last - first)]
        where = f"in a chunk of frames {first} to {last}, the features"
        assert_same(built(cut), whole[:, :, first:last], tolerance=_CLOSE, where=where)


@check("frontend")
def frame_sees_its_own_samples_only(subject: Subject) -> None:
    """Frame t sees the samples from t hops on, one frame of them, and the declared context before: nothing else."""
    built = _usual(subject.value)
    audio, other = sound(1, built.samples(_FRAMES)), as_sixteen_bits(9 * sound(1, built.samples(_FRAMES), seed=1))
    whole = built(audio)
    for frame in (0, 1, _FRAMES // 2, _FRAMES - 1):
        start, end = frame * built.hop, frame * built.hop + built.samples(1)
        for side, before, after in (("before", other, audio), ("after", audio, other)):
            mixed = torch.cat([before[:, :start], audio[:, start:end], after[:, end:]], dim=1)
            where = f"with other audio {side} the samples {start} to {end} of frame {frame}, the frame"
            assert_same(built(mixed)[:, :, frame], whole[:, :, frame], tolerance=_CLOSE, where=where)


@check("frontend")
def row_by_row(subject: Subject) -> None:
    """A row's features do not depend on the rows beside it, loud or silent."""
    built = _usual(subject.value)
    samples = built.samples(_FRAMES)
    audio = torch.cat([sound(2, samples), extremes(samples)["full scale"], torch.zeros(1, samples)])
    whole = built(audio)
    for row in range(len(audio)):
        alone = built(audio[row : row + 1])
        assert_same(alone, whole[row : row + 1], tolerance=_CLOSE, where=f"alone, the features of row {row}")


@check("frontend")
def finite_features(subject: Subject) -> None:
    """Silence, clicks and full scale give finite features."""
    built = _usual(subject.value)
    for name, audio in extremes(built.samples(_FRAMES)).items():
        assert bool(built(audio).isfinite().all()), f"expected finite features, got NaN or infinity for {name}"


@check("frontend")
def sounds_differ(subject: Subject) -> None:
    """Sound and silence, and sounds of different pitch, have different features."""
    built = _usual(subject.value)
    time = torch.arange(built.samples(_FRAMES)) / built.rate
    heard = {f"{hertz} Hz": 0.3 * torch.sin(2 * torch.pi * hertz * time)[None] for hertz in (300, 2000)}
    heard["silence"] = torch.zeros_like(time)[None]
    found = {name: built(audio) for name, audio in heard.items()}
    for one, other in (("300 Hz", "silence"), ("2000 Hz", "silence"), ("300 Hz", "2000 Hz")):
        assert not torch.equal(found[one], found[other]), f"expected features that differ for {one} and {other}"


@check("frontend")
def moves_to_a_device(subject: Subject) -> None:
    """The module computes on the device that it is moved to: its tensors are buffers or parameters."""
    built = _usual(subject.value)
    assert_moves(built.module, sound(2, built.samples(_FRAMES)))


@check("frontend")
def input_untouched(subject: Subject) -> None:
    """The audio is not written into."""
    built = _usual(subject.value)
    audio = sound(2, built.samples(_FRAMES))
    built(audio)
    assert_same(audio, sound(2, built.samples(_FRAMES)), where="the audio, afterwards")


@check("frontend")
def same_after_use(subject: Subject) -> None:
    """The module keeps nothing of the audio that it heard before."""
    built = _usual(subject.value)
    audio = sound(2, built.samples(_FRAMES))
    first = built(audio)
    built(sound(3, built.samples(_FRAMES + 5), seed=1))
    assert_same(built(audio), first, where="after other audio, the features")


@check("frontend", when=lambda subject: hasattr(subject.value, "context_seconds"))
def context_is_a_length(subject: Subject) -> None:
    """`context_seconds` is a number of at least 0, and finite."""
    seconds = subject.value.context_seconds
    good = isinstance(seconds, (int, float)) and 0 <= seconds < float("inf")
    assert good, f"expected context_seconds of at least 0, got {seconds!r}"
