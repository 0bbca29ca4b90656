"""Where a recipe's seconds become samples and frames, which device it runs on, and the network put together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import torch
from torch import nn

from wakekit.errors import Problem, RecipeError, WakekitError, blaming, who
from wakekit.network import Network

if TYPE_CHECKING:
    from wakekit.recipe import Recipe
    from wakekit.settings import Settings

N_CLASSES = 2
_OTHER: dict[tuple[str | int, ...], tuple[str, ...]] = {
    ("window", "seconds"): ("frontend", "frame_seconds"),
    ("detector", "hop_seconds"): ("frontend", "hop_seconds"),
    ("scorer",): ("frontend", "hop_seconds"),
}


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
    problems = _misfits(recipe)
    if problems:
        raise RecipeError(recipe.merged.mistakes(_where_written(recipe, problem) for problem in problems))
    rate, frontend = recipe.settings.audio.sample_rate, recipe["frontend"]
    frame, frame_hop = round(frontend.frame_seconds * rate), round(frontend.hop_seconds * rate)
    window, hop = round(recipe.settings.window.seconds * rate), round(recipe["detector"].hop_seconds * rate)
    return Geometry(window, 1 + (window - frame) // frame_hop, frame_hop, hop)


def all_geometries(recipe: Recipe) -> dict[str, Geometry]:
    """Return the geometry of a recipe, keyed by "", and of its variants by name.

    Raises RecipeError with all that do not fit.
    """
    # A stranger's frontend or detector may lack what is asked of it here.
    with blaming(" or ".join(who(kind, recipe[kind]) for kind in ("frontend", "detector"))):
        problems = _misfits(recipe)
    known = {(problem.path, problem.message) for problem in problems}
    problems = [_where_written(recipe, problem) for problem in problems]
    for name, variant in recipe.variants.items():
        own = [problem for problem in _misfits(variant) if (problem.path, problem.message) not in known]
        problems += [recipe.described[name].blamed(problem).under("ablate") for problem in own]
    if problems:
        raise RecipeError(recipe.merged.mistakes(problems))
    return {name: geometry(one) for name, one in {"": recipe, **recipe.variants}.items()}


def _where_written(recipe: Recipe, problem: Problem) -> Problem:
    """Return a problem of two values at the one that the recipe has, where the other is a default."""
    other = _OTHER.get(problem.path)
    written = recipe.merged.origin
    return problem if other is None or written(problem.path) or not written(other) else problem.moved(other)


def _misfits(recipe: Recipe) -> list[Problem]:
    """Return where components do not fit each other."""
    rate, frontend = recipe.settings.audio.sample_rate, recipe["frontend"]
    window, frame = recipe.settings.window.seconds, frontend.frame_seconds
    found = []
    if round(window * rate) < round(frame * rate):
        message = f"the window is {window:g} s, shorter than the frontend's frame of {frame:g} s; widen it"
        found.append(Problem(("window", "seconds"), message))
    if getattr(recipe["model"], "scores", "window") == "frame" and not getattr(recipe["loss"], "per_frame", False):
        message = (
            "the model gives a score per frame, and this loss takes one per window; use one for frames, as max-pooling"
        )
        found.append(Problem(("loss", "type"), message))
    if round(frontend.hop_seconds * rate) < 1:
        return [*found, Problem(("frontend", "hop_seconds"), "expected a hop of at least one sample")]
    return found + _hop_misfits(recipe, round(frontend.hop_seconds * rate))


def _hop_misfits(recipe: Recipe, frame_hop: int) -> list[Problem]:
    rate = recipe.settings.audio.sample_rate
    hop, frames = recipe["detector"].hop_seconds, f"frontend.hop_seconds, {frame_hop / rate:g} s"
    found = []
    if round(hop * rate) < frame_hop or not _multiple(hop * rate, frame_hop):
        message = f"the hop is {hop:g} s, which is no multiple of {frames}; windows of a stream share frames, so make "
        found.append(Problem(("detector", "hop_seconds"), f"{message}it one"))
    for shift in getattr(recipe["scorer"], "earlier_seconds", ()):
        if not _multiple(shift * rate, frame_hop):
            message = f"a shift of {shift:g} s is no multiple of {frames}, and no window ends so much earlier; make "
            found.append(Problem(("scorer",), f"{message}it one"))
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
