"""Where a recipe's seconds become samples and frames, which device it runs on, and the network put together."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING

import attrs
import torch
from torch import nn

from wakekit.errors import Problem, RecipeError, WakekitError
from wakekit.network import Network
from wakekit.variants import in_variant

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
    """Work out window and hops; raises RecipeError where components do not fit each other."""
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
    if round(hop) < frame_hop or not _multiple(hop, frame_hop):
        raise _refusal(
            recipe,
            ("detector", "hop_seconds"),
            f"the hop is {hop / rate:g} s, which is no multiple of frontend.hop_seconds, "
            f"{frame_hop / rate:g} s; windows of a stream share frames, so make it one",
        )
    if getattr(recipe["model"], "scores", "window") == "frame" and not getattr(recipe["loss"], "per_frame", False):
        raise _refusal(
            recipe,
            ("loss", "type"),
            "the model gives a score per frame, and this loss takes one per window; use one for frames, as max-pooling",
        )
    for shift in getattr(recipe["scorer"], "earlier_seconds", ()):
        if not _multiple(shift * rate, frame_hop):
            raise _refusal(
                recipe,
                ("scorer",),
                f"a shift of {shift:g} s is no multiple of frontend.hop_seconds, {frame_hop / rate:g} s, and no window "
                "ends so much earlier; make it one",
            )
    return Geometry(window, 1 + (window - frame) // frame_hop, frame_hop, round(hop))


def all_geometries(recipe: Recipe) -> dict[str, Geometry]:
    """Return the geometry of a recipe, keyed by "", and of its variants by name.

    Raises RecipeError with all that do not fit.
    """
    found: dict[str, Geometry] = {}
    lines: list[str] = []
    for name, one in {"": recipe, **recipe.variants}.items():
        try:
            with in_variant(name) if name else nullcontext():
                found[name] = geometry(one)
        except RecipeError as error:
            lines += error.lines
    if lines:
        raise RecipeError(lines)
    return found


def _multiple(samples: float, of: int) -> bool:
    return round(samples) % of == 0 and math.isclose(samples, round(samples), abs_tol=1e-6)


@attrs.frozen
class Context:
    """Audio before a window that frontend and normalizer need: in samples, and the normalizer's part in frames."""

    samples: int
    frames: int


def context(recipe: Recipe, normalizer: nn.Module) -> Context:
    """Return the context of a recipe's frontend and of its normalizer's module."""
    running = _scope(recipe) == "running"
    frames = int(normalizer.context_frames) if running else 0  # type: ignore[arg-type]
    return Context(frontend_context(recipe) + frames * geometry(recipe).frame_hop, frames)


def frontend_context(recipe: Recipe) -> int:
    """Return the samples before a window that the frontend needs."""
    return round(getattr(recipe["frontend"], "context_seconds", 0.0) * recipe.settings.audio.sample_rate)


def assemble(recipe: Recipe, *, frontend: nn.Module, normalizer: nn.Module, model: nn.Module) -> Network:
    """Return the three modules as one network in inference."""
    shape, needed = geometry(recipe), context(recipe, normalizer)
    network = Network(
        frontend=frontend,
        normalizer=normalizer,
        model=model,
        window=shape.window,
        window_frames=shape.window_frames,
        frame_hop=shape.frame_hop,
        sample_rate=recipe.settings.audio.sample_rate,
        shared=_scope(recipe) in {"corpus", "running"},
        context=needed.samples,
        context_frames=needed.frames,
    )
    return network.eval()


def _scope(recipe: Recipe) -> str:
    return getattr(recipe["normalizer"], "scope", "window")


def _refusal(recipe: Recipe, path: tuple[str, ...], message: str) -> RecipeError:
    return RecipeError(recipe.merged.lines([Problem(path, message)]))
