"""Where a recipe's seconds become samples and frames, and which device it runs on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import torch

from wakekit.errors import Problem, RecipeError, WakekitError

if TYPE_CHECKING:
    from wakekit.recipe import Recipe
    from wakekit.settings import Settings

N_CLASSES = 2


def choose_device(settings: Settings) -> torch.device:
    """Return the device to run on; raises WakekitError where CUDA is asked for and there is none."""
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise WakekitError("device = 'cuda', but torch finds no CUDA device; use device = 'auto' or 'cpu'")
    return torch.device("cuda" if available and settings.device != "cpu" else "cpu")


@attrs.frozen(eq=False)
class Geometry:
    """The window and the hops in samples, and the window in frames."""

    window: int
    window_frames: int
    frame_hop: int
    hop: int


def geometry(recipe: Recipe) -> Geometry:
    """Work out window and hops; raises RecipeError where the detector's hop is no multiple of the frontend's."""
    rate, frontend = recipe.settings.audio.sample_rate, recipe["frontend"]
    frame_hop = round(frontend.hop_seconds * rate)
    frame = round(frontend.frame_seconds * rate)
    window = round(recipe.settings.window.seconds * rate)
    hop = recipe["detector"].hop_seconds * rate
    if window < frame:
        raise _refusal(
            recipe,
            ("window", "seconds"),
            f"the window is {window / rate:g} s, shorter than the frontend's frame of {frame / rate:g} s; widen it",
        )
    if frame_hop < 1:
        raise _refusal(recipe, ("frontend", "hop_seconds"), "expected a hop of at least one sample")
    if round(hop) < frame_hop or round(hop) % frame_hop or not math.isclose(hop, round(hop), abs_tol=1e-6):
        raise _refusal(
            recipe,
            ("detector", "hop_seconds"),
            f"the hop is {hop / rate:g} s, which is no multiple of frontend.hop_seconds, "
            f"{frame_hop / rate:g} s; windows of a stream share frames, so make it one",
        )
    return Geometry(window, 1 + (window - frame) // frame_hop, frame_hop, round(hop))


def _refusal(recipe: Recipe, path: tuple[str, ...], message: str) -> RecipeError:
    return RecipeError(recipe.merged.lines([Problem(path, message)]))
