"""The train stage: fit the normalizer on the train split, then hand everything to the trainer.

Until it is done, its folder also holds the last checkpoint of the training, from which the next attempt goes on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wakekit.answers import as_module, as_one, as_tensor
from wakekit.artifacts import write_text
from wakekit.batch import Batch, FeatureBatch, Sources, gather
from wakekit.checkpoints import Checkpoints
from wakekit.data import keyword_labels
from wakekit.distributed import equalize, writable
from wakekit.errors import PluginError, blaming, who
from wakekit.geometry import N_CLASSES, assemble, choose_device, context, frontend_context, geometry
from wakekit.history import History
from wakekit.pooling import KEYWORD
from wakekit.prepared import Prepared, SplitAudio, resident
from wakekit.rows import training_rows
from wakekit.training import DivergedError, Trained, TrainTask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wakekit.progress import Progress
    from wakekit.recipe import Recipe
    from wakekit.settings import Settings

Augment = Callable[[Batch], Batch]
FACTS = "train.json"
_FIT_BATCH = 256


def train(folder: Path, recipe: Recipe, prepared: Prepared, progress: Progress) -> None:
    """Fit the normalizer and train the model; leaves `model.safetensors`, `history.jsonl` and the folder `training`.

    The weights of pass n before the last are in `pass-<n>.safetensors`, counted from 1.
    """
    checkpoints = Checkpoints(folder / "checkpoint.safetensors", device=choose_device(recipe.settings))
    with writable(folder) as own:
        _train(own, recipe, prepared, progress, checkpoints)


def _train(folder: Path, recipe: Recipe, prepared: Prepared, progress: Progress, checkpoints: Checkpoints) -> None:
    good = folder / "last_good.safetensors"
    good.unlink(missing_ok=True)
    task = _task(recipe, prepared, progress, folder, checkpoints)
    try:
        trained = as_one(recipe["train"].fit(task), Trained, who("trainer", recipe["train"]))
    except DivergedError as error:
        checkpoints.forget()
        if error.weights is not None:
            save_file(_named(error.weights, task.normalizer), good)
        raise
    for number, weights in enumerate(trained.earlier, 1):
        save_file(_named(weights, task.normalizer), folder / f"pass-{number}.safetensors")
    save_file(_named(trained.weights, task.normalizer), folder / "model.safetensors")
    facts = {
        "epochs": trained.epochs,
        "steps": trained.steps,
        "keyword_share": _keyword_share(task),
        "dev_keyword_share": float(keyword_labels(prepared.open("dev").clips.rows).mean()),
        "warnings": [row["warning"] for row in task.history.rows if "warning" in row],
    }
    write_text(folder / FACTS, json.dumps(facts, indent=2))
    checkpoints.forget()


def _keyword_share(task: TrainTask) -> float:
    """Return the share of the loss's weight that the keyword has in an epoch of training."""
    batches = task.sampler.batches(task.train.pools, torch.Generator().manual_seed(task.seed))
    counts = torch.bincount(task.train.labels[torch.cat(list(batches))], minlength=N_CLASSES).double()
    weights = getattr(task.loss, "class_weights", None)
    weighted = counts if weights is None else counts * torch.tensor(weights, dtype=torch.float64)
    return float(weighted[KEYWORD] / weighted.sum())


def _named(weights: dict[str, Tensor], normalizer: nn.Module) -> dict[str, Tensor]:
    named = {f"model.{name}": value.contiguous() for name, value in weights.items()}
    statistics = normalizer.state_dict()
    return named | {f"normalizer.{name}": value.detach().cpu().contiguous() for name, value in statistics.items()}


def _task(recipe: Recipe, prepared: Prepared, progress: Progress, folder: Path, checkpoints: Checkpoints) -> TrainTask:
    settings, frontend_options = recipe.settings, recipe["frontend"]
    device = choose_device(settings)
    audio = prepared.open("train")
    data = {"train": resident(audio, device), "dev": resident(prepared.open("dev"), device)}
    frontend = _frontend(recipe, device)
    normalizer = _normalizer(recipe, data["train"], frontend, device, progress)
    needed = context(recipe, normalizer)
    _check_features(
        recipe, frontend, normalizer, torch.zeros(2, needed.samples + geometry(recipe).window, device=device)
    )
    augmentations = _augmentations(recipe, data["train"])
    own = folder / "training"
    if checkpoints.load() is None:
        # What callbacks wrote in an attempt that is not gone on from.
        shutil.rmtree(own, ignore_errors=True)
    own.mkdir(exist_ok=True)
    return TrainTask(
        train=training_rows(data["train"], settings.window, context=needed.samples),
        dev=training_rows(data["dev"], settings.window, context=needed.samples),
        audio=audio,
        frontend=frontend,
        normalizer=normalizer,
        network=lambda model: assemble(recipe, frontend=frontend, normalizer=normalizer, model=model),
        n_features=frontend_options.n_features,
        n_classes=N_CLASSES,
        model=recipe["model"],
        loss=recipe["loss"],
        optimizer=recipe["optimizer"],
        schedule=recipe["schedule"],
        sampler=recipe["sampler"],
        callbacks=recipe.each("callbacks"),
        waveform_augmentations=augmentations["waveform"],
        feature_augmentations=augmentations["features"],
        device=device,
        precision=_precision(settings, device),
        seed=settings.seed,
        progress=progress,
        history=History(folder / "history.jsonl"),
        checkpoints=checkpoints,
        folder=own,
        context_frames=needed.frames,
    )


def _frontend(recipe: Recipe, device: torch.device) -> nn.Module:
    """Return the frontend's module, which gives as many features as it says."""
    options, shape, before = recipe["frontend"], geometry(recipe), frontend_context(recipe)
    name = who("frontend", options)
    module = as_module(options.build(recipe.settings.audio.sample_rate), name).to(device).eval()
    with torch.no_grad():
        found = module(torch.zeros(2, before + shape.window, device=device))
    as_tensor(found, (2, options.n_features, shape.window_frames), name, dtype=torch.float32)
    return module


def _check_features(recipe: Recipe, frontend: nn.Module, normalizer: nn.Module, audio: Tensor) -> None:
    """Raise PluginError where the normalizer gives back other than as many features as it is given of audio [B, S]."""
    with torch.no_grad():
        features = frontend(audio)
        found = normalizer(features)
    as_tensor(found, features.shape, who("normalizer", recipe["normalizer"]), dtype=torch.float32)


def _normalizer(
    recipe: Recipe, split: SplitAudio, frontend: nn.Module, device: torch.device, progress: Progress
) -> nn.Module:
    """Return the normalizer's module, fitted on the train split."""
    built = recipe["normalizer"].build(recipe["frontend"].n_features)
    module = as_module(built, who("normalizer", recipe["normalizer"])).to(device)
    if hasattr(module, "hear_silence"):
        samples = frontend_context(recipe) + geometry(recipe).window
        with torch.no_grad():
            module.hear_silence(frontend(torch.zeros(1, samples, device=device))[0, :, -1])  # type: ignore[operator]
    if hasattr(module, "fit"):
        module.fit(_fit_batches(split, recipe, frontend, device, progress))  # type: ignore[operator]
    equalize(module)
    return module.eval()


def _precision(settings: Settings, device: torch.device) -> str:
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def _augmentations(recipe: Recipe, split: SplitAudio) -> dict[str, tuple[Augment, ...]]:
    """Build the augmentations of each domain, in the recipe's order."""
    sources = Sources(split.background(), split.rooms(), split.sample_rate)
    built: dict[str, list[Augment]] = {"waveform": [], "features": []}
    for name, augmentation in recipe.each("augmentations").items():
        called = who("augmentation", augmentation, name)
        if augmentation.domain not in built:
            raise PluginError(f"{called}: domain is {augmentation.domain!r}, not waveform or features")
        with blaming(called):
            built[augmentation.domain].append(_blamed(called, augmentation.build(sources)))
    return {domain: tuple(found) for domain, found in built.items()}


def _blamed(called: str, change: Augment) -> Augment:
    """Return an augmentation that is named when it fails."""

    def changed(batch: Batch) -> Batch:
        with blaming(called):
            found = change(batch)
        as_one(found, Batch, called)
        for field in ("audio", "targets", "features"):
            before, after = getattr(batch, field), getattr(found, field)
            if before is not None:
                as_tensor(after, before.shape, f"{called}: {field}")
        return found

    return changed


def _fit_batches(
    split: SplitAudio, recipe: Recipe, frontend: nn.Module, device: torch.device, progress: Progress
) -> Iterator[FeatureBatch]:
    """Yield the features of all train clips, window by window, without padding frames."""
    shape, before = geometry(recipe), frontend_context(recipe)
    frame = shape.window - (shape.window_frames - 1) * shape.frame_hop
    clips, starts, lengths = [], [], []
    for clip, length in zip(split.clips.starts.tolist(), split.clips.lengths.tolist(), strict=True):
        pieces = torch.arange(0, length, shape.window)
        clips.append(torch.full_like(pieces, clip))
        starts.append(clip + pieces)
        lengths.append((length - pieces).clamp(max=shape.window))
    low, start, length = torch.cat(clips), torch.cat(starts), torch.cat(lengths)
    frames = torch.div(length - frame, shape.frame_hop, rounding_mode="floor") + 1
    keep = frames > 0
    low, start, length, frames = low[keep], start[keep], length[keep], frames[keep]
    with torch.no_grad(), progress.task("fitting normalizer", len(start)) as advance:
        for rows in torch.arange(len(start)).split(_FIT_BATCH):
            first, end = start[rows] - before, start[rows] + length[rows]
            audio = gather(split.audio, first, low[rows], end, before + shape.window).to(device)
            yield FeatureBatch(frontend(audio), frames[rows].to(device))
            advance(len(rows))
