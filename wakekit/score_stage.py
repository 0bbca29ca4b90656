"""The score stage: raw scores of one split's clips and streams, composed ones included; done once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file

from wakekit.compose import compose
from wakekit.data import ClipScores, Manifest, Stream, StreamScores, keyword_labels
from wakekit.geometry import N_CLASSES, choose_device, geometry
from wakekit.manifest import read_manifest, write_manifest
from wakekit.network import Network
from wakekit.prepared import Placed, Prepared, map_audio
from wakekit.streams import score_clips, score_stream, score_streams

if TYPE_CHECKING:
    from pathlib import Path

    from wakekit.progress import Progress
    from wakekit.recipe import Recipe


def load_network(recipe: Recipe, weights: Path, device: torch.device) -> Network:
    """Return the trained network, ready to score."""
    tensors = load_file(weights)
    frontend = recipe["frontend"]
    normalizer = recipe["normalizer"].build(frontend.n_features)
    with torch.random.fork_rng(devices=[]):
        model = recipe["model"].build(frontend.n_features, N_CLASSES)
    for name, module in (("model.", model), ("normalizer.", normalizer)):
        module.load_state_dict(
            {key.removeprefix(name): value for key, value in tensors.items() if key.startswith(name)}
        )
    shape = geometry(recipe)
    network = Network(
        frontend=frontend.build(recipe.settings.audio.sample_rate),
        normalizer=normalizer,
        model=model,
        window_frames=shape.window_frames,
        frame_hop=shape.frame_hop,
        shared=getattr(recipe["normalizer"], "scope", "window") == "corpus",
    )
    return network.to(device).eval()


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
    """Score clips and streams of a split; leaves `scores.safetensors` and `streams.jsonl`."""
    data = prepared.open(split)
    shape = geometry(recipe)
    network = load_network(recipe, weights, choose_device(recipe.settings))
    sizes = {"window": shape.window, "hop": shape.hop}
    clips = score_clips(network, recipe["scorer"], data, **sizes, progress=progress)
    streams = score_streams(network, recipe["scorer"], data, **sizes, progress=progress)
    extra = attrs.evolve(data, audio=map_audio(composed / "audio.i16"), streams=_end_to_end(composed, data.sample_rate))
    streams += score_streams(network, recipe["scorer"], extra, **sizes, progress=progress)
    arrays = {f"stream.{index}": scored.scores for index, scored in enumerate(streams)}
    silence = score_stream(network, recipe["scorer"], torch.zeros(shape.window, dtype=torch.int16), **sizes)
    save_arrays({"clips": clips.scores, "silence": silence, **arrays}, folder / "scores.safetensors")
    _write_streams(folder, data.keyword, tuple(scored.stream for scored in streams))


def _end_to_end(composed: Path, rate: int) -> Placed:
    rows = read_manifest(composed / "streams.jsonl").streams
    lengths = np.array([round(stream.duration * rate) for stream in rows], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64) if rows else lengths
    return Placed(rows, torch.from_numpy(starts), torch.from_numpy(lengths))


@attrs.frozen(eq=False)
class SplitScores:
    """Raw scores of a split: its clips, its streams with the composed ones last, and one window of digital silence."""

    keyword: str
    clips: ClipScores
    streams: tuple[StreamScores, ...]
    silence: float


def read_scores(folder: Path, recipe: Recipe, prepared: Prepared, split: str) -> SplitScores:
    """Read what `score_split` left."""
    data = prepared.open(split)
    arrays = load_arrays(folder / "scores.safetensors")
    shape, rate = geometry(recipe), data.sample_rate
    streams = tuple(
        StreamScores(stream, arrays[f"stream.{index}"], shape.window / rate, shape.hop / rate)
        for index, stream in enumerate(read_manifest(folder / "streams.jsonl").streams)
    )
    return SplitScores(
        data.keyword,
        ClipScores(data.clips.rows, arrays["clips"], keyword_labels(data.clips.rows)),
        streams,
        float(arrays["silence"][0]),
    )
