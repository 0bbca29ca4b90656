"""Made-up sound that checks work on: the same every time, and with something to hear at every level."""

from __future__ import annotations

import torch
from torch import Tensor

RATE = 16000


def sound(rows: int, samples: int, seed: int = 0) -> Tensor:
    """Return float32 [rows, samples] in [-1, 1), as 16-bit audio holds it: tones and noise that swell and fade."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / RATE
    pitch = 100 + 900 * torch.rand(rows, 1, generator=generator)
    swell = 0.55 + 0.45 * torch.sin(2 * torch.pi * (3 * time + torch.rand(rows, 1, generator=generator)))
    tones = torch.sin(2 * torch.pi * pitch * time) + 0.5 * torch.sin(2 * torch.pi * 2.7 * pitch * time)
    noise = torch.randn(rows, samples, generator=generator)
    level = 0.02 + 0.2 * torch.rand(rows, 1, generator=generator)
    return as_sixteen_bits(level * swell * (tones + 0.3 * noise))


def as_sixteen_bits(audio: Tensor) -> Tensor:
    """Return audio rounded to the values of 16-bit samples, float32 in [-1, 1)."""
    return (audio * 32768).round().clamp(-32768, 32767).float() / 32768


def extremes(samples: int) -> dict[str, Tensor]:
    """Return what audio may hold at worst, each float32 [1, samples], by what it is."""
    square = torch.where(torch.arange(samples) // 20 % 2 == 0, -1.0, 32767 / 32768)
    click = torch.zeros(samples)
    click[samples // 2] = 32767 / 32768
    one_bit = torch.where(torch.arange(samples) % 2 == 0, 1.0, 0.0) / 32768
    half = torch.cat([torch.zeros(samples // 2), square[samples // 2 :]])
    found = {
        "digital silence": torch.zeros(samples),
        "full scale": square,
        "a constant of full scale": torch.full((samples,), -1.0),
        "a click in silence": click,
        "the last bit": one_bit,
        "silence and then full scale": half,
    }
    return {name: values[None] for name, values in found.items()}
