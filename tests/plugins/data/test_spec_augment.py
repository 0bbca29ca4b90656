"""SpecAugment masks as the paper says: as often as torchaudio does, within its bounds, every row by itself."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from wakekit import Batch, Draws, WakekitError
from wakekit_data.mixup import Mixup
from wakekit_data.spec_augment import SpecAugment, masked

CPU = torch.device("cpu")


def draws(rows: int, seed: int = 0, device: torch.device = CPU) -> Draws:
    """Return draws at their start."""
    return Draws(torch.Generator().manual_seed(seed), rows, device)


def batch(rows: int = 6, bands: int = 20, frames: int = 50, *, seed: int = 0, device: torch.device = CPU) -> Batch:
    """Return normalized features of noise with soft targets."""
    noise = torch.randn(rows, bands, frames, generator=torch.Generator().manual_seed(seed))
    targets = torch.nn.functional.one_hot(torch.arange(rows) % 2, 2).float()
    lengths = torch.arange(rows) * 100 + 50
    audio = torch.zeros(rows, 800, device=device)
    return Batch(audio, lengths.to(device), targets.to(device), draws(rows, seed, device), noise.to(device))


def apply(component: Any, one: Batch) -> Batch:
    """Return the batch after a component, which needs no sources."""
    done: Batch = component.build(None)(one)
    return done


def by_hand(one: Batch, options: SpecAugment) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Mask row by row and mask by mask, from the same draws, in plain loops."""
    assert one.features is not None
    found = one.features.numpy().copy()
    again = draws(len(found))
    for axis, masks, widest in (
        (0, options.frequency_masks, min(options.frequency_bands, found.shape[1])),
        (1, options.time_masks, min(options.time_frames, int(options.time_share * found.shape[2]))),
    ):
        widths, places = again.uniform(columns=masks).numpy(), again.uniform(columns=masks).numpy()
        for row in range(len(found)):
            for mask in range(masks):
                width = int(widths[row, mask] * np.float32(widest + 1))
                first = int(places[row, mask] * np.float32(found.shape[1 + axis] - width + 1))
                span = slice(first, first + width)
                found[(row, span) if axis == 0 else (row, slice(None), span)] = 0
    return found


@pytest.mark.parametrize(
    "options",
    [SpecAugment(), SpecAugment(3, 30, 0.3, 1, 99), SpecAugment(time_masks=0), SpecAugment(frequency_masks=0)],
)
def test_rows_are_masked_as_by_hand(options: SpecAugment) -> None:
    """Batched masks equal a loop over rows and masks; nothing else changes, the batch and global state included."""
    one, state = batch(), torch.get_rng_state()
    assert one.features is not None
    before = one.features.clone()
    found = apply(options, one)
    assert found.features is not None
    np.testing.assert_array_equal(found.features.numpy(), by_hand(batch(), options))
    assert torch.equal(one.features, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(found.targets, one.targets)
    assert not torch.equal(found.features, before)


def test_masks_are_as_wide_and_as_frequent_as_they_should_be() -> None:
    """Widths are those of `mask_along_axis_iid`, and each place is masked as often as counting all masks says.

    Widths of torchaudio are whole parts of a uniform number below its parameter: one more there means the same widths.
    """
    rows, size, widest = 40_000, 30, 8
    ours = masked(draws(rows), 1, widest, size).float()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ones = torch.ones(rows, 1, 1, size)
        theirs = 1 - torchaudio.functional.mask_along_axis_iid(ones, widest + 1, 0.0, 3)[:, 0, 0]
    found, reference = (np.bincount(one.sum(dim=1).int()) / rows for one in (ours, theirs))
    np.testing.assert_allclose(found, reference, atol=0.008)
    expected = np.zeros(size)
    for width in range(widest + 1):
        for start in range(size - width + 1):
            expected[start : start + width] += 1 / (widest + 1) / (size - width + 1)
    np.testing.assert_allclose(ours.mean(dim=0), expected, atol=0.007)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.integers(1, 60), st.integers(0, 80), st.floats(0, 1), st.integers(0, 4))
def test_no_mask_over_time_covers_more_than_its_share(
    seed: int, frames: int, longest: int, share: float, masks: int
) -> None:
    """Bounded by frames, share and number of masks; every mask is one stretch, so gaps are no more than masks."""
    options = SpecAugment(masks, longest, share, 0)
    found = apply(options, attrs.evolve(batch(4, 2, frames), features=torch.ones(4, 2, frames), draws=draws(4, seed)))
    assert found.features is not None
    hidden = (found.features == 0).all(dim=1)
    assert torch.equal(hidden, (found.features == 0).any(dim=1))
    assert hidden.sum(dim=1).max() <= masks * min(longest, int(share * frames))
    starts = hidden & ~torch.nn.functional.pad(hidden, (1, 0))[:, :-1]
    assert starts.sum(dim=1).max() <= masks


def test_masks_may_hold_the_rows_mean() -> None:
    """Without a normalizer 0 means nothing, and the row's own mean is put there."""
    one = batch()
    assert one.features is not None
    zero, mean = (
        apply(SpecAugment(fill=fill), attrs.evolve(one, draws=draws(6))).features for fill in ("zero", "mean")
    )
    assert zero is not None
    assert mean is not None
    expected = one.features.mean(dim=(1, 2), keepdim=True).expand_as(zero)[zero == 0]
    torch.testing.assert_close(mean[zero == 0], expected)
    assert torch.equal(mean[zero != 0], zero[zero != 0])


@pytest.mark.parametrize("component", [SpecAugment(), Mixup()])
def test_features_are_needed(component: Any) -> None:
    """A batch before the frontend has none."""
    with pytest.raises(WakekitError, match="expected a batch that the frontend has seen"):
        apply(component, attrs.evolve(batch(), features=None))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("component", [SpecAugment(), SpecAugment(fill="mean"), Mixup(alpha=1), Mixup(probability=0.5)])
def test_cuda_equals_cpu(component: Any) -> None:
    """Parameters are drawn on the CPU, so both devices give the same features."""
    here, there = apply(component, batch()), apply(component, batch(device=torch.device("cuda")))
    for name in ("features", "targets", "lengths"):
        torch.testing.assert_close(getattr(there, name).cpu(), getattr(here, name), rtol=1e-6, atol=1e-6)
