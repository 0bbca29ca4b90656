"""The score stage: raw scores of one split's clips and streams, composed ones included; done once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import attrs
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file

from wakekit.answers import as_module
from wakekit.artifacts import write_text
from wakekit.compose import compose
from wakekit.condition_stage import changed_split
from wakekit.cost import measure_cost
from wakekit.data import ClipScores, Cost, Manifest, Stream, StreamScores, as_json, keyword_labels
from wakekit.errors import who
from wakekit.excerpts import Sounds
from wakekit.geometry import N_CLASSES, assemble, choose_device, geometry
from wakekit.manifest import read_manifest, write_manifest
from wakekit.prepared import Prepared, SplitAudio, composed_split
from wakekit.streams import score_clips, score_stream, score_streams

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.network import Network
    from wakekit.progress import Progress
    from wakekit.recipe import Recipe

_COST = "cost.json"


def load_network(recipe: Recipe, weights: Path, device: torch.device) -> Network:
    """Return the trained network, ready to score."""
    tensors = load_file(weights)
    frontend = recipe["frontend"]
    normalizer = as_module(recipe["normalizer"].build(frontend.n_features), who("normalizer", recipe["normalizer"]))
    with torch.random.fork_rng(devices=[]):
        model = as_module(recipe["model"].build(frontend.n_features, N_CLASSES), who("model", recipe["model"]))
    for name, module in (("model.", model), ("normalizer.", normalizer)):
        module.load_state_dict(
            {key.removeprefix(name): value for key, value in tensors.items() if key.startswith(name)}
        )
    network = assemble(
        recipe, frontend=frontend.build(recipe.settings.audio.sample_rate), normalizer=normalizer, model=model
    )
    return network.to(device)


def compose_split(folder: Path, recipe: Recipe, prepared: Prepared, split: str, progress: Progress) -> None:
    """Compose the streams that a split lacks; leaves `streams.jsonl` and `audio.i16`."""
    data = prepared.open(split)
    composed = compose(folder, data, recipe.settings.compose)
    if composed.note:
        progress.note(composed.note)
    _write_streams(folder, data.keyword, composed.streams)


def _write_streams(folder: Path, keyword: str, streams: tuple[Stream, ...]) -> None:
    write_manifest(folder / "streams.jsonl", Manifest(keyword=keyword, clips=(), streams=streams))


def score_split(
    folder: Path,
    recipe: Recipe,
    prepared: Prepared,
    composed: Path,
    weights: Path,
    *,
    split: str,
    progress: Progress,
) -> None:
    """Score clips and streams of a split; leaves `scores.safetensors` and `streams.jsonl`.

    For test it leaves `cost.json` too: measured where the scores are, so that what is reused says the same again.
    """
    data = prepared.open(split)
    network = _score(folder, recipe, (data, composed_split(composed, data)), weights, progress)
    if split == "test":
        shape = geometry(recipe)
        cost = measure_cost(network, recipe["scorer"], window=shape.window, hop=shape.hop, sample_rate=data.sample_rate)
        write_text(folder / _COST, json.dumps(as_json(cost), indent=2))


def score_condition(
    folder: Path,
    recipe: Recipe,
    prepared: Prepared,
    composed: Path,
    weights: Path,
    *,
    changed: Path,
    progress: Progress,
) -> None:
    """Score what `make_condition` left in `changed`, in the form of `score_split` for the test split."""
    data = changed_split(changed, prepared.open("test"), composed)
    _score(folder, recipe, (data,), weights, progress)


def _score(folder: Path, recipe: Recipe, parts: tuple[SplitAudio, ...], weights: Path, progress: Progress) -> Network:
    """Score the clips of the first part and the streams of all; return the network."""
    shape = geometry(recipe)
    network = load_network(recipe, weights, choose_device(recipe.settings))
    sizes = {"window": shape.window, "hop": shape.hop}
    clips = score_clips(network, recipe["scorer"], parts[0], **sizes, progress=progress)
    streams: list[StreamScores] = []
    for part in parts:
        streams += score_streams(network, recipe["scorer"], part, **sizes, progress=progress)
    arrays = {f"stream.{index}": scored.scores for index, scored in enumerate(streams)}
    silence = score_stream(network, recipe["scorer"], torch.zeros(shape.window, dtype=torch.int16), **sizes)
    save_arrays({"clips": clips.scores, "silence": silence, **arrays}, folder / "scores.safetensors")
    _write_streams(folder, parts[0].keyword, tuple(scored.stream for scored in streams))
    return network


def stream_sounds(prepared: Prepared, composed: Path, split: str) -> Sounds:
    """Return the audio of a split's streams in the order of their scores: the composed ones last."""
    data = prepared.open(split)
    sounds = [sound for part in (data, composed_split(composed, data)) for sound in part.stream_samples()]
    return Sounds(tuple(sounds), data.sample_rate)


@attrs.frozen(eq=False)
class SplitScores:
    """Raw scores of a split: its clips, its streams with the composed ones last, and one window of digital silence.

    `cost` is what scoring costs, where it was measured.
    """

    split: str
    keyword: str
    clips: ClipScores
    streams: tuple[StreamScores, ...]
    silence: float
    cost: Cost | None = None


def read_scores(folder: Path, recipe: Recipe, prepared: Prepared, split: str) -> SplitScores:
    """Read what `score_split` left, or `score_condition` for the test split."""
    data = prepared.open(split)
    arrays = load_arrays(folder / "scores.safetensors")
    shape, rate = geometry(recipe), data.sample_rate
    streams = tuple(
        StreamScores(stream, arrays[f"stream.{index}"], shape.window / rate, shape.hop / rate)
        for index, stream in enumerate(read_manifest(folder / "streams.jsonl").streams)
    )
    return SplitScores(
        split,
        data.keyword,
        ClipScores(data.clips.rows, arrays["clips"], keyword_labels(data.clips.rows)),
        streams,
        float(arrays["silence"][0]),
        read_cost(folder),
    )


def read_cost(folder: Path) -> Cost | None:
    """Read what scoring costs; None where it was not measured."""
    path = folder / _COST
    return Cost(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None
