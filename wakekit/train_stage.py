"""The train stage: fit the normalizer on the train split, then hand everything to the trainer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wakekit.artifacts import write_text
from wakekit.batch import Batch, FeatureBatch, Sources, gather
from wakekit.errors import PluginError
from wakekit.geometry import N_CLASSES, choose_device, geometry
from wakekit.prepared import Prepared, SplitAudio, resident
from wakekit.rows import training_rows
from wakekit.training import DivergedError, TrainTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from wakekit.progress import Progress
    from wakekit.recipe import Recipe
    from wakekit.settings import Settings

Augment = Callable[[Batch], Batch]
_FIT_BATCH = 256


def train(folder: Path, recipe: Recipe, prepared: Prepared, progress: Progress) -> None:
    """Fit the normalizer and train the model; leaves `model.safetensors` and `history.jsonl`."""
    device = choose_device(recipe.settings)
    data = {name: resident(prepared.open(name), device) for name in ("train", "dev")}
    history = folder / "history.jsonl"
    with history.open("w", encoding="utf-8") as log:

        def record(row: Mapping[str, Any]) -> None:
            log.write(json.dumps(row) + "\n")
            log.flush()

        task = _task(recipe, data, device, progress, record)
        try:
            trained = recipe["train"].fit(task)
        except DivergedError as error:
            if error.weights is not None:
                save_file(_named(error.weights, task.normalizer), folder / "last_good.safetensors")
            raise
    save_file(_named(trained.weights, task.normalizer), folder / "model.safetensors")
    facts = {"n_features": task.n_features, "n_classes": N_CLASSES, "epochs": trained.epochs, "steps": trained.steps}
    write_text(folder / "train.json", json.dumps(facts, indent=2))


def _named(weights: dict[str, Tensor], normalizer: nn.Module) -> dict[str, Tensor]:
    named = {f"model.{name}": value.contiguous() for name, value in weights.items()}
    statistics = normalizer.state_dict()
    return named | {f"normalizer.{name}": value.detach().cpu().contiguous() for name, value in statistics.items()}


def _task(
    recipe: Recipe,
    data: dict[str, SplitAudio],
    device: torch.device,
    progress: Progress,
    record: Callable[[Mapping[str, Any]], None],
) -> TrainTask:
    settings, frontend_options = recipe.settings, recipe["frontend"]
    frontend = frontend_options.build(settings.audio.sample_rate).to(device).eval()
    normalizer = recipe["normalizer"].build(frontend_options.n_features).to(device)
    if hasattr(normalizer, "fit"):
        normalizer.fit(_fit_batches(data["train"], recipe, frontend, device, progress))
    augmentations = _augmentations(recipe, data["train"])
    return TrainTask(
        train=training_rows(data["train"], settings.window),
        dev=training_rows(data["dev"], settings.window),
        frontend=frontend,
        normalizer=normalizer.eval(),
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
        record=record,
    )


def _precision(settings: Settings, device: torch.device) -> str:
    if settings.precision != "auto":
        return settings.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def _augmentations(recipe: Recipe, split: SplitAudio) -> dict[str, tuple[Augment, ...]]:
    """Build the augmentations of each domain, in the recipe's order."""
    sources = Sources(split.background(), split.rooms(), split.sample_rate)
    built: dict[str, list[Augment]] = {"waveform": [], "features": []}
    for name, augmentation in recipe.each("augmentations").items():
        if augmentation.domain not in built:
            raise PluginError(f"augmentation {name}: domain is {augmentation.domain!r}, not waveform or features")
        built[augmentation.domain].append(augmentation.build(sources))
    return {domain: tuple(found) for domain, found in built.items()}


def _fit_batches(
    split: SplitAudio, recipe: Recipe, frontend: nn.Module, device: torch.device, progress: Progress
) -> Iterator[FeatureBatch]:
    """Yield the features of all train clips, window by window, without padding frames."""
    shape = geometry(recipe)
    frame = shape.window - (shape.window_frames - 1) * shape.frame_hop
    starts, lengths = [], []
    for start, length in zip(split.clips.starts.tolist(), split.clips.lengths.tolist(), strict=True):
        pieces = torch.arange(0, length, shape.window)
        starts.append(start + pieces)
        lengths.append((length - pieces).clamp(max=shape.window))
    start, length = torch.cat(starts), torch.cat(lengths)
    frames = torch.div(length - frame, shape.frame_hop, rounding_mode="floor") + 1
    keep = frames > 0
    start, length, frames = start[keep], length[keep], frames[keep]
    with torch.no_grad(), progress.task("fitting normalizer", len(start)) as advance:
        for rows in torch.arange(len(start)).split(_FIT_BATCH):
            low = start[rows]
            audio = gather(split.audio, low, low, low + length[rows], shape.window).to(device)
            yield FeatureBatch(frontend(audio), frames[rows].to(device))
            advance(len(rows))
