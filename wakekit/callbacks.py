"""The contract of callbacks: when they are called, what they may read and change, and what a failing one does.

A training is one fit: `passes` passes over a pool that may grow, each of so many epochs, each of so many steps. The
hooks of `Hooks` are called in this order, and where there are several callbacks, in the order of the recipe:

    fit_started                     the model exists; before the first pass
      pass_started                  fresh optimizer and schedule; weights as they are
        epoch_started
          gradients_ready           gradients are complete, the optimizer has not stepped
          step_ended                optimizer and schedule have stepped
        epoch_ended                 before validation
        validated                   after it, with its numbers
      pass_ended                    the pass's weights are kept
    fit_ended

A callback reads all of `TrainingState`. It may change: weights, buffers and gradients of `model`; the learning rates of
`optimizer`, of which the schedule scales those that `fit_started` leaves and sets its own after every step;
`evaluated`, the module that is validated and saved, which is `model` when a pass begins; `stop`, which ends the pass
after this epoch; `restart`, which begins the next pass from the weights that the first began with. It may call
`record`, `note`, `warn`, `rehearse`, `network` and `add_rows`, and write files into `folder`, which is kept as
`training/` in the run's folder. Nothing else: it draws from no global random state and records nothing that another
run of the same recipe would not, such as the time, and no detector, calibrator or operating point is within its reach.

One that changes nothing of all this may say so: where a callback's `observes` is True, as a class attribute or a
property that goes by its options, weights, optimizer and validation come to the same with it as without it, to the bit.

A training that was killed goes on from its last checkpoint, to the same weights bit for bit. Model, optimizer,
schedule, random state, rows and history are restored by the trainer; what a callback remembers from one step to
another it gives in `state_dict` and takes back in `load_state_dict`. When training goes on, `fit_started` and
`pass_started` are called with `state.pass_step` above 0, then `load_state_dict`; what they record, ask for or add on
the way does not count again. Files stay as they were at the kill, so write them anew rather than append.

Where torchrun started several processes, each has the callbacks. Loss, gradients and validation are of all rows in
every one; what the first one's callbacks ask for holds for all, and what the others record, say or write is dropped.

A callback that raises ends the training with its name and line, or in the words of a WakekitError or OSError; the last
checkpoint stays, and the same command goes on from there.

A complete one, `Component("callback", "weight-noise", "acme_wake.weight_noise:WeightNoise", summary="…")`:

    import attrs
    import torch
    from wakekit import Hooks, option

    @attrs.frozen
    class WeightNoise:
        '''Add noise to every weight after a step.'''

        scale: float = option(1e-4, at_least=0, help="standard deviation of the noise")

        def build(self):
            return AddNoise(self.scale)

    class AddNoise(Hooks):
        def __init__(self, scale):
            self.scale, self.total = scale, 0.0
            self.generator = torch.Generator().manual_seed(0)

        @torch.no_grad()
        def step_ended(self, state):
            for weight in state.model.parameters():
                noise = torch.randn(weight.shape, generator=self.generator) * self.scale
                weight.add_(noise.to(weight.device))
                self.total += float(noise.abs().mean())

        def validated(self, state, row):
            state.record({"series": "noise added", "x": state.step, "y": self.total, "x_label": "step"})

        def state_dict(self):
            return {"total": self.total, "generator": self.generator.get_state()}

        def load_state_dict(self, state):
            self.total = state["total"]
            self.generator.set_state(state["generator"])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

import attrs
import torch
from torch import Tensor, nn

from wakekit.network import Network
from wakekit.prepared import SplitAudio

Rehearsal = Callable[[], Tensor]


@attrs.frozen(eq=False, kw_only=True)
class ExtraRows:
    """Windows of the train split's audio to train on from the next pass on, as `state.add_rows` takes them.

    Positions are int64 [n] on the CPU, in samples of `state.audio`: a window begins anywhere from `start` to
    `start` + `slack`, and is zero outside [`low`, `high`), the recording it is in. All have the class `label` and
    belong to `pool`. `provenance` says of each where it comes from and why, in JSON data; it is kept as
    `training/added_rows.jsonl`.
    """

    start: Tensor
    slack: Tensor
    low: Tensor
    high: Tensor
    provenance: tuple[Mapping[str, Any], ...]
    label: int = 0
    pool: str = "hard"

    def __attrs_post_init__(self) -> None:
        """Refuse positions that are no int64, and fields that are not all as long as each other."""
        fields = {"start": self.start, "slack": self.slack, "low": self.low, "high": self.high}
        for name, value in fields.items():
            if value.dtype != torch.int64 or value.dim() != 1 or value.device.type != "cpu":
                raise TypeError(f"{name}: expected int64 [n] on the CPU, got {value.dtype} {list(value.shape)}")
        counts = {name: len(value) for name, value in fields.items()} | {"provenance": len(self.provenance)}
        if len(set(counts.values())) > 1:
            raise ValueError(f"expected as many of each, got {counts}")


@attrs.define(eq=False, kw_only=True)
class TrainingState:
    """Training as callbacks see it; see the module for what they may change.

    Counts are from 0. `step` counts optimizer steps and `epoch` epochs over the whole training, `pass_step` and
    `pass_epoch` within the pass `pass_number`; `steps` and `epochs` are how many the pass has, `passes` how many passes
    there are. `loss` is the last step's, a scalar on the device: reading its value waits for the device.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    evaluated: nn.Module
    """What is validated and saved: `model`, unless a callback puts another module of its shape here."""
    passes: int
    epochs: int
    steps: int
    window: int
    """Samples that the model sees at once."""
    audio: SplitAudio
    """The train split: its clips, its streams and where they lie in one flat tensor."""
    folder: Path
    record: Callable[[Mapping[str, Any]], None]
    """Add a row of JSON data to `history.jsonl`; numbers that are not finite become null, arrays become lists.

    A curve that the report shall draw has the keys `series` (its name), `x` and `y` (a number, or lists of as many),
    and where wanted `line` (one of several lines in the figure), `x_label`, `y_label` (the series' name unless given),
    `x_log` (true for a logarithmic axis) and `mark` (true for a point to mark).
    """
    note: Callable[[str], None]
    """Tell the user one sentence, now."""
    warn: Callable[[str], None]
    """Tell the user one sentence, now and in the report."""
    rehearse: Callable[[], AbstractContextManager[Rehearsal]]
    """Return a context in which every call takes a training step on rows of its own and returns its loss.

    When it closes, model, buffers, optimizer and random state are as they were, to the bit. Learning rates set within
    it hold within it. To be used before the first step.
    """
    network: Callable[[], Network]
    """Return frontend, normalizer and `evaluated` as one module in inference, from audio to log-odds."""
    add_rows: Callable[[ExtraRows], None]
    """Add rows to train on from the next pass on, whenever in this one it is called."""
    pass_number: int = 0
    epoch: int = 0
    step: int = 0
    pass_epoch: int = 0
    pass_step: int = 0
    loss: Tensor | None = None
    stop: bool = False
    restart: bool = False


class Hooks(Protocol):
    """What a callback is told; derive from it and write the hooks you need, the others do nothing."""

    def fit_started(self, state: TrainingState) -> None:
        """Training is about to begin, or to go on from a checkpoint: then `state.step` is above 0."""
        return

    def pass_started(self, state: TrainingState) -> None:
        """Optimizer and schedule of the pass are fresh; its rows are settled."""
        return

    def epoch_started(self, state: TrainingState) -> None:
        """An epoch is about to begin."""
        return

    def gradients_ready(self, state: TrainingState) -> None:
        """Gradients of the whole batch stand in `state.model`; they may be changed."""
        return

    def step_ended(self, state: TrainingState) -> None:
        """Optimizer and schedule have stepped; `state.step` is the index of this step."""
        return

    def epoch_ended(self, state: TrainingState) -> None:
        """An epoch is over and has not been validated yet."""
        return

    def validated(self, state: TrainingState, row: Mapping[str, float]) -> None:
        """Validation has given the epoch's row of history: `dev_loss`, `dev_eer`, `train_loss` and more."""
        return

    def pass_ended(self, state: TrainingState) -> None:
        """The weights of the pass are kept; rows may be added for the next."""
        return

    def fit_ended(self, state: TrainingState) -> None:
        """Training is over."""
        return

    def state_dict(self) -> Mapping[str, Any]:
        """Return what must survive a kill: nested dicts, lists, tensors, numbers and texts."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        return
