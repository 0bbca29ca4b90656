"""The standard trainer: one loop from top to bottom, every step batched on the device.

Initial weights, dropout and batches come from the recipe's seed; the caller's random state is left as it was.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn

from wakekit import Batch, Draws, TrainingState, option
from wakekit.training import DivergedError, Hooks, Trained, TrainTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wakekit.progress import Advance

_LOOK_EVERY = 50
_DEV_BATCH = 256


@attrs.frozen
class Standard:
    """Train for a number of epochs, validate after each, keep the last weights (or the best on dev)."""

    epochs: int = option(12, at_least=1, help="passes over the train split")
    keep: str = option(
        "last", choices=("last", "best"), help="weights to keep: of the last epoch, or of lowest dev loss"
    )
    clip_norm: float | None = option(None, above=0, help="gradients are scaled down to this total norm")

    def fit(self, task: TrainTask) -> Trained:
        """Train on the task; raises DivergedError with the last good weights when the loss is no longer finite."""
        with _seeded(task):
            return _Training(self, task).run()


@contextmanager
def _seeded(task: TrainTask) -> Iterator[None]:
    devices = [task.device] if task.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(task.seed)
        yield


class _Training:
    """One training: what it needs at every step, and where it stands."""

    def __init__(self, options: Standard, task: TrainTask) -> None:
        self.options, self.task = options, task
        model = task.model.build(task.n_features, task.n_classes).to(task.device)
        optimizer = task.optimizer.build(model)
        self.loss = task.loss.build()
        self.hooks: list[Hooks] = [callback.build() for callback in task.callbacks.values()]
        steps = len(self._epoch_batches(0)) * options.epochs
        self.state = TrainingState(model, optimizer, model, options.epochs, steps, task.record)
        self.schedule = task.schedule.build(optimizer, steps)
        self.losses = torch.zeros(steps, device=task.device)

    def run(self) -> Trained:
        """Go through all epochs."""
        state, best = self.state, math.inf
        kept: dict[str, Tensor] | None = None
        self._tell(lambda hooks: hooks.fit_started(state))
        with self.task.progress.task("training", state.steps) as advance:
            while state.epoch < state.epochs and not state.stop:
                self._epoch(advance, kept)
                self._tell(lambda hooks: hooks.epoch_ended(state))
                row = self._validated()
                if not math.isfinite(row["dev_loss"]):
                    raise DivergedError(state.epoch, state.step - 1, kept)
                if self.options.keep == "last" or row["dev_loss"] < best:
                    best, kept = row["dev_loss"], _copied(state.evaluated)
                self.task.record(row)
                state.epoch += 1
        self._tell(lambda hooks: hooks.fit_ended(state))
        if kept is None:
            raise DivergedError(state.epoch, state.step, None)
        return Trained(kept, state.epoch, state.step)

    def _epoch(self, advance: Advance, kept: dict[str, Tensor] | None) -> None:
        state = self.state
        state.model.train()
        draws = _generator(self.task.seed, state.epoch, stream=1)
        for rows in self._epoch_batches(state.epoch):
            state.loss = self.step(rows, draws)
            self.losses[state.step] = state.loss
            self._tell(lambda hooks: hooks.step_ended(state))
            state.step += 1
            # Looking at a loss waits for the device, so look seldom there.
            if state.step % _LOOK_EVERY == 0 or self.task.device.type == "cpu":
                self._check_finite(kept)
                advance(_LOOK_EVERY if self.task.device.type == "cuda" else 1, f"loss {float(state.loss):.3f}")
        self._check_finite(kept)

    def step(self, rows: Tensor, draws: torch.Generator) -> Tensor:
        """Take one optimizer step on the given rows and return the loss."""
        task, state = self.task, self.state
        state.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(task.device.type, torch.bfloat16, enabled=task.precision == "bfloat16"):
            batch = self._batch(rows, draws)
            loss = self.loss(state.model(batch.features).float(), batch.targets)
        loss.backward()
        if self.options.clip_norm is not None:
            nn.utils.clip_grad_norm_(state.model.parameters(), self.options.clip_norm)
        state.optimizer.step()
        self.schedule.step()
        return loss.detach()

    def _batch(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """Crop, augment and turn into normalized features, all on the device."""
        task = self.task
        draws = Draws(generator, len(rows), task.device)
        audio, lengths = task.train.crop(rows, torch.rand(len(rows), generator=generator))
        batch = Batch(audio.to(task.device), lengths.to(task.device), self._targets(task.train.labels[rows]), draws)
        for augment in task.waveform_augmentations:
            batch = augment(batch)
        with torch.no_grad():
            batch = attrs.evolve(batch, features=task.normalizer(task.frontend(batch.audio)))
        for augment in task.feature_augmentations:
            batch = augment(batch)
        return batch

    def _targets(self, labels: Tensor) -> Tensor:
        return nn.functional.one_hot(labels, self.task.n_classes).float().to(self.task.device, non_blocking=True)

    def _epoch_batches(self, epoch: int) -> list[Tensor]:
        generator = _generator(self.task.seed, epoch, stream=0)
        return list(self.task.sampler.batches(self.task.train.pools, generator))

    @torch.no_grad()
    def _validated(self) -> dict[str, float]:
        """Return the epoch's row of history; dev is judged with the very weights that would be saved."""
        task, state = self.task, self.state
        state.evaluated.eval()
        total, right = torch.zeros((), device=task.device), torch.zeros((), device=task.device)
        for rows in torch.arange(len(task.dev)).split(_DEV_BATCH):
            audio, _ = task.dev.crop(rows, torch.full((len(rows),), 0.5))
            features = task.normalizer(task.frontend(audio.to(task.device)))
            logits = state.evaluated(features).float()
            labels = task.dev.labels[rows].to(task.device)
            total += nn.functional.cross_entropy(logits, labels, reduction="sum")
            right += (logits.argmax(dim=1) == labels).sum()
        first = state.epoch * (state.steps // state.epochs)
        return {
            "epoch": state.epoch,
            "steps": state.step,
            "train_loss": float(self.losses[first : state.step].mean()),
            "dev_loss": float(total) / len(task.dev),
            "dev_accuracy": float(right) / len(task.dev),
            "learning_rate": float(self.schedule.get_last_lr()[0]),
        }

    def _check_finite(self, kept: dict[str, Tensor] | None) -> None:
        first = max(0, self.state.step - _LOOK_EVERY)
        bad = ~torch.isfinite(self.losses[first : self.state.step])
        if bool(bad.any()):
            raise DivergedError(self.state.epoch, first + int(bad.int().argmax()), kept)

    def _tell(self, call: Callable[[Hooks], None]) -> None:
        for hooks in self.hooks:
            call(hooks)


def _generator(seed: int, epoch: int, *, stream: int) -> torch.Generator:
    """Return a generator of its own for an epoch, so that any epoch can be replayed without those before it."""
    mixed = (seed * 1_000_003 + epoch) * 2 + stream
    return torch.Generator().manual_seed(mixed % 2**63)


def _copied(module: nn.Module) -> dict[str, Tensor]:
    state: Mapping[str, Tensor] = module.state_dict()
    return {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
