"""What stands in for operations that ONNX lacks gives what torch's own gives."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from wakekit_deploy.portable import Portable, count_below, fourier_tables, frames, transform


@given(size=st.integers(1, 700), seed=st.integers(0, 2**32 - 1), loudness=st.floats(1e-4, 1))
@settings(max_examples=60, deadline=None)
def test_the_transform_is_numpys(size: int, seed: int, loudness: float) -> None:
    """Of any length, odd or even, to the rounding of float32, against NumPy in float64."""
    values = loudness * torch.randn(3, 2, size, generator=torch.Generator().manual_seed(seed))
    found = transform(values, *fourier_tables(size))
    expected = np.fft.rfft(values.double().numpy())
    assert found.shape == expected.shape
    scale = float(values.square().sum(dim=-1).sqrt().max())
    assert np.abs(found.numpy() - expected).max() <= 5e-6 * scale


@given(
    step=st.integers(1, 40), size=st.integers(1, 90), more=st.integers(0, 200), dimension=st.sampled_from([-1, 1]),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_frames_are_those_of_unfold(step: int, size: int, more: int, dimension: int) -> None:
    """To the bit, for any size and step; where it would take many blocks, it is left to torch."""
    values = torch.randn(2, size + more)
    found = frames(values, dimension, size, step)
    if found is NotImplemented:
        assert size // np.gcd(size, step) > 16
    else:
        assert torch.equal(found, values.unfold(dimension, size, step))


def test_other_dimensions_are_left_to_torch() -> None:
    """What is not understood is not guessed at."""
    assert frames(torch.zeros(4, 9), 0, 2, 2) is NotImplemented
    assert frames(torch.zeros(4), -1, 6, 2) is NotImplemented
    assert count_below(torch.zeros(2, 3), torch.zeros(2, 1)) is NotImplemented
    assert count_below(torch.zeros(3), 1.0) is NotImplemented
    assert count_below(torch.zeros(3), torch.zeros(2), out_int32=True) is NotImplemented


@given(
    knots=st.lists(st.integers(-5, 5), max_size=12), values=st.lists(st.integers(-6, 6), min_size=1, max_size=9),
    right=st.booleans(),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_counting_is_searching(knots: list[int], values: list[int], *, right: bool) -> None:
    """Ties go where torch puts them, on either side."""
    row, asked = torch.tensor(sorted(knots), dtype=torch.float64), torch.tensor(values, dtype=torch.float64)
    assert torch.equal(count_below(row, asked, right=right), torch.searchsorted(row, asked, right=right))
    side = "right" if right else "left"
    assert torch.equal(count_below(row, asked, side=side), torch.searchsorted(row, asked, side=side))


class Mixed(nn.Module):
    """Calls all of them, as components do."""

    def forward(self, audio: Tensor) -> Tensor:
        """Return something of everything."""
        spectrum = torch.fft.rfft(audio.unfold(-1, 30, 10))
        power = spectrum.real.square() + spectrum.imag.square()
        return (
            torch.searchsorted(torch.tensor([0.1, 1.0, 10.0]), power).sum(dim=-1)
            + torch.fft.rfft(audio, n=8).real[:, :1]
        )


def test_only_what_is_understood_is_replaced() -> None:
    """A module gives the same within Portable, also where it asks for a transform that stays torch's own."""
    audio = torch.randn(2, 100)
    assert torch.allclose(Portable(Mixed())(audio), Mixed()(audio))
