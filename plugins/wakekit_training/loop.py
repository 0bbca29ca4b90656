"""One training, top to bottom: passes, epochs, steps, and what callbacks are told on the way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from wakekit import Batch, Draws, TrainingState
from wakekit.answers import as_module, as_one, as_tensor
from wakekit.distributed import agreed
from wakekit.errors import PluginError, abridged, blaming, who
from wakekit.training import DivergedError, Trained, TrainTask
from wakekit_training.added_rows import write_added_rows
from wakekit_training.rehearsal import rehearsal
from wakekit_training.replicas import Replicas, batch_of
from wakekit_training.snapshot import copied, extra_rows, restore, snapshot
from wakekit_training.validation import validated

if TYPE_CHECKING:
    from typing import Any

    from wakekit import ExtraRows, Hooks
    from wakekit.kinds import Callback
    from wakekit.progress import Advance
    from wakekit_training.standard import Standard

_LOOK_EVERY = 50
_BATCHES, _DRAWS = range(2)


class Training:
    """One training: what it needs at every step, and where it stands."""

    def __init__(self, options: Standard, task: TrainTask) -> None:
        self.options, self.task = options, task
        built = as_module(task.model.build(task.n_features, task.n_classes), who("model", task.model))
        self.replicas = Replicas(built.to(task.device), task.device)
        self.model = self.replicas.model
        self.initial = copied(self.model)
        self.optimizer = self._optimizer()
        self.schedule: LRScheduler | None = None
        self.loss = task.loss.build()
        self.called = {name: who("callback", callback, name) for name, callback in task.callbacks.items()}
        self.hooks = {name: _built(self.called[name], callback) for name, callback in task.callbacks.items()}
        self.rows, self.settled = task.train, 0
        self.extra: list[ExtraRows] = []
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.losses = torch.zeros(0)
        self.kept: dict[str, Tensor] | None = None
        self.best = math.inf
        self.earlier: list[dict[str, Tensor]] = []
        self.draws, self.done = torch.Generator(), 0
        self.state = self._state()

    def _state(self) -> TrainingState:
        task = self.task
        return TrainingState(
            model=self.model,
            optimizer=self.optimizer,
            evaluated=self.model,
            passes=self.options.passes,
            epochs=self.options.epochs,
            steps=self._pass_steps(0),
            window=task.train.window,
            audio=task.audio,
            folder=task.folder,
            record=task.history.record,
            note=self._note,
            warn=self._warn,
            rehearse=lambda: rehearsal(self),
            network=lambda: task.network(self.state.evaluated),
            add_rows=self._add_rows,
        )

    def run(self) -> Trained:
        """Go through all passes, from the checkpoint on where there is one."""
        state, saved, note = self.state, self.task.checkpoints.load(), self.replicas.note()
        if note is not None:
            self.task.progress.note(note)
        if saved is None:
            self.task.history.rewind(0)
        else:
            self._go_on(saved)
        self._tell("fit_started")
        if saved is None:
            self.initial = copied(self.model)
            self.rates = agreed([group["lr"] for group in self.optimizer.param_groups])
        else:
            self.initial, self.rates = saved["initial"], saved["rates"]
        while True:
            self._start_pass(saved)
            self._pass(on=saved is not None)
            saved = None
            if state.pass_number == state.passes - 1:
                break
            self.earlier.append(self._kept())
            state.pass_number += 1
        self._tell("fit_ended")
        return Trained(self._kept(), state.epoch, state.step, tuple(self.earlier))

    def _go_on(self, saved: dict[str, Any]) -> None:
        """Stand where the checkpoint was written, with the rows that had been added by then."""
        for name, value in saved["position"].items():
            setattr(self.state, name, value)
        self.extra = extra_rows(saved)
        self.task.progress.note(f"training goes on after step {self.state.step}")

    def _start_pass(self, saved: dict[str, Any] | None) -> None:
        """Begin a pass with a fresh optimizer and schedule, or bring it to where the checkpoint was written."""
        state = self.state
        # On several GPUs numbers may differ in their last bits, and with them what callbacks make of them.
        self.extra, state.restart = agreed((self.extra, state.restart))
        if state.pass_number and saved is None:
            if state.restart:
                self.model.load_state_dict(self.initial)
            state.pass_epoch = state.pass_step = self.done = 0
        if state.pass_number:
            self.optimizer = state.optimizer = self._optimizer()
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate
        self._settle_rows(len(self.extra) if saved is None else saved["settled"])
        state.steps = self._pass_steps(state.epoch - state.pass_epoch)
        built = self.task.schedule.build(self.optimizer, state.steps)
        self.schedule = as_one(built, LRScheduler, who("schedule", self.task.schedule))
        self.losses = torch.zeros(state.steps, device=self.task.device)
        self.kept, self.best = None, math.inf
        state.evaluated, state.stop, state.restart = self.model, False, False
        self._tell("pass_started")
        if saved is not None:
            restore(self, saved)
        elif self.settled:
            self._check_visited()

    def _optimizer(self) -> Optimizer:
        built = self.task.optimizer.build(self.model)
        return as_one(built, Optimizer, who("optimizer", self.task.optimizer))

    def _pass(self, *, on: bool) -> None:
        state = self.state
        label = "training" if state.passes == 1 else f"training, pass {state.pass_number + 1} of {state.passes}"
        with self.task.progress.task(label, state.steps) as advance:
            advance(state.pass_step)
            ended = False
            while not ended:
                self._epoch(advance, on=on)
                on = False
                self._end_epoch()
                ended = state.stop or state.pass_epoch == state.epochs
        # What callbacks score at the end of a pass, and what the next begins with, is what the pass is judged by.
        state.evaluated.load_state_dict(self._kept())
        if state.pass_number < state.passes - 1:
            state.model.load_state_dict(self._kept())
        self._tell("pass_ended")

    def _epoch(self, advance: Advance, *, on: bool) -> None:
        state = self.state
        state.model.train()
        if not on:
            self.draws, self.done = self.generator(state.epoch, stream=_DRAWS), 0
            self._tell("epoch_started")
        for batches in self._epoch_steps(state.epoch)[self.done :]:
            state.loss = self.step(batches, self.draws)
            self.losses[state.pass_step] = state.loss
            self._tell("step_ended")
            state.step += 1
            state.pass_step += 1
            self.done += 1
            # Looking at a loss waits for the device, so look seldom there.
            if state.step % _LOOK_EVERY == 0 or self.task.device.type == "cpu":
                self._check_finite()
                advance(_LOOK_EVERY if self.task.device.type == "cuda" else 1, f"loss {float(state.loss):.3f}")
            if self.task.checkpoints.due():
                self._check_finite()
                self.task.checkpoints.save(snapshot(self))
        self._check_finite()

    def _end_epoch(self) -> None:
        """Validate with the very weights that would be saved, and keep them."""
        state = self.state
        self._tell("epoch_ended")
        numbers = validated(self.task, state.evaluated)
        if not math.isfinite(numbers["dev_loss"]):
            raise self._diverged(state.step - 1)
        if self.options.keep == "last" or numbers["dev_loss"] < self.best:
            self.best, self.kept = numbers["dev_loss"], copied(state.evaluated)
        row = {
            "epoch": state.epoch,
            "steps": state.step,
            "train_loss": float(self.losses[state.pass_step - self.done : state.pass_step].mean()),
            **numbers,
            "learning_rate": float(self.schedule.get_last_lr()[0]) if self.schedule else self.rates[0],
        }
        row |= {"pass": state.pass_number + 1} if state.passes > 1 else {}
        self.task.history.record(row)
        self._tell("validated", row)
        state.stop = agreed(state.stop)
        state.epoch += 1
        state.pass_epoch += 1

    def step(self, batches: list[Tensor], draws: torch.Generator, *, rehearsed: bool = False) -> Tensor:
        """Take one optimizer step on the rows of some batches, each row counting alike; return the loss."""
        if not self.model.training:
            # A callback has asked for `network`, which puts the model into inference.
            self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        rows, count = sum(map(len, batches)), self.replicas.world.count
        total = torch.zeros((), device=self.task.device)
        self.replicas.begin()
        for chosen in batches:
            loss, share = self._forward(chosen, draws), count(len(chosen)) / rows
            (loss if share == 1 else loss * share).backward()
            total += loss.detach() * share
        total = self.replicas.end(total, sum(count(len(chosen)) for chosen in batches) / rows)
        if not rehearsed:
            self._tell("gradients_ready")
        self.optimizer.step()
        if self.schedule is not None and not rehearsed:
            self.schedule.step()
        return total

    def _forward(self, rows: Tensor, draws: torch.Generator) -> Tensor:
        task = self.task
        with torch.autocast(task.device.type, torch.bfloat16, enabled=task.precision == "bfloat16"):
            batch = self._batch(rows, draws)
            model, loss = who("model", task.model), who("loss", task.loss)
            with blaming(model), batch_of(batch.draws):
                answer = self.model(batch.features)
            per_frame = getattr(task.model, "scores", "window") == "frame"
            logits = as_tensor(answer, (*batch.targets.shape, *[-1] * per_frame), model)
            with blaming(loss):
                return as_tensor(self.loss(logits.float(), batch.targets), (), loss)

    def _batch(self, rows: Tensor, generator: torch.Generator) -> Batch:
        """Crop, augment and turn into normalized features, all on the device: those rows that are this process's."""
        task = self.task
        draws = Draws(generator, len(rows), task.device, self.replicas.world)
        fraction = draws.own(torch.rand(len(rows), generator=generator))
        rows = draws.own(rows)
        audio, lengths = self.rows.crop(rows, fraction)
        targets = nn.functional.one_hot(self.rows.labels[rows], task.n_classes).float()
        batch = Batch(audio.to(task.device), lengths.to(task.device), targets.to(task.device, non_blocking=True), draws)
        for augment in task.waveform_augmentations:
            batch = augment(batch)
        with torch.no_grad():
            batch = attrs.evolve(batch, features=task.features(batch.audio))
        for augment in task.feature_augmentations:
            batch = augment(batch)
        return batch

    def epoch_batches(self, generator: torch.Generator) -> list[list[Tensor]]:
        """Return an epoch's steps, each as the rows of its batches."""
        name = who("sampler", self.task.sampler)
        with blaming(name):
            batches = [
                as_tensor(rows, (-1,), name, dtype=torch.int64)
                for rows in self.task.sampler.batches(self.rows.pools, generator)
            ]
        if not batches or not all(map(len, batches)):
            raise PluginError(f"{name}: expected batches of rows, got {'one without any' if batches else 'none'}")
        low, high = torch.cat(batches).aminmax()
        if low < 0 or high >= len(self.rows):
            raise PluginError(f"{name}: expected rows from 0 to {len(self.rows) - 1}, got {int(low)} to {int(high)}")
        size = self.options.accumulate
        return [batches[first : first + size] for first in range(0, len(batches), size)]

    def _epoch_steps(self, epoch: int) -> list[list[Tensor]]:
        return self.epoch_batches(self.generator(epoch, stream=_BATCHES))

    def _pass_steps(self, epoch: int) -> int:
        return len(self._epoch_steps(epoch)) * self.options.epochs

    def generator(self, epoch: int, *, stream: int) -> torch.Generator:
        """Return a generator of its own for an epoch, so that any epoch can be replayed without those before it."""
        mixed = (self.task.seed * 1_000_003 + epoch) * 2 + stream
        return torch.Generator().manual_seed(mixed % 2**63)

    def _add_rows(self, extra: ExtraRows) -> None:
        samples = len(self.task.audio.audio)
        if len(extra.low) and not 0 <= int(extra.low.min()) <= int(extra.high.max()) <= samples:
            raise ValueError(f"low, high: expected positions from 0 to {samples}, the samples of state.audio")
        self.extra.append(extra)
        write_added_rows(self.task.folder, self.extra)

    def _settle_rows(self, count: int) -> None:
        """Train on the first `count` tables of added rows from now on."""
        for extra in self.extra[self.settled : count]:
            self.rows = self.rows.extended(extra, self.task.audio)
        self.settled = count

    def _check_visited(self) -> None:
        """Say so where the sampler leaves out what was added: a share of 0 would waste it without a word."""
        visited = torch.cat([rows for batches in self._epoch_steps(self.state.epoch) for rows in batches])
        if not bool((visited >= len(self.task.train)).any()):
            pools = ", ".join(sorted({extra.pool for extra in self.extra[: self.settled]}))
            added = len(self.rows) - len(self.task.train)
            self._warn(f"the sampler visits none of the {added} rows that were added: give the pool {pools} a share")

    def _note(self, sentence: str) -> None:
        self.task.progress.note(_sentence(sentence))

    def _warn(self, sentence: str) -> None:
        self._note(sentence)
        self.task.history.record({"warning": sentence})

    def _kept(self) -> dict[str, Tensor]:
        if self.kept is None:
            raise self._diverged(self.state.step)
        return self.kept

    def _diverged(self, step: int) -> DivergedError:
        good = self.kept if self.kept is not None or not self.earlier else self.earlier[-1]
        return DivergedError(self.state.epoch, step, good)

    def _check_finite(self) -> None:
        end = self.state.pass_step
        first = max(0, end - _LOOK_EVERY)
        bad = ~torch.isfinite(self.losses[first:end])
        if bool(bad.any()):
            step = self.state.step - end + first + int(bad.int().argmax())
            raise self._diverged(step)

    def _tell(self, hook: str, *more: object) -> None:
        for name, hooks in self.hooks.items():
            with blaming(self.called[name]):
                getattr(hooks, hook)(self.state, *more)
            if self.state.model is not self.model:
                raise PluginError(
                    f"{self.called[name]}: expected it to leave `state.model` in place, it put another there"
                )
            as_module(self.state.evaluated, f"{self.called[name]}: `state.evaluated`")


def _sentence(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError(f"expected a sentence to tell, got {abridged(said)}")
    return said


def _built(called: str, callback: Callback) -> Hooks:
    with blaming(called):
        return callback.build()
