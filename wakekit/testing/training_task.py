"""A training in a tenth of a second: chirps, of which the keyword rises, and plain torch for all else that it needs.

Components of the neutral kinds come from the registry, by the names that `wakekit.kinds` gives them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import torch
from torch import Tensor, nn

from wakekit.building import build_component
from wakekit.callbacks import Hooks, TrainingState
from wakekit.checkpoints import Checkpoints
from wakekit.data import Clip, Event, Stream
from wakekit.history import History
from wakekit.kinds import SLOTS
from wakekit.network import Network
from wakekit.prepared import Placed, SplitAudio
from wakekit.progress import Silence
from wakekit.registry import OWN_DISTRIBUTION
from wakekit.rows import Rows, training_rows
from wakekit.settings import Window
from wakekit.training import TrainTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wakekit.kinds import Callback
    from wakekit.registry import Registry

RATE = 2000
BATCH = 16
N_CLASSES = 2
_CLIP, _HOP, _FRAME, _BANDS = 0.4, 40, 80, 8
_WINDOW = int(_CLIP * RATE)
_FRAMES = 1 + (_WINDOW - _FRAME) // _HOP
_WORD = "chirp"
_CPU = torch.device("cpu")


def neutral(registry: Registry, kind: str, **options: Any) -> Any:  # noqa: ANN401
    """Return the component that leaving a kind out of a recipe means: wakekit's own, where others have its name too."""
    name = next(slot.neutral for slot in SLOTS if slot.kind == kind)
    plugins = [entry.plugin for entry in registry.entries(kind) if entry.component.name == name]
    own = [plugin.name for plugin in plugins if plugin.distribution == OWN_DISTRIBUTION]
    return build_component(registry, kind, {"type": ":".join([*own[:1], str(name)]), **options}).value


@attrs.frozen
class TinyModel:
    """Two linear layers over the whole window; with `dropout` the global random state matters, and buffers do."""

    dropout: float = 0.0

    def build(self, n_features: int, n_classes: int) -> nn.Module:
        """Return the module."""
        first, last = nn.Linear(n_features * _FRAMES, 8), nn.Linear(8, n_classes)
        random = [nn.BatchNorm1d(8), nn.Dropout(self.dropout)] if self.dropout else []
        return nn.Sequential(nn.Flatten(), first, *random, nn.ReLU(), last)


@attrs.frozen
class Mean:
    """Cross-entropy."""

    def build(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Return torch's own."""
        return nn.functional.cross_entropy


@attrs.frozen
class Descent:
    """Gradient descent with momentum, or with `adam` an optimizer that remembers more."""

    lr: float = 0.05
    adam: bool = False

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return the optimizer."""
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        if self.adam:
            return torch.optim.Adam(weights, lr=self.lr / 5)
        return torch.optim.SGD(weights, lr=self.lr, momentum=0.9)


class Bands(nn.Module):
    """Log energies of bands of frequency, [B, S] → [B, F, T]."""

    def forward(self, audio: Tensor) -> Tensor:
        """Return the features."""
        frames = audio.unfold(1, _FRAME, _HOP)
        power = torch.fft.rfft(frames).abs().square()[..., 1:].unflatten(-1, (_BANDS, -1)).mean(dim=-1)
        found: Tensor = (power + 1e-3).log().transpose(1, 2) / 4
        return found


def _chirp(rng: np.random.Generator, *, up: bool) -> np.ndarray:
    time = np.arange(_WINDOW) / RATE
    low, high = rng.uniform(80, 150), rng.uniform(500, 800)
    first, last = (low, high) if up else (high, low)
    tone = np.sin(2 * np.pi * (first * time + (last - first) * time**2 / (2 * _CLIP)))
    return np.asarray((0.3 * tone + 0.05 * rng.standard_normal(_WINDOW)) * 32767).astype(np.int16)


def split_audio(name: str, clips: int, seed: int, *, swapped: bool = False) -> SplitAudio:
    """Return so many keywords and as many others, and a stream of both; `swapped` makes keywords of the others."""
    rng = np.random.default_rng(seed)
    rows, streams, pieces = [], [], []
    for number in range(2 * clips):
        up = bool(number % 2)
        keyword = up != swapped
        pieces.append(_chirp(rng, up=up))
        rows.append(
            Clip(
                audio=Path(f"{name}_{number}.wav"),
                duration=_CLIP,
                label=_WORD if keyword else "other",
                pool="positive" if keyword else "negative" if number % 4 else "background",
                split=name,
                sha256=f"{number:064d}",
            )
        )
    sounds = [up for up in (True, False, False, False) for _ in range(2)]
    pieces += [_chirp(rng, up=up) for up in sounds]
    words = [place * _CLIP for place, up in enumerate(sounds) if up]
    events = tuple(Event(start=start, end=start + _CLIP, label=_WORD) for start in words)
    streams.append(Stream(audio=Path(f"{name}.wav"), duration=len(sounds) * _CLIP, split=name, events=events))
    place = torch.arange(2 * clips) * _WINDOW
    return SplitAudio(
        name=name,
        keyword=_WORD,
        sample_rate=RATE,
        audio=torch.from_numpy(np.concatenate(pieces)),
        clips=Placed(tuple(rows), place, torch.full_like(place, _WINDOW)),
        streams=Placed(tuple(streams), place[:1] + 2 * clips * _WINDOW, torch.tensor([len(sounds) * _WINDOW])),
        impulse_responses=Placed((), place[:0], place[:0]),
    )


def rows_of(split: SplitAudio) -> Rows:
    """Return the rows of a split, on the CPU."""
    return training_rows(split, Window(seconds=_CLIP, tolerance_seconds=0.05, silence=0.0))


def network_of(model: nn.Module) -> Network:
    """Return a model with frontend and normalizer."""
    return Network(
        frontend=Bands(),
        normalizer=nn.Identity(),
        model=model,
        window=_WINDOW,
        window_frames=_FRAMES,
        frame_hop=_HOP,
        sample_rate=RATE,
        shared=True,
    ).eval()


def tiny_task(registry: Registry, **changes: Any) -> TrainTask:  # noqa: ANN401
    """Return a task of six or seven steps an epoch; `changes` are fields of it."""
    train, device = split_audio("train", 48, 0), changes.get("device", _CPU)
    settled: dict[str, Any] = {
        "train": on(rows_of(train), device),
        "dev": on(rows_of(split_audio("dev", 16, 1)), device),
        "audio": train,
        "frontend": Bands(),
        "normalizer": nn.Identity(),
        "network": network_of,
        "n_features": _BANDS,
        "n_classes": N_CLASSES,
        "model": TinyModel(),
        "loss": Mean(),
        "optimizer": Descent(),
        "schedule": neutral(registry, "schedule"),
        "sampler": neutral(registry, "sampler", batch_size=BATCH),
        "callbacks": {},
        "waveform_augmentations": (),
        "feature_augmentations": (),
        "device": device,
        "precision": "float32",
        "seed": 0,
        "progress": Silence(),
        "history": History(),
        "checkpoints": Checkpoints(),
        "folder": Path(),
    }
    return TrainTask(**{**settled, **changes})


def on(rows: Rows, device: torch.device) -> Rows:
    """Return rows whose audio is on a device."""
    return attrs.evolve(rows, audio=rows.audio.to(device))


@torch.no_grad()
def dev_loss(task: TrainTask, weights: Mapping[str, Tensor]) -> float:
    """Return the cross-entropy on dev of a model of these weights."""
    model = built(task.model, task.n_features, task.n_classes).eval()
    model.load_state_dict(weights)
    rows = on(task.dev, _CPU)
    audio, _ = rows.crop(torch.arange(len(rows)), torch.full((len(rows),), 0.5))
    return float(nn.functional.cross_entropy(model(task.features(audio)), rows.labels))


def built(model: Any, n_features: int, n_classes: int, seed: int = 0) -> nn.Module:  # noqa: ANN401
    """Return a model's module with weights of a seed, the global random state being left as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module: nn.Module = model.build(n_features, n_classes)
        return module


class KilledError(BaseException):
    """Stands for a kill, which no component gets to see."""


class Before(Checkpoints):
    """One checkpoint, after so many steps; none where it is 0."""

    def __init__(self, step: int, path: Path) -> None:
        super().__init__(path)
        self.step, self.seen = step, 0

    def due(self) -> bool:
        """Say whether the step is the one."""
        self.seen += 1
        return self.seen == self.step


class _Seen(Hooks):
    pass


HOOKS = tuple(name for name in vars(Hooks) if not name.startswith("_") and not name.endswith("state_dict"))


@attrs.frozen(eq=False)
class Watch:
    """A callback that hands the name of every hook, and the state, to a function."""

    see: Callable[[str, TrainingState], None]

    def build(self) -> Hooks:
        """Return the hooks."""
        hooks = _Seen()
        for name in HOOKS:
            setattr(hooks, name, lambda state, *_, name=name: self.see(name, state))
        return hooks


def killed_at(step: int) -> Callback:
    """Return a callback that ends the training in a step, by its count over the whole training."""

    def see(hook: str, state: TrainingState) -> None:
        if hook == "gradients_ready" and state.step == step:
            raise KilledError

    return Watch(see)


def remembered(state: TrainingState) -> dict[str, Any]:
    """Return a copy of the live weights, the buffers and what the optimizer remembers."""
    return {"model": _copied(state.model), "optimizer": copy.deepcopy(state.optimizer.state_dict())}


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def evaluated_weights(state: TrainingState) -> dict[str, Tensor]:
    """Return a copy of what is validated and saved, on the CPU."""
    return {name: value.cpu() for name, value in _copied(state.evaluated).items()}
